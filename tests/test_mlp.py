"""The perceptron against explicit loops, central differences, scikit-learn and scipy."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise, product
from typing import Any, NamedTuple

import numpy as np
import pytest
import scipy.special
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neural_network import MLPClassifier, MLPRegressor

from scratchml.activations import HIDDEN, sigmoid
from scratchml.errors import ScratchmlError
from scratchml.mlp import MLP, Backpropagation, Floats
from scratchml.outputs import (
    OUTPUTS,
    binary_cross_entropy,
    categorical_cross_entropy,
    half_squared_error,
    one_hot,
    r2,
    softmax,
)

examples = settings(deadline=None, max_examples=50)

SIZES = [[3, 1], [1, 1, 1], [6, 12, 1], [4, 5, 3, 1], [3, 4, 5, 2, 1], [3, 2], [4, 6, 5, 3]]

#: The functions of one number, as a textbook has them.
FORMULAS: dict[str, Callable[[float], float]] = {
    "relu": lambda z: max(z, 0.0),
    "relu6": lambda z: min(max(z, 0.0), 6.0),
    "relu_n1_to_1": lambda z: min(max(z, -1.0), 1.0),
    "linear": lambda z: z,
    "sigmoid": lambda z: 1 / (1 + math.exp(-z)),
}
#: Where their slope jumps.
CORNERS = {"relu": [0], "relu6": [0, 6], "relu_n1_to_1": [-1, 1], "linear": [], "sigmoid": []}


class Inputs(NamedTuple):
    """Rows as a classifier is given them."""

    x: Floats
    y: Floats


def network(sizes: Sequence[int], seed: int = 0, **options: Any) -> MLP:
    """A network in float64 with biases other than 0."""
    net = MLP(sizes, seed=seed, dtype=np.float64, **options)
    net.parameters[:] = np.random.default_rng(seed).normal(0, 0.7, len(net.parameters))
    return net


def rows(net: MLP, n: int, seed: int = 1) -> tuple[Floats, Floats]:
    """Random inputs ``[n, inputs]`` and targets ``[n, outputs]``, such as the output can mean."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, net.sizes[0]))
    if net.output == "softmax":
        return x, np.eye(net.sizes[-1])[rng.integers(0, net.sizes[-1], n)]
    if net.output == "linear":
        return x, rng.normal(size=(n, net.sizes[-1]))
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
            sums = [FORMULAS[net.hidden[layer]](v) for v in sums]
            if masks:
                sums = [v * m for v, m in zip(sums, masks[layer], strict=True)]
        a = [float(v) for v in sums]
        outputs.append(a)
    return outputs


def textbook_loss(output: str, logits: Sequence[float], target: Sequence[float]) -> float:
    """The loss of one row, from the formula of its predictions."""
    if output == "linear":
        return sum((z - y) ** 2 / 2 for z, y in zip(logits, target, strict=True))
    if output == "softmax":
        total = sum(math.exp(z) for z in logits)
        return -sum(y * math.log(math.exp(z) / total) for z, y in zip(logits, target, strict=True))
    pairs = zip(logits, target, strict=True)
    return sum(math.log1p(math.exp(-z)) if y else math.log1p(math.exp(z)) for z, y in pairs)


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


# The functions between layers.


def test_every_activation_has_a_formula_here() -> None:
    assert HIDDEN.keys() == FORMULAS.keys()


@pytest.mark.parametrize("name", HIDDEN)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_activation_is_its_formula_and_its_slope_the_derivative(
    name: str, dtype: type[np.floating]
) -> None:
    z = np.linspace(-9, 9, 998, dtype=dtype)  # no corner is among them
    a, slope = z.copy(), np.empty_like(z)
    HIDDEN[name].apply(a)
    HIDDEN[name].slope(a, slope)
    tolerance = 1e-6 if dtype == np.float32 else 1e-9
    f = FORMULAS[name]
    np.testing.assert_allclose(a, [f(float(v)) for v in z], rtol=tolerance, atol=tolerance)
    expected = [(f(float(v) + 1e-6) - f(float(v) - 1e-6)) / 2e-6 for v in z]
    np.testing.assert_allclose(slope, expected, atol=max(tolerance, 1e-8))


