"""The quantizer's choices, and the integers derived from them, against exact arithmetic.

Multipliers, sensor scaling and complete forward passes are compared with rational numbers, and the
proof that no accumulator overflows with the worst input there is. test_quantize_converter.py
compares scales, weights and biases with what TFLiteConverter made of the same networks.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from conftest import random_model, with_sigmoid
from hypothesis import assume, example, given, reject, settings
from hypothesis import strategies as st
from test_integer import exact_requantize, round_away

import scratchml as sml
from scratchml.activations import HIDDEN
from scratchml.affine import PROBABILITY, Quantization, quantize_multiplier
from scratchml.features import Features
from scratchml.layers import ACTIVATIONS, Elementwise, QuantizedDense, Softmax
from scratchml.outputs import OUTPUTS
from scratchml.quantize import activation_quantization, quantize_dense
from scratchml.quantized import QuantizedMLP
from scratchml.rows import Scaler

Int8 = npt.NDArray[np.int8]
INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1

codes = st.integers(-128, 127)
examples = settings(deadline=None, max_examples=300)


def f32(value: float) -> float:
    return float(np.float32(value))


def positive_scales(low: float, high: float) -> st.SearchStrategy[float]:
    """float32 values whose logarithms are spread evenly."""
    return st.floats(math.log2(low), math.log2(high)).map(lambda power: f32(2.0**power))


# --- the definition of a forward pass --------------------------------------------------------


@cache
def exact_multiplier(factor: Fraction) -> tuple[int, int]:
    """31 bits and a shift, by comparing with powers of two; (0, 0) below 2^-32."""
    shift = 0
    while factor >= Fraction(2) ** shift:
        shift += 1
    while factor < Fraction(2) ** (shift - 1):
        shift -= 1
    multiplier = math.floor(factor * Fraction(2) ** (31 - shift) + Fraction(1, 2))
    if multiplier == 2**31:
        multiplier, shift = 2**30, shift + 1
    return (multiplier, shift) if shift >= -31 else (0, 0)


def exact_layer(layer: QuantizedDense, x: list[int]) -> list[int]:
    """One row through a layer: nothing folded, nothing wrapped, every number unbounded."""
    result = []
    for weights, scale, bias in zip(
        layer.weights.tolist(), layer.weight_scales.tolist(), layer.bias.tolist(), strict=True
    ):
        total = bias + sum(
            w * (value - layer.source.zero_point) for w, value in zip(weights, x, strict=True)
        )
        factor = Fraction(layer.source.scale * scale / layer.target.scale)  # in float64, as TFLM
        code = exact_requantize(total, *exact_multiplier(factor)) + layer.target.zero_point
        least, most = ACTIVATIONS[layer.activation]
        low = -128 if least is None else exact_code(layer.target, least)
        high = 127 if most is None else exact_code(layer.target, most)
        result.append(min(max(code, low), high))
    return result


def exact_code(quantization: Quantization, value: float) -> int:
    """The code nearest to ``value`` within int8; the quotient is a float32 one, as in TFLM."""
    steps = Fraction(float(np.float32(value) / np.float32(quantization.scale)))
    return min(max(quantization.zero_point + round_away(steps), -128), 127)


def exact_elementwise(function: Elementwise, code: int) -> int:
    """One code through an operator of its own; the sigmoid's table is the function's."""
    source, target = function.source, function.target
    if function.kind == "logistic":
        return int(function.table[code + 128])
    if function.kind == "relu6":
        return min(max(code, source.zero_point), exact_code(source, 6.0))
    factor = Fraction(source.scale / target.scale)  # in float64, as TFLM
    steps = exact_requantize(code - source.zero_point, *exact_multiplier(factor))
    low = target.zero_point if function.kind == "relu" else -128
    return min(max(steps + target.zero_point, low), 127)


def exact_outputs(model: QuantizedMLP, rows: Int8) -> list[list[int]]:
    """Rows through all layers and what follows each of them; a softmax is the model's own."""
    outputs = []
    for row in rows.tolist():
        for layer in model.layers:
            row = exact_layer(layer, row)
            for function in layer.following:
                row = [exact_elementwise(function, code) for code in row]
        outputs.append(row)
    return model.softmax.run(np.array(outputs, np.int8)).tolist() if model.softmax else outputs


