"""Read a table of hours from CSV and refuse, by row and column, what is not one."""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from os import PathLike
from pathlib import Path

import numpy as np
import pandas as pd

from scratchml.errors import ScratchmlError
from scratchml.resources import find

EMBEDDED = "reynolds_mountain_east_wy1999-2008.csv.gz"

#: Least and greatest value that can be meant: catches Kelvin, and Fahrenheit in a summer.
RANGES = {
    "temperature_2m": (-90.0, 60.0),
    "relative_humidity_2m": (0.0, 100.0),
    "snowfall": (0.0, 100.0),
}
COLUMNS = ("time", *RANGES)


def load(
    path: str | PathLike[str] | None = None, reading: object = None, features: object = ()
) -> pd.DataFrame:
    """Read a table of hours from a CSV file, plain or gzip.

    Times with a zone become UTC; times without one are taken as they are.

    Args:
        path: the file; ``None`` for the embedded ten years of Reynolds Mountain East, Idaho.

    Raises:
        ScratchmlError: the file is empty, damaged or not CSV, a column is missing, a cell is
            missing, not a number or out of range, or an hour is doubled or out of order. The
            message names the file, the line and the column.
        OSError: the file cannot be read.
    """
    source = Path(path) if path is not None else find("data") / EMBEDDED
    try:
        # as text, so that a cell is quoted as it stands; blank lines keep their number
        table = pd.read_csv(io.BytesIO(_contents(source)), dtype=str, skip_blank_lines=False)
    except pd.errors.EmptyDataError:
        raise ScratchmlError(f"{source}: the file is empty") from None
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        reason = str(error).strip().splitlines()[-1]
        raise ScratchmlError(f"{source}: this is not a CSV table ({reason})") from None
    try:
        return _checked(table)
    except ScratchmlError as error:
        raise ScratchmlError(f"{source}: {error}") from None


def check_hours(hours: pd.DataFrame, features: object = ()) -> None:
    """Refuse a table, however it was made, that is not one of hours.

    Raises:
        ScratchmlError: a column is missing, a value is not a number or out of range, or an hour
            does not come after the one above it.
    """
    missing = [column for column in COLUMNS if column not in hours.columns]
    if missing:
        raise ScratchmlError(f"the table of hours has no column {', '.join(missing)}")
    if not pd.api.types.is_datetime64_dtype(hours["time"]):
        raise ScratchmlError("the column time must be datetime64 without a zone")
    if not (np.diff(hours["time"].to_numpy()) > np.timedelta64(0)).all():
        raise ScratchmlError("the hours must be in the order of time, each once")
    for column, (low, high) in RANGES.items():
        values = pd.to_numeric(hours[column], errors="coerce")
        bad = ~values.between(low, high)
        if bad.any():
            row = int(bad.to_numpy().argmax())
            value = hours[column].iloc[row]
            raise ScratchmlError(
                f"row {row}, column {column}: {value} is outside {low:g} .. {high:g}"
            )


def fingerprint(hours: pd.DataFrame, features: object = ()) -> str:
    """SHA-256 of the table's values: the same hours, the same 64 characters, from any file."""
    digest = hashlib.sha256()
    times = hours["time"].to_numpy().astype("datetime64[s]").astype("<i8")
    digest.update(times.tobytes())
    for column in RANGES:
        digest.update((hours[column].to_numpy() + 0.0).astype("<f8").tobytes())
    return digest.hexdigest()


def _contents(source: Path) -> bytes:
    """The file's bytes, unpacked if they are gzip, by what they are and not by their name."""
    contents = source.read_bytes()
    if contents[:2] != b"\x1f\x8b":
        return contents
    try:
        return gzip.decompress(contents)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ScratchmlError(f"{source}: the gzip file is cut short or damaged ({error})") from None


def _checked(table: pd.DataFrame) -> pd.DataFrame:
    missing = [column for column in COLUMNS if column not in table.columns]
    if missing:
        raise ScratchmlError(
            f"the column {', '.join(missing)} is missing; needed are {', '.join(COLUMNS)}"
        )
    if not isinstance(table.index, pd.RangeIndex):
        raise ScratchmlError("line 2: there are more cells than the header has")
    table = table.dropna(how="all")  # blank lines; the index still counts them
    if table.empty:
        raise ScratchmlError("there is a header, but no hour below it")
    hours = pd.DataFrame({"time": _times(table["time"])})
    for column, (low, high) in RANGES.items():
        hours[column] = _numbers(table[column], low, high)
    if len(hours) >= 24 and hours["relative_humidity_2m"].max() <= 1:
        raise ScratchmlError("relative_humidity_2m is in percent, and no value here is above 1")
    return hours.reset_index(drop=True)


def _times(cells: pd.Series) -> pd.Series:
    # a date has to be there: pandas takes "now" and "2020" for times as well
    text = cells.where(cells.str.match(r"\d{4}-\d\d-\d\d", na=False))
    times = pd.to_datetime(text, format="ISO8601", errors="coerce", utc=True)
    _refuse(times.isna(), cells, "is not a time such as 2020-01-31T23:00")
    step = times.diff()
    _refuse(step == pd.Timedelta(0), cells, "stands twice: an hour may come only once")
    _refuse(step < pd.Timedelta(0), cells, "comes before the hour above it: sort the file by time")
    return times.dt.tz_localize(None)


def _numbers(cells: pd.Series, low: float, high: float) -> pd.Series:
    _refuse(cells.isna(), cells, "is missing: fill it or leave the whole hour out")
    numbers = pd.to_numeric(cells, errors="coerce").astype(np.float64)
    _refuse(numbers.isna(), cells, "is not a number")
    _refuse((numbers < low) | (numbers > high), cells, f"is outside {low:g} .. {high:g}")
    return numbers


def _refuse(bad: pd.Series, cells: pd.Series, complaint: str) -> None:
    """Raise for the first row marked in ``bad``. Line 1 of the file is the header."""
    if bad.any():
        row = int(bad.to_numpy().argmax())
        value = "" if pd.isna(cells.iloc[row]) else f" {cells.iloc[row]!r}"
        raise ScratchmlError(
            f"line {cells.index[row] + 2}, column {cells.name}: the value{value} {complaint}"
        )