@pytest.mark.parametrize("name", [name for name in CORNERS if CORNERS[name]])
def test_the_slope_of_a_corner_is_0(name: str) -> None:
    a = np.array(CORNERS[name], np.float32)
    slope = np.full_like(a, np.nan)
    HIDDEN[name].apply(a)
    HIDDEN[name].slope(a, slope)
    assert a.tolist() == CORNERS[name]
    assert not slope.any()


# The output functions and their losses.


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


logits_of_classes = st.integers(2, 6).flatmap(
    lambda k: st.lists(st.lists(st.floats(-30, 30), min_size=k, max_size=k), min_size=1, max_size=9)
)


@examples
@given(logits_of_classes)
def test_softmax_equals_scipys(logits: list[list[float]]) -> None:
    z = np.array(logits)
    np.testing.assert_allclose(softmax(z), scipy.special.softmax(z, axis=1), rtol=1e-12)


@examples
@given(logits_of_classes, st.data())
def test_the_loss_of_classes_equals_scikit_learns(
    logits: list[list[float]], data: st.DataObject
) -> None:
    z = np.array(logits) / 3  # where a probability is nearly 0, its rounding would show
    classes = range(z.shape[1])
    labels = data.draw(st.lists(st.sampled_from(classes), min_size=len(z), max_size=len(z)))
    expected = sklearn.metrics.log_loss(labels, scipy.special.softmax(z, axis=1), labels=classes)
    found = categorical_cross_entropy(z, one_hot(np.array(labels), len(classes)))
    assert found == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softmax_of_large_logits_is_0_or_1(dtype: type[np.floating]) -> None:
    z = np.array([[1e38, 0, -1e38], [-1e4, -1e4, -2e4], [3e4, 2e4, 1e4]], dtype)
    assert softmax(z).tolist() == [[1, 0, 0], [0.5, 0.5, 0], [1, 0, 0]]
    assert softmax(z).dtype == dtype


@pytest.mark.parametrize(
    ("logits", "label", "expected"),
    [([1e4, 0], 1, 1e4), ([1e4, 0], 0, 0), ([-1e4, -1e4], 0, math.log(2)), ([3e38, 0], 1, 3e38)],
)
def test_the_loss_of_classes_is_exact_where_logits_are_extreme(
    logits: list[float], label: int, expected: float
) -> None:
    z = np.array([logits])
    assert categorical_cross_entropy(z, one_hot(np.array([label]), 2)) == expected


@examples
@given(st.lists(st.tuples(*[st.floats(-1e3, 1e3)] * 4), min_size=1, max_size=9))
def test_the_squared_error_equals_scikit_learns(pairs: list[tuple[float, ...]]) -> None:
    """Half of it, and added up over the two outputs."""
    z, y = np.split(np.array(pairs), 2, axis=1)
    expected = sklearn.metrics.mean_squared_error(y, z)  # a mean over outputs
    assert half_squared_error(z, y) == pytest.approx(expected, rel=1e-9)


# Scores.


