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
from sklearn.datasets import load_digits, make_friedman1, make_moons
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor

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
from scratchml.mlp import HIDDEN, Floats
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
        (rows, last.loss, last.score),
        (others, last.validation_loss, last.validation_score),
    ):
        p = net.predict(part.x)[:, 0].astype(float)
        terms = [math.log(a if label else 1 - a) for a, label in zip(p, part.y, strict=True)]
        assert loss == pytest.approx(-sum(terms) / len(terms), rel=1e-5)
        right = [(a >= 0.5) == bool(label) for a, label in zip(p, part.y, strict=True)]
        assert accuracy == pytest.approx(sum(right) / len(right))


# Classes and values.


def digits(seed: int) -> tuple[Samples, Samples, Samples]:
    """Images of 8 x 8 pixels and their digits: training, validation and test, by class alike."""
    x, y = load_digits(return_X_y=True)
    rest, test, rest_y, test_y = train_test_split(
        x / 16, y, test_size=0.2, stratify=y, random_state=seed
    )
    own, validation, own_y, validation_y = train_test_split(
        rest, rest_y, test_size=0.15, stratify=rest_y, random_state=seed
    )
    return samples(own, own_y), samples(validation, validation_y), samples(test, test_y)


def test_digits_are_told_apart() -> None:
    shares = []
    options: dict[str, Any] = {"epochs": 100, "batch_size": 32, "learning_rate": 3e-3}
    for seed in range(3):
        training, validation, test = digits(seed)
        net = MLP([64, 32, 10], output="softmax", seed=seed)
        history = train(net, training, validation, patience=20, **options)
        shares.append(np.mean(net.predict(test.x).argmax(axis=1) == test.y))
        assert history.metric == "accuracy"
        best = history.epochs[history.best_epoch - 1]
        expected = np.mean(net.predict(validation.x).argmax(axis=1) == validation.y)
        assert best.validation_score == pytest.approx(expected)
    assert np.mean(shares) >= 0.96


@pytest.mark.parametrize("name", HIDDEN)
def test_every_activation_learns_digits(name: str) -> None:
    """Without a hidden function, "linear", they are nearly as easy."""
    training, validation, test = digits(0)
    net = MLP([64, 24, 16, 10], activations=name, output="softmax", dropout=0.1, seed=1)
    train(net, training, validation, epochs=60, batch_size=32, learning_rate=5e-3, patience=10)
    assert np.mean(net.predict(test.x).argmax(axis=1) == test.y) > 0.92


def test_several_yes_or_no_questions_are_learned_at_once() -> None:
    """Is the digit even, is it below 5, is it a prime?"""
    parts = [
        samples(
            part.x, np.column_stack([part.y % 2 == 0, part.y < 5, np.isin(part.y, [2, 3, 5, 7])])
        )
        for part in digits(0)
    ]
    net = MLP([64, 32, 3], seed=1)
    train(net, parts[0], parts[1], epochs=60, batch_size=32, learning_rate=5e-3)
    assert np.mean((net.predict(parts[2].x) >= 0.5) == parts[2].y) > 0.95


@pytest.mark.parametrize("outputs", [1, 3])
def test_a_linear_network_finds_the_least_squares(outputs: int) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 4)).astype(np.float32)
    y = (x @ rng.normal(size=(4, outputs)) + 2 + rng.normal(size=(200, outputs))).astype(np.float32)
    design = np.column_stack([x, np.ones(200)]).astype(float)
    expected, squares, *_ = np.linalg.lstsq(design, y.astype(float), rcond=None)
    net = MLP([4, outputs], output="linear", dtype=np.float64)
    rows = samples(x, y)
    history = train(net, rows, rows, epochs=1500, batch_size=200, learning_rate=0.02, patience=1500)
    np.testing.assert_allclose(net.weights[0], expected.T, atol=1e-6)
    best = history.epochs[history.best_epoch - 1]
    assert history.metric == "r2"
    assert best.loss == pytest.approx(squares.sum() / 200 / 2, rel=1e-9)
    assert best.score == pytest.approx(1 - squares.sum() / (y.var(axis=0) * 200).sum(), rel=1e-5)


