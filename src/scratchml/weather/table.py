"""Read a table of hours from CSV and refuse, by row and column, what is not one."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from os import PathLike
from pathlib import Path

import numpy as np
import pandas as pd

from scratchml.errors import ScratchmlError
from scratchml.resources import find
from scratchml.tables import read_table
from scratchml.tables.reading import Reading
from scratchml.weather.variables import NEEDED, VARIABLES

EMBEDDED = "reynolds_mountain_east_wy1999-2008.csv.gz"

COLUMNS = ("time", *NEEDED)


def load(
    path: str | PathLike[str] | None = None,
    reading: Reading | None = None,
    features: Collection[str] = (),
    *,
    missing: bool = False,
) -> pd.DataFrame:
    """Read a table of hours from a CSV file, plain or gzip.

    Times with a zone become UTC; times without one are of the reading's zone, or taken as they are.

    Args:
        path: the file; ``None`` for the embedded ten years of Reynolds Mountain East, Idaho.
        reading: how the file is written; by default with commas and the names and units here.
        features: names in ``VARIABLES`` of columns that are wanted besides the needed ones.
        missing: a missing reading becomes NaN, for ``whole_hours``; else it is refused.

    Raises:
        ScratchmlError: the file is empty, damaged or not CSV, a column is missing, a cell is
            missing, not a number or out of range, or an hour is doubled or out of order. The
            message names the file, the line and the column. A feature is unknown.
        OSError: the file cannot be read.
    """
    reading = reading or Reading()
    names = _variables(features)
    if path is None and reading != Reading():
        raise ScratchmlError("how a file is to be read is said of a file of your own only")
    if reading.time_format == "seconds":
        raise ScratchmlError("hours of weather need dates: another --time-format than seconds")
    source = Path(path) if path is not None else find("data") / EMBEDDED
    hours = read_table(
        source,
        reading,
        numbers=names,
        time="time",
        ranges={name: (VARIABLES[name].low, VARIABLES[name].high) for name in names},
        temperatures=[name for name in names if VARIABLES[name].unit == "C"],
        missing=True,
    )
    try:
        if not missing:
            _refuse_missing(hours, names, reading)
        _check_order(hours["time"], reading.time or reading.name_in_file("time"))
        if len(hours) >= 24 and hours["relative_humidity_2m"].max() <= 1:
            raise ScratchmlError("relative_humidity_2m is in percent, and no value here is above 1")
    except ScratchmlError as error:
        raise ScratchmlError(f"{source}: {error}") from None
    return hours.reset_index(drop=True)


def check_hours(hours: pd.DataFrame, features: Collection[str] = ()) -> None:
    """Refuse a table, however it was made, that is not one of hours with these features.

    Raises:
        ScratchmlError: a column is missing, a value is not a number or out of range, or an hour
            does not come after the one above it. A feature is unknown.
    """
    names = _variables(features)
    _check_columns(hours, names)
    if not pd.api.types.is_datetime64_dtype(hours["time"]):
        raise ScratchmlError("the column time must be datetime64 without a zone")
    if not (np.diff(hours["time"].to_numpy()) > np.timedelta64(0)).all():
        raise ScratchmlError("the hours must be in the order of time, each once")
    for column in names:
        low, high = VARIABLES[column].low, VARIABLES[column].high
        values = pd.to_numeric(hours[column], errors="coerce")
        bad = ~values.between(low, high)
        if bad.any():
            row = int(bad.to_numpy().argmax())
            value = hours[column].iloc[row]
            raise ScratchmlError(
                f"row {row}, column {column}: {value} is outside {low:g} .. {high:g}"
            )


def whole_hours(hours: pd.DataFrame, features: Collection[str] = ()) -> pd.DataFrame:
    """The hours that have all their readings, counted anew; where one is left out is a gap.

    Raises:
        ScratchmlError: none is left, or a column is missing. A feature is unknown.
    """
    names = _variables(features)
    _check_columns(hours, names)
    whole = hours[names].notna().all(axis=1)
    if not whole.any():
        raise ScratchmlError("there is no hour that has all its values")
    return hours[whole].reset_index(drop=True)


def fingerprint(hours: pd.DataFrame, features: Collection[str] = ()) -> str:
    """SHA-256 of the table's values: the same hours, the same 64 characters, from any file.

    Of the needed columns, and of those of the features with their names; of no other, and in the
    order of ``VARIABLES``, whatever that of the features.
    """
    digest = hashlib.sha256()
    times = hours["time"].to_numpy().astype("datetime64[s]").astype("<i8")
    digest.update(times.tobytes())
    for column in _variables(features):
        if column not in NEEDED:
            digest.update(column.encode())
        digest.update((hours[column].to_numpy() + 0.0).astype("<f8").tobytes())
    return digest.hexdigest()


def _variables(features: Collection[str]) -> list[str]:
    """The needed columns, and then the features, in the order of ``VARIABLES``."""
    unknown = [repr(name) for name in features if name not in VARIABLES]
    if unknown:
        raise ScratchmlError(
            f"the feature {', '.join(unknown)} is not known; known are {', '.join(VARIABLES)}"
        )
    return [*NEEDED, *(name for name in VARIABLES if name in features and name not in NEEDED)]


def _check_columns(hours: pd.DataFrame, names: Collection[str]) -> None:
    absent = [column for column in ("time", *names) if column not in hours.columns]
    if absent:
        raise ScratchmlError(f"the table of hours has no column {', '.join(absent)}")


def _refuse_missing(hours: pd.DataFrame, names: list[str], reading: Reading) -> None:
    holes = hours[names].isna()
    if holes.to_numpy().any():
        row = int(holes.any(axis=1).to_numpy().argmax())
        name = names[int(holes.iloc[row].to_numpy().argmax())]
        raise ScratchmlError(
            f"line {hours.index[row]}, column {reading.name_in_file(name)}: the value is missing: "
            f"fill it, or leave such hours out (--missing drop)"
        )


def _check_order(times: pd.Series, name: str) -> None:
    step = np.diff(times.to_numpy())
    bad = step <= np.timedelta64(0)
    if not bad.any():
        return
    at = int(bad.argmax())
    complaint = (
        "comes before the hour above it: sort the file by time"
        if step[at] < np.timedelta64(0)
        else "stands twice: an hour may come only once"
    )
    moment = times.iloc[at + 1].isoformat()
    raise ScratchmlError(
        f"line {times.index[at + 1]}, column {name}: the value {moment} {complaint}"
    )
