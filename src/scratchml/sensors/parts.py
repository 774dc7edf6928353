"""Which windows are for training, for validation and for the test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from scratchml import splits
from scratchml.errors import ScratchmlError
from scratchml.sensors.recipe import Recipe
from scratchml.sensors.samples import category_codes, seconds, timed
from scratchml.splits import PARTS, Parts, Places


def parts_of(
    table: pd.DataFrame,
    recipe: Recipe,
    starts: Places,
    y: npt.NDArray[np.float64],
    classes: Sequence[str],
    rng: np.random.Generator,
    notes: list[str],
) -> tuple[Recipe, Parts]:
    """The recipe with the split that was chosen, and the windows of each part.

    Args:
        starts: ``[n]``, where the windows begin; ``y``: the place of each one's class, or a number.

    Raises:
        ScratchmlError: a test group is not there, or the split leaves a part without what it needs.
    """
    shares = (recipe.validation, recipe.test)
    clock = seconds(table["time"]) if timed(table, recipe) else None
    by_default = "group" if recipe.group else "random" if clock is None else "time"
    split = recipe.split or by_default
    if split == "group":
        names, codes = category_codes(table[recipe.group])
        tested = [_place(str(name), names, recipe.group) for name in recipe.test_groups]
        parts = splits.by_group(codes[starts], *shares, rng, tested)
    elif split == "time":
        places = np.arange(len(table))
        if clock is not None:  # samples of several groups at once: by the clock, not by the file
            order = np.argsort(clock, kind="stable")
            places[order] = np.arange(len(table))
        last = starts + recipe.window - 1 + recipe.horizon
        parts = splits.by_time(places[starts], places[last], len(table), *shares)
    elif classes:
        parts = splits.by_class(y.astype(np.int64), *shares, rng, classes)
    else:
        parts = splits.at_random(len(y), *shares, rng)
    if split == "time" and _restarts(table, clock):
        notes.append(
            "time restarts within the table, and the split goes by it: the test is the end of the "
            "same recordings, not later ones; recordings never seen are tested by --split group"
        )
    if split == "random" and recipe.step < recipe.window:
        notes.append(
            "windows overlap and were shared out at random: the test holds samples that were "
            "learnt, so figures look better than they are"
        )
    return replace(recipe, split=split), parts


def check_parts(
    parts: Parts, recipe: Recipe, y: npt.NDArray[np.float64], classes: Sequence[str]
) -> None:
    """Refuse a part without rows, or without some class."""
    for name, part in zip(PARTS, parts, strict=True):
        if len(part) == 0:
            raise ScratchmlError(
                f"no {name} row is left of {len(y):,} by the split by {recipe.split}: use more "
                f"data, shorter windows or another share"
            )
        absent = np.setdiff1d(np.arange(len(classes)), y[part])
        if len(absent):
            raise ScratchmlError(
                f"the {name} rows have none of {recipe.label} {classes[int(absent[0])]!r}: choose "
                f"another split than {recipe.split}, another seed or other shares"
            )


def _restarts(table: pd.DataFrame, clock: npt.NDArray[np.float64] | None) -> bool:
    """Whether a clock that counts from anywhere goes back; dates only come in another order."""
    if clock is None or pd.api.types.is_datetime64_any_dtype(table["time"]):
        return False
    return bool((np.diff(clock) < 0).any())


def _place(name: str, names: list[str], column: str) -> int:
    if name not in names:
        raise ScratchmlError(
            f"the column {column} has no {name!r}; there are {', '.join(names[:20])}"
        )
    return names.index(name)
