"""What can go wrong on the way to a service: each in one line that says what to do."""

from __future__ import annotations

import gzip
import html
import json
import logging
import re
import socket
import time
import traceback
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
import weather_services as ws
from hypothesis import given
from hypothesis import strategies as st

from scratchml import ScratchmlError
from scratchml.weather.client import Answer, Client, Patience, gunzip
from scratchml.weather.network import TransientError, causes
from scratchml.weather.secret import HIDDEN, Secret

PARAMS = {
    "latitude": "46.4767",
    "longitude": "11.7706",
    "start_date": "2020-01-01",
    "end_date": "2020-01-02",
    "hourly": "temperature_2m",
}


def read(answer: Answer) -> bytes:
    """As a source does: the status, then the contents."""
    answer.check("Service")
    if not answer.body.endswith(b"}"):
        raise TransientError("the answer was cut short")
    return answer.body


class Asking:
    """One question, asked with little patience."""

    def __init__(self, services: ws.Services) -> None:
        self.services, self.waits = services, list[str]()
        self.patience = Patience(attempts=4, delay=0.01, longest=0.5, timeout=0.3, whole=1.0)
        self.key: tuple[str, Secret] | None = None
        self.largest = 2**20

    def __call__(self, url: str | None = None) -> bytes:
        with Client(
            "Service",
            key=self.key,
            patience=self.patience,
            on_wait=self.waits.append,
            largest=self.largest,
        ) as client:
            return client.get(f"{url or self.services.url}/v1/archive", PARAMS, read)

    def fails(self, url: str | None = None) -> str:
        """The line with which it fails."""
        with pytest.raises(ScratchmlError) as caught:
            self(url)
        message = str(caught.value)
        assert message.isprintable()
        assert len(message) < 400
        return message


@pytest.fixture
def ask(services: ws.Services) -> Asking:
    return Asking(services)


RIGHT = json.dumps(ws.open_meteo(PARAMS), ensure_ascii=False).encode()


# --- what passes ---------------------------------------------------------------------------------


def test_a_right_answer_takes_one_request(ask: Asking) -> None:
    assert ask() == RIGHT
    ((path, params, headers),) = ask.services.asked
    assert (path, params) == ("/v1/archive", PARAMS)
    assert re.fullmatch(r"scratchml/[\d.]+", headers["User-Agent"])
    assert "Authorization" not in headers
    assert ask.waits == []


def test_gzip_and_chunks_make_no_difference(ask: Asking) -> None:
    ask.services.mishaps = [ws.changed(gzip.compress, Content_Encoding="gzip"), ws.in_chunks]
    assert ask() == ask() == RIGHT


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503, 504])
def test_a_passing_error_is_waited_out(ask: Asking, code: int) -> None:
    ask.services.mishaps = [ws.status(code), ws.status(code)]
    assert ask() == RIGHT
    assert len(ask.services.asked) == 3
    assert [re.search(r"waiting (\S+) s", line)[1] for line in ask.waits] == ["0.01", "0.02"]  # type: ignore[index]
    assert all(f"HTTP {code}" in line for line in ask.waits)


@pytest.mark.parametrize(
    "mishap",
    [
        ws.silence,
        ws.hang_up,
        ws.cut_short,
        ws.cut_chunks,
        ws.trickle,
        ws.changed(lambda body: body[:-5]),
        ws.changed(lambda body: gzip.compress(body)[:-9], Content_Encoding="gzip"),
        ws.changed(lambda body: gzip.compress(body)[:-20] + bytes(20), Content_Encoding="gzip"),
    ],
    ids="silence hang-up cut chunks trickle json gzip damaged".split(),
)
def test_a_broken_answer_is_asked_for_again(ask: Asking, mishap: ws.Mishap) -> None:
    ask.services.mishaps = [mishap]
    assert ask() == RIGHT
    assert len(ask.services.asked) == 2


def test_waits_double_and_then_it_gives_up(ask: Asking) -> None:
    ask.services.always = ws.status(503)
    began = time.monotonic()
    message = ask.fails()
    assert time.monotonic() - began >= 0.01 + 0.02 + 0.04  # it has really waited
    assert len(ask.services.asked) == 4
    assert "HTTP 503" in message
    assert "4 times in a row: repeat the command later" in message


def test_retry_after_in_seconds_is_kept_to(ask: Asking) -> None:
    ask.patience = Patience(delay=0.01, longest=2)
    ask.services.mishaps = [ws.status(429, Retry_After="1")]
    began = time.monotonic()
    assert ask() == RIGHT
    assert time.monotonic() - began >= 1
    assert "waiting 1 s" in ask.waits[0]