def one_layer(
    weights: Any,
    bias: Any,
    scales: Any,
    source: Quantization,
    target: Quantization,
    *,
    activation: str = "linear",
    name: str = "the layer",
) -> QuantizedDense:
    arrays = np.array(weights, np.int8), np.array(scales, np.float32), np.array(bias, np.int32)
    return QuantizedDense(*arrays, source, target, activation, name=name)


def quantized(
    sizes: list[int], seed: int, *, output_scale: float = 1.0, **choices: Any
) -> QuantizedMLP:
    """A random model; a test is not run on one whose layer no calibration row wakes."""
    try:
        return random_model(sizes, seed, output_scale=output_scale, **choices)
    except sml.ScratchmlError as error:
        assert "its accumulator can leave 32 bits" in str(error)
        reject()


@given(
    sizes=st.lists(st.integers(1, 12), min_size=2, max_size=5),
    seed=st.integers(0, 10_000),
    output_scale=st.sampled_from([1e-3, 1.0, 1e3]),
    activations=st.lists(st.sampled_from(sorted(HIDDEN)), min_size=3, max_size=3),
    output=st.sampled_from(sorted(OUTPUTS)),
)
@settings(deadline=None, max_examples=100)
def test_a_quantized_network_computes_what_the_definition_says(
    sizes: list[int], seed: int, output_scale: float, activations: list[str], output: str
) -> None:
    choices = {"activations": activations[: len(sizes) - 2], "output": output}
    model = quantized(sizes, seed, output_scale=output_scale, **choices)
    assert model.output == output
    rows = np.random.default_rng(seed).integers(-128, 128, (8, sizes[0])).astype(np.int8)
    assert model.run(rows).tolist() == exact_outputs(model, rows)


@pytest.mark.parametrize("activation", sorted(HIDDEN))
@pytest.mark.parametrize("output", sorted(OUTPUTS))
def test_a_quantized_network_forecasts_what_the_float_network_does(
    activation: str, output: str
) -> None:
    net = sml.MLP([10, 24, 16, 5], activations=activation, output=output, seed=4)
    x = np.random.default_rng(0).normal(0, 1, (3000, 10)).astype(np.float32)
    model = sml.quantize(net, x[:2000])
    exact = net.predict(x[2000:])
    codes = model.run(model.layers[0].source.codes(x[2000:]))
    noise = model.output_quantization.real(codes) - exact
    # 20 dB below what there is to tell apart, or what rounding to codes alone makes
    deviation = max((exact - exact.mean(axis=0)).std(), 10 * model.output_quantization.scale)
    assert np.sqrt((noise**2).mean()) < 0.1 * deviation
    if output != "linear":
        assert model.output_quantization == PROBABILITY


def test_each_activation_becomes_the_operator_that_it_is() -> None:
    names = sorted(HIDDEN)
    net = sml.MLP([3, *[8] * len(names), 4], activations=names, output="softmax", seed=1)
    model = sml.quantize(net, np.random.default_rng(0).normal(0, 1, (500, 3)).astype(np.float32))
    for layer, name in zip(model.layers, names, strict=False):
        if name == "sigmoid":
            (function,) = layer.following
            assert (function.kind, function.source, layer.activation) == (
                "logistic",
                layer.target,
                "linear",
            )
            assert layer.output == PROBABILITY
        else:
            assert (layer.activation, layer.following) == (name, ())
    assert model.layers[-1].activation == "linear"
    assert model.softmax == Softmax(model.layers[-1].target, 1.0)


# --- scales, zero points, multipliers --------------------------------------------------------