@examples
@given(st.integers(0, 2**32 - 1), st.integers(2, 50), st.integers(1, 4))
def test_r2_equals_scikit_learns(seed: int, n: int, outputs: int) -> None:
    rng = np.random.default_rng(seed)
    y = rng.normal(10, rng.uniform(0.1, 10, outputs), (n, outputs)).astype(np.float32)
    p = y + rng.normal(0, rng.uniform(0, 5), (n, outputs)).astype(np.float32)
    expected = sklearn.metrics.r2_score(
        y.astype(float), p.astype(float), multioutput="variance_weighted"
    )
    assert r2(p, y) == pytest.approx(expected, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("value", [0, 3, -0.5])
@pytest.mark.parametrize(("error", "expected"), [(0, 1), (0.25, 0)])
def test_r2_of_targets_that_never_vary_is_1_or_0(
    value: float, error: float, expected: float
) -> None:
    y = np.full((7, 1), value, np.float32)
    assert r2(y + np.float32(error), y) == expected
    assert sklearn.metrics.r2_score(y, y + np.float32(error)) == expected


def test_r2_is_not_fooled_by_the_rounding_of_a_mean() -> None:
    y = np.full((7, 1), 0.1)
    assert y.mean() != 0.1
    assert (r2(y, y), r2(y + 1, y)) == (1, 0)


def test_accuracy_counts_outputs_of_a_sigmoid_and_rows_of_a_softmax() -> None:
    p = np.array([[0.7, 0.2, 0.1], [0.3, 0.5, 0.2], [0.2, 0.3, 0.5], [0.1, 0.6, 0.3]])
    y = np.array([[1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 0, 1]])
    assert OUTPUTS["softmax"].score(p, y) == 2 / 4
    assert OUTPUTS["sigmoid"].score(p, y) == 8 / 12
    assert OUTPUTS["sigmoid"].score(np.array([[0.5]]), np.array([[1]])) == 1
    assert [OUTPUTS[name].metric for name in ("sigmoid", "softmax", "linear")] == [
        "accuracy",
        "accuracy",
        "r2",
    ]


# Targets.


@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.uint8])
def test_classes_become_columns(dtype: type[np.generic]) -> None:
    target = OUTPUTS["softmax"].targets(np.array([2, 0, 1, 2]).astype(dtype), 4)
    np.testing.assert_array_equal(target, np.eye(4)[[2, 0, 1, 2]])
    assert target.dtype == np.float32


