"""The perceptron against explicit loops, central differences and scikit-learn."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neural_network import MLPClassifier

from scratchml.errors import ScratchmlError
from scratchml.mlp import MLP, Backpropagation, Floats, binary_cross_entropy, sigmoid

examples = settings(deadline=None, max_examples=50)

SIZES = [[3, 1], [1, 1, 1], [6, 12, 1], [4, 5, 3, 1], [3, 4, 5, 2, 1], [3, 2], [4, 6, 5, 3]]


class Inputs(NamedTuple):
    """Rows as a classifier is given them."""

    x: Floats
    y: Floats


def network(sizes: Sequence[int], seed: int = 0) -> MLP:
    """A network in float64 with biases other than 0."""
    net = MLP(sizes, seed=seed, dtype=np.float64)
    net.parameters[:] = np.random.default_rng(seed).normal(0, 0.7, len(net.parameters))
    return net


def rows(net: MLP, n: int, seed: int = 1) -> tuple[Floats, Floats]:
    """Random inputs ``[n, inputs]`` and targets ``[n, outputs]``, 0 or 1."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, net.sizes[0]))
    return x, rng.integers(0, 2, (n, net.sizes[-1])).astype(float)


def loops(net: MLP, x: Sequence[float], masks: Sequence[Floats] = ()) -> list[list[float]]:
    """Every layer's outputs for one row, unit by unit, with a dropout mask for each hidden one."""
    a, outputs = [float(v) for v in x], []
    for layer, w in enumerate(net.weights):
        sums = [
            sum(w[unit, source] * a[source] for source in range(len(a))) + w[unit, len(a)]
            for unit in range(len(w))
        ]
        if layer < len(net.weights) - 1:
            sums = [max(v, 0.0) for v in sums]
            if masks:
                sums = [v * m for v, m in zip(sums, masks[layer], strict=True)]
        a = [float(v) for v in sums]
        outputs.append(a)
    return outputs


def columns(x: Floats) -> Floats:
    """Rows as training lays them: a sample to a column, and a last row of ones."""
    return np.vstack([x.T, np.ones(len(x))])


def differences(net: MLP, loss: Callable[[], float], step: float = 1e-6) -> Floats:
    """The gradient of ``loss()``, one parameter at a time, by central differences."""
    gradient = np.empty_like(net.parameters)
    for index, value in enumerate(net.parameters.copy()):
        net.parameters[index] = value + step
        above = loss()
        net.parameters[index] = value - step
        gradient[index] = (above - loss()) / (2 * step)
        net.parameters[index] = value
    return gradient


# The output function and its loss.


@examples
@given(st.floats(-700, 700))
def test_sigmoid_is_its_formula(z: float) -> None:
    expected = 1 / (1 + math.exp(-z))
    assert sigmoid(np.array([z]))[0] == pytest.approx(expected, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sigmoid_of_extreme_logits_is_0_or_1(dtype: type[np.floating]) -> None:
    largest = np.finfo(dtype).max
    z = np.array([-np.inf, -largest, -1e4, 1e4, largest, np.inf], dtype)
    assert sigmoid(z).tolist() == [0, 0, 0, 1, 1, 1]
    assert sigmoid(z).dtype == dtype


@examples
@given(
    st.lists(
        st.tuples(st.floats(-12, 12), st.integers(0, 1)),
        min_size=1,
        max_size=20,
    )
)
def test_the_loss_equals_scikit_learns(pairs: list[tuple[float, int]]) -> None:
    z = np.array([[logit] for logit, _ in pairs])
    y = np.array([[label] for _, label in pairs], float)
    expected = sklearn.metrics.log_loss(y[:, 0], 1 / (1 + np.exp(-z[:, 0])), labels=[0, 1])
    assert binary_cross_entropy(z, y) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("logit", "target", "expected"),
    [(1e4, 0, 1e4), (-1e4, 1, 1e4), (1e4, 1, 0), (-1e4, 0, 0), (3e38, 0, float(np.float32(3e38)))],
)
def test_the_loss_of_extreme_logits_is_exact(logit: float, target: int, expected: float) -> None:
    """Where the probability rounds to 0 or 1, its logarithm would be infinite."""
    z, y = np.array([[logit]], np.float32), np.array([[target]], np.float32)
    assert binary_cross_entropy(z, y) == expected