@given(low=st.floats(-1e6, 1e6, width=32), high=st.floats(-1e6, 1e6, width=32))
@example(0.0, 0.0)
@example(5.0, 7.0)
@example(-7.0, -5.0)
@example(-1.0, 1.0)
@examples
def test_an_activations_codes_cover_its_range(low: float, high: float) -> None:
    assume(low <= high)
    q = activation_quantization(low, high)
    assert -128 <= q.zero_point <= 127  # so 0.0 has a code of its own
    assert q.scale == f32(q.scale) > 0
    margin = 0.5 * q.scale * (1 + 1e-4)  # rounding the zero point moves either end by half a code
    assert q.scale * (-128 - q.zero_point) <= min(low, 0) + margin
    assert q.scale * (127 - q.zero_point) >= max(high, 0) - margin
    width = max(high, 0) - min(low, 0)
    assert 255 * q.scale <= (width if width >= 1e-6 else width + 2e-6) * (1 + 1e-6)  # and no wider


@given(factor=st.floats(2.0**-40, 2.0**40))
@example(1.0)
@example(0.5)
@example(math.nextafter(1, 0))
@example(math.nextafter(2.0**-31, 0))
@example(2.0**-32)
@example(math.nextafter(2.0**-32, 0))
@examples
def test_a_multiplier_has_31_bits(factor: float) -> None:
    multiplier, shift = quantize_multiplier(factor)
    assert (multiplier, shift) == exact_multiplier(Fraction(factor))
    if multiplier:
        assert 2**30 <= multiplier < 2**31
        relative = Fraction(multiplier) * Fraction(2) ** (shift - 31) / Fraction(factor) - 1
        assert abs(relative) <= Fraction(1, 2**31)
    else:
        assert factor < 2.0**-32


def test_a_multiplier_that_rounds_up_to_2_to_the_31_moves_into_the_shift() -> None:
    assert quantize_multiplier(math.nextafter(1, 0)) == (2**30, 1)
    assert quantize_multiplier(math.nextafter(2.0**-32, 0)) == (2**30, -31)


@given(seed=st.integers(0, 10_000), size=positive_scales(1e-4, 1e4))
@examples
def test_weights_and_biases_are_within_half_a_code(seed: int, size: float) -> None:
    rng = np.random.default_rng(seed)
    w = (rng.normal(0, size, (4, 6))).astype(np.float32)
    q = quantize_dense(w, Quantization(0.05, 3), Quantization(0.1, -7), activation="relu")
    half = 0.5 * (1 + 1e-5)  # float32 arithmetic may fall on the other side of a tie
    scales = q.weight_scales.astype(np.float64)
    error = np.abs(q.weights * scales[:, None] - w[:, :-1])
    assert (error <= half * scales[:, None]).all()
    assert (np.abs(q.weights).max(axis=1) == 127).all()
    bias_error = np.abs(q.bias * scales * 0.05 - w[:, -1])
    assert (bias_error <= half * scales * 0.05 + 1e-6 * np.abs(w[:, -1])).all()


def test_the_int8_twin_forecasts_what_the_float_network_does(
    net: sml.MLP, model: QuantizedMLP, data: sml.Dataset
) -> None:
    floats = net.decision_scores(data.test)
    int8 = (model.decision_scores(data.test).astype(int) + 128) / 256
    assert np.abs(floats - int8).mean() < 0.01
    agree = (floats >= net.decision_threshold) == (
        model.decision_scores(data.test) >= model.decision_threshold
    )
    assert agree.mean() > 0.99


# --- what is refused -------------------------------------------------------------------------


def test_no_calibration_rows_are_refused() -> None:
    with pytest.raises(sml.ScratchmlError, match="no calibration rows"):
        sml.quantize(sml.MLP([3, 1]), np.zeros((0, 3), np.float32))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_calibration_rows_that_are_not_finite_are_refused(value: float) -> None:
    rows = np.zeros((5, 3), np.float32)
    rows[4, 2] = value
    with pytest.raises(sml.ScratchmlError, match="NaN or infinity"):
        sml.quantize(sml.MLP([3, 1]), rows)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_refused(value: float) -> None:
    net = sml.MLP([3, 4, 1])
    net.weights[1][0, 2] = value
    with pytest.raises(sml.ScratchmlError, match="NaN or infinity"):
        sml.quantize(net, np.ones((5, 3), np.float32))


