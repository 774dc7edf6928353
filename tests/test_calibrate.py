"""What calibration sees, the ranges it takes from it, and what percentiles are good for.

Forward passes and percentiles are computed again here by their definitions. Not covered: how a
range becomes a scale and a zero point (test_quantize.py, test_quantize_converter.py).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

import scratchml as sml
from scratchml.activations import HIDDEN
from scratchml.calibrate import observe, observed_range, outliers
from scratchml.quantize import activation_quantization

Floats = npt.NDArray[np.floating]

values = st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=60)
examples = settings(deadline=None, max_examples=200)


# --- what is observed -------------------------------------------------------------------------


def definition(net: sml.MLP, x: Floats) -> list[Floats]:
    """The input, then each layer's output; in front of a sigmoid the sums; in float64."""
    functions = {
        "linear": lambda sums: sums,
        "relu": lambda sums: np.maximum(sums, 0),
        "relu6": lambda sums: np.clip(sums, 0, 6),
        "relu_n1_to_1": lambda sums: np.clip(sums, -1, 1),
        "sigmoid": lambda sums: 1 / (1 + np.exp(-sums)),
    }
    tensors, a = [x], x.astype(np.float64)
    for w, name in zip(net.weights, (*net.hidden, "linear"), strict=True):
        sums = a @ w[:, :-1].T.astype(np.float64) + w[:, -1]
        a = functions[name](sums)
        tensors.append(sums if name == "sigmoid" else a)
    return tensors


