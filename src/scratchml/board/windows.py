"""Windows of hours to feed a board with, and what really fell in the hour that it forecasts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from scratchml.dataset import CHANNELS, HOUR, Recipe, is_snow
from scratchml.errors import ScratchmlError
from scratchml.firmware import check_station_model
from scratchml.quantized import QuantizedMLP
from scratchml.tasks import from_metadata


@dataclass(frozen=True)
class Window:
    """Consecutive hours up to ``time``, and the hour that they forecast.

    Attributes:
        counts: int32 ``[inputs]``, the oldest hour first.
        temperature, humidity: of the newest hour, in degrees Celsius and percent.
        ahead: the hour that is forecast; ``fell``: the snow in it in cm, and ``snow``: whether that
            counts as snow. Both are ``None`` if the table does not have the hour.
    """

    time: pd.Timestamp
    counts: npt.NDArray[np.int32]
    temperature: float
    humidity: float
    ahead: pd.Timestamp
    fell: float | None
    snow: bool | None


def station_recipe(model: QuantizedMLP) -> Recipe:
    """The choices that the model was trained with, or the default ones; its window is its own.

    Raises:
        ScratchmlError: it is not a model for the weather station.
    """
    check_station_model(model)
    recipe = from_metadata(model.metadata) if "recipe" in model.metadata else None
    return recipe if isinstance(recipe, Recipe) else Recipe()


def first_test_hour(hours: pd.DataFrame, recipe: Recipe) -> pd.Timestamp:
    """Where the newest hours begin, which a split by time keeps for the test."""
    return pd.Timestamp(hours["time"].iloc[round(len(hours) * (1 - recipe.test))])


def cut_windows(
    hours: pd.DataFrame, model: QuantizedMLP, start: pd.Timestamp, n: int
) -> list[Window]:
    """The first ``n`` windows, or fewer, that lie in ``hours`` from ``start`` on, without a gap.

    Raises:
        ScratchmlError: there is none, or it is not a model for the weather station.
    """
    recipe, length = station_recipe(model), model.inputs // len(CHANNELS)
    times = hours["time"].to_numpy()
    newest = _whole(times, length)
    newest = newest[times[newest - length + 1] >= start.to_datetime64()]
    if not len(newest):
        raise ScratchmlError(
            f"no {length} hours in a row from {start:%Y-%m-%d %H:%M} on; the table goes from "
            f"{hours['time'].iloc[0]:%Y-%m-%d %H:%M} to {hours['time'].iloc[-1]:%Y-%m-%d %H:%M}"
        )
    columns = [np.rint(hours[name].to_numpy() * counts) for name, _, counts in CHANNELS]
    readings = np.stack(columns, axis=1).astype(np.int32)
    fall = zip(hours["snowfall"].tolist(), is_snow(hours, recipe).tolist(), strict=True)
    fallen = dict(zip(times, fall, strict=True))
    temperature, humidity = (hours[name].tolist() for name, _, _ in CHANNELS)
    windows = []
    for i in newest[:n]:
        ahead = times[i] + recipe.horizon * HOUR
        fell, snow = fallen.get(ahead, (None, None))
        windows.append(
            Window(
                pd.Timestamp(times[i]),
                readings[i - length + 1 : i + 1].reshape(-1),
                temperature[i],
                humidity[i],
                pd.Timestamp(ahead),
                fell,
                snow,
            )
        )
    return windows


def _whole(times: npt.NDArray[np.datetime64], length: int) -> npt.NDArray[np.int64]:
    """Places of the newest hour of every window without a gap."""
    stretch = np.cumsum(np.diff(times, prepend=times[:1]) != HOUR)
    newest = np.arange(length - 1, len(times))
    return np.asarray(newest[stretch[newest] == stretch[newest - length + 1]])
