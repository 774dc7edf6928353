"""How good is a network; of a yes-or-no forecast: counts, ratios, curves, and the threshold.

A *score* is anything that grows with the belief in "yes": a probability, an int8 code, a bool.
A row is positive when its score is at least the threshold. Where a ratio has nothing below the
line (the precision of a forecast that never says yes) it is 0, as in scikit-learn. Networks that
choose among several classes are judged in ``multiclass``, those that put out numbers in
``regression``.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from scratchml.errors import ScratchmlError
from scratchml.multiclass import ClassEvaluation, evaluate_classes
from scratchml.regression import RegressionEvaluation, evaluate_numbers
from scratchml.rows import Rows

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]


class Classifier(Protocol):
    """A yes or no for each row: the float network or the int8 one, with a single sigmoid."""

    @property
    def decision_threshold(self) -> float: ...
    def decision_scores(self, rows: Rows) -> Array: ...


class Network(Classifier, Protocol):
    """What can be evaluated; ``output`` says what its predictions ``[n, outputs]`` are."""

    @property
    def output(self) -> str: ...
    @property
    def sizes(self) -> tuple[int, ...]: ...
    def predictions(self, rows: Rows) -> Array: ...


@dataclass(frozen=True)
class Confusion:
    """The confusion matrix: true and false, positives and negatives."""

    tn: int
    fp: int
    fn: int
    tp: int

    @property
    def accuracy(self) -> float:
        return _ratio(self.tp + self.tn, self.tp + self.tn + self.fp + self.fn)

    @property
    def precision(self) -> float:
        """How many of the forecasts of snow come true."""
        return _ratio(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> float:
        """How many hours of snow were forecast."""
        return _ratio(self.tp, self.tp + self.fn)

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        return _ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)


@dataclass(frozen=True)
class Evaluation:
    """The result for ``rows`` rows at one threshold; ``pr_auc`` is the average precision."""

    rows: int
    threshold: float
    confusion: Confusion
    roc_auc: float
    pr_auc: float

    def metrics(self) -> dict[str, float]:
        """The six figures by name, in the order of a report."""
        c = self.confusion
        return {
            "accuracy": c.accuracy,
            "precision": c.precision,
            "recall": c.recall,
            "f1": c.f1,
            "roc_auc": self.roc_auc,
            "pr_auc": self.pr_auc,
        }

    def as_json(self) -> dict[str, Any]:
        """All figures as JSON values."""
        return {
            "rows": self.rows,
            "threshold": self.threshold,
            **self.metrics(),
            "confusion": asdict(self.confusion),
        }

    def __str__(self) -> str:
        figures = ", ".join(f"{name} {value:.3f}" for name, value in self.metrics().items())
        return f"{self.rows} rows, threshold {self.threshold:g}: {figures}"


#: What ``evaluate`` returns, by the network's output.
AnyEvaluation: TypeAlias = Evaluation | ClassEvaluation | RegressionEvaluation


def evaluate(model: Network, rows: Rows) -> AnyEvaluation:
    """Evaluate a network on ``rows`` by what its output is.

    A sigmoid is a yes or no at the network's own threshold, a softmax a choice of class, and a
    linear output a number, in units of the rows' target if they have one. An int8 network is judged
    by the bytes that the board computes from the same counts.

    Raises:
        ScratchmlError: there are several sigmoids, or the rows cannot be evaluated: a class is
            missing, a label or target does not suit the output, or the network puts out NaN.
    """
    outputs = model.sizes[-1]
    if model.output == "softmax":
        return evaluate_classes(rows.y, model.predictions(rows))
    if model.output == "linear":
        real = rows.target.real if rows.target else np.asarray
        return evaluate_numbers(real(rows.y), real(model.predictions(rows)))
    if model.output != "sigmoid" or outputs != 1:
        raise ScratchmlError(
            f"{outputs} outputs of kind {model.output}: use softmax where one class excludes the "
            f"others, or evaluate one network with one sigmoid for each question"
        )
    return evaluate_scores(rows.y, model.decision_scores(rows), model.decision_threshold)


def evaluate_scores(y: Array, scores: Array, threshold: float) -> Evaluation:
    """Evaluate scores ``[n]`` against labels ``y[n]`` (1 or true is positive).

    Raises:
        ScratchmlError: the rows are of one class only, a label is neither 0 nor 1, or a score is
            NaN.
    """
    if not np.isin(y, (0, 1)).all():
        raise ScratchmlError(
            "some labels are neither 0 nor 1: a single sigmoid tells two classes apart, softmax "
            "with an output for each tells more"
        )
    _refuse_nan(scores)
    return Evaluation(
        len(y),
        float(threshold),
        confusion_matrix(y, scores >= threshold),
        roc_auc(y, scores),
        average_precision(y, scores),
    )


def confusion_matrix(y: Array, predicted: Array) -> Confusion:
    """Count labels ``y[n]`` against yes-or-no predictions ``[n]``."""
    cells = np.bincount(2 * (y > 0) + (predicted > 0), minlength=4)
    return Confusion(*(int(n) for n in cells))


def roc_curve(y: Array, scores: Array) -> tuple[Floats, Floats]:
    """False and true positive rate as the threshold falls, from (0, 0) to (1, 1)."""
    tp, fp, _ = _cumulative(y, scores)
    tp, fp = np.append(0, tp), np.append(0, fp)
    return fp / fp[-1], tp / tp[-1]


def roc_auc(y: Array, scores: Array) -> float:
    """Area under the ROC curve, by trapezoids: a tie between classes counts one half."""
    fpr, tpr = roc_curve(y, scores)
    return float(np.sum(np.diff(fpr) * (tpr[1:] + tpr[:-1])) / 2)


def precision_recall_curve(y: Array, scores: Array) -> tuple[Floats, Floats, Array]:
    """Precision and recall at each distinct score taken as the threshold, highest first."""
    tp, fp, thresholds = _cumulative(y, scores)
    return tp / (tp + fp), tp / tp[-1], thresholds


def average_precision(y: Array, scores: Array) -> float:
    """Area under the precision-recall curve as a sum of steps, ``sum (R_k - R_k-1) P_k``.

    Straight lines between the points would promise what no threshold delivers (Davis and
    Goadrich 2006).
    """
    precision, recall, _ = precision_recall_curve(y, scores)
    return float(np.sum(np.diff(recall, prepend=0) * precision))


def choose_threshold(model: Classifier, rows: Rows) -> float:
    """The probability with the best F1 on ``rows`` (validation rows, never test rows).

    Candidates are ``k / 256``: those that an int8 output can tell apart. Of equal ones the lowest
    is taken.

    Raises:
        ScratchmlError: the model's scores are int8 codes, or NaN.
    """
    candidates = np.arange(1, 256) / 256
    scores = model.decision_scores(rows)
    if scores.dtype.kind != "f":
        raise ScratchmlError("choose the threshold with the float network; the int8 one keeps it")
    _refuse_nan(scores)
    f1 = [confusion_matrix(rows.y, scores >= t).f1 for t in candidates]
    return float(candidates[int(np.argmax(f1))])


def threshold_code(threshold: float) -> int:
    """The int8 code from which an output (scale 1/256, zero point -128) counts as positive.

    Raises:
        ScratchmlError: no code stands for a probability as high, or the threshold is not positive.
    """
    if not 0 < threshold <= 255 / 256:
        raise ScratchmlError(f"threshold {threshold:g}: int8 can tell apart 0 < t <= 255/256")
    return math.ceil(256 * threshold) - 128


def _refuse_nan(scores: Array) -> None:
    if np.isnan(scores).any():
        raise ScratchmlError("some scores are NaN: train again with a lower learning rate")


def _cumulative(y: Array, scores: Array) -> tuple[Array, Array, Array]:
    """True and false positives when each distinct score, from the highest, is the threshold."""
    positive = y > 0
    if positive.all() or not positive.any():
        raise ScratchmlError(f"all {len(y)} rows are of one class: curves and areas need both")
    order = np.argsort(-scores.astype(np.float64), kind="stable")
    ordered = scores[order]
    last = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), len(y) - 1)
    tp = np.cumsum(positive[order])[last]
    return tp, last + 1 - tp, ordered[last]


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
