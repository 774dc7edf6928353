"""How the page of a trace is set: formulas, tables, numbers, in few colours and plain ASCII."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from scratchml import integer

#: A formula or a calculation: what it gives, how, and what the names in it are.
Line = tuple[str, str, str]

#: The header of a table's column, and its cells.
Column = tuple[str, Sequence[Any]]


def section(title: str, *steps: RenderableType) -> RenderableType:
    """A part of the page, with a rule above it."""
    return Group(Rule(Text(title, "bold"), align="left", style="dim"), *steps)


def step(
    title: str,
    lines: Sequence[Line],
    tables: Sequence[Table],
    worked: Sequence[Line],
    left_out: int = 0,
) -> RenderableType:
    """Formulas, then what they gave, then the first of it worked out.

    ``left_out`` rows are not in the tables.
    """
    parts: list[RenderableType] = [Text(title, "bold")] if title else []
    parts += [indented(calculations(lines)), Text("")]
    for each in tables:
        parts += [indented(each), Text("")]
    if left_out > 0:
        parts += [indented(Text(f"... and {left_out:,} more (--outputs, or --json)")), Text("")]
    return Group(*parts, indented(calculations(worked)), Text(""))


def indented(part: RenderableType) -> RenderableType:
    return Padding(part, (0, 0, 0, 2), expand=False)


def calculations(lines: Sequence[Line]) -> Table:
    """Equations below each other; where one is too long it goes on below its right side."""
    grid = Table.grid(padding=(0, 1))
    for name, how, note in lines:
        grid.add_row(Text(name), "=", Text(how), Text(f" {note}", "dim"))
    return grid


def table(*columns: Column) -> Table:
    """Columns of integers and of text; numbers to the right."""
    result = Table(
        box=box.SIMPLE_HEAD,
        header_style="bold",
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for header, _ in columns:
        left = header in ("", "channel", "class")
        result.add_column(Text(header), justify="left" if left else "right", overflow="fold")
    for cells in zip(*(values for _, values in columns), strict=True):
        result.add_row(*(cell if isinstance(cell, Text) else Text(str(cell)) for cell in cells))
    return result


def pair(name: str, in_numpy: Sequence[int], in_c: Sequence[int]) -> tuple[Column, Column]:
    """Numpy's values and C's: green where equal; where not, red, and marked for want of colour."""
    marked = [
        Text(str(c), "green") if a == c else Text(f"!= {c}", "bold red")
        for a, c in zip(in_numpy, in_c, strict=False)
    ]
    return (f"{name}\nnumpy".strip(), in_numpy), (f"{name}\nC".strip(), marked)


def requantization(value: int, multiplier: int, shift: int) -> tuple[Line, Line]:
    """The two roundings of ``requantize`` with their numbers."""
    left, right = max(shift, 0), max(-shift, 0)
    p = int(integer.rounding_high_multiply(ints([value << left]), multiplier)[0])
    r = int(integer.rounding_shift_right(ints([p]), right)[0])
    shifted = f"({bracketed(value)} << {left})" if left else bracketed(value)
    quotient = f"{p} / 2^{right} = {p / 2**right:.6g}, rounded to {r}" if right else f"{p}"
    return ("p", f"({shifted} * {multiplier} + 2^30) >> 31 = {p}", ""), ("r", quotient, "")


def stands_for(scale: float, code: int, zero_point: int) -> Line:
    """The real number behind a code, worked out."""
    result = real_text(scale * (code - zero_point), scale)
    return ("real", f"{scale:.6g} * ({code} - {bracketed(zero_point)}) = {result}", "")


def real_text(value: float, unit: float) -> str:
    """With the decimals that tell two neighbouring integers apart, whose distance is ``unit``."""
    if not 1e-8 <= unit <= 1e8:
        return f"{value:.5g}"
    return f"{value:.{max(1 - math.floor(math.log10(unit)), 0)}f}"


def real_texts(values: Iterable[float], unit: float) -> list[str]:
    return [real_text(float(value), float(unit)) for value in values]


def bracketed(value: int) -> str:
    """As a factor: a negative number needs brackets."""
    return f"({value})" if value < 0 else str(value)


def ints(values: Iterable[int]) -> npt.NDArray[np.int64]:
    return np.array(list(values), np.int64)
