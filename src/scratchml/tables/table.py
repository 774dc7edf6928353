"""Read a CSV table of anybody's: wanted columns as numbers, or the line and column that is wrong.

The file, plain or gzip, is read once from its beginning to its end, in chunks: memory is that of
the table that comes out, and some 50 MB.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from difflib import get_close_matches
from functools import partial
from os import PathLike
from pathlib import Path

import numpy as np
import pandas as pd

from scratchml.errors import ScratchmlError
from scratchml.tables.cells import Column, Numbers, Texts, Times
from scratchml.tables.chunks import Chunk
from scratchml.tables.reading import Reading
from scratchml.tables.rows import BLOCK, RowReader, open_bytes
from scratchml.text import printable

#: Names of columns that one message lists.
MOST_NAMES = 20


def read_table(
    path: str | PathLike[str],
    reading: Reading | None = None,
    *,
    numbers: Sequence[str],
    texts: Sequence[str] = (),
    time: str | None = None,
    ranges: Mapping[str, tuple[float, float]] | None = None,
    temperatures: Collection[str] = (),
    missing: bool = False,
    block: int = BLOCK,
    head: bool = False,
) -> pd.DataFrame:
    """The wanted columns of a CSV file, plain or gzip, by their names here.

    Args:
        path: the file.
        reading: how it is written; by default commas or what else the header shows, UTF-8, and
            times in ISO 8601.
        numbers: columns that become float64.
        texts: columns that become categories.
        time: the column that becomes ``datetime64[ns]`` in UTC, without a zone; or float64, if
            the reading's time format is ``seconds``.
        ranges: least and greatest value of columns of numbers.
        temperatures: the numbers that are Fahrenheit if the reading says so: they become Celsius.
        missing: an empty cell becomes NaN, or ``None`` in a column of texts; else it is refused. A
            time is never missing. Numbers may also be missing by a word: NA, NaN, null, none, -.
        block: bytes of the file that are read at a time.
        head: read one block and no more: what the file looks like.

    Returns:
        The table in the order of the file. Its index is the line in the file that each row begins
        in, counted from 1, blank lines too.

    Raises:
        ScratchmlError: the file is empty or no such table; the message names the file, the line
            and the column of what is wrong.
        OSError: the file cannot be read.
    """
    reading = reading or Reading()
    source = Path(path)
    kinds = _columns(reading, numbers, texts, time, ranges or {}, temperatures, missing)
    try:
        with open_bytes(source) as file:
            names = _names_in_file(reading, list(kinds), time)
            rows = RowReader(file, reading, {*names.values(), *reading.columns}, block)
            places = _places(rows, names, reading)
            columns = {name: make(names[name]) for name, make in kinds.items()}
            index = _fill(columns, places, rows, head)
    except ScratchmlError as error:
        raise ScratchmlError(f"{source}: {error}") from None
    return pd.DataFrame(
        {name: column.result() for name, column in columns.items()}, index=index, copy=False
    )


def _columns(
    reading: Reading,
    numbers: Sequence[str],
    texts: Sequence[str],
    time: str | None,
    ranges: Mapping[str, tuple[float, float]],
    temperatures: Collection[str],
    missing: bool,
) -> dict[str, Callable[[str], Column]]:
    """Name here -> what makes the column of its name in the file; the time comes first."""
    fahrenheit = set(temperatures) if reading.fahrenheit else set()
    if reading.fahrenheit and not fahrenheit & set(numbers):
        raise ScratchmlError("--fahrenheit: there is no column of temperatures to convert")

    def number(name: str) -> Callable[[str], Column]:
        return lambda file_name: Numbers(
            file_name,
            decimal=reading.decimal,
            limits=ranges.get(name),
            missing=missing,
            fahrenheit=name in fahrenheit,
        )

    kinds: dict[str, Callable[[str], Column]] = {}
    if time is not None and reading.time_format == "seconds":
        kinds[time] = lambda name: Numbers(name, decimal=reading.decimal)
    elif time is not None:
        kinds[time] = lambda name: Times(name, pattern=reading.time_format, zone=reading.time_zone)
    kinds |= {name: number(name) for name in numbers}
    kinds |= {name: lambda name: Texts(name, missing=missing) for name in texts}
    return kinds


def _names_in_file(reading: Reading, wanted: Sequence[str], time: str | None) -> dict[str, str]:
    """Name here -> name in the file."""
    names = {here: reading.name_in_file(here) for here in wanted}
    if time is not None and reading.time:
        if names[time] not in (time, reading.time):
            raise ScratchmlError(
                f"{reading.time!r} and {names[time]!r} cannot both be the column {time}: leave "
                "--map or --time-column out"
            )
        names[time] = reading.time
    return names


def _places(rows: RowReader, names: Mapping[str, str], reading: Reading) -> dict[str, int]:
    """Name here -> place of its column in a row."""
    header = rows.header
    mapped = [name for name in reading.columns if name not in header]
    if mapped:
        raise ScratchmlError(f"--map names the column {mapped[0]!r}, and {_there_are(header)}")
    # a column that has got another name is not there under its old one
    absent = {
        here: there
        for here, there in names.items()
        if there not in header or (there == here and reading.columns.get(there, here) != here)
    }
    if absent:
        raise ScratchmlError(_absent(absent, names, rows, reading))
    for name in names.values():
        if header.count(name) > 1:
            raise ScratchmlError(
                f"line {rows.header_line}: the column {printable(name)} stands "
                f"{header.count(name)} times in the header: name it once"
            )
    return {here: header.index(there) for here, there in names.items()}


def _absent(
    absent: Mapping[str, str], names: Mapping[str, str], rows: RowReader, reading: Reading
) -> str:
    message = (
        f"the column {', '.join(absent.values())} is missing; needed are {', '.join(names)}, and "
        f"{_there_are(rows.header)}"
    )
    if len(rows.header) == 1 and len(names) > 1:
        return f"{message}: name what stands between the columns with --delimiter"
    free = [name for name in rows.header if name and name not in names.values()]
    likely = {here: _like(here, free) for here in absent if here not in reading.columns.values()}
    maps = [f"--map {_quoted(f'{there}={here}')}" for here, there in likely.items() if there]
    return f"{message}; perhaps {' '.join(maps)}" if maps else message


def _like(name: str, others: Sequence[str]) -> str | None:
    """One of the others that is a good part of the name, or the reverse, or spelt alike."""
    lower = {other.lower(): other for other in reversed(others)}
    for other in lower:
        short, long = sorted((other, name.lower()), key=len)
        if short in long and len(short) > 2 and len(short) >= len(long) / 4:
            return lower[other]
    close = get_close_matches(name.lower(), lower, n=1)
    return lower[close[0]] if close else None


def _quoted(text: str) -> str:
    """As a shell takes it."""
    text = printable(text)
    return text if all(c.isalnum() or c in "_=-.%/" for c in text) else f"'{text}'"


def _there_are(header: Sequence[str]) -> str:
    names = [printable(name) for name in header if name]
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return f"the file has {', '.join(names[:MOST_NAMES]) or 'no names'}{more}"


def _fill(
    columns: Mapping[str, Column],
    places: Mapping[str, int],
    rows: RowReader,
    head: bool,
) -> pd.Index:
    """Read all rows into the columns; return their lines."""
    lines = bytearray()
    for chunk in rows.chunks():
        _add(columns, places, chunk)
        lines += chunk.lines.tobytes()
        if head:
            break
    if not lines:
        raise ScratchmlError("there is a header, but no line below it")
    whole = np.frombuffer(lines, np.int64)
    if whole[-1] - whole[0] == len(whole) - 1:  # as in most files: no blank lines
        return pd.RangeIndex(int(whole[0]), int(whole[-1]) + 1)
    return pd.Index(whole)


def _add(columns: Mapping[str, Column], places: Mapping[str, int], chunk: Chunk) -> None:
    """The chunk's cells to their columns; those of numbers together if none is in doubt."""
    numbers = {places[name]: c for name, c in columns.items() if isinstance(c, Numbers)}
    values = {}
    if numbers:
        gaps = any(column.missing for column in numbers.values())
        values = chunk.numbers(numbers, next(iter(numbers.values())).decimal, gaps=gaps)
    for name, column in columns.items():
        place = places[name]
        cells = partial(chunk.cells, place)
        if place in values and numbers[place].takes(values[place]):
            numbers[place].add_numbers(values[place], cells, chunk.lines)
        else:
            column.add(cells(), chunk.lines)


def column_names(path: str | PathLike[str], reading: Reading | None = None) -> list[str]:
    """The names of a file's columns, as they are here after ``reading.columns``.

    Raises:
        ScratchmlError, OSError: as ``read_table``.
    """
    reading = reading or Reading()
    source = Path(path)
    try:
        with open_bytes(source) as file:
            header = RowReader(file, reading, [*reading.columns]).header
    except ScratchmlError as error:
        raise ScratchmlError(f"{source}: {error}") from None
    return [reading.columns.get(name, name) for name in header]
