"""Training against textbook loops, scikit-learn and problems with a known answer."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from sklearn.datasets import make_moons
from sklearn.neural_network import MLPClassifier

from scratchml import (
    MLP,
    Dataset,
    History,
    ScratchmlError,
    choose_threshold,
    evaluate,
    make_dataset,
    train,
)
from scratchml.dataset import PAPER, Recipe
from scratchml.mlp import Floats
from scratchml.train import OPTIMIZERS, Adam, Epoch, dropout_masks


class Samples(NamedTuple):
    """What a network learns from."""

    x: npt.NDArray[np.float32]
    y: npt.NDArray[np.float32]


def samples(x: npt.NDArray[Any], y: npt.NDArray[Any]) -> Samples:
    return Samples(x.astype(np.float32), y.astype(np.float32))


def separable(n: int = 300, seed: int = 0) -> Samples:
    """Two classes on either side of a plane, with room between them."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(4 * n, 3))
    distance = x @ [1.0, -2.0, 0.5]
    kept = np.flatnonzero(abs(distance) > 0.3)[:n]
    return samples(x[kept], distance[kept] > 0)


def moons(seed: int, n: int = 1000) -> Samples:
    """Two crescents that lie in each other's arms, with some noise."""
    x, y = make_moons(n, noise=0.2, random_state=seed)
    return samples(x, y)


class Recorder:
    """An optimizer that keeps the gradients and moves nothing."""

    def __init__(self, parameters: Floats, learning_rate: float) -> None:
        self.gradients: list[Floats] = []
        recorders.append(self)

    def step(self, gradient: Floats) -> None:
        self.gradients.append(gradient.copy())


recorders: list[Recorder] = []


@pytest.fixture
def record(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Floats]]:
    """Train with an optimizer that only looks; the gradients of all steps."""
    monkeypatch.setitem(OPTIMIZERS, "recorder", Recorder)

    def gradients(net: MLP, rows: Samples, **options: Any) -> list[Floats]:
        recorders.clear()
        train(net, rows, rows, optimizer="recorder", patience=1000, **options)
        return recorders[0].gradients

    return gradients


# Adam.


def textbook_adam(
    theta: Floats,
    gradients: list[Floats],
    alpha: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-7,
) -> Floats:
    """Algorithm 1 of Kingma & Ba 2015, line by line."""
    m, v = np.zeros_like(theta), np.zeros_like(theta)
    for t, g in enumerate(gradients, start=1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat = m / (1 - beta1**t)
        v_hat = v / (1 - beta2**t)
        theta = theta - alpha * m_hat / (np.sqrt(v_hat) + epsilon)
    return theta


@pytest.mark.parametrize("scale", [1e-9, 1e-4, 1.0, 1e4])
@pytest.mark.parametrize(
    "options",
    [{}, {"beta1": 0.5, "beta2": 0.9}, {"epsilon": 1e-3}, {"beta1": 0.0}],
    ids=["defaults", "short memory", "large epsilon", "no momentum"],
)
def test_adam_equals_the_paper_over_many_steps(options: dict[str, float], scale: float) -> None:
    rng = np.random.default_rng(0)
    start = rng.normal(size=20)
    gradients = list(rng.normal(0, scale, (1500, 20)) * rng.integers(0, 2, (1500, 20)))
    parameters = start.copy()
    adam = Adam(parameters, 0.01, **options)
    for gradient in gradients:
        adam.step(gradient)
    expected = textbook_adam(start, gradients, 0.01, **options)
    np.testing.assert_allclose(parameters, expected, rtol=1e-9, atol=1e-12)


def test_adam_in_float32_stays_near_the_paper() -> None:
    rng = np.random.default_rng(0)
    gradients = list(rng.normal(size=(500, 20)).astype(np.float32))
    parameters = np.zeros(20, np.float32)
    adam = Adam(parameters, 1e-3)
    for gradient in gradients:
        adam.step(gradient)
    expected = textbook_adam(np.zeros(20), [g.astype(float) for g in gradients], 1e-3)
    np.testing.assert_allclose(parameters, expected, atol=1e-5)
    assert parameters.dtype == np.float32


def test_adam_moves_nothing_without_a_gradient() -> None:
    parameters = np.arange(3.0)
    adam = Adam(parameters, 0.1)
    for _ in range(10):
        adam.step(np.zeros(3))
    assert parameters.tolist() == [0, 1, 2]


def test_adam_leaves_the_gradient_alone() -> None:
    gradient = np.arange(3.0)
    Adam(np.zeros(3), 0.1).step(gradient)
    assert gradient.tolist() == [0, 1, 2]


# The loop.


def test_training_equals_logistic_regression_written_out() -> None:
    """One layer and one batch: no order of rows, no early stop, formulas of one line."""
    rows = separable(64)
    net = MLP([3, 1], seed=1, dtype=np.float64)
    w = net.parameters.copy()
    x = np.column_stack([rows.x, np.ones(64)]).astype(float)
    m = v = np.zeros(4)
    for t in range(1, 101):
        p = 1 / (1 + np.exp(-x @ w))
        g = x.T @ (p - rows.y) / 64
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        w = w - 0.05 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-7)
    history = train(net, rows, rows, epochs=100, batch_size=64, learning_rate=0.05)
    assert history.best_epoch == 100
    np.testing.assert_allclose(net.parameters, w, rtol=1e-9)


