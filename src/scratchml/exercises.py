"""Shoulder exercises told apart by the acceleration of a wrist: the example of a motion sensor.

A table of samples like anybody's (see ``sensors``), with its columns and choices filled in. The
data is described in data/README.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from scratchml import sensors
from scratchml.resources import find
from scratchml.tables.reading import Reading

EMBEDDED = "exercises.csv.gz"

CLASSES = (
    "abduction",
    "bent-over row",
    "external rotation",
    "forward elevation",
    "internal rotation",
    "lower trapezius row",
    "pendulum",
)


@dataclass(frozen=True)
class Recipe(sensors.Recipe):
    """The choices of ``sensors.Recipe``, as they suit this table: three seconds every second."""

    features: tuple[str, ...] = ("ax", "ay", "az")
    label: str = "exercise"
    units: tuple[str, ...] = ("g", "g", "g")
    resolution: tuple[int, ...] = (1000, 1000, 1000)
    window: int = 75
    step: int = 25
    statistics: tuple[str, ...] = ("mean", "std", "mean_abs_diff", "mean_crossings")
    group: str = "subject"
    session: str = "side"
    reading: Reading = field(default_factory=lambda: Reading(time_format="seconds"))


def load(recipe: Recipe) -> pd.DataFrame:
    """The embedded table."""
    return sensors.load(find("data") / EMBEDDED, recipe)