def test_retry_after_as_a_date_is_kept_to(ask: Asking) -> None:
    ask.patience = Patience(delay=0.01, longest=5)
    when = datetime.now(timezone.utc) + timedelta(seconds=2)
    ask.services.mishaps = [ws.status(503, Retry_After=format_datetime(when, usegmt=True))]
    began = time.monotonic()
    assert ask() == RIGHT
    assert time.monotonic() - began >= 0.5  # a date has whole seconds


def test_a_long_wait_is_left_to_the_user(ask: Asking) -> None:
    ask.services.mishaps = [ws.status(429, Retry_After="7200")]
    message = ask.fails()
    assert "it asks to wait 7,200 s; repeat the command after that" in message
    assert len(ask.services.asked) == 1


@pytest.mark.parametrize("value", ["", "soon", "-5", "1e9999", "Mon, 99 Foo"])
def test_an_odd_retry_after_is_passed_over(ask: Asking, value: str) -> None:
    ask.services.mishaps = [ws.status(503, Retry_After=value)]
    assert ask() == RIGHT


# --- what does not -------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [400, 401, 403, 404, 410, 501])
def test_a_refusal_is_not_asked_for_again(ask: Asking, code: int) -> None:
    ask.services.always = ws.status(code)
    assert f"Service refuses the request (HTTP {code})" in ask.fails()
    assert len(ask.services.asked) == 1


def test_a_redirect_is_not_followed(ask: Asking) -> None:
    ask.services.always = ws.instead(
        "<html>log in</html>", 302, Location="http://portal.example/login?to=secret"
    )
    message = ask.fails()
    assert "redirects to portal.example/login (HTTP 302)" in message
    assert "if this network has a login page, log in" in message
    assert "secret" not in message
    assert len(ask.services.asked) == 1


def test_a_name_that_cannot_be_resolved(ask: Asking) -> None:
    message = ask.fails("http://weather.invalid")
    assert message.startswith("the name weather.invalid cannot be resolved: check the network")


def test_a_refused_connection(ask: Asking) -> None:
    with socket.socket() as reserved:  # bound, and not listening
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        message = ask.fails(f"http://127.0.0.1:{port}")
    assert message.startswith(f"127.0.0.1:{port} refuses the connection: check the network")


def test_a_certificate_that_nobody_trusts(
    ask: Asking, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = ws.self_signed(tmp_path)
    with ws.running(pair) as secure:
        message = ask.fails(secure.url)
        assert re.search(r"the TLS certificate of 127\.0\.0\.1:\d+ is not trusted \(self", message)
        assert "REQUESTS_CA_BUNDLE" in message
        assert secure.asked == []
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pair[0]))  # the advice is good
        assert ask(secure.url) == RIGHT


def test_tls_with_a_server_that_has_none(ask: Asking) -> None:
    message = ask.fails(ask.services.url.replace("http:", "https:"))
    assert re.match(r"TLS with 127\.0\.0\.1:\d+ failed: check --url", message)