@given(
    activations=st.lists(st.sampled_from(sorted(HIDDEN)), min_size=0, max_size=4),
    output=st.sampled_from(["sigmoid", "softmax", "linear"]),
    seed=st.integers(0, 10_000),
)
@settings(deadline=None, max_examples=60)
def test_the_tensors_are_those_that_get_a_scale(
    activations: list[str], output: str, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(2, 9, len(activations) + 2).tolist()
    net = sml.MLP(sizes, activations=activations, output=output, seed=seed)
    for w in net.weights:
        w[:, -1] = rng.normal(0, 2, len(w))
    x = rng.normal(0, 3, (20, sizes[0])).astype(np.float32)
    observed, expected = observe(net, x), definition(net, x)
    assert len(observed) == len(sizes)
    for tensor, exact in zip(observed, expected, strict=True):
        assert tensor.shape == exact.shape
        np.testing.assert_allclose(tensor, exact, rtol=1e-4, atol=1e-4)


def test_of_a_hidden_sigmoid_the_sums_are_seen() -> None:
    net = sml.MLP([1, 1, 1], activations="sigmoid", output="linear")
    net.weights[0][:] = [[10, 5]]
    _, sums, _ = observe(net, np.array([[-4], [4]], np.float32))
    assert sums.ravel().tolist() == [-35, 45]
    model = sml.quantize(net, np.array([[-4], [4]], np.float32))
    assert model.layers[0].target == activation_quantization(-35, 45)


def test_the_network_and_the_rows_are_left_alone() -> None:
    net = sml.MLP([3, 4, 2], activations="relu6")
    x = np.random.default_rng(0).normal(0, 5, (9, 3)).astype(np.float32)
    parameters, rows = net.parameters.copy(), x.copy()
    first = observe(net, x)
    for tensor in first[1:]:
        tensor[:] = 7
    assert (net.parameters == parameters).all() and (x == rows).all()
    assert not (observe(net, x)[1] == 7).any()


# --- ranges -----------------------------------------------------------------------------------


def percentile(numbers: list[float], percent: float) -> float:
    """Between the two values next to its place, in proportion."""
    ordered = sorted(numbers)
    place = percent / 100 * (len(ordered) - 1)
    below = min(math.floor(place), len(ordered) - 1)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


@given(numbers=values, percent=st.floats(50, 100, exclude_min=True))
@example([0.0] * 99 + [1.0], 99.9)
@example([5.0], 99.0)
@examples
def test_a_range_goes_from_percentile_to_percentile(numbers: list[float], percent: float) -> None:
    low, high = observed_range(np.array(numbers, np.float32), percent)
    expected = percentile(numbers, 100 - percent), percentile(numbers, percent)
    # a range is widened to reach zero: of no width is what has none after that
    if not min(expected[0], 0) < max(expected[1], 0):
        expected = min(numbers), max(numbers)
    slack = 1e-6 * max(map(abs, numbers))  # numpy's arithmetic is that of float32
    assert (low, high) == pytest.approx(expected, rel=1e-5, abs=slack)
    assert min(numbers) - slack <= low <= high + slack <= max(numbers) + 2 * slack


@given(numbers=values)
def test_by_default_a_range_goes_from_the_least_to_the_greatest(numbers: list[float]) -> None:
    tensor = np.array(numbers, np.float32).reshape(-1, 1)
    ends = (min(numbers), max(numbers))
    assert observed_range(tensor) == observed_range(tensor, 100) == ends


@given(numbers=values, percent=st.floats(50.001, 99.999), more=st.floats(0, 50))
@examples
def test_a_higher_percentile_is_never_narrower(
    numbers: list[float], percent: float, more: float
) -> None:
    tensor = np.array(numbers, np.float32)
    inner = observed_range(tensor, percent)
    assume(inner != observed_range(tensor))  # nor is it the whole range for want of a width
    outer = observed_range(tensor, min(percent + more, 100))
    slack = 1e-6 * max(map(abs, numbers))
    assert outer[0] <= inner[0] + slack and inner[1] <= outer[1] + slack


def test_a_unit_that_is_almost_always_0_keeps_its_whole_range() -> None:
    tensor = np.zeros(10_000, np.float32)
    tensor[:5] = 3
    assert observed_range(tensor, 99.9) == (0, 3)
    tensor[:20] = 3
    assert observed_range(tensor, 99.9) == (0, 3)
    tensor[0] = 100
    assert observed_range(tensor, 99.9) == (0, 3)


def test_tensors_of_one_value_have_it_for_a_range() -> None:
    for value in (0.0, 5.0, -5.0):
        tensor = np.full((10, 3), value, np.float32)
        assert observed_range(tensor) == observed_range(tensor, 99.9) == (value, value)


def test_values_that_are_not_finite_are_passed_on() -> None:
    """``quantize`` refuses them; a percentile would hide them, or warn."""
    tensor = np.array([1, 2, np.inf, 3], np.float32)
    assert observed_range(tensor, 99.0) == (1, math.inf)
    assert math.isnan(observed_range(np.array([1, np.nan], np.float32), 99.0)[0])


@pytest.mark.parametrize("percent", [50, 49.9, 0, -1, 100.0001, 101, math.inf, math.nan])
def test_a_percentile_out_of_range_is_refused(percent: float) -> None:
    with pytest.raises(sml.ScratchmlError, match="must be above 50 and at most 100"):
        observed_range(np.zeros(3), percent)
    with pytest.raises(sml.ScratchmlError, match="must be above 50 and at most 100"):
        sml.quantize(sml.MLP([2, 1]), np.ones((5, 2), np.float32), percentile=percent)


# --- outliers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [100, 1000, 30_000])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_ordinary_data_are_not_warned_of(rows: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    normal = rng.normal(0, 1, (rows, 6))
    tensors = [
        normal,
        np.maximum(normal, 0),
        rng.uniform(-3, 5, (rows, 6)),
        rng.laplace(0, 1, (rows, 6)),
        np.exp(rng.normal(0, 0.5, (rows, 6))),
        np.zeros((rows, 6)),
        np.full((rows, 6), 7.0),
    ]
    assert outliers(tensors) == []


def test_the_snow_models_tensors_have_no_outliers(net: sml.MLP, data: sml.Dataset) -> None:
    assert outliers(observe(net, data.train.x)) == []


@pytest.mark.parametrize("seed", range(5))
def test_heavy_tails_are_warned_of(seed: int) -> None:
    rng = np.random.default_rng(seed)
    heavy = rng.standard_cauchy((5000, 6))
    lines = outliers([heavy, rng.normal(0, 1, (5000, 6)), np.maximum(heavy, 0)])
    assert len(lines) == 2
    assert lines[0].startswith("outliers rule the range of the input: ")
    assert lines[1].startswith("outliers rule the range of the output of layer 2: 0 .. ")
    assert all(line.endswith("consider calibrating by percentile") for line in lines)


def test_a_warning_tells_both_ranges() -> None:
    tensor = np.concatenate([np.linspace(-1, 1, 100_001), [50.0]])
    (line,) = outliers([tensor])
    assert "-1 .. 50, while 99.8 % of it lie in -0.998 .. 0.998;" in line


def test_a_range_four_times_as_wide_as_the_ordinary_values_is_still_good() -> None:
    ordinary = np.linspace(0, 1, 100_001)
    high = observed_range(ordinary, 99.9)[1]
    assert outliers([np.append(ordinary, 3.99 * high)]) == []
    assert len(outliers([np.append(ordinary, 4.02 * high)])) == 1
    assert len(outliers([np.append(-ordinary, -4.02 * high)])) == 1


# --- percentiles in use -----------------------------------------------------------------------


def signal_to_noise(net: sml.MLP, model: sml.QuantizedMLP, x: Floats) -> float:
    """dB by which the float network's outputs exceed the int8 network's error."""
    exact = net.predict(x).astype(np.float64)
    codes = model.run(model.layers[0].source.codes(x))
    noise = model.output_quantization.real(codes) - exact
    return float(10 * np.log10((exact**2).mean() / (noise**2).mean()))


@pytest.mark.parametrize("activations", ["relu", "relu6", "sigmoid", "linear"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_percentiles_are_more_exact_where_outliers_rule_the_ranges(
    activations: str, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    net = sml.MLP([8, 24, 16, 4], activations=activations, output="linear", seed=seed)
    ordinary = rng.normal(0, 1, (5000, 8)).astype(np.float32)
    calibration = ordinary.copy()
    calibration[:3] *= 60  # three rows of 5,000: well within a thousandth
    assert outliers(observe(net, calibration)) != []
    by_ends, by_percentile = (sml.quantize(net, calibration, percentile=p) for p in (100.0, 99.9))
    ends = signal_to_noise(net, by_ends, ordinary)
    clipped = signal_to_noise(net, by_percentile, ordinary)
    assert clipped > ends + 6  # dB: errors half as large
    assert clipped > 15


def test_what_lies_outside_of_a_percentile_is_clipped() -> None:
    net = sml.MLP([2, 3, 1], output="linear", seed=1)
    x = np.random.default_rng(0).normal(0, 1, (2000, 2)).astype(np.float32)
    x[0] = 100
    whole, clipped = (sml.quantize(net, x, percentile=p).layers[0].source for p in (100.0, 99.0))
    assert whole.codes(np.array([100.0])) == 127
    assert whole.real(np.array([127], np.int8)) == pytest.approx(100, rel=0.01)
    low, high = np.percentile(x, [1, 99])
    ends = clipped.real(np.array([-128, 127], np.int8))
    assert ends == pytest.approx([low, high], abs=clipped.scale)
    assert clipped.codes(np.array([-1e9, 100.0, 1e9])).tolist() == [-128, 127, 127]


def test_without_a_percentile_the_ranges_are_the_converters() -> None:
    net = sml.MLP([2, 3, 1], output="linear", seed=1)
    x = np.random.default_rng(0).normal(0, 1, (200, 2)).astype(np.float32)
    model = sml.quantize(net, x)
    expected = [activation_quantization(float(t.min()), float(t.max())) for t in observe(net, x)]
    assert [model.layers[0].source, *(layer.target for layer in model.layers)] == expected
