"""What was found in a table, for people: tables for a terminal."""

from __future__ import annotations

import calendar
from collections.abc import Iterable

from rich.table import Table

from scratchml.explore.columns import Exploration, Summary
from scratchml.explore.hours import HoursExploration, Period
from scratchml.report import data_table
from scratchml.report.tables import plain, table_of

#: With more classes than these, a column has one line, not one for each class as well.
MOST_CLASSES = 4
#: Cells of the longest bar.
BAR = 24


def hours_tables(found: HoursExploration) -> list[Table | str]:
    """All of it: a sentence, columns, months, years, and the rows of each part."""
    tables: list[Table | str] = [
        *headline(found),
        columns_table(found.table),
        calendar_table("Month", [(calendar.month_name[p.number], p) for p in found.months]),
        calendar_table("Year", [(str(p.number), p) for p in found.years]),
    ]
    if found.data:
        tables.append(data_table(found.data))
    return tables


def headline(found: HoursExploration) -> list[str]:
    """How many hours from when to when, what is missing, what is snow."""
    recipe, gaps, rows = found.recipe, found.gaps, found.table.rows
    span = f"{found.first} to {found.last}".replace("T", " ")
    lines = [f"  {_many(rows, 'hour')}, {span}" + ("" if gaps.number else ", none missing")]
    if gaps.missing:
        after = f"{gaps.after}".replace("T", " ")
        places = (
            f"in {_many(gaps.number, 'place')}, at most {gaps.longest:,} on end (after {after})"
        )
        lines.append(f"  {_many(gaps.missing, 'hour')} missing {places}")
    elif gaps.number:
        lines.append(f"  {_many(gaps.number, 'step')} are not one hour")
    snow = found.table.classes["snow"]
    share = f"{snow:,} of snow ({snow / rows:.1%})"
    limits = f"more than {recipe.snow_above:g} cm in the hour at less than {recipe.colder_than:g} C"
    return [*lines, f"  {share}: {limits}"]


def table_tables(found: Exploration) -> list[Table | str]:
    """Of any table: rows of each class, if there are several, and the columns."""
    several = len(found.classes) > 1
    return [*([classes_table(found)] if several else []), columns_table(found)]


def classes_table(found: Exploration) -> Table:
    """Rows of each class, with a bar."""
    table = table_of("Class", "rows", "share")
    table.add_column("")
    most = max(found.classes.values())
    for name, rows in found.classes.items():
        table.add_row(plain(name), f"{rows:,}", f"{rows / found.rows:.1%}", _bar(rows, most))
    return table


def columns_table(found: Exploration) -> Table:
    """Range, quartiles, mean and deviation of each column, and of a few classes' rows in it."""
    table = table_of("Column", "unit", "least", "25 %", "median", "75 %", "most", "mean", "std")
    table.padding = (0, 0, 0, 1)  # it fits into 80 columns
    table.columns[0].no_wrap = True
    several = 1 < len(found.classes) <= MOST_CLASSES
    for column in found.columns:
        cells = (plain(column.unit), *_cells(column.all))
        table.add_row(f"[bold]{plain(column.name)}[/]", *cells)
        for name, summary in column.by_class.items() if several else ():
            table.add_row(f"  {plain(name)}", "", *_cells(summary))
    return table


def calendar_table(title: str, periods: Iterable[tuple[str, Period]]) -> Table:
    """Hours and snow of each month, or year; the bar is of the hours of snow."""
    rows = list(periods)
    table = table_of(title, "hours", "snow", "share")
    table.add_column("")
    most = max((period.snow for _, period in rows), default=0)
    for name, period in rows:
        share = "" if period.share is None else f"{period.share:.2%}"
        table.add_row(name, f"{period.hours:,}", f"{period.snow:,}", share, _bar(period.snow, most))
    return table


def _cells(summary: Summary | None) -> list[str]:
    """``summary`` but for its rows; nothing of a class without any."""
    _, *numbers = vars(summary).values() if summary else (0,)
    return [f"{number:.4g}" if abs(number) >= 1 else f"{number:.3g}" for number in numbers]


def _bar(count: int, most: int) -> str:
    """Anything at all shows."""
    return "█" * max(round(BAR * count / most), 1) if count else ""


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