@pytest.mark.parametrize(
    "rows",
    [
        np.array([[3e38, -3e38]], np.float32),  # each fits in float32, their distance does not
        np.full((2, 2), 1e200),
    ],
)
def test_calibration_rows_beyond_float32_are_refused(rows: npt.NDArray[Any]) -> None:
    with pytest.raises(sml.ScratchmlError):
        sml.quantize(sml.MLP([2, 3, 1]), rows)


def test_activations_beyond_float32_are_refused() -> None:
    net = sml.MLP([2, 3, 1])
    net.parameters *= np.float32(1e30)
    with pytest.raises(sml.ScratchmlError):
        sml.quantize(net, np.full((4, 2), 1e20, np.float32))


@pytest.mark.parametrize("shape", [(5,), (5, 2), (5, 4), (5, 3, 1)])
def test_calibration_rows_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(sml.ScratchmlError, match=r"this network takes \[n, 3\]"):
        sml.quantize(sml.MLP([3, 1]), np.zeros(shape, np.float32))


def test_layers_that_do_not_fit_each_other_are_refused() -> None:
    first, second = random_model([3, 4, 1], 0).layers
    with pytest.raises(sml.ScratchmlError, match=r"takes 3 inputs, .* has 1 outputs"):
        QuantizedMLP((second, first))


def test_a_model_without_layers_is_refused() -> None:
    with pytest.raises(sml.ScratchmlError):
        QuantizedMLP(())


def test_inputs_that_are_not_whole_windows_are_refused(model: QuantizedMLP) -> None:
    layers = random_model([5, 1], 0).layers
    with pytest.raises(sml.ScratchmlError, match="5 inputs are not whole windows of 2 channels"):
        QuantizedMLP(layers, scaler=model.scaler)


def test_a_sigmoid_of_too_small_a_scale_is_refused_at_once() -> None:
    tiny = Quantization(f32(1e-9), 0)
    layer = one_layer([[1]], [0], [1.0], tiny, tiny)
    with pytest.raises(sml.ScratchmlError, match="a sigmoid cannot follow"):
        with_sigmoid(layer)


@pytest.mark.parametrize("scale", [2.0**35, 2.0**40])
def test_a_sigmoid_of_too_large_a_scale_is_refused(scale: float) -> None:
    """TensorFlow Lite Micro shifts a 64-bit integer by the scale's exponent plus 27."""
    huge = Quantization(scale, 0)
    with pytest.raises(sml.ScratchmlError, match="a sigmoid cannot follow"):
        with_sigmoid(one_layer([[1]], [0], [1.0], huge, huge))


def test_a_layer_that_no_row_activates_is_named_as_such() -> None:
    net = sml.MLP([2, 3, 1], seed=0)
    net.weights[0][:, -1] = -100
    with pytest.raises(sml.ScratchmlError, match=r"no calibration row activates layer 1.*32 bits"):
        sml.quantize(net, np.random.default_rng(0).normal(0, 1, (50, 2)).astype(np.float32))


@pytest.mark.parametrize("name", ["features", "threshold"])
def test_metadata_cannot_be_named_like_the_models_own(name: str) -> None:
    with pytest.raises(sml.ScratchmlError, match="the model's own"):
        QuantizedMLP(random_model([2, 1], 0).layers, metadata={name: 1})


# --- the decision threshold ------------------------------------------------------------------


