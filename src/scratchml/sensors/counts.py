"""From a table's values to counts: whole numbers of each column's own resolution."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from scratchml.errors import ScratchmlError
from scratchml.sensors.recipe import Recipe
from scratchml.splits import Places

Counts = npt.NDArray[np.int32]

#: The largest count: of windows from end to end of it, an input's 256 codes are still fine enough
#: for the integers of ``features``.
MAX_COUNT = 2**26

#: Where decimals never end, this many are kept, and as many more as tell ``FINE`` values apart.
DECIMALS, FINE = 4, 10_000
MOST_DECIMALS = 9


def with_resolution(table: pd.DataFrame, recipe: Recipe) -> Recipe:
    """The recipe with units and resolutions filled in."""
    return replace(
        recipe,
        units=recipe.units or ("",) * len(recipe.features),
        resolution=recipe.resolution
        or tuple(
            found_resolution(table[name].to_numpy(np.float64), most_of(recipe))
            for name in recipe.features
        ),
    )


def most_of(recipe: Recipe) -> int:
    """The largest count that a recipe has room for: its statistics are clamped above it."""
    return min(MAX_COUNT, (2**30 - 1) // recipe.window) if recipe.statistics else MAX_COUNT


def found_resolution(values: npt.NDArray[np.float64], most: int = MAX_COUNT) -> int:
    """Counts a unit: the least power of ten that makes all ``values[n]`` whole numbers.

    Numbers that were single precision once count as the decimals they came from. Less where the
    counts would exceed ``most``, and where there is no end of decimals. NaN has no say.
    """
    values = values[np.isfinite(values)]
    size = float(np.abs(values).max(initial=0))
    spread = float(np.ptp(values)) if len(values) else 0.0
    for decimals in range(MOST_DECIMALS):
        power = int(10**decimals)
        # the first few settle it for most powers
        if _are_whole(values[:1000] * power, size) and _are_whole(values * power, size):
            return power
        if size * power * 10 > most or (decimals >= DECIMALS and spread * power >= FINE):
            return power
    return int(10**MOST_DECIMALS)


def _are_whole(values: npt.NDArray[np.float64], size: float) -> bool:
    """Whether they are but for the last digits of a float; those of a sum are of its size."""
    off = np.abs(values - np.rint(values))
    return bool((off <= np.minimum(np.maximum(1e-7 * np.abs(values), 1e-9 * size), 1e-2)).all())


def counts_of(values: npt.NDArray[np.float64], recipe: Recipe, training: Places) -> Counts:
    """``[n, c]`` int32; a missing value becomes the median of the training windows' samples.

    Args:
        training: where the training windows begin.

    Raises:
        ScratchmlError: a count is too large or infinite, or there is no median.
    """
    counts = np.rint(values * np.array(recipe.resolution))
    learnt = np.zeros(len(values) + 1, np.int64)
    np.add.at(learnt, training, 1)
    np.add.at(learnt, training + recipe.window, -1)
    in_training = np.cumsum(learnt[:-1]) > 0
    most = most_of(recipe)
    for name, resolution, column in zip(recipe.features, recipe.resolution, counts.T, strict=True):
        holes = np.isnan(column)
        if holes.any():
            known = column[in_training & ~holes]
            if len(known) == 0:
                raise ScratchmlError(f"{name} has no value in the training rows: leave it out")
            column[holes] = np.rint(np.median(known))
        if not np.isfinite(column).all():
            raise ScratchmlError(f"{name} has a value that is infinite: take that sample out")
        worst = column[np.abs(column).argmax()]
        if abs(worst) > most:
            coarser = "choose a coarser --resolution" if resolution > 1 else "use a larger unit"
            raise ScratchmlError(
                f"{name}: {worst / resolution:g} is {worst:.0f} counts at {resolution:,} a unit, "
                f"and {most:,} are possible: {coarser}"
            )
    return np.asarray(counts, np.int32)