# The forward pass.


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("n", [1, 7])
def test_activations_equal_explicit_loops(sizes: list[int], n: int) -> None:
    net = network(sizes)
    x, _ = rows(net, n)
    outputs = net.activations(x)
    assert [layer.shape for layer in outputs] == [(n, units) for units in sizes[1:]]
    for index, row in enumerate(x):
        for layer, expected in zip(outputs, loops(net, row), strict=True):
            np.testing.assert_allclose(layer[index], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("sizes", [[3, 1], [6, 12, 1], [5, 8, 4, 1]])
def test_predictions_equal_scikit_learns_with_the_same_weights(sizes: list[int]) -> None:
    net = network(sizes)
    x, _ = rows(net, 50)
    oracle = MLPClassifier(hidden_layer_sizes=sizes[1:-1])
    oracle.partial_fit(x, np.arange(50) % 2, classes=[0, 1])  # gives it its shape
    oracle.coefs_ = [w[:, :-1].T for w in net.weights]
    oracle.intercepts_ = [w[:, -1] for w in net.weights]
    np.testing.assert_allclose(net.predict(x)[:, 0], oracle.predict_proba(x)[:, 1], rtol=1e-10)


def test_logits_predictions_scores_and_loss_belong_together() -> None:
    net = network([6, 12, 1])
    x, y = rows(net, 20)
    logits = net.logits(x)
    np.testing.assert_array_equal(logits, net.activations(x)[-1])
    np.testing.assert_array_equal(net.predict(x), sigmoid(logits))
    np.testing.assert_array_equal(net.decision_scores(Inputs(x, y[:, 0])), sigmoid(logits)[:, 0])
    assert net.loss(x, y) == binary_cross_entropy(logits, y)


def test_the_forward_pass_leaves_its_input_alone() -> None:
    net = network([6, 12, 1])
    x, _ = rows(net, 20)
    before = x.copy()
    net.predict(x)
    np.testing.assert_array_equal(x, before)


def test_a_float32_network_stays_in_float32() -> None:
    net = MLP([6, 12, 1])
    assert net.parameters.dtype == np.float32
    assert net.predict(np.zeros((2, 6), np.float32)).dtype == np.float32


@pytest.mark.parametrize("shape", [(6,), (4, 5), (4, 7), (1, 4, 6), ()])
def test_input_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ScratchmlError, match=r"this network takes \[n, 6\]"):
        MLP([6, 12, 1]).predict(np.zeros(shape, np.float32))


# Backpropagation.


@pytest.mark.parametrize("n", [1, 6])
@pytest.mark.parametrize("dropout", [False, True], ids=["whole", "dropout"])
@pytest.mark.parametrize("sizes", [sizes for sizes in SIZES if sizes[-1] == 1])
def test_gradients_equal_central_differences(sizes: list[int], dropout: bool, n: int) -> None:
    """The loss is written out here, so that masks can be part of it."""
    net = network(sizes)
    x, y = rows(net, n)
    rng = np.random.default_rng(2)
    masks = [(rng.random((u, n)) >= 0.4) / 0.6 for u in sizes[1:-1]] if dropout else []

    def loss() -> float:
        total = 0.0
        for index, row in enumerate(x):
            z = loops(net, row, [mask[:, index] for mask in masks])[-1][0]
            total += math.log1p(math.exp(-z)) if y[index, 0] else math.log1p(math.exp(z))
        return total / n

    gradient = Backpropagation(net, n)(columns(x), y.T, masks)
    np.testing.assert_allclose(gradient, differences(net, loss), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("sizes", SIZES)
def test_the_gradient_is_that_of_the_networks_own_loss(sizes: list[int]) -> None:
    """With several outputs too: what is reported must be what is minimized."""
    net = network(sizes)
    x, y = rows(net, 5)
    gradient = Backpropagation(net, 5)(columns(x), y.T)
    expected = differences(net, lambda: net.loss(x, y))
    np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-8)