@given(threshold=st.floats(0, 255 / 256, exclude_min=True))
@example(0.5)
@example(1 / 256)
@example(math.nextafter(1 / 256, 1))
@example(5e-324)
@examples
def test_the_thresholds_code_is_the_first_probability_that_reaches_it(threshold: float) -> None:
    model = QuantizedMLP(random_model([1, 1], 0).layers, threshold=threshold)
    probabilities = [Fraction(code + 128, 256) for code in range(-128, 128)]
    reached = [p >= Fraction(threshold) for p in probabilities]
    assert [code >= model.decision_threshold for code in range(-128, 128)] == reached


@pytest.mark.parametrize(
    "threshold", [0.0, -0.5, math.nextafter(255 / 256, 1), 1.0, math.inf, -math.inf, math.nan]
)
def test_a_threshold_that_no_code_stands_for_is_refused(threshold: float) -> None:
    with pytest.raises(sml.ScratchmlError, match="int8 can tell apart 0 < t <= 255/256"):
        QuantizedMLP(random_model([1, 1], 0).layers, threshold=threshold)


# --- rows ------------------------------------------------------------------------------------


@pytest.fixture
def small() -> QuantizedMLP:
    return random_model([3, 4, 2], 0)


@pytest.mark.parametrize(
    "rows",
    [
        np.zeros((2, 3), np.float32),
        np.zeros((0, 3)),
        np.zeros((2, 3), bool),
        np.array([[0, 0, 128]]),
        np.array([[0, 0, -129]]),
        np.full((1, 3), 2**64 - 1, np.uint64),
        np.array([["1", "2", "3"]]),
        [[1, 2, 3.5]],
        [[10**30, 0, 0]],
    ],
    ids=repr,
)
def test_rows_that_are_not_int8_values_are_refused(small: QuantizedMLP, rows: Any) -> None:
    with pytest.raises(sml.ScratchmlError, match="this model takes int8 values"):
        small.run(rows)


@pytest.mark.parametrize("shape", [(3,), (0,), (), (2, 2), (2, 4), (3, 2), (1, 2, 3)])
def test_rows_of_another_shape_are_refused(small: QuantizedMLP, shape: tuple[int, ...]) -> None:
    with pytest.raises(sml.ScratchmlError, match=r"this model takes \[n, 3\] int8"):
        small.run(np.zeros(shape, np.int8))


def test_rows_of_any_integers_and_any_layout_are_taken(small: QuantizedMLP) -> None:
    rows = np.random.default_rng(0).integers(-128, 128, (10, 3))
    expected = small.run(rows.astype(np.int8))
    for given_rows in (
        rows,
        rows.tolist(),
        np.asfortranarray(rows.astype(np.int8)),
        rows.astype(">i4"),
    ):
        assert (small.run(given_rows) == expected).all()
    assert (small.run(rows[::-2]) == expected[::-2]).all()


def test_no_rows_give_no_outputs(small: QuantizedMLP, model: QuantizedMLP) -> None:
    result = small.run(np.zeros((0, 3), np.int8))
    assert result.shape == (0, 2) and result.dtype == np.int8
    prepared = model.prepare_input(np.zeros((0, 6), np.int32))
    assert prepared.shape == (0, 6) and prepared.dtype == np.int8


def test_the_callers_rows_are_left_alone(small: QuantizedMLP) -> None:
    rows = np.random.default_rng(0).integers(-128, 128, (10, 3)).astype(np.int8)
    before = rows.copy()
    small.run(rows)
    assert (rows == before).all()


def test_counts_without_a_scaler_are_refused(small: QuantizedMLP) -> None:
    with pytest.raises(sml.ScratchmlError, match="no scaler"):
        small.prepare_input(np.zeros((1, 3), np.int32))


@pytest.mark.parametrize(
    "rows", [np.zeros((1, 6)), np.full((1, 6), 2**31), np.full((1, 6), -(2**31) - 1)]
)
def test_counts_that_are_not_int32_values_are_refused(model: QuantizedMLP, rows: Any) -> None:
    with pytest.raises(sml.ScratchmlError, match="this model takes int32 values"):
        model.prepare_input(rows)


# --- sensor counts ---------------------------------------------------------------------------


