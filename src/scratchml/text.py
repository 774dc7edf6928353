"""Text that is shown or written but came from a file: it stays text."""

from __future__ import annotations


def printable(text: str | None) -> str:
    """Text from a file cannot move the cursor, nor open a line of its own."""
    return "".join(c if c.isprintable() else "?" for c in text or "")
