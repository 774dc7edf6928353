"""Between a table's counts and a network: the front end, and the scale of each input."""

from __future__ import annotations

import numpy as np

from scratchml.errors import ScratchmlError
from scratchml.front_end import Channel, FrontEnd
from scratchml.rows import Scaler
from scratchml.sensors.counts import Counts
from scratchml.sensors.recipe import Recipe

#: From the first to the third quartile of a normal distribution, in standard deviations.
QUARTILES = 1.349


def front_end_of(recipe: Recipe) -> FrontEnd | None:
    """What cuts the board's stream into windows; a sample by itself needs nothing of the kind."""
    if recipe.window == 1:
        return None
    return FrontEnd(_samples(recipe), recipe.window, recipe.step, recipe.statistics)


def fit_scaler(
    counts: Counts, recipe: Recipe, front_end: FrontEnd | None, notes: list[str]
) -> Scaler:
    """Fitted to the training rows; means are whole counts, so that integers lose nothing.

    Raises:
        ScratchmlError: a column of the table has one value only in the training rows.
    """
    channels = _channels(recipe, front_end)
    columns = counts.reshape(-1, len(channels))
    mean, std = columns.mean(axis=0), columns.std(axis=0)
    if recipe.scaling == "robust":
        low, mean, high = np.quantile(columns, (0.25, 0.5, 0.75), axis=0)
        # a column that is mostly one value has no quartiles apart
        std = np.where(high > low, (high - low) / QUARTILES, std)
    constant = (columns == columns[0]).all(axis=0)
    for channel in (c for c, same in zip(channels, constant, strict=True) if same):
        if not recipe.statistics:
            raise ScratchmlError(
                f"{channel.name} has one value in all training rows: nothing to learn; leave it out"
            )
        notes.append(f"{channel.name} has one value in all training rows and tells nothing")
    std[constant] = 1
    resolution = tuple(channel.resolution for channel in channels)
    return Scaler(
        tuple(channel.name for channel in channels),
        tuple(channel.unit for channel in channels),
        resolution,
        tuple((np.rint(mean) / resolution).tolist()),
        tuple((std / resolution).tolist()),
    )


def check_scaler(scaler: Scaler, recipe: Recipe, front_end: FrontEnd | None) -> None:
    """Refuse a model's scaler that is of other channels than the recipe's."""
    wanted = tuple((c.name, c.unit, c.resolution) for c in _channels(recipe, front_end))
    if len(scaler.channels) != len(wanted):
        raise ScratchmlError(
            f"the model reads {len(scaler.channels)} channels, {', '.join(scaler.names[:8])}; the "
            f"table gives {len(wanted)}"
        )
    for has, gives in zip(scaler.channels, wanted, strict=True):
        if has != gives:
            raise ScratchmlError(f"the model reads {_told(*has)}; the table gives {_told(*gives)}")


def _told(name: str, unit: str, resolution: int) -> str:
    return f"{name} in counts of 1/{resolution} {unit}".rstrip()


def _channels(recipe: Recipe, front_end: FrontEnd | None) -> tuple[Channel, ...]:
    return front_end.feature_channels if front_end else _samples(recipe)


def _samples(recipe: Recipe) -> tuple[Channel, ...]:
    return tuple(
        Channel(name, recipe.unit(name), resolution)
        for name, resolution in zip(recipe.features, recipe.resolution, strict=True)
    )
