"""One request at a time, with patience; whatever goes wrong becomes one line.

Redirects are not followed: none of the services redirects, and a network's login page does. Bodies
are unpacked here and not by the HTTP library, which takes a gzip stream that is cut short for a
whole one.
"""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from typing import TypeVar
from urllib.parse import urlsplit

import requests
import urllib3

from scratchml.errors import ScratchmlError
from scratchml.weather.network import TransientError, explain
from scratchml.weather.secret import Secret, hidden_in_logs

T = TypeVar("T")

#: Bytes of an answer, packed or unpacked. A year of all variables has less than 2 MB.
LARGEST_ANSWER = 64 * 2**20
PIECE = 2**16

#: Worth another try.
PASSING = (408, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class Patience:
    """How long to wait for an answer, and between attempts.

    Attributes:
        attempts: of one request.
        delay: seconds before the second attempt; twice that before the third, and so on.
        longest: seconds that a service may ask to wait; more than that is the user's to wait.
        timeout: seconds without a byte.
        whole: seconds for one answer.
    """

    attempts: int = 5
    delay: float = 1.0
    longest: float = 120.0
    timeout: float = 60.0
    whole: float = 600.0

    @classmethod
    def from_environment(cls) -> Patience:
        """As SCRATCHML_RETRY_SECONDS (``delay``) and SCRATCHML_TIMEOUT_SECONDS say."""
        return cls(
            delay=_seconds("SCRATCHML_RETRY_SECONDS", cls.delay),
            timeout=_seconds("SCRATCHML_TIMEOUT_SECONDS", cls.timeout),
        )


@dataclass(frozen=True)
class Answer:
    """What a service said; header names in lower case."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    def check(self, service: str, reason: str = "") -> None:
        """Refuse a status other than 200.

        Args:
            service: the name to blame.
            reason: what the service itself says of it.

        Raises:
            TransientError: it may pass.
            ScratchmlError: it will not.
        """
        if self.status == 200:
            return
        said = f"HTTP {self.status}" + (f": {reason}" if reason else "")
        if 300 <= self.status < 400:
            target = urlsplit(self.headers.get("location", ""))
            raise ScratchmlError(
                f"{service} redirects to {target.netloc or 'another page'}{target.path} "
                f"({said}), which is not followed: if this network has a login page, log in; if "
                "the service has moved, give its place with --url"
            )
        if self.status == 429:
            raise TransientError(f"{service} asks for fewer requests ({said})", self._retry_after())
        if self.status in PASSING:
            raise TransientError(
                f"{service} is out of order or overloaded ({said})", self._retry_after()
            )
        raise ScratchmlError(f"{service} refuses the request ({said})")

    def _retry_after(self) -> float:
        """Seconds, which the header gives as such or as a date."""
        value = self.headers.get("retry-after", "").strip()
        if value.isdecimal():
            return float(value[:9])
        try:
            when = parsedate_to_datetime(value)
        except ValueError:
            return 0.0
        now = datetime.now(timezone.utc if when.tzinfo else None)
        return max((when - now).total_seconds(), 0.0)


class _Session(requests.Session):
    """Without redirects, whose bodies the library would read whole, however large."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


class Client:
    """A connection to one service.

    Args:
        service: its name, for messages.
        key: the name of a parameter and its secret value, sent with every request.
        patience: ``None`` for that of the environment.
        on_wait: told, in a line, why there is a pause.
    """

    def __init__(
        self,
        service: str,
        *,
        key: tuple[str, Secret] | None = None,
        patience: Patience | None = None,
        on_wait: Callable[[str], None] | None = None,
        largest: int = LARGEST_ANSWER,
    ) -> None:
        self.service = service
        self.patience = patience or Patience.from_environment()
        self._key = key
        self._secret = key[1] if key else None
        self._on_wait = on_wait or (lambda line: None)
        self._largest = largest
        self.calls_left: str | None = None  # today, where a service tells
        self._session = _Session()
        self._session.headers["User-Agent"] = f"scratchml/{version('scratchml')}"
        self._session.headers["Accept-Encoding"] = "gzip"
        self._session.auth = lambda request: request  # nor anything from ~/.netrc

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def get(self, url: str, params: Mapping[str, str], read: Callable[[Answer], T]) -> T:
        """Ask, and have ``read`` make sense of the answer; after ``TransientError``, ask again.

        Raises:
            ScratchmlError: there is no answer, or none that ``read`` takes. The key is in no
                message, and in no exception behind it.
        """
        delay = self.patience.delay
        for attempt in range(1, self.patience.attempts + 1):
            try:
                return read(self._once(url, params))
            except TransientError as error:
                trouble, after = str(error), error.after
            if attempt == self.patience.attempts:
                break
            pause = max(delay, after)
            if pause > max(self.patience.longest, delay):
                raise ScratchmlError(
                    f"{trouble}: it asks to wait {pause:,.0f} s; repeat the command after that"
                )
            self._on_wait(
                f"{trouble}; waiting {pause:g} s before attempt {attempt + 1} of "
                f"{self.patience.attempts}"
            )
            time.sleep(pause)
            delay *= 2
        raise ScratchmlError(
            f"{trouble}, {self.patience.attempts} times in a row: repeat the command later"
        )

    def _once(self, url: str, params: Mapping[str, str]) -> Answer:
        failure: ScratchmlError
        with hidden_in_logs(self._secret):
            try:
                return self._ask(url, params)
            except (
                requests.RequestException,
                urllib3.exceptions.HTTPError,
                OSError,
                UnicodeError,
            ) as error:
                failure = explain(error, self.service, urlsplit(url).netloc)
        raise failure  # out here, so that the exception with the URL is not behind it

    def _ask(self, url: str, params: Mapping[str, str]) -> Answer:
        sent = dict(params)
        if self._key:
            sent[self._key[0]] = self._key[1].reveal()
        timeout = min(self.patience.timeout, 20.0), self.patience.timeout
        with self._session.get(
            url, params=sent, timeout=timeout, stream=True, allow_redirects=False
        ) as response:
            body = self._body(response)
            headers = {name.lower(): value for name, value in response.headers.items()}
        if self._secret:
            body = self._secret.scrub_bytes(body)
            headers = {name: self._secret.scrub(value) for name, value in headers.items()}
        self.calls_left = headers.get("x-wwo-qpd-left", self.calls_left)
        return Answer(response.status_code, body, headers)

    def _body(self, response: requests.Response) -> bytes:
        raw = response.raw
        # what has come so far, if the library has it, so that a trickle meets the deadline
        read = getattr(raw, "read1", None) or raw.read
        deadline = time.monotonic() + self.patience.whole
        body = bytearray()
        while piece := read(PIECE, decode_content=False):
            body += piece
            if len(body) > self._largest:
                raise self._too_large()
            if time.monotonic() > deadline:
                raise TransientError(
                    f"{self.service} took more than {self.patience.whole:g} s to answer"
                )
        announced = response.headers.get("Content-Length", "")
        if announced.isdecimal() and len(body) < int(announced[:18]):
            raise TransientError(f"the answer of {self.service} was cut short")
        return self._unpacked(bytes(body), response.headers.get("Content-Encoding", ""))

    def _unpacked(self, body: bytes, encoding: str) -> bytes:
        if encoding.lower() in ("", "identity") or not body:
            return body
        if encoding.lower() not in ("gzip", "x-gzip"):
            raise ScratchmlError(
                f"{self.service} answers in the encoding {encoding!r}, which was not asked for"
            )
        return gunzip(body, self.service, self._largest)

    def _too_large(self) -> ScratchmlError:
        return ScratchmlError(
            f"the answer of {self.service} is larger than {self._largest / 2**20:g} MiB, which no "
            "weather is; check --url"
        )


def gunzip(body: bytes, service: str, largest: int = LARGEST_ANSWER) -> bytes:
    """Unpack gzip.

    Raises:
        TransientError: it is cut short or damaged.
        ScratchmlError: it has more than ``largest`` bytes.
    """
    unpacked = bytearray()
    try:
        while body:
            unpacker = zlib.decompressobj(wbits=31)
            unpacked += unpacker.decompress(body, largest + 1 - len(unpacked))
            if len(unpacked) > largest:
                raise ScratchmlError(
                    f"the answer of {service} unpacks to more than {largest / 2**20:g} MiB, which "
                    "no weather is; check --url"
                )
            if not unpacker.eof:
                raise TransientError(f"the gzip answer of {service} was cut short")
            body = unpacker.unused_data
    except zlib.error:
        raise TransientError(f"the gzip answer of {service} is damaged") from None
    return bytes(unpacked)


def _seconds(name: str, default: float) -> float:
    value = os.environ.get(name)
    if not value:
        return default
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e6:
        raise ScratchmlError(f"{name}={value!r} is not a number of seconds above 0")
    return seconds
