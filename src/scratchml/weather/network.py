"""What went wrong on the way to a service; no message repeats a URL, which may have a key."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator

import requests
import urllib3

from scratchml.errors import ScratchmlError
from scratchml.text import printable


class TransientError(ScratchmlError):
    """What may be gone at the next attempt.

    Args:
        after: seconds that the service asks to wait.
    """

    def __init__(self, message: str, after: float = 0.0) -> None:
        super().__init__(message)
        self.after = after


def explain(error: BaseException, service: str, host: str) -> ScratchmlError:
    """The error of a request as one of ours; ``TransientError`` if another attempt makes sense."""
    found = list(causes(error))
    offline = "; --offline takes what is in the cache"
    if _first(found, requests.exceptions.ProxyError, urllib3.exceptions.ProxyError):
        return ScratchmlError(
            f"the proxy on the way to {host} does not work: check the variables HTTPS_PROXY and "
            "HTTP_PROXY"
        )
    untrusted = _first(found, ssl.SSLCertVerificationError)
    if isinstance(untrusted, ssl.SSLCertVerificationError):
        return ScratchmlError(
            f"the TLS certificate of {host} is not trusted "
            f"({printable(untrusted.verify_message)}): check the computer's clock and "
            "network; a certificate of your own goes into the variable REQUESTS_CA_BUNDLE"
        )
    broken_off = _first(found, ssl.SSLEOFError, ssl.SSLZeroReturnError)
    tls = _first(found, ssl.SSLError, requests.exceptions.SSLError, urllib3.exceptions.SSLError)
    if tls and not broken_off:
        return ScratchmlError(f"TLS with {host} failed: check --url, the network and its proxy")
    if _first(found, socket.gaierror):
        return ScratchmlError(
            f"the name {host} cannot be resolved: check the network and --url{offline}"
        )
    if _first(found, ConnectionRefusedError):
        return ScratchmlError(
            f"{host} refuses the connection: check the network and --url{offline}"
        )
    for cause in found:
        if isinstance(cause, OSError) and cause.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH):
            return ScratchmlError(
                f"{host} cannot be reached ({cause.strerror}): check the network{offline}"
            )
    if _first(found, TimeoutError, requests.exceptions.Timeout, urllib3.exceptions.TimeoutError):
        return TransientError(f"{service} did not answer in time")
    if isinstance(error, ValueError):  # requests' InvalidURL and the like
        return ScratchmlError(f"{host!r} is not the address of a service: check --url")
    return TransientError(f"the connection to {service} broke off")


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all that it wraps, which the libraries keep in four places."""
    seen: list[BaseException] = []
    todo = [error]
    while todo:
        found = todo.pop(0)
        if any(found is other for other in seen):
            continue
        seen.append(found)
        yield found
        inner = (*found.args, getattr(found, "reason", None), found.__cause__, found.__context__)
        todo += [other for other in inner if isinstance(other, BaseException)]


def _first(found: list[BaseException], *kinds: type[BaseException]) -> BaseException | None:
    return next((cause for cause in found if isinstance(cause, kinds)), None)
