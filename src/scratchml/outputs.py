"""What the last layer's sums, the *logits*, mean: predictions, targets, loss and score.

Each meaning is a row of ``OUTPUTS``. Arrays are rows of outputs, ``[n, outputs]``, unless said
otherwise; losses and scores are computed in float64.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from scratchml.activations import Floats, sigmoid
from scratchml.errors import ScratchmlError

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Output:
    """The function that turns logits into predictions, and what is learned through it.

    ``predict`` and ``loss`` must be a canonical pair (as sigmoid and binary cross-entropy are):
    the gradient of a row's loss with respect to its logits is then ``prediction - target``.

    Attributes:
        predict: logits to predictions.
        loss: logits and targets to the mean over rows of the loss.
        targets: ``y`` as it comes with the data, and the number of outputs, to targets.
        metric: the name of the score.
        score: predictions and targets to how good they are, at best 1.
    """

    predict: Callable[[Floats], Floats]
    loss: Callable[[Floats, Floats], float]
    targets: Callable[[Array, int], Floats]
    metric: str
    score: Callable[[Floats, Floats], float]


# Yes or no, for each output by itself.


def binary_cross_entropy(logits: Floats, target: Floats) -> float:
    """Mean over rows of ``-y log p - (1 - y) log(1 - p)``, ``p = sigmoid(z)``, summed over outputs.

    From the logits, ``max(z, 0) - z y + log(1 + exp(-|z|))``: exact where ``p`` rounds to 0 or 1.
    """
    z = logits.astype(np.float64)
    losses = np.maximum(z, 0) - z * target + np.log1p(np.exp(-np.abs(z)))
    return float(losses.sum(axis=-1).mean())


def columns(y: Array, outputs: int) -> Floats:
    """``y[n]`` or ``y[n, outputs]`` to ``[n, outputs]``.

    Raises:
        ScratchmlError: another number of columns.
    """
    target = y.reshape(len(y), -1)
    if target.shape[1] != outputs:
        raise ScratchmlError(
            f"targets of shape {y.shape} do not fit a network of {outputs} outputs: give it "
            f"y[n, {outputs}]"
        )
    return target


def chances(y: Array, outputs: int) -> Floats:
    """``columns`` of probabilities: mostly 0 for no and 1 for yes.

    Raises:
        ScratchmlError: another number of columns, or a number outside ``[0, 1]``.
    """
    target = columns(y, outputs)
    if not ((target >= 0) & (target <= 1)).all():
        raise ScratchmlError(
            "targets of a sigmoid lie between 0 and 1: choose the output 'softmax' for classes, "
            "'linear' for other numbers"
        )
    return target


def hits(predictions: Floats, target: Floats) -> float:
    """Accuracy: the share of outputs on the same side of 0.5 as their targets."""
    return float(np.mean((predictions >= 0.5) == (target >= 0.5)))


# One of several classes.


def softmax(logits: Floats) -> Floats:
    """``exp(z_j) / sum_k exp(z_k)``; the largest logit is taken off first: no ``exp`` overflows."""
    e = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def categorical_cross_entropy(logits: Floats, target: Floats) -> float:
    """Mean over rows of ``-sum_j y_j log p_j``, ``p = softmax(z)``; a row's targets add up to 1.

    From the logits, ``log(sum_j exp z_j) - sum_j y_j z_j``: exact where a ``p_j`` rounds to 0.
    """
    z = logits.astype(np.float64)
    z -= z.max(axis=-1, keepdims=True)
    losses = np.log(np.exp(z).sum(axis=-1)) - (z * target).sum(axis=-1)
    return float(losses.mean())


def one_hot(y: Array, classes: int) -> Floats:
    """The class of each row, ``y[n]``, to 1 in its column and 0 elsewhere, ``[n, classes]``.

    Raises:
        ScratchmlError: not one label a row, or not a whole number from 0 to ``classes - 1``.
    """
    known = np.arange(classes)
    if y.ndim != 1 or y.dtype.kind not in "biuf" or not np.isin(y, known).all():
        raise ScratchmlError(
            f"labels must be one whole number from 0 to {classes - 1} for each row: number the "
            "classes, and give the network an output for each"
        )
    return np.asarray(y[:, None] == known, np.float32)


def top_hits(predictions: Floats, target: Floats) -> float:
    """Accuracy: the share of rows whose most probable class is the true one."""
    return float(np.mean(predictions.argmax(axis=-1) == target.argmax(axis=-1)))


# Numbers.


def identity(logits: Floats) -> Floats:
    """The logits are the predictions."""
    return logits


def half_squared_error(logits: Floats, target: Floats) -> float:
    """Mean over rows of ``(z - y)^2 / 2``, summed over outputs."""
    errors = logits.astype(np.float64) - target
    return float(0.5 * np.square(errors).sum(axis=-1).mean())


def r2(predictions: Floats, target: Floats) -> float:
    """The coefficient of determination: 1 - the squared errors / those of the targets' means.

    Over all outputs together. Targets that never vary leave nothing to explain: then it is 1 for
    predictions that equal them and 0 for any other, as in scikit-learn.
    """
    if (target == target[0]).all():
        return float((predictions == target).all())
    y = target.astype(np.float64)
    return float(1 - np.square(predictions - y).sum() / np.square(y - y.mean(axis=0)).sum())


OUTPUTS = {
    "sigmoid": Output(sigmoid, binary_cross_entropy, chances, "accuracy", hits),
    "softmax": Output(softmax, categorical_cross_entropy, one_hot, "accuracy", top_hits),
    "linear": Output(identity, half_squared_error, columns, "r2", r2),
}