def channel(mean: float, std: float, resolution: int) -> Scaler:
    return Scaler(("depth",), ("cm",), (resolution,), (mean,), (std,))


def prepare(scaler: Scaler, target: Quantization, counts: list[int]) -> list[int]:
    """Through a model of one input."""
    layer = one_layer([[1]], [0], [1.0], target, target)
    model = QuantizedMLP((layer,), scaler=scaler)
    rows = np.array(counts, np.int64)[:, None]
    return [int(code) for code in model.prepare_input(rows)[:, 0]]


@given(
    mean=st.floats(-1000, 1000),
    std=st.floats(0.5, 100),
    resolution=st.sampled_from([10, 100, 1000]),
    scale=st.floats(0.005, 0.1).map(f32),
    zero_point=codes,
    data=st.data(),
)
@examples
def test_a_code_is_never_more_than_one_from_float_quantization(
    mean: float, std: float, resolution: int, scale: float, zero_point: int, data: st.DataObject
) -> None:
    step = Fraction(1) / (resolution * Fraction(std) * Fraction(scale))  # codes a count
    assume(step <= Fraction(9, 10))
    reach = math.ceil(300 / step)
    center = round(mean * resolution)
    counts = data.draw(st.lists(st.integers(center - reach, center + reach), min_size=1))
    for count, code in zip(
        counts,
        prepare(channel(mean, std, resolution), Quantization(scale, zero_point), counts),
        strict=True,
    ):
        exact = (count - Fraction(mean) * resolution) * step + zero_point
        assert abs(code - min(max(round_away(exact), -128), 127)) <= 1


def test_the_codes_of_the_weather_are_nearly_all_those_of_float_quantization(
    model: QuantizedMLP, data: sml.Dataset
) -> None:
    q = model.layers[0].source
    real = data.test.x.astype(np.float64) / q.scale
    floats = np.clip(np.copysign(np.floor(np.abs(real) + 0.5), real) + q.zero_point, -128, 127)
    difference = np.abs(model.prepare_input(data.test.counts) - floats)
    assert difference.max() <= 1
    assert (difference == 0).mean() > 0.95


@given(
    mean=st.floats(-1e6, 1e6),
    std=positive_scales(1e-6, 1e6),
    resolution=st.sampled_from([1, 100, 10_000]),
    scale=positive_scales(1e-8, 10),
    zero_point=codes,
)
@examples
def test_counts_far_out_saturate_and_nothing_overflows(
    mean: float, std: float, resolution: int, scale: float, zero_point: int
) -> None:
    scaler, target = channel(mean, std, resolution), Quantization(scale, zero_point)
    try:
        features = Features.of(scaler, target)
    except sml.ScratchmlError as error:
        assert "depth" in str(error)  # refused by name
        return
    low, center, high = int(features.low[0]), int(features.mean[0]), int(features.high[0])
    assert INT32_MIN <= low <= center <= high <= INT32_MAX
    shift = int(features.shift[0])
    assert shift <= 30
    for end in (low, high):
        assert INT32_MIN <= (end - center) << max(shift, 0) <= INT32_MAX
    ends = [INT32_MIN, low, center, high, INT32_MAX]
    assert prepare(scaler, target, ends) == [-128, -128, zero_point, 127, 127]


@pytest.mark.parametrize(
    ("mean", "std", "resolution", "scale"),
    [
        (2.0**30, 1.0, 1, 1.0),
        (-(2.0**30), 1.0, 1, 1.0),
        (2e7, 1.0, 100, 1.0),
        (0.0, 1e9, 1, 1.0),
        (0.0, 1.0, 10**12, 0.01),
        (1e308, 1.0, 100, 1.0),  # mean * resolution is infinite
        (0.0, 1e308, 10**9, 1.0),
        (0.0, 1.0, 10**400, 1.0),  # no float64
        (0.0, 1e-12, 1, 1.0),  # a factor of 2^40 does not fit in a shift
        (0.0, 1e-300, 1, 1.0),
        (0.0, 1e-320, 1, 1e-7),  # the factor's reciprocal is 0
    ],
    ids=lambda value: str(value)[:9],
)
def test_channels_that_do_not_fit_in_31_bits_are_refused_by_name(
    mean: float, std: float, resolution: int, scale: float
) -> None:
    with pytest.raises(sml.ScratchmlError, match=r"depth"):
        Features.of(channel(mean, std, resolution), Quantization(f32(scale), 0))