def test_xor_is_learned() -> None:
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]] * 16)
    rows = samples(x, x[:, 0] != x[:, 1])
    for seed in range(3):
        net = MLP([2, 16, 1], seed=seed)
        train(net, rows, rows, epochs=300, batch_size=16, learning_rate=0.01, patience=300)
        assert net.predict(np.array([[0, 0], [0, 1], [1, 0], [1, 1]]))[:, 0] == pytest.approx(
            [0, 1, 1, 0], abs=0.05
        )


@pytest.mark.parametrize("sizes", [[3, 1], [3, 8, 1], [3, 8, 8, 8, 1]])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_separable_classes_are_told_apart_in_rows_never_seen(
    sizes: list[int], dropout: float
) -> None:
    net = MLP(sizes, dropout=dropout, seed=1)
    train(net, separable(), separable(seed=1), epochs=100, learning_rate=0.03, patience=100)
    unseen = separable(seed=2)
    assert np.mean((net.predict(unseen.x)[:, 0] > 0.5) == unseen.y) > 0.97


def test_accuracy_is_scikit_learns() -> None:
    ours, theirs = [], []
    unseen = moons(99, 4000)
    for seed in range(3):
        rows = moons(seed)
        net = MLP([2, 16, 1], seed=seed)
        train(net, rows, moons(50 + seed), epochs=60, learning_rate=0.01, patience=60)
        ours.append(np.mean((net.predict(unseen.x)[:, 0] > 0.5) == unseen.y))
        oracle = MLPClassifier(
            (16,), alpha=0, batch_size=64, learning_rate_init=0.01, max_iter=60, random_state=seed
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it might go on for longer
            oracle.fit(rows.x, rows.y)
        theirs.append(oracle.score(unseen.x, unseen.y))
    assert np.mean(ours) == pytest.approx(np.mean(theirs), abs=0.015)
    assert np.mean(ours) > 0.93


def test_a_history_is_what_the_network_scores() -> None:
    """Loss and accuracy after the last epoch, without dropout, over all rows."""
    rows, others = moons(0), moons(1)
    net = MLP([2, 8, 1], dropout=0.2, seed=1)
    last = train(net, rows, others, epochs=1).epochs[-1]
    for part, loss, accuracy in (
        (rows, last.loss, last.accuracy),
        (others, last.validation_loss, last.validation_accuracy),
    ):
        p = net.predict(part.x)[:, 0].astype(float)
        terms = [math.log(a if label else 1 - a) for a, label in zip(p, part.y, strict=True)]
        assert loss == pytest.approx(-sum(terms) / len(terms), rel=1e-5)
        right = [(a >= 0.5) == bool(label) for a, label in zip(p, part.y, strict=True)]
        assert accuracy == pytest.approx(sum(right) / len(right))


# Chance.


@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_the_same_seed_gives_the_same_bytes(dropout: float) -> None:
    def trained(seed: int) -> tuple[bytes, History]:
        net = MLP([2, 8, 1], dropout=dropout, seed=seed)
        history = train(net, moons(0), moons(1), epochs=5)
        return net.parameters.tobytes(), history

    np.random.seed(1)
    first = trained(7)
    np.random.seed(2)
    assert trained(7) == first
    assert trained(8) != first


def test_rows_are_shuffled_anew_each_epoch_and_used_once(
    record: Callable[..., list[Floats]],
) -> None:
    """Each row has an input of its own here, so the gradient tells which rows were in a batch."""
    rows = samples(np.eye(10), np.arange(10) % 2)
    gradients = record(MLP([10, 1]), rows, epochs=60, batch_size=4)
    assert len(gradients) == 60 * 2  # the two rows left over make no batch
    batches = [frozenset(np.flatnonzero(g[:-1]).tolist()) for g in gradients]
    assert {len(batch) for batch in batches} == {4}
    epochs = list(zip(batches[::2], batches[1::2], strict=True))
    assert all(not first & second for first, second in epochs)
    assert len(set(epochs)) > 50
    assert frozenset().union(*batches) == set(range(10))
    left_out = [set(range(10)) - first - second for first, second in epochs]
    assert set().union(*left_out) == set(range(10))


def test_inputs_stay_with_their_labels(record: Callable[..., list[Floats]]) -> None:
    """With all weights 0 a row's share of the gradient is its input times 0.5 - y."""
    labels = np.array([0, 1, 1, 0, 1, 0, 0, 1, 1, 1])
    net = MLP([10, 1])
    net.parameters[:] = 0
    for gradient in record(net, samples(np.eye(10), labels), epochs=20, batch_size=5):
        used = np.flatnonzero(gradient[:-1])
        np.testing.assert_allclose(gradient[used], (0.5 - labels[used]) / 5, rtol=1e-6)
        assert gradient[-1] == pytest.approx(np.mean(0.5 - labels[used]), abs=1e-6)


@pytest.mark.parametrize(("n", "batch_size"), [(64, 64), (65, 64), (127, 64), (5, 1), (7, 7)])
def test_an_epoch_has_a_step_for_each_full_batch(
    n: int, batch_size: int, record: Callable[..., list[Floats]]
) -> None:
    gradients = record(MLP([3, 1]), separable(n), epochs=3, batch_size=batch_size)
    assert len(gradients) == 3 * (n // batch_size)


# Dropout.


@pytest.mark.parametrize("dropout", [0.1, 0.5, 0.8])
def test_masks_drop_their_share_and_keep_the_mean(dropout: float) -> None:
    net = MLP([6, 40, 25, 1], dropout=dropout, seed=1)
    masks = dropout_masks(net, 30, 64)
    assert [mask.shape for mask in masks] == [(30, 40, 64), (30, 25, 64)]
    for mask in masks:
        kept = np.float32(1 / (1 - dropout))
        assert set(np.unique(mask).tolist()) == {0.0, float(kept)}
        assert np.mean(mask == 0) == pytest.approx(dropout, abs=0.01)
        assert mask.mean() == pytest.approx(1, abs=0.04)
        assert mask.dtype == np.float32


def test_masks_of_steps_units_and_rows_are_drawn_apart() -> None:
    """Along each axis the share of 0 is what chance allows: six deviations of a binomial."""
    (mask,) = dropout_masks(MLP([6, 50, 1], dropout=0.5, seed=1), 50, 50)
    zero = mask == 0
    for axes in ((1, 2), (0, 2), (0, 1)):
        assert abs(zero.mean(axis=axes) - 0.5).max() < 6 * 0.5 / math.sqrt(50 * 50)
    for one, other in ((zero[1:], zero[:-1]), (zero[:, 1:], zero[:, :-1])):
        assert np.mean(one == other) == pytest.approx(0.5, abs=0.01)


def test_masks_differ_from_epoch_to_epoch() -> None:
    net = MLP([6, 12, 1], dropout=0.5)
    assert not np.array_equal(dropout_masks(net, 2, 8)[0], dropout_masks(net, 2, 8)[0])


def test_without_dropout_there_are_no_masks_and_nothing_is_drawn() -> None:
    net = MLP([6, 12, 1])
    state = net.rng.bit_generator.state
    assert dropout_masks(net, 2, 8) == []
    assert net.rng.bit_generator.state == state


def test_a_network_without_hidden_layer_has_nothing_to_drop() -> None:
    plain, dropping = MLP([3, 1]), MLP([3, 1], dropout=0.5)
    for net in (plain, dropping):
        train(net, separable(), separable(seed=1), epochs=3)
    assert plain.parameters.tobytes() == dropping.parameters.tobytes()


def test_dropout_is_used_in_training(record: Callable[..., list[Floats]]) -> None:
    """A unit that is dropped for a whole batch, here of one row, has no gradient."""
    net = MLP([3, 20, 1], dropout=0.5)
    net.weights[0][:, -1] = 100  # no unit is at rest ...
    net.weights[1][:] = 0  # ... and no forecast is certain
    gradients = record(net, separable(50), epochs=4, batch_size=1)
    outgoing = np.array([net.views(gradient)[1][0, :-1] for gradient in gradients])
    assert np.mean(outgoing == 0) == pytest.approx(0.5, abs=0.05)


# Early stopping.


def test_the_weights_of_the_best_epoch_are_kept() -> None:
    """With labels upside down, validation gets worse with every epoch after the first."""
    rows = separable()
    against = samples(rows.x, 1 - rows.y)
    net, once = MLP([3, 8, 1], seed=3), MLP([3, 8, 1], seed=3)
    history = train(net, rows, against, epochs=50, patience=4)
    train(once, rows, against, epochs=1)
    assert history.best_epoch == 1
    assert [epoch.epoch for epoch in history.epochs] == [1, 2, 3, 4, 5]
    assert net.parameters.tobytes() == once.parameters.tobytes()


@pytest.mark.parametrize("patience", [1, 3, 10])
def test_the_lowest_validation_loss_decides(patience: int) -> None:
    net = MLP([2, 32, 1], seed=2)
    rows, others = moons(0, 100), moons(1, 60)
    options: dict[str, Any] = {"batch_size": 10, "learning_rate": 0.03, "patience": patience}
    history = train(net, rows, others, epochs=60, **options)
    losses = [epoch.validation_loss for epoch in history.epochs]
    assert history.best_epoch == 1 + int(np.argmin(losses))
    assert net.loss(others.x, others.y[:, None]) == losses[history.best_epoch - 1]
    assert len(losses) == history.best_epoch + patience < 60
    waits = [epoch - int(np.argmin(losses[: epoch + 1])) for epoch in range(len(losses) - 1)]
    assert max(waits) < patience


@pytest.mark.usefixtures("record")
def test_of_equal_epochs_the_first_is_the_best() -> None:
    """Nothing moves here, so nothing gets lower."""
    history = train(MLP([3, 1]), separable(), separable(), optimizer="recorder", patience=3)
    assert (history.best_epoch, len(history.epochs)) == (1, 4)


def test_epochs_are_a_limit() -> None:
    history = train(MLP([3, 8, 1]), separable(), separable(seed=1), epochs=3)
    assert [epoch.epoch for epoch in history.epochs] == [1, 2, 3]


def test_every_epoch_is_told_as_it_ends() -> None:
    told: list[Epoch] = []
    net = MLP([3, 8, 1])
    history = train(net, separable(), separable(seed=1), epochs=4, on_epoch=told.append)
    assert told == history.epochs


def test_a_history_has_a_row_for_each_epoch() -> None:
    history = History([Epoch(1, 0.5, 0.75, 0.25, 1.0)], 1)
    assert history.rows() == [
        {
            "epoch": 1,
            "loss": 0.5,
            "accuracy": 0.75,
            "validation_loss": 0.25,
            "validation_accuracy": 1.0,
        }
    ]


# What cannot be trained.


def test_fewer_rows_than_a_batch_are_refused() -> None:
    with pytest.raises(ScratchmlError, match="63 training rows are fewer than one batch of 64"):
        train(MLP([3, 1]), separable(63), separable())


def test_no_validation_rows_are_refused() -> None:
    nothing = samples(np.zeros((0, 3)), np.zeros(0))
    with pytest.raises(ScratchmlError, match="no validation rows"):
        train(MLP([3, 1]), separable(), nothing)


@pytest.mark.parametrize(
    "option",
    [
        {"epochs": 0},
        {"epochs": -1},
        {"batch_size": 0},
        {"patience": 0},
        {"learning_rate": 0.0},
        {"learning_rate": -0.1},
        {"learning_rate": math.nan},
    ],
    ids=str,
)
def test_options_below_their_least_value_are_refused(option: dict[str, Any]) -> None:
    net = MLP([3, 1])
    before = net.parameters.copy()
    with pytest.raises(ScratchmlError, match="must be positive"):
        train(net, separable(), separable(), **option)
    np.testing.assert_array_equal(net.parameters, before)


def test_an_unknown_optimizer_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ScratchmlError, match="'sgd': known are adam"):
        train(MLP([3, 1]), separable(), separable(), optimizer="sgd")


@pytest.mark.parametrize("learning_rate", [1e20, 1e36, 1e300, math.inf])
def test_a_loss_that_runs_away_is_an_error_of_one_line(learning_rate: float) -> None:
    """And of no more: numpy's warnings would say the same in its own words."""
    with pytest.raises(ScratchmlError, match="not finite after epoch 1: use a lower learning rate"):
        train(MLP([3, 8, 8, 1]), separable(), separable(), learning_rate=learning_rate)


def test_inputs_that_are_not_finite_are_an_error() -> None:
    rows = separable()
    rows.x[5, 1] = np.nan
    with pytest.raises(ScratchmlError, match="the loss is not finite after epoch 1"):
        train(MLP([3, 8, 1]), rows, separable())


# The weather.


@pytest.fixture(scope="module")
def paper_accuracies(hours: pd.DataFrame) -> list[float]:
    """The original exercise: 6-12-1, dropout 0.2, Adam, batches of 64, 20 epochs."""
    accuracies = []
    for seed in range(4):
        data = make_dataset(hours, Recipe(**PAPER, seed=seed))
        net = MLP([6, 12, 1], dropout=0.2, seed=seed)
        train(net, data.train, data.validation)
        accuracies.append(evaluate(net, data.test).confusion.accuracy)
    return accuracies


def test_the_papers_protocol_reaches_the_papers_accuracy(paper_accuracies: list[float]) -> None:
    assert np.mean(paper_accuracies) == pytest.approx(0.87, abs=0.015)
    assert all(0.85 < accuracy < 0.91 for accuracy in paper_accuracies)


def test_the_forecast_ranks_hours_as_well_as_documented(data: Dataset) -> None:
    """One hour ahead, split by time, at the natural rate of snow: the honest task."""
    net = MLP([6, 12, 1], dropout=0.2, seed=0)
    train(net, data.train, data.validation)
    net.threshold = choose_threshold(net, data.validation)
    result = evaluate(net, data.test)
    assert 0.88 < result.roc_auc < 0.94
    assert 0.17 < result.pr_auc < 0.35
    assert result.confusion.f1 > 0.2


@pytest.mark.parametrize("sizes", [[3, 4, 1], [2, 4, 3]])
def test_rows_that_do_not_fit_the_network_are_refused(sizes: list[int]) -> None:
    """Three outputs and one column of targets would otherwise be broadcast."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 2)).astype(np.float32)
    rows = SimpleNamespace(x=x, y=(x[:, 0] > 0).astype(np.float32))
    with pytest.raises(ScratchmlError, match="do not fit a network of"):
        train(MLP(sizes), rows, rows)
