"""A key that can be sent, and is nowhere to be read."""

from __future__ import annotations

import html
import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote, quote_plus

from scratchml.errors import ScratchmlError

#: What stands where the key would.
HIDDEN = "***"

#: Loggers that tell, at level DEBUG, which URL is asked for.
LOGGERS = ("urllib3.connectionpool", "urllib3.connection", "urllib3.util.retry", "urllib3.response")

#: A shorter one would be found in words and numbers that are none.
SHORTEST = 6


class Secret:
    """A key, which neither ``repr`` nor ``str`` gives away.

    Raises:
        ScratchmlError: it is too short, or has blanks or signs that no key has.
    """

    def __init__(self, value: str) -> None:
        value = value.strip()  # a line's end, from a file
        if len(value) < SHORTEST or not value.isascii() or not value.isprintable() or " " in value:
            raise ScratchmlError(
                f"the key is not one: it has at least {SHORTEST} ASCII characters and no blanks"
            )
        self._value = value
        in_json = json.dumps(value)[1:-1]
        # a .NET service escapes what could be HTML
        forms = {value, repr(value)[1:-1], in_json, re.sub("[&<>'+]", _unicode_escape, in_json)}
        forms.add(html.escape(value))
        for _ in range(2):  # in a URL, and in a URL within a URL
            forms |= {escape(form) for form in forms for escape in (quote, _quote_all, quote_plus)}
        longest_first = sorted(forms, key=len, reverse=True)
        # without regard to case: %2f is %2F
        self._pattern = re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE)

    def __repr__(self) -> str:
        return f"Secret({HIDDEN})"

    def reveal(self) -> str:
        """The key itself, for the request and nothing else."""
        return self._value

    def scrub(self, text: str) -> str:
        """The text with the key taken out, in every form that it has in URLs and JSON."""
        return self._pattern.sub(HIDDEN, text)

    def scrub_bytes(self, body: bytes) -> bytes:
        """The same for an answer, which must not carry the key into the cache."""
        text = body.decode("latin-1")  # every byte is a character, and the key is ASCII
        found = self._pattern.search(text)
        return self._pattern.sub(HIDDEN, text).encode("latin-1") if found else body


@contextmanager
def hidden_in_logs(secret: Secret | None) -> Iterator[None]:
    """While the block runs, what the HTTP library logs does not have the key."""
    if secret is None:
        yield
        return

    def scrub(record: logging.LogRecord) -> bool:
        record.msg, record.args = secret.scrub(record.getMessage()), ()
        return True

    loggers = [logging.getLogger(name) for name in LOGGERS]
    for logger in loggers:
        logger.addFilter(scrub)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(scrub)


def _unicode_escape(character: re.Match[str]) -> str:
    return f"\\u{ord(character[0]):04x}"


def _quote_all(text: str) -> str:
    return quote(text, safe="")
