"""The multilayer perceptron: forward pass, loss and backpropagation in numpy.

A layer maps activations ``a`` to ``relu(W a + b)``; the last layer leaves its sums, the *logits*,
as they are, and an output function turns them into predictions. The bias is one more column of
``W``, fed by a constant 1: ``W[outputs, inputs + 1]``. All layers' ``W`` are views of one flat
vector, so that an optimizer updates the whole network in a few vector operations.

While training, a batch lies with its samples in columns, ``[units + 1, samples]``: then every
product can write straight into a buffer whose last row stays 1. Callers see rows,
``[samples, units]``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
import numpy.typing as npt

from scratchml.errors import ScratchmlError

Floats = npt.NDArray[np.floating]


def sigmoid(logits: Floats) -> Floats:
    """``1 / (1 + exp(-z))``, written with tanh, which cannot overflow."""
    return np.asarray(0.5 * np.tanh(0.5 * logits) + 0.5)


def binary_cross_entropy(logits: Floats, target: Floats) -> float:
    """Mean over rows of ``-y log p - (1 - y) log(1 - p)``, ``p = sigmoid(z)``, summed over outputs.

    From the logits, ``max(z, 0) - z y + log(1 + exp(-|z|))``: exact where ``p`` rounds to 0 or 1.
    """
    z = logits.astype(np.float64)
    losses = np.maximum(z, 0) - z * target + np.log1p(np.exp(-np.abs(z)))
    return float(losses.sum(axis=-1).mean())


@dataclass(frozen=True)
class Output:
    """What the logits mean: the function that turns them into predictions, and its loss.

    Each pair must be canonical (sigmoid and binary cross-entropy are): the gradient of the
    sample's loss with respect to its logits is then ``prediction - target``.
    """

    predict: Callable[[Floats], Floats]
    loss: Callable[[Floats, Floats], float]


OUTPUTS = {"sigmoid": Output(sigmoid, binary_cross_entropy)}


class Samples(Protocol):
    """What a network learns from: ``x[n, inputs]`` and ``y[n]``, both float32."""

    @property
    def x(self) -> npt.NDArray[np.float32]: ...
    @property
    def y(self) -> npt.NDArray[np.float32]: ...


class MLP:
    """A fully connected network with ReLU between its layers.

    Args:
        sizes: units from input to output, ``[6, 12, 1]`` for one hidden layer.
        output: a key of ``OUTPUTS``.
        dropout: share of hidden activations set to 0 in training, in ``[0, 1)``.
        seed: of the one generator that draws weights, dropout masks and the order of rows.
        dtype: ``float32``; ``float64`` for checking gradients.

    Raises:
        ScratchmlError: fewer than two sizes, a size below 1, a dropout outside ``[0, 1)``.

    Attributes:
        parameters: flat ``[n]``; ``weights`` are its views, ``[outputs, inputs + 1]`` each, with
            the bias in the last column.
        threshold: predictions from here on count as positive (see ``choose_threshold``).
    """

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        output: str = "sigmoid",
        dropout: float = 0.0,
        seed: int = 0,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        if len(sizes) < 2 or min(sizes) < 1:
            raise ScratchmlError(
                f"layer sizes {list(sizes)}: a network needs two sizes or more, each at least 1"
            )
        if not 0 <= dropout < 1:
            raise ScratchmlError(f"dropout {dropout}: it must be at least 0 and below 1")
        if output not in OUTPUTS:
            raise ScratchmlError(f"output {output!r}: known are {', '.join(OUTPUTS)}")
        self.sizes = tuple(int(size) for size in sizes)
        self.output = output
        self.dropout = float(dropout)
        self.seed = int(seed)
        self.threshold = 0.5
        self.rng = np.random.default_rng(seed)
        self.parameters: Floats = np.zeros(
            sum((n_in + 1) * n_out for n_in, n_out in pairwise(self.sizes)), dtype
        )
        self.weights = self.views(self.parameters)
        for w in self.weights:  # He et al. 2015: keeps the variance through ReLU layers
            w[:, :-1] = self.rng.normal(0, np.sqrt(2 / (w.shape[1] - 1)), w[:, :-1].shape)

    def views(self, flat: Floats) -> list[Floats]:
        """Cut a vector like ``parameters`` into one ``[outputs, inputs + 1]`` view a layer."""
        views, start = [], 0
        for n_in, n_out in pairwise(self.sizes):
            stop = start + (n_in + 1) * n_out
            views.append(flat[start:stop].reshape(n_out, n_in + 1))
            start = stop
        return views

    def activations(self, x: Floats) -> list[Floats]:
        """What every layer puts out for ``x[n, inputs]``: ``[n, units]`` each, logits last."""
        if x.ndim != 2 or x.shape[1] != self.sizes[0]:
            raise ScratchmlError(
                f"input of shape {x.shape}: this network takes [n, {self.sizes[0]}]"
            )
        outputs: list[Floats] = []
        for w in self.weights:
            x = x @ w[:, :-1].T + w[:, -1]
            if w is not self.weights[-1]:
                np.maximum(x, 0, out=x)
            outputs.append(x)
        return outputs

    def logits(self, x: Floats) -> Floats:
        """``x[n, inputs]`` to the last layer's sums, ``[n, outputs]``."""
        return self.activations(x)[-1]

    def predict(self, x: Floats) -> Floats:
        """``x[n, inputs]`` to predictions, ``[n, outputs]``: probabilities, for a sigmoid."""
        return OUTPUTS[self.output].predict(self.logits(x))

    @property
    def decision_threshold(self) -> float:
        """``threshold``, under the name that it shares with the int8 network's code."""
        return self.threshold

    def decision_scores(self, rows: Samples) -> Floats:
        """The probability of "yes" for each row, ``[n]``."""
        return self.predict(rows.x)[:, 0]

    def loss(self, x: Floats, y: Floats) -> float:
        """Mean loss over ``x[n, inputs]`` with targets ``y[n, outputs]``, without dropout."""
        return OUTPUTS[self.output].loss(self.logits(x), y)