def test_masks_of_ones_change_nothing() -> None:
    net = network([6, 12, 5, 1])
    x, y = rows(net, 8)
    plain = Backpropagation(net, 8)(columns(x), y.T)
    ones = Backpropagation(net, 8)(columns(x), y.T, [np.ones((12, 8)), np.ones((5, 8))])
    np.testing.assert_array_equal(plain, ones)


def test_a_unit_that_is_dropped_everywhere_learns_nothing() -> None:
    net = network([6, 4, 1])
    x, y = rows(net, 8)
    mask = np.ones((4, 8))
    mask[2] = 0
    hidden, output = net.views(Backpropagation(net, 8)(columns(x), y.T, [mask]))
    assert not hidden[2].any()
    assert output[0, 2] == 0
    assert hidden[[0, 1, 3]].any(axis=1).all()


def test_a_gradient_owes_nothing_to_the_batch_before() -> None:
    """All buffers are used again, the constant ones among them."""
    net = network([6, 12, 5, 1])
    x, y = rows(net, 8)
    other_x, other_y = rows(net, 8, seed=9)
    used = Backpropagation(net, 8)
    used(columns(other_x), other_y.T, [np.zeros((12, 8)), np.full((5, 8), 2.0)])
    np.testing.assert_array_equal(used(columns(x), y.T), Backpropagation(net, 8)(columns(x), y.T))


def test_extreme_logits_have_a_finite_gradient() -> None:
    net = MLP([2, 3, 1])
    net.parameters[:] = 1e4
    x, y = np.full((4, 2), 1e4, np.float32), np.array([[0, 1, 0, 1]], np.float32)
    assert np.isfinite(Backpropagation(net, 4)(columns(x).astype(np.float32), y)).all()


# How a network is made.


@pytest.mark.parametrize("sizes", SIZES)
def test_parameters_are_cut_into_layers_without_gap_or_overlap(sizes: list[int]) -> None:
    net = MLP(sizes)
    assert [w.shape for w in net.weights] == [(n_out, n_in + 1) for n_in, n_out in pairwise(sizes)]
    net.parameters[:] = np.arange(len(net.parameters))
    values = np.concatenate([w.ravel() for w in net.weights])
    np.testing.assert_array_equal(values, np.arange(len(net.parameters)))


def test_weights_are_views_of_the_parameters() -> None:
    net = MLP([6, 12, 1])
    assert all(np.shares_memory(w, net.parameters) for w in net.weights)
    net.weights[1][0, 3] = 42
    assert np.count_nonzero(net.parameters == 42) == 1


def test_first_weights_are_he_normal_and_biases_0() -> None:
    net = MLP([4, 5000, 20], seed=1)
    for w, n_in in zip(net.weights, [4, 5000], strict=True):
        assert not w[:, -1].any()
        assert w[:, :-1].mean() == pytest.approx(0, abs=0.03 * math.sqrt(2 / n_in))
        assert w[:, :-1].std() == pytest.approx(math.sqrt(2 / n_in), rel=0.02)


def test_the_seed_decides_the_first_weights() -> None:
    first, same, other = (MLP([6, 12, 1], seed=seed).parameters for seed in (1, 1, 2))
    assert first.tobytes() == same.tobytes()
    assert first.tobytes() != other.tobytes()


def test_numpys_global_generator_is_left_alone() -> None:
    np.random.seed(0)
    expected = np.random.random()
    np.random.seed(0)
    MLP([6, 12, 1])
    assert np.random.random() == expected


@pytest.mark.parametrize("sizes", [[], [6], [6, 0, 1], [0, 1], [6, 0], [6, -3, 1]])
def test_sizes_that_are_no_network_are_refused(sizes: list[int]) -> None:
    with pytest.raises(ScratchmlError, match="two sizes or more, each at least 1"):
        MLP(sizes)


@pytest.mark.parametrize("dropout", [-0.1, 1.0, 1.5, math.nan, math.inf])
def test_dropout_outside_0_to_1_is_refused(dropout: float) -> None:
    with pytest.raises(ScratchmlError, match="at least 0 and below 1"):
        MLP([6, 12, 1], dropout=dropout)


def test_an_unknown_output_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ScratchmlError, match="'softmax': known are sigmoid"):
        MLP([6, 12, 1], output="softmax")
