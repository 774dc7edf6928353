"""The samples of a table: its columns, what is missing of them, and where they do not follow."""

from __future__ import annotations

import hashlib
import math
from os import PathLike

import numpy as np
import numpy.typing as npt
import pandas as pd

from scratchml.errors import ScratchmlError
from scratchml.sensors.recipe import MISSING, Recipe
from scratchml.tables import column_names, read_table
from scratchml.windows import Bools, changes, filled, time_breaks

#: Units of what is converted if a file's temperatures are in Fahrenheit.
CELSIUS = ("C", "°C")


def load(path: str | PathLike[str], recipe: Recipe) -> pd.DataFrame:
    """Read the columns that a recipe names; the index is the line in the file.

    The column of time is called ``time`` here, and is optional. Where temperatures are in
    Fahrenheit, columns whose unit is C become Celsius.

    Raises:
        ScratchmlError: as ``read_table``; or temperatures are in Fahrenheit, and no unit is C.
        OSError: the file cannot be read.
    """
    reading = recipe.reading
    numbers, texts = _numbers(recipe), _texts(recipe)
    clock = not _reads_time(recipe)
    if not clock and reading.time not in ("", "time"):
        raise ScratchmlError(
            "the column time is read as something else: give it another name with --map, or "
            "leave --time-column out"
        )
    clock = clock and (bool(reading.time) or "time" in column_names(path, reading))
    temperatures = [name for name in numbers if recipe.unit(name) in CELSIUS]
    if reading.fahrenheit and not temperatures:
        raise ScratchmlError(
            "--fahrenheit: no column is known to be a temperature: name the units, C for what is "
            "to be converted (--units C)"
        )
    return read_table(
        path,
        reading,
        numbers=numbers,
        texts=texts,
        temperatures=temperatures,
        time="time" if clock else None,
        missing=True,  # what becomes of it is the recipe's choice
    )


def check_columns(table: pd.DataFrame, recipe: Recipe) -> None:
    """Refuse a table made by hand that lacks a column, or has words where numbers belong."""
    for name in (*_numbers(recipe), *_texts(recipe)):
        if name not in table:
            there = ", ".join(map(str, table.columns[:20]))
            raise ScratchmlError(f"the table has no column {name}; there are {there}")
    for name in _numbers(recipe):
        if not pd.api.types.is_numeric_dtype(table[name]):
            raise ScratchmlError(f"the column {name} is of {table[name].dtype}, not of numbers")
    if timed(table, recipe) and not (
        pd.api.types.is_numeric_dtype(table["time"])
        or pd.api.types.is_datetime64_any_dtype(table["time"])
    ):
        raise ScratchmlError(f"the column time is of {table['time'].dtype}, not of times")


def timed(table: pd.DataFrame, recipe: Recipe) -> bool:
    """Whether the table has a clock: a column ``time`` that the recipe reads as nothing else."""
    return "time" in table and not _reads_time(recipe)


def fingerprint(table: pd.DataFrame, recipe: Recipe) -> str:
    """SHA-256 of the columns that the recipe names, whatever file they came from."""
    digest = hashlib.sha256()
    for name in _numbers(recipe):
        digest.update((table[name].to_numpy(np.float64) + 0.0).astype("<f8").tobytes())
    for name in _texts(recipe):
        texts, places = category_codes(table[name])
        digest.update("\x1f".join(texts).encode() + places.astype("<i8").tobytes())
    if timed(table, recipe):
        digest.update(seconds(table["time"]).astype("<f8").tobytes())
    return digest.hexdigest()


