"""A table of hours in numbers: of each variable, and when it snows.

Besides what any table has: the span of time, gaps, months and years, and what the split would leave
for training, validation and test.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from scratchml.dataset import CLASSES, HOUR, Recipe, WeatherDataset, is_snow, make_dataset
from scratchml.errors import ScratchmlError
from scratchml.explore.columns import Exploration, LabelledColumns, explore
from scratchml.weather import check_hours, whole_hours
from scratchml.weather.variables import VARIABLES

MONTHS = range(1, 13)


@dataclass(frozen=True)
class Gaps:
    """Where hours do not follow each other: no window and no forecast reaches across.

    Attributes:
        number: steps from a row to the next that are not one hour.
        missing: hours that are not there, between the first and the last that are.
        longest: most of them in one place ...
        after: ... which follows on this hour, as ``2001-01-31T23:00``; ``None`` if none is missing.
    """

    number: int
    missing: int
    longest: int
    after: str | None


@dataclass(frozen=True)
class Period:
    """Hours of a month or of a year: how many there are, and how many are snow."""

    number: int
    hours: int
    snow: int

    @property
    def share(self) -> float | None:
        """Of snow; ``None`` where there are no hours."""
        return self.snow / self.hours if self.hours else None


@dataclass(frozen=True)
class HoursExploration:
    """Of a table of hours.

    Attributes:
        table: classes and columns.
        recipe: the limits that say what snow is, and how hours are split.
        first, last: the hours at its ends, as ``2001-01-31T23:00``.
        months: all twelve, over all years.
        years: those of the calendar from first to last.
        calendar: of each of these years the twelve months.
        data: what training would get of them; ``None`` if it would refuse them ...
        refused: ... with this.
    """

    table: Exploration
    recipe: Recipe
    first: str
    last: str
    gaps: Gaps
    months: tuple[Period, ...]
    years: tuple[Period, ...]
    calendar: tuple[tuple[Period, ...], ...]
    data: WeatherDataset | None
    refused: str | None

    def as_json(self) -> dict[str, Any]:
        """As JSON values."""
        periods = {
            key: [{key[:-1]: p.number, **_period_json(p)} for p in getattr(self, key)]
            for key in ("months", "years")
        }
        return {
            **self.table.as_json(),
            "recipe": asdict(self.recipe),
            "first": self.first,
            "last": self.last,
            "gaps": asdict(self.gaps),
            **periods,
            "parts": _parts_json(self.data) if self.data else None,
            "refused": self.refused,
        }


def columns_of_hours(hours: pd.DataFrame, recipe: Recipe) -> LabelledColumns:
    """All variables of a table of hours, each hour labelled snow or no snow."""
    names = tuple(name for name in VARIABLES if name in hours.columns)
    units = tuple(VARIABLES[name].unit for name in names)
    values = hours[list(names)].to_numpy(np.float64)
    return LabelledColumns(names, units, values, is_snow(hours, recipe).astype(np.int64), CLASSES)


def explore_hours(hours: pd.DataFrame, recipe: Recipe | None = None) -> HoursExploration:
    """Count and measure a table of hours, as ``scratchml.weather.load`` returns it.

    Args:
        recipe: what snow is, and how the hours would be split; by default the default recipe.

    Raises:
        ScratchmlError: it is no table of hours, or has none.
    """
    recipe = recipe or Recipe()
    if recipe.missing == "drop":
        hours = whole_hours(hours, recipe.features)
    check_hours(hours)
    table = columns_of_hours(hours, recipe)
    snow = table.labels
    month, year = (getattr(hours["time"].dt, name).to_numpy() for name in ("month", "year"))
    years = range(int(year[0]), int(year[-1]) + 1)
    data, refused = None, None
    try:
        data = make_dataset(hours, recipe)
    except ScratchmlError as error:
        refused = str(error)
    return HoursExploration(
        table=explore(table),
        recipe=recipe,
        first=_iso(hours["time"].iloc[0]),
        last=_iso(hours["time"].iloc[-1]),
        gaps=find_gaps(hours["time"]),
        months=count_periods(month, snow, MONTHS),
        years=count_periods(year, snow, years),
        calendar=tuple(count_periods(month[year == y], snow[year == y], MONTHS) for y in years),
        data=data,
        refused=refused,
    )


def find_gaps(times: pd.Series) -> Gaps:
    """Of the times of hours, ``datetime64[n]`` in order."""
    steps = np.diff(times.to_numpy())
    missing = -(-steps // HOUR) - 1  # two hours after 1:00 comes 3:00, or 2:30: one is missing
    longest = int(missing.max(initial=0))
    after = _iso(times.iloc[int(missing.argmax())]) if longest else None
    return Gaps(int((steps != HOUR).sum()), int(missing.sum()), longest, after)


def count_periods(
    number: npt.NDArray[Any], labels: npt.NDArray[np.int64], numbers: Sequence[int]
) -> tuple[Period, ...]:
    """Hours and snow for each of ``numbers``; ``number[n]`` is the month or year of each hour."""
    return tuple(
        Period(i, int((number == i).sum()), int(labels[number == i].sum())) for i in numbers
    )


def _period_json(period: Period) -> dict[str, Any]:
    return {"hours": period.hours, "snow": period.snow, "share": period.share}


def _parts_json(data: WeatherDataset) -> dict[str, dict[str, int]]:
    parts = {"train": data.train, "validation": data.validation, "test": data.test}
    return {name: {"rows": len(p), "snow": int(p.y.sum())} for name, p in parts.items()}


def _iso(time: pd.Timestamp) -> str:
    return f"{time:%Y-%m-%dT%H:%M}"