def test_every_window_of_a_row_is_scaled_alike(model: QuantizedMLP) -> None:
    hour = [[-1234, 8765]]
    first = model.prepare_input(np.tile(hour, 3))[0]
    assert first.tolist() == first[:2].tolist() * 3
    moved = model.prepare_input(np.array([[0, 0, 0, 0, *hour[0]]]))[0]
    assert moved[4:].tolist() == first[:2].tolist()


# --- rows of zeros ---------------------------------------------------------------------------


@given(
    bias=st.integers(-(2**30), 2**30),
    source_zero=codes,
    target=st.builds(Quantization, positive_scales(1e-3, 1e3), codes),
    scale=positive_scales(1e-9, 1e3),
    activation=st.sampled_from(sorted(ACTIVATIONS)),
    x=codes,
)
@example(2**30, -128, Quantization(1.0, 127), f32(2.0**-20), "linear", 0)
@example(-(2**30), 127, Quantization(1.0, -128), f32(2.0**-20), "relu", 0)
@settings(deadline=None, max_examples=500)
def test_a_folded_row_of_zeros_gives_what_the_unfolded_one_does(
    bias: int, source_zero: int, target: Quantization, scale: float, activation: str, x: int
) -> None:
    source = Quantization(1.0, source_zero)
    rows, scales = [[0, 0], [1, 2]], [scale, 1e-3]
    layer = one_layer(rows, [bias, 0], scales, source, target, activation=activation)
    try:
        model = QuantizedMLP((layer,))
    except sml.ScratchmlError as error:
        assert "output 0" in str(error)
        # only where the unfolded row is beyond 32 bits too, or the folded one barely fits
        left = max(exact_multiplier(Fraction(scale / target.scale))[1], 0)
        assert abs(bias) << left >= 2**29
        return
    given_codes = np.array([[x, -x if x > -128 else 127]], np.int8)
    assert model.run(given_codes).tolist() == exact_outputs(model, given_codes)
    with sml.Engine(model) as engine:
        assert (engine.run(given_codes) == model.run(given_codes)).all()


@pytest.mark.parametrize(
    ("bias", "factor"), [(2**30, 32.0), (12_345_678, 2.0**40), (7, 2.0**100), (-7, 2.0**100)]
)
def test_a_row_of_zeros_whose_bias_leaves_32_bits_is_refused(bias: int, factor: float) -> None:
    unit = Quantization(1.0, 3)
    with pytest.raises(sml.ScratchmlError, match=r"the layer, output 1: .* 32 bits"):
        QuantizedMLP((one_layer([[1], [0]], [0, bias], [0.01, factor], unit, unit),))


# --- the proof that nothing overflows --------------------------------------------------------


def worst_rows(weights: list[int]) -> Int8:
    """The inputs for which the sum of products is least and greatest."""
    least = [127 if w < 0 else -128 for w in weights]
    greatest = [-128 if w < 0 else 127 for w in weights]
    return np.array([least, greatest], np.int8)


def stays_in_32_bits(layer: QuantizedDense, row: list[int]) -> bool:
    """Whether the device's sums for one unit fit: accumulator, left shift, result, zero point."""
    products = [w * x for w, x in zip(layer.weights[0].tolist(), row, strict=True)]
    total, multiplier, shift = (
        int(layer.folded_bias[0]),
        *exact_multiplier(
            Fraction(layer.source.scale * float(layer.weight_scales[0]) / layer.target.scale)
        ),
    )
    numbers = [total]
    for product in products:
        total += product
        numbers.append(total)
    result = exact_requantize(total, multiplier, shift)
    numbers += [total << max(shift, 0), result, result + layer.target.zero_point]
    return all(INT32_MIN <= number <= INT32_MAX for number in numbers)


