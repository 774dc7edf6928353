"""The samples of a table: columns, breaks, counts; what is missing is filled in or left out."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from os import PathLike

import numpy as np
import numpy.typing as npt
import pandas as pd

from scratchml.errors import ScratchmlError
from scratchml.sensors.recipe import MISSING, Recipe
from scratchml.splits import Places
from scratchml.tables import column_names, read_table
from scratchml.windows import changes, time_breaks

Counts = npt.NDArray[np.int32]

#: Decimals that are looked for where no resolution is given.
MOST_DECIMALS = 4
#: The largest count: a window of them still fits in 32 bits after a subtraction.
MAX_COUNT = 2**29


def load(path: str | PathLike[str], recipe: Recipe) -> pd.DataFrame:
    """Read the columns that a recipe names; the index is the line in the file.

    Raises:
        ScratchmlError: as ``read_table``.
        OSError: the file cannot be read.
    """
    reading = recipe.reading
    there = column_names(path, reading)
    time = reading.time or ("time" if "time" in there else None)
    if time in (*recipe.features, recipe.target):
        time = None
    return read_table(
        path,
        reading,
        numbers=list(dict.fromkeys([*recipe.features, *filter(None, [recipe.target])])),
        texts=list(dict.fromkeys(filter(None, [recipe.label, recipe.group, recipe.session]))),
        time=time,
        missing=True,  # what becomes of it is the recipe's choice
    )


def fingerprint(table: pd.DataFrame, recipe: Recipe) -> str:
    """SHA-256 of the columns that the recipe names, whatever file they came from."""
    digest = hashlib.sha256()
    numbers = [*recipe.features, *filter(None, [recipe.target])]
    for name in numbers:
        digest.update((table[name].to_numpy(np.float64) + 0.0).astype("<f8").tobytes())
    for name in filter(None, [recipe.label, recipe.group, recipe.session]):
        texts, places = category_codes(table[name])
        digest.update("\x1f".join(texts).encode() + places.astype("<i8").tobytes())
    if "time" in table:
        digest.update(seconds(table["time"]).astype("<f8").tobytes())
    return digest.hexdigest()


def without_holes(table: pd.DataFrame, recipe: Recipe, notes: list[str]) -> pd.DataFrame:
    """The samples that have a value, or get the previous one; a median is filled in later."""
    asked = [name for name in (recipe.label, recipe.target, recipe.group, recipe.session) if name]
    needed = [*asked, *(recipe.features if recipe.missing in ("refuse", "drop") else ())]
    holes = table[list(dict.fromkeys(needed))].isna()
    if recipe.missing == "refuse" and holes.to_numpy().any():
        row = int(holes.any(axis=1).to_numpy().argmax())
        column = holes.columns[int(holes.iloc[row].to_numpy().argmax())]
        raise ScratchmlError(
            f"line {table.index[row]}, column {column}: the value is missing: fill it, or choose "
            f"what becomes of it (--missing {', '.join(MISSING[1:])})"
        )
    bad = holes.any(axis=1).to_numpy()
    # a column of its own keeps the place of what is left out: no window reaches across
    table = table.assign(_stretch=np.cumsum(bad))[~bad]
    if bad.any():
        notes.append(f"{int(bad.sum()):,} of {len(bad):,} samples lack a value and were left out")
    if recipe.missing == "previous":
        table = _filled(table, recipe, notes)
    elif recipe.missing == "median":
        count = int(table[list(recipe.features)].isna().to_numpy().sum())
        if count:
            notes.append(f"{count:,} missing values were replaced by the training rows' median")
    if table.empty:
        raise ScratchmlError("no sample has all its values")
    return table


def _filled(table: pd.DataFrame, recipe: Recipe, notes: list[str]) -> pd.DataFrame:
    features = list(recipe.features)
    count = int(table[features].isna().to_numpy().sum())
    keys = [name for name in (recipe.group, recipe.session, "_stretch") if name]
    filled = table.groupby(keys, sort=False, observed=True)[features].ffill()
    table = table.assign(**{name: filled[name] for name in features})
    bad = filled.isna().any(axis=1).to_numpy()
    if count:
        lost = int(bad.sum())
        left = f", but {lost:,} samples had none before and were left out" if lost else ""
        notes.append(f"{count:,} missing values: each took the one before it{left}")
    return table.assign(_stretch=table["_stretch"] + np.cumsum(bad))[~bad]


def category_codes(column: pd.Series) -> tuple[list[str], npt.NDArray[np.int64]]:
    """The texts of a column in order, numbers by size; and each row's place among them, or -1."""
    places, texts = pd.factorize(column.astype(object))
    names = [str(text) for text in texts]
    try:
        order = sorted(range(len(names)), key=lambda i: float(names[i]))
    except ValueError:
        order = sorted(range(len(names)), key=names.__getitem__)
    rank = np.empty(len(names) + 1, np.int64)
    rank[order], rank[-1] = np.arange(len(names)), -1
    return [names[i] for i in order], rank[places]


