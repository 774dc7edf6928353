"""The training loop: shuffled batches, dropout, an optimizer, early stopping.

Everything random comes from the network's own generator, ``net.rng``: the same seed, data and
machine give the same bytes. BLAS is held to one thread, since on matrices this small a second
one costs more than it brings, and the order of a sum must not depend on the machine's load.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from scratchml.errors import ScratchmlError
from scratchml.mlp import MLP, OUTPUTS, Backpropagation, Floats, Samples


class Adam:
    """Kingma & Ba 2015, algorithm 1, with the moments kept unnormalised.

    ``m = b1 m + g`` and ``v = b2 v + g^2`` are the paper's moments divided by ``1 - b1`` and
    ``1 - b2``; these factors and the bias corrections are two scalars a step.
    """

    def __init__(
        self,
        parameters: Floats,
        learning_rate: float,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-7,
    ) -> None:
        self.parameters = parameters
        self.learning_rate, self.beta1, self.beta2 = learning_rate, beta1, beta2
        self.epsilon = epsilon
        self.t = 0
        self.m = np.zeros_like(parameters)
        self.v = np.zeros_like(parameters)
        self._scratch = np.empty_like(parameters)

    def step(self, gradient: Floats) -> None:
        """Move the parameters, in place, against ``gradient`` (of the same shape)."""
        self.t += 1
        m, v, scratch = self.m, self.v, self._scratch
        m *= self.beta1
        m += gradient
        v *= self.beta2
        np.multiply(gradient, gradient, out=scratch)
        v += scratch
        m_factor = (1 - self.beta1) / (1 - self.beta1**self.t)
        v_factor = ((1 - self.beta2) / (1 - self.beta2**self.t)) ** 0.5
        np.sqrt(v, out=scratch)
        scratch += self.epsilon / v_factor
        np.divide(m, scratch, out=scratch)
        scratch *= self.learning_rate * m_factor / v_factor
        self.parameters -= scratch


OPTIMIZERS = {"adam": Adam}


@dataclass(frozen=True)
class Epoch:
    """Loss and score (see ``History.metric``) after an epoch, without dropout."""

    epoch: int
    loss: float
    score: float
    validation_loss: float
    validation_score: float


@dataclass(frozen=True)
class History:
    """Every epoch in order, and the number of the one whose weights were kept.

    Attributes:
        metric: what the scores are, as the network's output names it: ``accuracy`` (for a sigmoid,
            at a prediction of 0.5) or ``r2``.
    """

    epochs: list[Epoch]
    best_epoch: int
    metric: str = "accuracy"

    def rows(self) -> list[dict[str, float]]:
        """One dictionary an epoch, for a table or a CSV file: the scores under their name."""
        return [
            {
                "epoch": e.epoch,
                "loss": e.loss,
                self.metric: e.score,
                "validation_loss": e.validation_loss,
                f"validation_{self.metric}": e.validation_score,
            }
            for e in self.epochs
        ]


def train(
    net: MLP,
    training: Samples,
    validation: Samples,
    *,
    epochs: int = 20,
    batch_size: int = 64,
    learning_rate: float = 1e-3,
    optimizer: str = "adam",
    patience: int = 5,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> History:
    """Fit ``net`` in place and keep the weights of the epoch with the lowest validation loss.

    Args:
        training: rows to learn from; shuffled anew each epoch. The rows left over after the last
            full batch of an epoch are left out of that epoch.
        validation: rows that decide when to stop.
        patience: stop after this many epochs without a lower validation loss.
        on_epoch: called after each epoch, for a progress bar.

    Raises:
        ScratchmlError: fewer rows than a batch, no validation rows, rows that do not fit the
            network, targets that its output cannot mean, an option below its least value, a loss
            that is not finite.
    """
    n = len(training.x)
    if optimizer not in OPTIMIZERS:
        raise ScratchmlError(f"optimizer {optimizer!r}: known are {', '.join(OPTIMIZERS)}")
    if epochs < 1 or batch_size < 1 or patience < 1 or not learning_rate > 0:
        raise ScratchmlError("epochs, batch size, patience and learning rate must be positive")
    if n < batch_size:
        raise ScratchmlError(
            f"{n} training rows are fewer than one batch of {batch_size}: "
            "use more data or a smaller batch size"
        )
    if len(validation.x) == 0:
        raise ScratchmlError("there are no validation rows: they decide when training stops")
    for rows in (training, validation):
        if rows.x.shape != (len(rows.y), net.sizes[0]):
            raise ScratchmlError(
                f"inputs of shape {rows.x.shape} for {len(rows.y)} targets do not fit a network "
                f"of {'-'.join(map(str, net.sizes))}"
            )
    # what overflows is found by the loss after the epoch
    with threadpool_limits(1, user_api="blas"), np.errstate(over="ignore", invalid="ignore"):
        return _fit(
            net,
            training,
            validation,
            epochs=epochs,
            batch_size=batch_size,
            step=OPTIMIZERS[optimizer](net.parameters, learning_rate).step,
            patience=patience,
            on_epoch=on_epoch,
        )


def _fit(
    net: MLP,
    training: Samples,
    validation: Samples,
    *,
    epochs: int,
    batch_size: int,
    step: Callable[[Floats], None],
    patience: int,
    on_epoch: Callable[[Epoch], None] | None,
) -> History:
    output, dtype = OUTPUTS[net.output], net.parameters.dtype
    targets = output.targets(training.y, net.sizes[-1])
    validation_targets = output.targets(validation.y, net.sizes[-1])
    x = np.vstack([training.x.T, np.ones(len(training.x))]).astype(dtype)
    y = targets.T.astype(dtype)
    backpropagation = Backpropagation(net, batch_size)
    steps = len(training.x) // batch_size
    history: list[Epoch] = []
    best, best_epoch = net.parameters.copy(), 0
    for number in range(1, epochs + 1):
        order = net.rng.permutation(len(training.x))[: steps * batch_size]
        shuffled_x, shuffled_y = x.take(order, axis=1), y.take(order, axis=1)
        masks = dropout_masks(net, steps, batch_size)
        for index in range(steps):
            batch = slice(index * batch_size, (index + 1) * batch_size)
            step(
                backpropagation(
                    shuffled_x[:, batch], shuffled_y[:, batch], [mask[index] for mask in masks]
                )
            )
        epoch = Epoch(
            number,
            *_loss_and_score(net, training.x, targets),
            *_loss_and_score(net, validation.x, validation_targets),
        )
        if not np.isfinite([epoch.loss, epoch.validation_loss]).all():
            raise ScratchmlError(
                f"the loss is not finite after epoch {number}: use a lower learning rate"
            )
        if not history or epoch.validation_loss < history[best_epoch - 1].validation_loss:
            best_epoch = number
            best[:] = net.parameters
        history.append(epoch)
        if on_epoch:
            on_epoch(epoch)
        if number - best_epoch >= patience:
            break
    net.parameters[:] = best
    return History(history, best_epoch, output.metric)


def dropout_masks(net: MLP, steps: int, n: int) -> list[Floats]:
    """An epoch's masks, ``[steps, units, n]`` for each hidden layer: 0, or ``1 / (1 - dropout)``.

    Scaling in training ("inverted" dropout) leaves nothing to do at inference. Without dropout
    the list is empty.
    """
    if not net.dropout:
        return []
    keep = np.float32(1 / (1 - net.dropout))
    return [
        (net.rng.random((steps, units, n), dtype=np.float32) >= net.dropout) * keep
        for units in net.sizes[1:-1]
    ]


def _loss_and_score(net: MLP, x: Floats, targets: Floats) -> tuple[float, float]:
    output, logits = OUTPUTS[net.output], net.logits(x)
    return output.loss(logits, targets), output.score(output.predict(logits), targets)
