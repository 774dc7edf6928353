"""From hours to rows a network can learn from: windows, labels, split, balance.

A row is a window of consecutive hours, oldest first, with the channels of each hour side by side:
``[T, RH, T, RH, T, RH]``. Its readings are integers from here on, *counts* of a fixed resolution
(hundredths of a degree and of a percent).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from scratchml.checks import check_number, check_shares, check_whole
from scratchml.errors import ScratchmlError
from scratchml.rows import Dataset, Rows, Scaler
from scratchml.splits import PARTS, Parts, at_random, by_time, undersample
from scratchml.tables.reading import Reading
from scratchml.weather import check_hours, fingerprint, whole_hours
from scratchml.weather.variables import VARIABLES

#: What the weather station measures.
FEATURES = ("temperature_2m", "relative_humidity_2m")


def channels_of(features: Sequence[str]) -> tuple[tuple[str, str, int], ...]:
    """Column, unit and counts a unit of each feature."""
    return tuple((name, VARIABLES[name].unit, VARIABLES[name].resolution) for name in features)


#: The channels of the weather station: column, unit, counts a unit.
CHANNELS = channels_of(FEATURES)

#: The names of the labels 0 and 1.
CLASSES = ("no snow", "snow")

HOUR = np.timedelta64(1, "h")

#: What can become of an hour that lacks a reading.
MISSING = ("refuse", "drop")

#: Readings of an hour that tell, alone or nearly, whether it snowed in it.
TELLING = ("snowfall", "precipitation", "rain", "snow_depth")

#: The longest window and horizon: a year of hours.
MAX_HOURS = 8784


@dataclass(frozen=True)
class Recipe:
    """Every choice that turns hours into a data set; stored with the model that came of it.

    Attributes:
        features: the variables that are read of each hour, as in ``weather.VARIABLES``.
        window: hours of readings in a row.
        horizon: hours from the newest reading to the hour that is forecast; 0 is a nowcast.
        snow_above: cm of snowfall in that hour above which it counts as snow ...
        colder_than: ... if its temperature is also below this, in degrees Celsius.
        split: ``time`` (training, then validation, then test, no window across a border) or
            ``random`` (overlapping windows on both sides: results look better than they are).
        balance: ``none``, ``training`` (undersample the majority there) or ``all`` (undersample
            before the split, so that even the test rows are half snow).
        validation, test: share of the hours, or of the rows for a random split.
        missing: what happens to an hour that lacks a reading: ``refuse``, or ``drop`` it whole, so
            that no window reaches across.
        reading: how a file of hours is to be read.
        seed: for the random choices among these.
    """

    features: tuple[str, ...] = FEATURES
    window: int = 3
    horizon: int = 1
    snow_above: float = 0.5
    colder_than: float = 2.0
    split: str = "time"
    balance: str = "none"
    validation: float = 0.2
    test: float = 0.3
    missing: str = "refuse"
    reading: Reading = field(default_factory=Reading)
    seed: int = 0

    def __post_init__(self) -> None:
        _check_features(self.features)
        object.__setattr__(self, "features", tuple(self.features))  # a list, if from a file
        if isinstance(self.reading, Mapping):
            object.__setattr__(self, "reading", Reading.from_json(self.reading))
        for name, least, most in (
            ("window", 1, MAX_HOURS),
            ("horizon", 0, MAX_HOURS),
            ("seed", 0, 2**63),
        ):
            check_whole(name, getattr(self, name), least, most)
        for name in ("snow_above", "colder_than"):
            check_number(name, getattr(self, name))
        check_shares(self.validation, self.test)
        if self.split not in ("time", "random"):
            raise ScratchmlError(f"split {self.split!r}: known are time, random")
        if self.balance not in ("none", "training", "all"):
            raise ScratchmlError(f"balance {self.balance!r}: known are none, training, all")
        if self.missing not in MISSING:
            raise ScratchmlError(f"missing {self.missing!r}: of hours known are refuse, drop")


#: The exercise this project started from: nowcast, balanced before a random split.
PAPER = {"horizon": 0, "split": "random", "balance": "all", "validation": 0.1, "test": 0.15}


@dataclass(frozen=True)
class WeatherDataset(Dataset):
    """Rows of weather: ``y`` is 1 for snow, ``index`` the place of the newest reading in
    ``hours``."""

    recipe: Recipe
    hours: pd.DataFrame = field(repr=False)


def is_snow(hours: pd.DataFrame, recipe: Recipe) -> npt.NDArray[np.bool_]:
    """The label of each hour, ``bool[n]``: enough snowfall, and cold enough to be snow."""
    snow = hours["snowfall"].to_numpy() > recipe.snow_above
    cold = hours["temperature_2m"].to_numpy() < recipe.colder_than
    return np.asarray(snow & cold)


def make_dataset(
    hours: pd.DataFrame,
    recipe: Recipe | None = None,
    *,
    scaler: Scaler | None = None,
    **choices: Any,
) -> WeatherDataset:
    """Cut hours into labelled rows and share them out to training, validation and test.

    Args:
        hours: a table as ``scratchml.weather.load`` returns it. Where an hour is missing, no
            window and no forecast reaches across. Readings may be NaN if the recipe drops such
            hours.
        recipe: the choices; or name them one by one, ``make_dataset(hours, horizon=0)``.
        scaler: of a model that exists already; by default fitted to the training rows.

    Raises:
        ScratchmlError: the hours are no such table, a choice is out of range, a part has rows of
            one class only, or the scaler is one of other channels.
    """
    recipe = replace(recipe or Recipe(), **choices)
    notes = _leaks(recipe)
    if recipe.missing == "drop":
        given, hours = len(hours), whole_hours(hours, recipe.features)
        if lost := given - len(hours):
            notes.append(f"{lost:,} of {given:,} hours lack a value and were left out")
    check_hours(hours, recipe.features)
    channels = channels_of(recipe.features)
    if scaler and scaler.channels != channels:
        raise ScratchmlError(
            f"the model reads {', '.join(scaler.names)} in {scaler.resolution} counts a unit; "
            f"the hours are cut into {channels}"
        )
    rng = np.random.default_rng(recipe.seed)
    newest = _window_ends(hours, recipe)
    labels = is_snow(hours, recipe)
    _check_classes("available", labels[newest + recipe.horizon], recipe)
    if recipe.balance == "all":
        newest = newest[undersample(labels[newest + recipe.horizon], rng)]
    parts = {
        name: newest[places]
        for name, places in zip(PARTS, _split(newest, len(hours), recipe, rng), strict=True)
    }
    for name, part in parts.items():
        _check_classes(name, labels[part + recipe.horizon], recipe)
    if recipe.balance == "training":
        part = parts["training"]
        parts["training"] = part[undersample(labels[part + recipe.horizon], rng)]

    counts = [_window_counts(hours, part, recipe) for part in parts.values()]
    scaler = scaler or Scaler.fit(counts[0], *zip(*channels, strict=True))
    train, validation, test = (
        Rows(c, labels[part + recipe.horizon].astype(np.float32), part, scaler)
        for c, part in zip(counts, parts.values(), strict=True)
    )
    return WeatherDataset(
        train=train,
        validation=validation,
        test=test,
        scaler=scaler,
        recipe=recipe,
        classes=CLASSES,
        fingerprint=fingerprint(hours, recipe.features),
        notes=tuple(notes),
        hours=hours,
    )


def _leaks(recipe: Recipe) -> list[str]:
    """A note, if the network reads what the label is made of."""
    telling = [name for name in recipe.features if name in TELLING]
    if recipe.horizon or not telling:
        return []
    return [
        f"the network reads {' and '.join(telling)} of the very hour that it is asked about: that "
        f"tells the answer, so figures look better than those of a forecast (--horizon 1)"
    ]


def _window_ends(hours: pd.DataFrame, recipe: Recipe) -> npt.NDArray[np.int64]:
    """Places of the newest hour of every window whose hours, up to the label's, have no gap."""
    times = hours["time"].to_numpy()
    span = recipe.window - 1 + recipe.horizon
    first = np.arange(max(len(times) - span, 0))
    breaks = np.cumsum(np.diff(times, prepend=times[:1]) != HOUR)
    whole = breaks[first + span] == breaks[first]
    return np.asarray(first[whole] + recipe.window - 1)


