"""The functions between layers: what a hidden layer makes of its sums, and with what slope.

Each is a row of ``HIDDEN``. The names are those of TFLite's fused activations, where it has one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Activation:
    """A function of one sum, its derivative, and how to begin in front of it.

    Attributes:
        apply: ``apply(z)`` turns sums into what the layer puts out, in place.
        slope: ``slope(a, out)`` writes the derivative into ``out``, as a function of what the
            layer put out: the sums are gone by then. At a corner it is 0.
        variance: of a layer's first weights, from its numbers of inputs and outputs.
    """

    apply: Callable[[Floats], object]
    slope: Callable[[Floats, Floats], object]
    variance: Callable[[int, int], float]


def he(inputs: int, outputs: int) -> float:
    """He et al. 2015: keeps the variance of the sums through layers that halve it."""
    return 2 / inputs


def glorot(inputs: int, outputs: int) -> float:
    """Glorot & Bengio 2010, for functions that are straight through 0: a mean of both ways."""
    return 2 / (inputs + outputs)


def sigmoid(z: Floats) -> Floats:
    """``1 / (1 + exp(-z))``, written with tanh, which cannot overflow."""
    return np.asarray(0.5 * np.tanh(0.5 * z) + 0.5)


def _relu(z: Floats) -> None:
    np.maximum(z, 0, out=z)


def _clip(low: float, high: float, variance: Callable[[int, int], float]) -> Activation:
    """``min(max(z, low), high)``."""

    def apply(z: Floats) -> None:
        np.clip(z, low, high, out=z)

    def slope(a: Floats, out: Floats) -> None:
        np.logical_and(a > low, a < high, out=out)

    return Activation(apply, slope, variance)


def _linear(z: Floats) -> None:
    """The sums are what the layer puts out."""


def _linear_slope(a: Floats, out: Floats) -> None:
    out.fill(1)


def _sigmoid(z: Floats) -> None:
    z[...] = sigmoid(z)


def _sigmoid_slope(a: Floats, out: Floats) -> None:
    np.subtract(1, a, out=out)
    out *= a


HIDDEN = {
    "relu": Activation(_relu, np.sign, he),  # what it put out is 0, or has the sign 1
    "relu6": _clip(0, 6, he),
    "relu_n1_to_1": _clip(-1, 1, glorot),
    "linear": Activation(_linear, _linear_slope, glorot),
    "sigmoid": Activation(_sigmoid, _sigmoid_slope, glorot),
}