@pytest.mark.parametrize(
    "labels",
    [
        [0, 1, 3],
        [0, -1, 1],
        [0, 1, 1.5],
        [0, 1, math.nan],
        [0, 1, math.inf],
        ["0", "1", "2"],
        [None, 0, 1],
        [[0], [1], [2]],
        [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    ],
    ids=str,
)
def test_labels_that_number_no_class_are_refused(labels: list[Any]) -> None:
    with pytest.raises(ScratchmlError, match="one whole number from 0 to 2 for each row"):
        OUTPUTS["softmax"].targets(np.array(labels), 3)


@pytest.mark.parametrize("name", ["sigmoid", "linear"])
def test_one_column_and_several_are_both_targets(name: str) -> None:
    targets = OUTPUTS[name].targets
    assert targets(np.array([0, 1, 1]), 1).tolist() == [[0], [1], [1]]
    assert targets(np.array([[0, 1], [1, 1]]), 2).tolist() == [[0, 1], [1, 1]]
    for y, outputs in ((np.zeros(3), 2), (np.zeros((3, 2)), 1), (np.zeros((3, 2)), 3)):
        with pytest.raises(ScratchmlError, match="do not fit a network of"):
            targets(y, outputs)


@pytest.mark.parametrize("value", [2, -1, 1.001, math.nan])
def test_targets_that_are_no_probability_are_refused_for_a_sigmoid(value: float) -> None:
    with pytest.raises(ScratchmlError, match="between 0 and 1"):
        OUTPUTS["sigmoid"].targets(np.array([0, 1, value]), 1)


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


@pytest.mark.parametrize("name", HIDDEN)
def test_every_activation_has_its_place_in_the_forward_pass(name: str) -> None:
    """Each next to another one, so that an exchange would show."""
    net = network([4, 5, 6, 3], activations=[name, "relu"])
    x, _ = rows(net, 7)
    for index, row in enumerate(3 * x):
        for layer, expected in zip(net.activations(3 * x), loops(net, row), strict=True):
            np.testing.assert_allclose(layer[index], expected, rtol=1e-12, atol=1e-12)


def test_forward_gives_the_sums_in_front_of_each_activation() -> None:
    net = network([4, 5, 6, 3], activations=["sigmoid", "relu_n1_to_1"])
    x, _ = rows(net, 9)
    layers = net.forward(x)
    source = x
    for w, (sums, outputs), name in zip(net.weights, layers, [*net.hidden, "linear"], strict=True):
        np.testing.assert_allclose(sums, source @ w[:, :-1].T + w[:, -1], rtol=1e-12)
        np.testing.assert_allclose(outputs, np.vectorize(FORMULAS[name])(sums), rtol=1e-12)
        source = outputs
    np.testing.assert_array_equal(layers[-1][0], net.logits(x))
    np.testing.assert_array_equal(layers[-1][1], net.logits(x))
    for layer, (_, outputs) in zip(net.activations(x), layers, strict=True):
        np.testing.assert_array_equal(layer, outputs)


@pytest.mark.parametrize("sizes", [[3, 1], [6, 12, 1], [5, 8, 4, 1]])
def test_predictions_equal_scikit_learns_with_the_same_weights(sizes: list[int]) -> None:
    net = network(sizes)
    x, _ = rows(net, 50)
    oracle = MLPClassifier(hidden_layer_sizes=sizes[1:-1])
    oracle.partial_fit(x, np.arange(50) % 2, classes=[0, 1])  # gives it its shape
    oracle.coefs_ = [w[:, :-1].T for w in net.weights]
    oracle.intercepts_ = [w[:, -1] for w in net.weights]
    np.testing.assert_allclose(net.predict(x)[:, 0], oracle.predict_proba(x)[:, 1], rtol=1e-10)


@pytest.mark.parametrize(
    ("ours", "theirs"), [("relu", "relu"), ("sigmoid", "logistic"), ("linear", "identity")]
)
def test_classes_and_values_equal_scikit_learns_with_the_same_weights(
    ours: str, theirs: str
) -> None:
    for output in ("softmax", "linear"):
        net = network([5, 8, 4, 3], activations=ours, output=output)
        x, y = rows(net, 60)
        kind = MLPClassifier if output == "softmax" else MLPRegressor
        oracle = kind(hidden_layer_sizes=[8, 4], activation=theirs)
        if output == "softmax":  # one step gives it its shape
            oracle.partial_fit(x, np.arange(60) % 3, classes=[0, 1, 2])
        else:
            oracle.partial_fit(x, y)
        oracle.coefs_ = [w[:, :-1].T for w in net.weights]
        oracle.intercepts_ = [w[:, -1] for w in net.weights]
        expected = oracle.predict_proba(x) if output == "softmax" else oracle.predict(x)
        np.testing.assert_allclose(net.predict(x), expected, rtol=1e-9)


@pytest.mark.parametrize("output", OUTPUTS)
def test_predictions_of_rows_are_those_of_their_inputs(output: str) -> None:
    net = network([6, 12, 3], output=output)
    x, y = rows(net, 20)
    np.testing.assert_array_equal(net.predictions(Inputs(x, y)), net.predict(x))


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


@pytest.mark.parametrize(("name", "output"), list(product(HIDDEN, OUTPUTS)))
def test_a_float32_network_stays_in_float32(name: str, output: str) -> None:
    net = MLP([6, 12, 3], activations=name, output=output)
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


@pytest.mark.parametrize("dropout", [False, True], ids=["whole", "dropout"])
@pytest.mark.parametrize("hidden", [[4], [5, 3], [4, 2, 3]], ids=str)
@pytest.mark.parametrize(("name", "output"), list(product(HIDDEN, OUTPUTS)))
def test_every_activation_and_output_has_the_right_gradient(
    name: str, output: str, hidden: list[int], dropout: bool
) -> None:
    """With inputs that reach beyond the corners; again the loss is written out here."""
    net = network([3, *hidden, 3], activations=name, output=output)
    x, y = rows(net, 5)
    x *= 6
    z = net.forward(x)[0][0]
    bounds = [-math.inf, *CORNERS[name], math.inf]
    assert all(((low < z) & (z < high)).any() for low, high in pairwise(bounds))
    rng = np.random.default_rng(2)
    masks = [(rng.random((u, 5)) >= 0.4) / 0.6 for u in hidden] if dropout else []

    def loss() -> float:
        return float(
            np.mean(
                [
                    textbook_loss(output, loops(net, row, [m[:, i] for m in masks])[-1], y[i])
                    for i, row in enumerate(x)
                ]
            )
        )

    gradient = Backpropagation(net, 5)(columns(x), y.T, masks)
    np.testing.assert_allclose(gradient, differences(net, loss), rtol=1e-5, atol=1e-8)


def test_neighbouring_layers_may_differ() -> None:
    net = network([3, 4, 5, 4, 5, 4, 2], activations=list(HIDDEN), output="linear")
    x, y = rows(net, 6)
    gradient = Backpropagation(net, 6)(columns(x), y.T)
    expected = differences(net, lambda: net.loss(x, y))
    np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("sizes", SIZES)
def test_the_gradient_is_that_of_the_networks_own_loss(sizes: list[int], output: str) -> None:
    """With several outputs too: what is reported must be what is minimized."""
    net = network(sizes, output=output)
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


@pytest.mark.parametrize("name", ["linear", "sigmoid", "relu_n1_to_1"])
def test_first_weights_are_glorots_in_front_of_what_is_no_rectifier(name: str) -> None:
    first, last = MLP([400, 200, 50], activations=name, seed=1).weights
    assert first[:, :-1].std() == pytest.approx(math.sqrt(2 / 600), rel=0.02)
    assert last[:, :-1].std() == pytest.approx(math.sqrt(2 / 200), rel=0.02)


def test_first_weights_depend_on_nothing_but_the_layer_itself() -> None:
    """Neither the output nor another layer's activation moves the draws of ReLU layers."""
    expected = MLP([6, 12, 5, 3]).parameters.tobytes()
    for options in ({"output": "softmax"}, {"output": "linear"}, {"activations": "relu6"}):
        assert MLP([6, 12, 5, 3], **options).parameters.tobytes() == expected
    mixed = MLP([6, 12, 5, 3], activations=["sigmoid", "relu"])
    np.testing.assert_array_equal(mixed.weights[1], MLP([6, 12, 5, 3]).weights[1])


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
    with pytest.raises(ScratchmlError, match="'tanh': known are sigmoid, softmax, linear"):
        MLP([6, 12, 1], output="tanh")


def test_one_activation_stands_for_all_layers() -> None:
    assert MLP([6, 12, 5, 1]).hidden == ("relu", "relu")
    assert MLP([6, 12, 5, 1], activations="relu6").hidden == ("relu6", "relu6")
    assert MLP([6, 12, 5, 1], activations=["sigmoid", "relu"]).hidden == ("sigmoid", "relu")
    assert MLP([6, 1]).hidden == MLP([6, 1], activations=[]).hidden == ()


@pytest.mark.parametrize("activations", ["tanh", ["relu", "tanh"], ["tanh"]], ids=str)
def test_an_unknown_activation_is_refused_with_those_that_are_known(activations: Any) -> None:
    known = "'tanh': known are relu, relu6, relu_n1_to_1, linear, sigmoid"
    with pytest.raises(ScratchmlError, match=known):
        MLP([6, 12, 5, 1], activations=activations)


@pytest.mark.parametrize("activations", [[], ["relu"], ["relu"] * 3], ids=str)
def test_another_number_of_activations_than_of_hidden_layers_is_refused(activations: Any) -> None:
    with pytest.raises(ScratchmlError, match="do not fit 2 hidden layers"):
        MLP([6, 12, 5, 1], activations=activations)
