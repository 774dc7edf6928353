"""What a data set is made of, and what a network has to beat on it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from rich.table import Table

from scratchml.baselines import always, baselines, linear_regression, nearest_mean
from scratchml.dataset import WeatherDataset
from scratchml.evaluate import AnyEvaluation, evaluate_scores
from scratchml.multiclass import evaluate_classes
from scratchml.regression import evaluate_numbers
from scratchml.report.tables import plain, table_of
from scratchml.rows import Dataset, Rows
from scratchml.sensors import SensorDataset
from scratchml.tasks import recipe_json

#: Letters of all classes' names that a table has room for.
MOST_LETTERS = 40


def baseline_evaluations(data: Dataset) -> dict[str, AnyEvaluation]:
    """Each baseline on the test rows; a yes-or-no answer is a score of 1 or 0."""
    test = data.test
    if isinstance(data, WeatherDataset):
        answers = baselines(data, test)
        return {name: evaluate_scores(test.y, yes, 1) for name, yes in answers.items()}
    if not data.classes:
        return _of_numbers(data)
    scores = {"nearest mean": nearest_mean(data, test)}
    if isinstance(data, SensorDataset):
        majority = int(np.bincount(data.train.y.astype(np.int64)).argmax())
        one_hot = always(majority, len(data.classes), len(test))
        scores[f"always {data.classes[majority]}"] = one_hot
    if len(data.classes) == 2:
        return {n: evaluate_scores(test.y, s[:, 1] - s[:, 0], 0) for n, s in scores.items()}
    return {name: evaluate_classes(test.y, s) for name, s in scores.items()}


def _of_numbers(data: Dataset) -> dict[str, AnyEvaluation]:
    def evaluation(predicted: npt.NDArray[np.float64]) -> AnyEvaluation:
        real = data.test.target.real if data.test.target else np.asarray
        return evaluate_numbers(real(data.test.y), real(predicted)[:, None])

    mean = np.full(len(data.test), data.train.y.mean(dtype=np.float64))
    return {
        "always the mean": evaluation(mean),
        "linear regression": evaluation(linear_regression(data, data.test)),
    }


def data_json(data: Dataset) -> dict[str, Any]:
    """Rows of each part, how many of each class, and the choices that made them."""
    return {
        "recipe": recipe_json(data.recipe),
        **({"notes": list(data.notes)} if data.notes else {}),
        **{name: {"rows": len(part), **_class_counts(data, part)} for name, part in _parts(data)},
    }


def _parts(data: Dataset) -> list[tuple[str, Rows]]:
    return [("train", data.train), ("validation", data.validation), ("test", data.test)]


def _class_counts(data: Dataset, part: Rows) -> dict[str, int]:
    """How many rows of each class; of a yes-or-no question, how many of the yes."""
    if not data.classes:
        return {}
    counts = np.bincount(part.y.astype(np.int64), minlength=len(data.classes)).tolist()
    named = dict(zip(data.classes, counts, strict=True))
    return named if len(named) > 2 else {data.classes[1]: counts[1]}


def data_table(data: Dataset) -> Table:
    """How many rows each part has; of weather also the times of its first and last reading."""
    if isinstance(data, WeatherDataset):
        return _hours_table(data)
    classes = [plain(name) for name in data.classes]
    many = len(" ".join(classes)) > MOST_LETTERS
    table = table_of("Rows", "rows", *(["of a class"] if many else classes))
    groups = _groups(data)
    if groups:
        table.add_column(plain(data.recipe.group), max_width=30)
    for name, part in _parts(data):
        cells: list[str] = []
        if classes:
            counts = np.bincount(part.y.astype(np.int64), minlength=len(classes))
            cells = [f"{count:,}" for count in counts]
        if many:
            cells = [f"{counts.min():,} .. {counts.max():,}"]
        table.add_row(name, f"{len(part):,}", *cells, *([plain(groups[name])] if groups else []))
    return table


def _groups(data: Dataset) -> dict[str, str]:
    """Which groups are in each part, if they are what the split goes by."""
    if not isinstance(data, SensorDataset) or data.recipe.split != "group":
        return {}
    return {name: ", ".join(data.groups_of(part)) for name, part in _parts(data)}


def _hours_table(data: WeatherDataset) -> Table:
    table = table_of("Rows", "rows", "snow", "share", "from", "to")
    times = data.hours["time"]
    for name, part in _parts(data):
        snow = int(part.y.sum())
        first, last = (f"{times.iloc[part.index[i]]:%Y-%m-%d %H:%M}" for i in (0, -1))
        table.add_row(name, f"{len(part):,}", f"{snow:,}", f"{snow / len(part):.1%}", first, last)
    return table