@given(
    weights=st.lists(codes, min_size=1, max_size=8).filter(any),
    source_zero=codes,
    target_zero=codes,
    factor=st.one_of(
        st.sampled_from([(1.0, 1.0), (1 + 2.0**-15, 1 - 2.0**-15), (1.0, 2.0**-20), (1.0, 3.99)]),
        st.tuples(positive_scales(0.5, 2), positive_scales(2.0**-30, 2.0**12)),
    ),
    negative=st.booleans(),
    below=st.integers(0, 300),
)
@example([-1], 0, 127, (1 + 2.0**-15, 1 - 2.0**-15), False, 0)
@example([-1], 0, -128, (1 + 2.0**-15, 1 - 2.0**-15), True, 0)
@settings(deadline=None, max_examples=500)
def test_what_passes_the_proof_stays_in_32_bits_for_the_worst_input(
    weights: list[int],
    source_zero: int,
    target_zero: int,
    factor: tuple[float, float],
    negative: bool,
    below: int,
) -> None:
    """The bias is the largest that passes, ``below`` less; the proof is free to refuse it."""
    scale, weight_scale = factor
    _, shift = exact_multiplier(Fraction(scale * weight_scale))
    largest = (2**31 - 1 >> max(shift, 0)) - 128 * sum(map(abs, weights)) - below
    assume(largest > 0)
    folded = -largest if negative else largest
    bias = folded + source_zero * sum(weights)
    assume(INT32_MIN <= bias <= INT32_MAX)
    layer = one_layer(
        [weights],
        [bias],
        [weight_scale],
        Quantization(scale, source_zero),
        Quantization(1.0, target_zero),
    )
    assert layer.folded_bias.tolist() == [folded]
    try:
        model = QuantizedMLP((layer,))
    except sml.ScratchmlError as error:
        assert "its accumulator can leave 32 bits" in str(error)
        assert below << max(shift, 0) < 300  # it may keep this much in reserve, no more
        return
    rows = worst_rows(weights)
    assert all(stays_in_32_bits(layer, row) for row in rows.tolist())
    assert model.run(rows).tolist() == exact_outputs(model, rows)
    with sml.Engine(model) as engine:
        assert (engine.run(rows) == model.run(rows)).all()


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("factor", "shift"), [(2.0**-20, 0), (0.75, 0), (1.5, 1), (1000.0, 10)])
def test_what_is_just_outside_the_proof_is_refused_by_name(
    sign: int, factor: float, shift: int
) -> None:
    weights = [127, -128, 5]
    largest = (2**31 - 1 >> shift) - 128 * 260
    unit = Quantization(1.0, 0)

    def build(bias: int) -> QuantizedMLP:
        rows, biases = [[1, 1, 1], weights], [0, sign * bias]
        return QuantizedMLP((one_layer(rows, biases, [0.01, factor], unit, unit),))

    build(largest - 256)
    with pytest.raises(sml.ScratchmlError, match=r"the layer, output 1: .* 32 bits"):
        build(largest + 1)


def test_a_factor_beyond_every_shift_is_refused_by_name() -> None:
    unit = Quantization(1.0, 0)
    with pytest.raises(sml.ScratchmlError, match=r"the layer, output 0: .* 32 bits"):
        QuantizedMLP((one_layer([[1]], [0], [2.0**60], unit, unit),))


def test_every_unit_of_every_layer_is_proved() -> None:
    good = random_model([3, 4, 2], 0).layers
    bias = good[1].bias.copy()
    bias[1] = INT32_MAX
    bad = one_layer(good[1].weights, bias, good[1].weight_scales, good[1].source, good[1].target)
    with pytest.raises(sml.ScratchmlError, match="the layer, output 1"):
        QuantizedMLP((good[0], bad))