def _window_counts(
    hours: pd.DataFrame, newest: npt.NDArray[np.int64], recipe: Recipe
) -> npt.NDArray[np.int32]:
    """``[n, window * c]``, oldest hour first; half a count is rounded to the even one."""
    channels = [np.rint(hours[name].to_numpy() * n) for name, _, n in channels_of(recipe.features)]
    table = np.stack(channels, axis=1).astype(np.int32)
    places = newest[:, None] + np.arange(1 - recipe.window, 1)
    return np.asarray(table[places].reshape(len(newest), -1))


def _split(
    newest: npt.NDArray[np.int64], hours: int, recipe: Recipe, rng: np.random.Generator
) -> Parts:
    shares = (recipe.validation, recipe.test)
    if recipe.split == "random":
        return at_random(len(newest), *shares, rng)
    return by_time(newest - recipe.window + 1, newest + recipe.horizon, hours, *shares)


def _check_classes(part: str, labels: npt.NDArray[np.bool_], recipe: Recipe) -> None:
    if len(labels) == 0:
        raise ScratchmlError(
            f"no {part} rows: too few hours without a gap for windows of {recipe.window} hours "
            f"and a forecast {recipe.horizon} ahead"
        )
    if labels.all() or not labels.any():
        raise ScratchmlError(
            f"the {part} rows have {int(labels.sum())} hours of snow among {len(labels)} and need "
            f"both kinds: use more hours, or other limits than snow above {recipe.snow_above:g} cm "
            f"below {recipe.colder_than:g} C"
        )


def _check_features(features: object) -> None:
    if isinstance(features, str) or not isinstance(features, Sequence) or not features:
        raise ScratchmlError(f"features {features!r}: it must be a list of variables")
    for name in features:
        if not isinstance(name, str) or name not in VARIABLES:
            raise ScratchmlError(
                f"feature {name!r}: of weather there are {', '.join(VARIABLES)}; of another table "
                f"name what is asked as well (--label or --target)"
            )
        if features.count(name) > 1:
            raise ScratchmlError(f"feature {name!r} is named twice")
