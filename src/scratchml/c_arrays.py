"""Numbers as C arrays."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import Any


def array(kind: str, name: str, values: Any) -> str:
    """``static const kind name[n] = {...};`` of a numpy array's values, in one dimension."""
    flat = values.ravel().tolist()
    words = map(_hexadecimal if kind == "uint32_t" else _decimal, flat)
    return f"static const {kind} {name}[{len(flat)}] = {{\n{_wrapped(words)}\n}};"


def array2d(kind: str, name: str, rows: Any) -> str:
    """``const kind name[n][m] = {...};``, visible elsewhere; a row begins a line."""
    body = "\n".join(
        "    {" + _wrapped(map(_decimal, row.tolist()), "     ").strip().rstrip(",") + "},"
        for row in rows
    )
    return f"const {kind} {name}[{rows.shape[0]}][{rows.shape[1]}] = {{\n{body}\n}};"


def _decimal(value: int) -> str:
    # the least int32 has no literal in C: -2147483648 is minus an int that does not fit
    return "INT32_MIN" if value == -(2**31) else str(value)


def _hexadecimal(value: int) -> str:
    return f"0x{value:08x}"


def _wrapped(words: Iterable[str], indent: str = "    ") -> str:
    text = " ".join(f"{word}," for word in words)
    return textwrap.fill(text, 96, initial_indent=indent, subsequent_indent=indent)
