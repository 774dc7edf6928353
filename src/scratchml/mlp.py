"""The multilayer perceptron: forward pass, loss and backpropagation in numpy.

A layer maps its inputs ``x`` to ``f(W x + b)``, where ``f`` is one of ``scratchml.activations``;
the last layer leaves its sums, the *logits*, as they are, and ``scratchml.outputs`` turns them into
predictions. The bias is one more column of ``W``, fed by a constant 1: ``W[outputs, inputs + 1]``.
All layers' ``W`` are views of one flat vector, so that an optimizer updates the whole network in a
few vector operations.

While training, a batch lies with its samples in columns, ``[units + 1, samples]``: then every
product can write straight into a buffer whose last row stays 1. Callers see rows,
``[samples, units]``.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from scratchml.activations import HIDDEN, Floats
from scratchml.errors import ScratchmlError
from scratchml.outputs import OUTPUTS

__all__ = ["HIDDEN", "MAX_UNITS", "MLP", "OUTPUTS", "Backpropagation", "Floats", "Samples"]

#: Units of a layer, and layers of a model: the engine counts both in 16 bits.
MAX_UNITS = 2**16 - 1


class Samples(Protocol):
    """What a network learns from: ``x[n, inputs]``, float32, and ``y``.

    ``y[n]`` holds 0 or 1 for a sigmoid, the number of the class for a softmax, and any number for a
    linear output. ``y[n, outputs]`` is for several sigmoid or linear outputs.
    """

    @property
    def x(self) -> npt.NDArray[np.float32]: ...
    @property
    def y(self) -> npt.NDArray[Any]: ...


class MLP:
    """A fully connected network.

    Args:
        sizes: units from input to output, ``[6, 12, 1]`` for one hidden layer.
        activations: a key of ``HIDDEN`` for all hidden layers, or one for each.
        output: a key of ``OUTPUTS``.
        dropout: share of hidden activations set to 0 in training, in ``[0, 1)``.
        seed: of the one generator that draws weights, dropout masks and the order of rows.
        dtype: ``float32``; ``float64`` for checking gradients.

    Raises:
        ScratchmlError: fewer than two sizes, a size below 1, an activation or an output that is
            not known, not one activation for each hidden layer, a dropout outside ``[0, 1)``.

    Attributes:
        hidden: the names of the hidden layers' activations.
        parameters: flat ``[n]``; ``weights`` are its views, ``[outputs, inputs + 1]`` each, with
            the bias in the last column.
        threshold: predictions from here on count as positive (see ``choose_threshold``).
    """

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        activations: str | Sequence[str] = "relu",
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
        self.hidden = _names(activations, len(self.sizes) - 2)
        self.output = output
        self.dropout = float(dropout)
        self.seed = int(seed)
        self.threshold = 0.5
        self.rng = np.random.default_rng(seed)
        self.parameters: Floats = np.zeros(
            sum((n_in + 1) * n_out for n_in, n_out in pairwise(self.sizes)), dtype
        )
        self.weights = self.views(self.parameters)
        # the last layer begins as one in front of a ReLU does
        for w, name in zip(self.weights, (*self.hidden, "relu"), strict=True):
            n_out, n_in = len(w), w.shape[1] - 1
            w[:, :-1] = self.rng.normal(0, HIDDEN[name].variance(n_in, n_out) ** 0.5, (n_out, n_in))

    def views(self, flat: Floats) -> list[Floats]:
        """Cut a vector like ``parameters`` into one ``[outputs, inputs + 1]`` view a layer."""
        views, start = [], 0
        for n_in, n_out in pairwise(self.sizes):
            stop = start + (n_in + 1) * n_out
            views.append(flat[start:stop].reshape(n_out, n_in + 1))
            start = stop
        return views

    def forward(self, x: Floats, start: int = 0) -> list[tuple[Floats, Floats]]:
        """Every layer's sums and what it puts out, ``[n, units]`` each, for ``x[n, inputs]``.

        Both are the logits in the last layer. With ``start`` the first layers are left out, and
        ``x`` is what the first one of the others reads.
        """
        if x.ndim != 2 or x.shape[1] != self.sizes[start]:
            raise ScratchmlError(
                f"input of shape {x.shape}: this network takes [n, {self.sizes[start]}]"
            )
        layers: list[tuple[Floats, Floats]] = []
        names = (*self.hidden, "linear")
        for w, name in zip(self.weights[start:], names[start:], strict=True):
            sums = x @ w[:, :-1].T + w[:, -1]
            x = sums.copy()
            HIDDEN[name].apply(x)
            layers.append((sums, x))
        return layers

    def activations(self, x: Floats) -> list[Floats]:
        """What every layer puts out for ``x[n, inputs]``: ``[n, units]`` each, logits last."""
        return [outputs for _, outputs in self.forward(x)]

    def logits(self, x: Floats) -> Floats:
        """``x[n, inputs]`` to the last layer's sums, ``[n, outputs]``."""
        return self.activations(x)[-1]

    def predict(self, x: Floats) -> Floats:
        """``x[n, inputs]`` to what the output makes of the logits, ``[n, outputs]``."""
        return OUTPUTS[self.output].predict(self.logits(x))

    def predictions(self, rows: Samples) -> Floats:
        """``predict`` for each row, ``[n, outputs]``; the name is shared with the int8 network."""
        return self.predict(rows.x)

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
    views of ``ones[l][u + 1, n]`` whose last row stays 1; ``slopes[l][u, n]``, the derivative of
    what a hidden layer puts out with respect to its sums; and ``deltas[l][u, n]``, the loss's
    derivative with respect to the layer's sums.
    """

    def __init__(self, net: MLP, batch_size: int) -> None:
        self.net = net
        dtype = net.parameters.dtype
        self.gradient = np.zeros_like(net.parameters)
        self._gradients = net.views(self.gradient)
        self._hidden = [HIDDEN[name] for name in net.hidden]
        self._predict = OUTPUTS[net.output].predict
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
                slope = self._slopes[index]
                self._hidden[index].apply(a)
                self._hidden[index].slope(a, slope)
                if masks:  # what puts out `mask * a` has the slope `mask * slope`
                    a *= masks[index]
                    slope *= masks[index]
            source = self._ones[index]

        delta = self._deltas[last]
        np.subtract(self._predict(self._outputs[last].T).T, y, out=delta)
        delta /= y.shape[1]
        for index in range(last, -1, -1):
            source = self._ones[index - 1] if index else x
            delta.dot(source.T, out=self._gradients[index])
            if index:
                below = weights[index][:, :-1].T.dot(delta, out=self._deltas[index - 1])
                below *= self._slopes[index - 1]
                delta = below
        return self.gradient


def _names(activations: str | Sequence[str], layers: int) -> tuple[str, ...]:
    """One name for each hidden layer."""
    names = (activations,) * layers if isinstance(activations, str) else tuple(activations)
    for name in names:
        if name not in HIDDEN:
            raise ScratchmlError(f"activation {name!r}: known are {', '.join(HIDDEN)}")
    if len(names) != layers:
        raise ScratchmlError(
            f"{len(names)} activations do not fit {layers} hidden layers: give one for each"
        )
    return names
