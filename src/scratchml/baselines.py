"""What a network has to beat: answers that need none."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from scratchml.dataset import HOUR, WeatherDataset, is_snow
from scratchml.rows import Dataset, Rows


def nearest_mean(data: Dataset, rows: Rows) -> npt.NDArray[np.float64]:
    """Scores ``[n, classes]``: how near each row is to the mean of a class's training rows.

    The squared distance, less what is the same for all classes, is linear in the row.
    """
    x, y = data.train.x, data.train.y
    means = np.stack([x[y == label].mean(axis=0) for label in range(len(data.classes))])
    return np.asarray(2 * rows.x @ means.T - (means**2).sum(axis=1), np.float64)


def always(label: int, classes: int, n: int) -> npt.NDArray[np.float64]:
    """Scores ``[n, classes]`` of saying one class whatever is read."""
    scores = np.zeros((n, classes))
    scores[:, label] = 1
    return scores


def linear_regression(data: Dataset, rows: Rows) -> npt.NDArray[np.float64]:
    """What the plane through the training rows with the least squared error says, ``[n]``."""
    ones = [np.column_stack([r.x, np.ones(len(r))]).astype(np.float64) for r in (data.train, rows)]
    plane = np.linalg.lstsq(ones[0], data.train.y.astype(np.float64), rcond=None)[0]
    return np.asarray(ones[1] @ plane)


def baselines(data: WeatherDataset, rows: Rows) -> dict[str, npt.NDArray[np.bool_]]:
    """Yes or no for each of ``rows``, ``bool[n]``, under the name of each baseline.

    ``persistence`` says that it will be as it is now (as it was an hour ago, where the forecast is
    for the present hour; no, where that hour is missing), and so needs a snow sensor. The rule
    looks at the newest reading alone.
    """
    snow = is_snow(data.hours, data.recipe)
    if data.recipe.horizon == 0:
        follows = np.diff(data.hours["time"].to_numpy(), prepend=np.datetime64("NaT")) == HOUR
        snow = np.roll(snow, 1) & follows
    now: pd.DataFrame = data.hours.iloc[rows.index]
    cold = now["temperature_2m"].to_numpy() < 2
    damp = now["relative_humidity_2m"].to_numpy() >= 95
    return {
        "always no": np.zeros(len(rows), bool),
        "T < 2 C and RH >= 95 %": cold & damp,
        "persistence": snow[rows.index],
    }
