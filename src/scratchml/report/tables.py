"""The look that all tables share."""

from __future__ import annotations

from rich import box
from rich.markup import escape
from rich.table import Table

from scratchml.text import printable


def plain(text: str) -> str:
    """Text from a file, which is neither markup nor anything that a terminal obeys."""
    return escape(printable(text))


def table_of(title: str, *columns: str) -> Table:
    """A first column of names, and columns of figures."""
    table = Table(box=box.SIMPLE_HEAD, header_style="bold")
    table.add_column(title)
    for column in columns:
        table.add_column(column, justify="right")
    return table