def without_holes(
    table: pd.DataFrame, recipe: Recipe, notes: list[str]
) -> tuple[pd.DataFrame, Bools]:
    """The samples that have their values, or get the previous ones; medians are filled in later.

    Returns:
        The table, and ``bool[n]``: whether a sample does not follow the one above it.

    Raises:
        ScratchmlError: a value is missing and the recipe refuses that, or no sample is left.
    """
    features = list(recipe.features)
    needed = [*_texts(recipe), *filter(None, [recipe.target])]
    if recipe.missing in ("refuse", "drop"):
        needed = [*features, *needed]
    holes = table[list(dict.fromkeys(needed))].isna()
    bad = np.asarray(holes.to_numpy().any(axis=1))
    if recipe.missing == "refuse" and bad.any():
        row = int(bad.argmax())
        column = holes.columns[int(holes.iloc[row].to_numpy().argmax())]
        raise ScratchmlError(
            f"line {table.index[row]}, column {column}: the value is missing: fill it, or choose "
            f"what becomes of it (--missing {', '.join(MISSING[1:])})"
        )
    breaks = _breaks(table, recipe)
    if bad.any():
        table, breaks = _kept(table, breaks, ~bad)
        notes.append(f"{int(bad.sum()):,} of {len(bad):,} samples lack a value and were left out")
    missing = int(table[features].isna().to_numpy().sum())
    if missing and recipe.missing == "previous":
        values = filled(table[features].to_numpy(np.float64), breaks)
        table = table.assign(**dict(zip(features, values.T, strict=True)))
        known = np.asarray(~np.isnan(values).any(axis=1))
        lost = int((~known).sum())
        left = f"; {lost:,} samples had none before and were left out" if lost else ""
        notes.append(f"missing values, {missing:,} of them, took the one before{left}")
        table, breaks = _kept(table, breaks, known)
    elif missing:
        notes.append(f"missing values, {missing:,} of them, became the training rows' median")
    if table.empty:
        raise ScratchmlError("there is no sample that has all its values")
    return table, breaks


def category_codes(column: pd.Series) -> tuple[list[str], npt.NDArray[np.int64]]:
    """The texts of a column in order, numbers by size; and each row's place among them, or -1."""
    places, texts = pd.factorize(column.astype(object))
    names = [str(text) for text in texts]
    order = sorted(range(len(names)), key=names.__getitem__)
    sizes = [_number(name) for name in names]
    if all(map(math.isfinite, sizes)):
        order.sort(key=sizes.__getitem__)
    rank = np.empty(len(names) + 1, np.int64)
    rank[order], rank[-1] = np.arange(len(names)), -1
    return [names[i] for i in order], rank[places]


def seconds(times: pd.Series) -> npt.NDArray[np.float64]:
    """``[n]``: moments as seconds since 1970; numbers as they are."""
    if pd.api.types.is_datetime64_any_dtype(times):
        return np.asarray(times.to_numpy("datetime64[ns]").astype(np.int64) / 1e9)
    return times.to_numpy(np.float64)


def no_window(table: pd.DataFrame, recipe: Recipe, breaks: Bools) -> ScratchmlError:
    """Why no window fits between the breaks."""
    n = len(table)
    ahead = f" and {recipe.horizon} more" if recipe.horizon else ""
    text = f"no window of {recipe.window} samples{ahead} fits between two breaks in {n:,} samples"
    if int(breaks.sum()) == 1:
        return ScratchmlError(f"{text}: use shorter windows, or more data")
    for name in filter(None, (recipe.group, recipe.session)):
        count = int(changes([category_codes(table[name])[1]], n).sum())
        if count > 1 and count > n / recipe.window:
            return ScratchmlError(
                f"{text}: {name} changes {count - 1:,} times; put the rows of each together"
            )
    if timed(table, recipe):
        back = int((np.diff(seconds(table["time"])) <= 0).sum())
        if back > n / recipe.window:
            return ScratchmlError(
                f"{text}: time stands still or goes back {back:,} times; sort each recording by "
                f"time, or call the column something else (--map time=clock) to go without it"
            )
    return ScratchmlError(f"{text}, of which there are {int(breaks.sum()):,}: use shorter windows")


def _numbers(recipe: Recipe) -> list[str]:
    return list(dict.fromkeys([*recipe.features, *filter(None, [recipe.target])]))


def _texts(recipe: Recipe) -> list[str]:
    return list(dict.fromkeys(filter(None, [recipe.label, recipe.group, recipe.session])))


def _reads_time(recipe: Recipe) -> bool:
    """Whether ``time`` is a feature, label, target, group or session."""
    return "time" in (*_numbers(recipe), *_texts(recipe))


def _breaks(table: pd.DataFrame, recipe: Recipe) -> Bools:
    names = filter(None, (recipe.group, recipe.session))
    breaks = changes([category_codes(table[name])[1] for name in names], len(table))
    # a sample by itself has nothing to follow
    follows = recipe.window > 1 or recipe.horizon > 0 or recipe.missing == "previous"
    if follows and timed(table, recipe):
        breaks |= time_breaks(seconds(table["time"]), breaks)
    return breaks


def _kept(table: pd.DataFrame, breaks: Bools, kept: Bools) -> tuple[pd.DataFrame, Bools]:
    """What is kept; what stood on both sides of a sample that is not does not follow."""
    stretch = np.cumsum(breaks | ~kept, dtype=np.int64)[kept]
    return table[kept], changes([stretch], len(stretch))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
