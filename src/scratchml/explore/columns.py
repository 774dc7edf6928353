"""Any table in numbers, before anything is trained on it: its classes and its columns.

``LabelledColumns`` is the table, whatever it was read from: columns of numbers, and a class for
each row. What hours have besides is in ``explore.hours``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from scratchml.errors import ScratchmlError

#: Below it sums of squares do not overflow.
GREATEST = 1e30

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LabelledColumns:
    """``c`` columns of numbers, and a class for each of the ``n`` rows.

    Attributes:
        names, units: of the columns; a unit may be empty.
        values: ``[n, c]`` float64, all of them below ``GREATEST`` in size.
        labels: ``[n]`` int64, the index of each row's class.
        classes: the names of the classes, by index. One class is no label at all.
    """

    names: tuple[str, ...]
    units: tuple[str, ...]
    values: Floats
    labels: npt.NDArray[np.int64]
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        rows = len(self.labels)
        if not (rows and self.names and self.classes):
            raise ScratchmlError("there is nothing to explore: no rows, no columns or no classes")
        if len(self.units) != len(self.names) or self.values.shape != (rows, len(self.names)):
            raise ScratchmlError(
                f"{len(self.names)} names, {len(self.units)} units and {rows} labels do not go "
                f"with values of shape {self.values.shape}"
            )
        if self.labels.min() < 0 or self.labels.max() >= len(self.classes):
            raise ScratchmlError(f"labels must be from 0 to {len(self.classes) - 1}")
        usable = np.abs(self.values) < GREATEST  # nor is it where there is none
        if not usable.all():
            row, column = np.argwhere(~usable)[0]
            raise ScratchmlError(
                f"row {row}, column {self.names[column]}: {self.values[row, column]} is no number "
                f"below {GREATEST:g}; mend it or leave the row out"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def counts(self) -> npt.NDArray[np.int64]:
        """Rows of each class, ``int64[classes]``."""
        return np.bincount(self.labels, minlength=len(self.classes)).astype(np.int64)

    def only(self, names: Sequence[str]) -> LabelledColumns:
        """The same rows, with these columns in this order."""
        places = [self.names.index(name) for name in names]
        units = tuple(self.units[i] for i in places)
        return LabelledColumns(
            tuple(names), units, self.values[:, places], self.labels, self.classes
        )


@dataclass(frozen=True)
class Summary:
    """The numbers of one column, in its unit.

    Quartiles are interpolated linearly (numpy's default); the standard deviation divides by
    ``rows``, as the scaler does.
    """

    rows: int
    least: float
    lower_quartile: float
    median: float
    upper_quartile: float
    greatest: float
    mean: float
    standard_deviation: float

    @classmethod
    def of(cls, values: Floats) -> Summary:
        """Of ``values[n]``, one at least."""
        five = np.quantile(values, [0, 0.25, 0.5, 0.75, 1]).tolist()
        least, lower, median, upper, greatest = five
        mean, deviation = float(values.mean()), float(values.std())
        return cls(len(values), least, lower, median, upper, greatest, mean, deviation)


@dataclass(frozen=True)
class Column:
    """A column's summary, of all rows and of each class (``None``: it has no rows)."""

    name: str
    unit: str
    all: Summary
    by_class: dict[str, Summary | None]


@dataclass(frozen=True)
class Exploration:
    """Of any table: rows of each class, and a summary of each column."""

    rows: int
    classes: dict[str, int]
    columns: tuple[Column, ...]

    def as_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "rows": self.rows,
            "classes": {
                name: {"rows": count, "share": count / self.rows}
                for name, count in self.classes.items()
            },
            "columns": [asdict(column) for column in self.columns],
        }


def explore(table: LabelledColumns) -> Exploration:
    """Count and measure a table."""
    columns = []
    for name, unit, values in zip(table.names, table.units, table.values.T, strict=True):
        chosen = [values[table.labels == i] for i in range(len(table.classes))]
        by_class = {
            name: Summary.of(some) if len(some) else None
            for name, some in zip(table.classes, chosen, strict=True)
        }
        columns.append(Column(name, unit, Summary.of(values), by_class))
    classes = dict(zip(table.classes, table.counts().tolist(), strict=True))
    return Exploration(len(table), classes, tuple(columns))