class Backpropagation:
    """The gradient of the mean loss over a batch, with its buffers allocated once.

    Buffers, for layer ``l`` with ``u`` units and a batch of ``n`` samples: ``outputs[l][u, n]``,
    views of ``ones[l][u + 1, n]`` whose last row stays 1, and ``deltas[l][u, n]``, the loss's
    derivative with respect to the layer's sums.
    """

    def __init__(self, net: MLP, batch_size: int) -> None:
        self.net = net
        dtype = net.parameters.dtype
        self.gradient = np.zeros_like(net.parameters)
        self._gradients = net.views(self.gradient)
        self._ones = [np.ones((units + 1, batch_size), dtype) for units in net.sizes[1:]]
        self._outputs = [ones[:-1] for ones in self._ones]
        self._deltas = [np.empty((units, batch_size), dtype) for units in net.sizes[1:]]
        self._slopes = [np.empty_like(delta) for delta in self._deltas[:-1]]

    def __call__(self, x: Floats, y: Floats, masks: Sequence[Floats] = ()) -> Floats:
        """The flat gradient, overwritten by the next call.

        Args:
            x: ``[inputs + 1, n]``, its last row 1.
            y: ``[outputs, n]``.
            masks: a dropout mask ``[units, n]`` for each hidden layer, or none.
        """
        weights, last = self.net.weights, len(self.net.weights) - 1
        source = x
        for index, w in enumerate(weights):
            a = w.dot(source, out=self._outputs[index])
            if index < last:
                np.maximum(a, 0, out=a)
                if masks:
                    a *= masks[index]
            source = self._ones[index]

        delta = self._deltas[last]
        np.subtract(OUTPUTS[self.net.output].predict(self._outputs[last]), y, out=delta)
        delta /= y.shape[1]
        for index in range(last, -1, -1):
            source = self._ones[index - 1] if index else x
            delta.dot(source.T, out=self._gradients[index])
            if index:
                below = weights[index][:, :-1].T.dot(delta, out=self._deltas[index - 1])
                # the slope of a ReLU, 0 or 1, is the sign of what it put out
                below *= np.sign(self._outputs[index - 1], out=self._slopes[index - 1])
                if masks:
                    below *= masks[index - 1]
                delta = below
        return self.gradient
