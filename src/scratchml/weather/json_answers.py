"""JSON that came over the network: taken apart with care, since anything may be in it."""

from __future__ import annotations

import json
import math
from typing import Any

from scratchml.errors import ScratchmlError
from scratchml.text import printable
from scratchml.weather.network import TransientError

#: Open-Meteo writes this into the middle of an answer that it cannot finish, under status 200.
STREAM_ERROR = b"Unexpected error while streaming data"


def json_of(body: bytes, service: str) -> dict[str, Any]:
    """The JSON object of an answer.

    Raises:
        TransientError: it is cut short.
        ScratchmlError: it is something else.
    """
    if STREAM_ERROR in body:
        raise TransientError(f"{service} broke off in the middle of its answer")
    text = body.lstrip(b"\xef\xbb\xbf \t\r\n")
    if not text:
        raise TransientError(f"the answer of {service} is empty")
    if not text.startswith(b"{"):
        page = "a web page" if b"<" in text[:1] else "something else"
        raise ScratchmlError(
            f"{service} answers with {page} instead of JSON ({start_of(text)}): if this network "
            "has a login page, log in; check --url"
        )
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):  # bad UTF-8 is a ValueError too
        raise TransientError(f"the JSON answer of {service} was cut short or is damaged") from None
    if not isinstance(values, dict):
        raise unexpected(service)
    return values


def reason_of(body: bytes) -> str:
    """What Open-Meteo says of a refusal; empty if it says nothing."""
    try:
        values = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    reason = values.get("reason") if isinstance(values, dict) else None
    return printable(str(reason))[:300] if reason else ""


def start_of(body: bytes) -> str:
    """The beginning of an answer, for a message."""
    return repr(printable(" ".join(body[:400].decode("utf-8", "replace").split()))[:60])


def number(value: Any) -> float:
    """A number of JSON; TypeError for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    try:
        result = float(value)
    except OverflowError:
        raise TypeError from None
    if math.isinf(result):
        raise TypeError
    return result


def unexpected(service: str, what: str = "") -> ScratchmlError:
    """An answer that is whole, but has another form than the service has had so far."""
    detail = f" ({what})" if what else ""
    return ScratchmlError(
        f"the answer of {service} has an unexpected form{detail}: check --url; if it is right, "
        "the service has changed, and scratchml has to follow"
    )