def test_regression_is_as_good_as_scikit_learns() -> None:
    """Friedman's function of five inputs, with five more that say nothing."""
    ours, theirs = [], []
    for seed in range(4):
        x, y = make_friedman1(2400, noise=0.5, random_state=seed)
        y = (y - y.mean()) / y.std()
        net = MLP([10, 32, 1], output="linear", seed=seed)
        train(
            net,
            samples(x[:1000], y[:1000]),
            samples(x[1000:1400], y[1000:1400]),
            epochs=120,
            learning_rate=0.01,
            patience=120,
        )
        unseen, truth = x[1400:], y[1400:]
        errors = net.predict(unseen.astype(np.float32))[:, 0] - truth
        ours.append(1 - np.mean(errors**2) / truth.var())
        oracle = MLPRegressor(
            hidden_layer_sizes=(32,),
            alpha=0,
            batch_size=64,
            learning_rate_init=0.01,
            max_iter=120,
            random_state=seed,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it might go on for longer
            oracle.fit(x[:1000], y[:1000])
        theirs.append(oracle.score(unseen, truth))
    assert np.mean(ours) > np.mean(theirs) - 0.015
    assert np.mean(ours) > 0.94


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.float32])
def test_the_type_of_the_labels_does_not_matter(dtype: type[np.generic]) -> None:
    training, validation, _ = digits(0)
    expected, net = (MLP([64, 8, 10], output="softmax") for _ in range(2))
    train(expected, training, validation, epochs=2)
    other = [SimpleNamespace(x=rows.x, y=rows.y.astype(dtype)) for rows in (training, validation)]
    train(net, *other, epochs=2)
    assert net.parameters.tobytes() == expected.parameters.tobytes()


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
    epochs = [Epoch(1, 0.5, 0.75, 0.25, 1.0)]
    assert History(epochs, 1).rows() == [
        {
            "epoch": 1,
            "loss": 0.5,
            "accuracy": 0.75,
            "validation_loss": 0.25,
            "validation_accuracy": 1.0,
        }
    ]
    (row,) = History(epochs, 1, "r2").rows()
    assert list(row.items()) == [
        ("epoch", 1),
        ("loss", 0.5),
        ("r2", 0.75),
        ("validation_loss", 0.25),
        ("validation_r2", 1.0),
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


@pytest.mark.parametrize("shape", [(100, 3), (100,), (99, 2), (101, 2), (100, 2, 1)], ids=str)
def test_inputs_that_do_not_fit_the_network_or_their_targets_are_refused(
    shape: tuple[int, ...],
) -> None:
    good = samples(np.zeros((100, 2)), np.arange(100) % 2)
    bad = samples(np.zeros(shape), np.arange(100) % 2)
    for rows, others in ((bad, good), (good, bad)):
        with pytest.raises(ScratchmlError, match="100 targets do not fit a network of 2-4-1"):
            train(MLP([2, 4, 1]), rows, others)


@pytest.mark.parametrize("output", ["sigmoid", "softmax"])
@pytest.mark.parametrize("label", [3, -1, 0.5, math.nan])
def test_labels_that_the_output_cannot_mean_are_refused_before_training(
    output: str, label: float
) -> None:
    if output == "sigmoid" and label == 0.5:
        label = 1.5  # one half is a probability
    good = samples(np.zeros((100, 2)), np.arange(100) % 2)
    bad = samples(good.x, np.append(good.y[1:], label))
    for rows, others in ((bad, good), (good, bad)):
        net = MLP([2, 4, 1 if output == "sigmoid" else 3], output=output)
        before = net.parameters.copy()
        with pytest.raises(ScratchmlError, match=r"between 0 and 1|number from 0 to 2"):
            train(net, rows, others)
        np.testing.assert_array_equal(net.parameters, before)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_values_that_are_not_finite_are_an_error(value: float) -> None:
    rows = separable()
    rows.y[5] = value
    with pytest.raises(ScratchmlError, match="the loss is not finite after epoch 1"):
        train(MLP([3, 8, 1], output="linear"), rows, separable())