def test_a_proxy_that_does_not_work(ask: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://user:pass@127.0.0.1:9")
    message = ask.fails("http://weather.example")
    assert "the proxy on the way to weather.example does not work" in message
    assert "pass@" not in message


def test_an_answer_that_is_too_large(ask: Asking) -> None:
    ask.largest = 1000
    ask.services.always = ws.instead(b"x" * 5000)
    assert "larger than" in ask.fails()
    ask.services.always = ws.instead(gzip.compress(bytes(10**7)), Content_Encoding="gzip")
    ask.largest = 20000  # it is smaller than that while it is packed
    assert "unpacks to more than" in ask.fails()
    assert len(ask.services.asked) == 2


def test_an_encoding_that_was_not_asked_for(ask: Asking) -> None:
    ask.services.always = ws.instead(b"?", Content_Encoding="br")
    assert "in the encoding 'br', which was not asked for" in ask.fails()


@pytest.mark.parametrize("name", ["SCRATCHML_RETRY_SECONDS", "SCRATCHML_TIMEOUT_SECONDS"])
@pytest.mark.parametrize("value", ["x", "0", "-1", "nan", "inf"])
def test_patience_that_is_no_number_is_refused(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ScratchmlError, match=f"{name}='{value}' is not a number of seconds"):
        Patience.from_environment()


@given(body=st.binary(max_size=3000), cut=st.integers(1, 40))
def test_gzip_is_unpacked_or_refused(body: bytes, cut: int) -> None:
    """Python's own gzip is the judge, which the code does not use."""
    packed = gzip.compress(body) + gzip.compress(b"more")
    assert gunzip(packed, "Service") == gzip.decompress(packed) == body + b"more"
    with pytest.raises(TransientError):
        gunzip(packed[:-cut] if cut < 23 else packed[: cut - 22], "Service")


# --- the key -------------------------------------------------------------------------------------


def forms(key: str) -> list[str]:
    """How a key may stand in texts about a request."""
    return [key, quote(key), quote(key, safe=""), quote_plus(key), quote_plus(quote_plus(key))]


KEYS = st.text(
    st.characters(codec="ascii", exclude_characters=" "), min_size=6, max_size=40
).filter(str.isprintable)


@given(key=KEYS, before=st.text(max_size=10), after=st.text(max_size=10))
def test_a_key_is_scrubbed_in_every_form(key: str, before: str, after: str) -> None:
    secret = Secret(key)
    assert key not in f"{secret}{secret!r}"
    in_json = json.dumps(key)[1:-1]
    dotnet = re.sub("[&<>'+]", lambda found: f"\\u{ord(found[0]):04x}", in_json)
    others = [*(form.lower() for form in forms(key)), in_json, dotnet, html.escape(key)]
    for form in [*forms(key), *others]:
        scrubbed = secret.scrub(f"<{form}>")
        assert scrubbed == f"<{HIDDEN}>"
        assert secret.scrub_bytes(f"<{form}>".encode()) == scrubbed.encode()
        assert form not in secret.scrub(f"{before}<{form}>{after}") or form in before + after


@pytest.mark.parametrize("text", ["", "abc", "with blank", "with\ttab", "schlüssel"])
def test_what_is_no_key_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(ScratchmlError) as caught:
        Secret(text)
    assert not text or text not in str(caught.value)


def chain(error: BaseException) -> Iterator[str]:
    """Every text that a traceback could print of an error and what is behind it."""
    for cause in causes(error):
        yield from (str(cause), repr(cause), repr(vars(cause)))
    yield "".join(traceback.format_exception(error))


def echo(handler: ws.Handler, _: bytes) -> None:
    """A service that repeats the request in its refusal, as some do."""
    handler.reply(json.dumps({"error": True, "reason": handler.path}).encode(), 400)


def redirect_with_key(handler: ws.Handler, _: bytes) -> None:
    handler.reply(b"", 301, Location=f"https://elsewhere.example{handler.path}")


#: Where there is nobody to answer.
ADDRESSES = {
    "refused": "http://127.0.0.1:9",
    "unknown": "http://weather.invalid",
    "no TLS": "https://{host}",
    "bad host": "http://a..b",
}
MISHAPS = {
    "echo": echo,
    "redirect": redirect_with_key,
    "silence": ws.silence,
    "reset": ws.hang_up,
    "cut": ws.cut_short,
    "chunks": ws.cut_chunks,
    "unavailable": ws.status(503),
}


@pytest.mark.parametrize("trouble", [*ADDRESSES, *MISHAPS])
def test_the_key_is_in_no_error_and_no_log(
    ask: Asking, trouble: str, caplog: pytest.LogCaptureFixture
) -> None:
    ask.key = "key", Secret(ws.KEY)
    ask.services.always = MISHAPS.get(trouble)
    caplog.set_level(logging.DEBUG)
    host = ask.services.url.removeprefix("http://")
    with pytest.raises(ScratchmlError) as caught:
        ask(ADDRESSES.get(trouble, "http://{host}").format(host=host))
    texts = [*chain(caught.value), caplog.text, *ask.waits]
    for form in forms(ws.KEY):
        assert not any(form.lower() in text.lower() for text in texts)
    if trouble in MISHAPS:
        assert ask.services.asked[0][1]["key"] == ws.KEY  # it was sent all the same
    if trouble in ("echo", "redirect", "unavailable"):
        assert f"key={HIDDEN}" in caplog.text  # the library would have logged it


def test_an_answer_with_the_key_in_it_comes_without(ask: Asking) -> None:
    ask.key = "key", Secret(ws.KEY)
    ask.services.always = ws.instead(json.dumps({"request": quote_plus(ws.KEY), "k": ws.KEY}))
    assert json.loads(ask()) == {"request": HIDDEN, "k": HIDDEN}


def test_logging_is_as_before_afterwards(ask: Asking) -> None:
    logger = logging.getLogger("urllib3.connectionpool")
    before = list(logger.filters)
    ask.key = "key", Secret(ws.KEY)
    ask()
    assert logger.filters == before


def test_no_password_of_netrc_is_sent(
    ask: Asking, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password something\n")
    monkeypatch.setenv("NETRC", str(netrc))
    ask()
    assert "Authorization" not in ask.services.asked[0][2]
