"""How far off are predicted numbers: mean squared and absolute error, and R2.

``R2 = 1 - sum (y - p)^2 / sum (y - mean y)^2`` compares with always saying the mean: 1 is perfect,
0 no better than that. Targets that are all the same have no spread to explain; there R2 is 1 for
perfect predictions and 0 for others, as in scikit-learn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from scratchml.errors import ScratchmlError

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class OutputErrors:
    """The errors of one output; ``mse`` in squared units of the target, ``mae`` in its units."""

    mse: float
    mae: float
    r2: float

    @property
    def rmse(self) -> float:
        """The root of the mean squared error, in units of the target."""
        return math.sqrt(self.mse)

    def metrics(self) -> dict[str, float]:
        """The four figures by name, in the order of a report."""
        return {"mse": self.mse, "rmse": self.rmse, "mae": self.mae, "r2": self.r2}


@dataclass(frozen=True)
class RegressionEvaluation:
    """The result for ``rows`` rows: the errors of each output, and their means."""

    rows: int
    outputs: tuple[OutputErrors, ...]

    def metrics(self) -> dict[str, float]:
        """The four figures by name, each the mean over the outputs."""
        each = [output.metrics() for output in self.outputs]
        return {name: sum(e[name] for e in each) / len(each) for name in each[0]}

    def as_json(self) -> dict[str, Any]:
        """All figures as JSON values; ``outputs`` are those of each output."""
        outputs = [output.metrics() for output in self.outputs]
        return {"rows": self.rows, **self.metrics(), "outputs": outputs}

    def __str__(self) -> str:
        figures = ", ".join(f"{name} {value:.4g}" for name, value in self.metrics().items())
        return f"{self.rows} rows: {figures}"


def evaluate_numbers(y: Array, predictions: Array) -> RegressionEvaluation:
    """Evaluate predictions ``[n, outputs]`` against targets of the same shape.

    With a single output, ``y`` may be ``[n]``.

    Raises:
        ScratchmlError: there are no rows, the shapes differ, or a number is not finite.
    """
    targets = y[:, None] if y.ndim == 1 else y
    if predictions.ndim != 2 or targets.shape != predictions.shape:
        raise ScratchmlError(
            f"targets of shape {y.shape} and predictions of shape {predictions.shape}: needed is "
            f"a number for each output (networks that tell classes apart end in sigmoid or softmax)"
        )
    if targets.size == 0:
        raise ScratchmlError("there are no rows to evaluate")
    if not np.isfinite(targets).all():
        raise ScratchmlError("some targets are NaN or infinite: leave those rows out")
    if not np.isfinite(predictions).all():
        raise ScratchmlError(
            "some predictions are NaN or infinite: train again with a lower learning rate"
        )
    columns = zip(targets.astype(np.float64).T, predictions.astype(np.float64).T, strict=True)
    return RegressionEvaluation(len(targets), tuple(_errors(t, p) for t, p in columns))


def _errors(y: npt.NDArray[np.float64], p: npt.NDArray[np.float64]) -> OutputErrors:
    errors = y - p
    mse = float(np.mean(errors**2))
    if (y == y[0]).all():  # their spread may differ from 0 in the last bit
        r2 = float(not errors.any())
    else:
        r2 = 1 - mse / float(np.mean((y - y.mean()) ** 2))
    return OutputErrors(mse, float(np.mean(np.abs(errors))), r2)