def seconds(times: pd.Series) -> npt.NDArray[np.float64]:
    if pd.api.types.is_datetime64_dtype(times):
        return times.to_numpy().astype("datetime64[ns]").astype(np.int64) / 1e9
    return times.to_numpy(np.float64)


def breaks_of(table: pd.DataFrame, recipe: Recipe) -> npt.NDArray[np.bool_]:
    columns = [category_codes(table[name])[1] for name in (recipe.group, recipe.session) if name]
    breaks = changes([*columns, table["_stretch"].to_numpy()], len(table))
    if "time" in table and (recipe.window > 1 or recipe.horizon > 0):
        breaks |= time_breaks(seconds(table["time"]), breaks)
    return breaks


def with_resolution(table: pd.DataFrame, recipe: Recipe) -> Recipe:
    units = recipe.units or ("",) * len(recipe.features)
    resolution = recipe.resolution or tuple(
        found_resolution(table[name].to_numpy(np.float64)) for name in recipe.features
    )
    return replace(recipe, units=units, resolution=resolution)


def found_resolution(values: npt.NDArray[np.float64]) -> int:
    """Counts a unit: the least power of ten that makes all ``values[n]`` whole numbers.

    At most ``10^MOST_DECIMALS``, and less where the counts would leave ``MAX_COUNT``. NaN has no
    say.
    """
    values = values[~np.isnan(values)]
    most = float(np.abs(values).max(initial=0))
    for decimals in range(MOST_DECIMALS + 1):
        scaled = values * 10**decimals
        near = np.abs(scaled - np.rint(scaled)) <= 1e-6 * np.maximum(1, np.abs(scaled) * 1e-6)
        if near.all() or decimals == MOST_DECIMALS or most * 10 ** (decimals + 1) > MAX_COUNT:
            return int(10**decimals)
    raise AssertionError("the loop ends with its last decimal")


def counts_of(
    values: npt.NDArray[np.float64], recipe: Recipe, training: Places, notes: list[str]
) -> Counts:
    """``[n, c]`` int32; a missing value becomes the median of the training windows' samples."""
    counts = np.rint(values * np.array(recipe.resolution))
    seen = np.zeros(len(values) + 1, np.int64)
    np.add.at(seen, training, 1)
    np.add.at(seen, training + recipe.window, -1)
    learnt = np.cumsum(seen[:-1]) > 0
    for index, name in enumerate(recipe.features):
        column = counts[:, index]
        holes = np.isnan(column)
        if holes.any():
            known = column[learnt & ~holes]
            if len(known) == 0:
                raise ScratchmlError(f"{name} has no value in the training rows")
            column[holes] = np.rint(np.median(known))
        if np.abs(column).max(initial=0) > MAX_COUNT:
            raise ScratchmlError(
                f"{name}: its values at {recipe.resolution[index]:,} counts a unit do not fit in "
                f"30 bits; choose a coarser --resolution"
            )
    return np.asarray(counts, np.int32)
