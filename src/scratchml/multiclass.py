"""How good is a choice among several classes: who was taken for whom, and ratios class by class.

A row's *score* for a class is anything that grows with the belief in it: a probability, an int8
code, a logit. Where a ratio has nothing below the line (the precision of a class that is never
predicted) it is 0, as in scikit-learn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from scratchml.errors import ScratchmlError

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ClassEvaluation:
    """The result for the rows that ``confusion[k, k]`` counts: true class by predicted class."""

    confusion: npt.NDArray[np.int64]

    @property
    def rows(self) -> int:
        return int(self.confusion.sum())

    @property
    def support(self) -> npt.NDArray[np.int64]:
        """How many rows are of each class, ``[k]``."""
        return np.asarray(self.confusion.sum(axis=1))

    @property
    def accuracy(self) -> float:
        return float(_ratios(np.trace(self.confusion), self.confusion.sum()))

    @property
    def precision(self) -> Floats:
        """``[k]``: how many of the rows taken for a class are of it."""
        return _ratios(np.diag(self.confusion), self.confusion.sum(axis=0))

    @property
    def recall(self) -> Floats:
        """``[k]``: how many of the rows of a class were taken for it."""
        return _ratios(np.diag(self.confusion), self.support)

    @property
    def f1(self) -> Floats:
        """``[k]``: the harmonic mean of precision and recall."""
        return _ratios(2 * np.diag(self.confusion), self.confusion.sum(axis=0) + self.support)

    def metrics(self) -> dict[str, float]:
        """The figures by name, in the order of a report; *macro* is the mean over classes."""
        return {
            "accuracy": self.accuracy,
            "macro_precision": float(self.precision.mean()),
            "macro_recall": float(self.recall.mean()),
            "macro_f1": float(self.f1.mean()),
        }

    def as_json(self) -> dict[str, Any]:
        """All figures as JSON values; ``classes`` are those of each class, by index."""
        names = ("rows", "precision", "recall", "f1")
        columns = (
            column.tolist() for column in (self.support, self.precision, self.recall, self.f1)
        )
        return {
            "rows": self.rows,
            **self.metrics(),
            "classes": [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)],
            "confusion": self.confusion.tolist(),
        }

    def __str__(self) -> str:
        figures = ", ".join(f"{name} {value:.3f}" for name, value in self.metrics().items())
        return f"{self.rows} rows, {len(self.confusion)} classes: {figures}"


def evaluate_classes(y: Array, scores: Array) -> ClassEvaluation:
    """Evaluate scores ``[n, k]`` against class indices ``y[n]``; the highest score decides.

    Of equal scores the first is taken, as in C.

    Raises:
        ScratchmlError: there are no rows, a score is NaN, a label is no class's index, or a class
            has no row.
    """
    if scores.ndim != 2 or y.shape != scores.shape[:1]:
        raise ScratchmlError(
            f"labels of shape {y.shape} and scores of shape {scores.shape}: needed are one label "
            f"and one score for each class in a row"
        )
    if len(y) == 0:
        raise ScratchmlError("there are no rows to evaluate")
    if np.isnan(scores).any():
        raise ScratchmlError("some scores are NaN: train again with a lower learning rate")
    evaluation = ClassEvaluation(confusion_matrix(y, scores.argmax(axis=1), scores.shape[1]))
    if not evaluation.support.all():
        raise ScratchmlError(
            f"none of the {len(y)} rows is of class {int(evaluation.support.argmin())}: evaluate "
            f"rows of all {scores.shape[1]} classes"
        )
    return evaluation


def confusion_matrix(y: Array, predicted: Array, classes: int) -> npt.NDArray[np.int64]:
    """Count rows by class index ``y[n]`` and prediction ``[n]``, to ``[classes, classes]``.

    Raises:
        ScratchmlError: a label or a prediction is not an integer from 0 to ``classes - 1``.
    """
    for indices in (y, predicted):
        strange = ~np.isin(indices, np.arange(classes))
        if strange.any():
            row = int(strange.argmax())
            raise ScratchmlError(
                f"row {row} is of class {indices[row]:g}: a network of {classes} outputs tells "
                f"apart classes 0 to {classes - 1}"
            )
    cells = y.astype(np.int64) * classes + predicted.astype(np.int64)
    return np.bincount(cells, minlength=classes**2).reshape(classes, classes)


def _ratios(part: Array, whole: Array) -> Floats:
    """``part / whole``, and 0 where ``whole`` is 0."""
    return np.asarray(part / np.maximum(whole, 1), np.float64)
