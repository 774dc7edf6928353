"""What stands between dense layers and behind them, code by code, against TensorFlow Lite Micro.

An identity layer hands every code to the operator under test, for scales from 1e-8 to 1e4 and zero
points over the whole range; TensorFlow Lite Micro judges hundreds of them in one process. What is
refused it really cannot do: there it aborts, refuses too, or leaves its own integers. Chains of
operators are compared with exact arithmetic besides. Not covered: whole models (test_parity.py and
test_sweep.py).
"""

from __future__ import annotations

import math
import signal
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest
from conftest import require
from hypothesis import given, settings
from hypothesis import strategies as st
from test_parity import ask_tflite_micro, f32, identity, judge
from test_quantize import exact_code, exact_elementwise, exact_multiplier, positive_scales

import scratchml as sml
from scratchml import integer
from scratchml.affine import PROBABILITY, Quantization, quantize_multiplier
from scratchml.layers import ACTIVATIONS, Elementwise, QuantizedDense, Softmax
from scratchml.quantized import QuantizedMLP

Int8 = npt.NDArray[np.int8]

CODES = np.arange(-128, 128).astype(np.int8)[:, None]

codes = st.integers(-128, 127)
quantizations = st.builds(Quantization, positive_scales(1e-8, 1e4), codes)


def wide_range(seed: int, n: int) -> Iterator[Quantization]:
    """Scales from 1e-8 to 1e4, spread evenly by their logarithms, with zero points of all kinds."""
    rng = np.random.default_rng(seed)
    for number, power in enumerate(rng.permutation(np.linspace(-8, 4, n))):
        ends = [-128, 127, 0, *rng.integers(-128, 128, 5).tolist()]
        yield Quantization(f32(10**power), ends[number % 8])


def alone(function: Elementwise) -> QuantizedMLP:
    """A model that is this operator and nothing else."""
    return QuantizedMLP((replace(identity(function.source), following=(function,)),))


def assert_equal_to_tflite_micro(functions: list[Elementwise]) -> None:
    require("tflite_micro")
    models = [alone(function) for function in functions]
    outputs = judge([(model, CODES) for model in models])
    for function, model, expected in zip(functions, models, outputs, strict=True):
        assert function.table.tolist() == expected.ravel().tolist(), function
        assert (model.run(CODES) == expected).all(), function  # by table or by clamp


# --- elementwise operators --------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["relu", "quantize"])
def test_rescaling_of_every_code_equals_tflite_micros(kind: str) -> None:
    rng = np.random.default_rng(1)
    functions = []
    for source in wide_range(2, 150):
        near = f32(source.scale * 2 ** rng.uniform(-4, 4))
        functions.append(
            Elementwise(kind, source, Quantization(near, int(rng.integers(-128, 128))))
        )
    for source, target in zip(wide_range(3, 150), wide_range(4, 150), strict=True):
        if source.scale / target.scale < 2**23:  # beyond it both give up
            functions.append(Elementwise(kind, source, target))
    # ties: half a code, one, two, and a scale for which nothing changes
    for ratio in (0.25, 0.5, 1, 1.5, 2, 127.5):
        for zero_point in (-128, -1, 127):
            source = Quantization(0.125 * ratio, zero_point)
            functions.append(Elementwise(kind, source, Quantization(0.125, zero_point)))
    assert len(functions) > 250
    tables = [function.table for function in functions]
    assert sum(len(np.unique(table)) > 30 for table in tables) > 60
    assert_equal_to_tflite_micro(functions)


@pytest.mark.parametrize("kind", ["relu", "quantize"])
def test_a_ratio_is_formed_in_float64(kind: str) -> None:
    """Pairs of scales for which a float32 quotient would give another code."""
    functions, rng = [], np.random.default_rng(5)
    steps = np.arange(256)
    while len(functions) < 10:
        scale = f32(2 ** rng.uniform(-10, 2))
        source = Quantization(f32(scale * rng.integers(1, 200) / rng.integers(1, 200) / 2), -128)
        target = Quantization(scale, -128)
        double = source.scale / target.scale
        single = f32(np.float32(source.scale) / np.float32(target.scale))
        results = [
            np.minimum(integer.requantize(steps, *quantize_multiplier(ratio)), 255)
            for ratio in (double, single)
        ]
        if (results[0] != results[1]).any():
            functions.append(Elementwise(kind, source, target))
    assert_equal_to_tflite_micro(functions)


def test_relu6_of_every_code_equals_tflite_micros() -> None:
    functions = [Elementwise("relu6", source, source) for source in wide_range(6, 150)]
    assert len({len(np.unique(function.table)) for function in functions}) > 40
    assert_equal_to_tflite_micro(functions)


def test_relu6_looks_at_its_input_only() -> None:
    """TensorFlow Lite Micro clamps the codes, whatever the output's quantization is."""
    functions = []
    for source, target in zip(wide_range(7, 40), wide_range(8, 40), strict=True):
        functions.append(Elementwise("relu6", source, target))
        same = Elementwise("relu6", source, source)
        assert (functions[-1].table == same.table).all()
    assert_equal_to_tflite_micro(functions)


@given(source=quantizations, target=quantizations, kind=st.sampled_from(["relu", "quantize"]))
@settings(deadline=None, max_examples=100)
def test_tables_are_what_the_definition_says(
    source: Quantization, target: Quantization, kind: str
) -> None:
    try:
        table = Elementwise(kind, source, target).table
    except sml.ScratchmlError as error:
        assert "its product leaves 32 bits" in str(error)
        assert source.scale / target.scale >= 2**23
        return
    exact = [
        exact_elementwise(Elementwise(kind, source, target), code) for code in range(-128, 128)
    ]
    assert table.tolist() == exact


# --- what follows a layer, folded -------------------------------------------------------------


@given(
    activation=st.sampled_from(sorted(ACTIVATIONS)),
    kinds=st.lists(st.sampled_from(["relu", "relu6", "logistic", "quantize"]), max_size=4),
    scales=st.lists(positive_scales(1e-3, 1), min_size=5, max_size=5),
    zero_points=st.lists(codes, min_size=5, max_size=5),
    rescaled=st.lists(st.booleans(), min_size=4, max_size=4),
)
@settings(deadline=None, max_examples=150)
def test_any_chain_of_operators_is_one_clamp_and_one_table(
    activation: str,
    kinds: list[str],
    scales: list[float],
    zero_points: list[int],
    rescaled: list[bool],
) -> None:
    source = Quantization(scales[0], zero_points[0])
    following: list[Elementwise] = []
    for kind, scale, zero_point, new in zip(
        kinds, scales[1:], zero_points[1:], rescaled, strict=False
    ):
        before = following[-1].target if following else source
        after = Quantization(scale, zero_point) if new else before
        following.append(Elementwise(kind, before, PROBABILITY if kind == "logistic" else after))
    layer = replace(identity(source), activation=activation, following=tuple(following))

    expected = []
    least, most = ACTIVATIONS[activation]
    for code in CODES[:, 0].tolist():
        code = max(code, -128 if least is None else exact_code(source, least))
        code = min(code, 127 if most is None else exact_code(source, most))
        for function in following:
            code = exact_elementwise(function, code)
        expected.append(code)
    assert layer.run(CODES).ravel().tolist() == expected
    model = QuantizedMLP((layer,))
    with sml.Engine(model) as engine:
        assert engine.run(CODES, row_by_row=True).ravel().tolist() == expected


@pytest.mark.parametrize("scale", [1e-8, 0.005, 0.1, 3.0, 1e4])
@pytest.mark.parametrize("zero_point", [-128, -3, 127])
def test_a_clamp_costs_no_table(scale: float, zero_point: int) -> None:
    same = Quantization(f32(scale), zero_point)
    layer, six = identity(same), same.code_of(6)
    relu, relu6 = Elementwise("relu", same, same), Elementwise("relu6", same, same)
    quantize = Elementwise("quantize", same, same)

    def folded(*following: Elementwise, activation: str = "linear") -> tuple[Any, ...]:
        result = replace(layer, activation=activation, following=following)
        return result.act_min, result.act_max, result.table

    assert folded() == folded(quantize) == (-128, 127, None)
    assert folded(relu) == folded(activation="relu") == (zero_point, 127, None)
    assert folded(relu6) == folded(activation="relu6") == (zero_point, six, None)
    assert folded(relu, relu6) == folded(relu6, relu) == folded(relu6, quantize, relu6)
    assert folded(relu, relu6) == (zero_point, six, None)
    assert folded(relu6, activation="relu") == (zero_point, six, None)


def test_what_is_more_than_a_clamp_costs_a_table() -> None:
    same, other = Quantization(0.05, -10), Quantization(0.025, -10)
    for function in (
        Elementwise("relu", same, other),
        Elementwise("quantize", same, other),
        Elementwise("quantize", same, replace(same, zero_point=-11)),
        Elementwise("logistic", same, PROBABILITY),
    ):
        layer = replace(identity(same), following=(function,))
        assert layer.table is not None
        assert (layer.act_min, layer.act_max) == (-128, 127)
        assert layer.output == function.target


def test_the_order_of_operators_counts() -> None:
    same, coarse = Quantization(0.05, 0), Quantization(2.0, 0)
    there, back = Elementwise("quantize", same, coarse), Elementwise("quantize", coarse, same)
    relu6 = Elementwise("relu6", coarse, coarse)
    layer = replace(identity(same), following=(there, relu6, back))
    steps = [math.copysign(math.floor(abs(code) / 40 + 0.5), code) for code in CODES[:, 0].tolist()]
    expected = [min(max(step, 0), 3) * 40 for step in steps]
    assert layer.run(CODES).ravel().tolist() == expected


# --- fused activations ------------------------------------------------------------------------


def test_the_clamps_of_fused_activations_equal_tflite_micros() -> None:
    require("tflite_micro")
    rng = np.random.default_rng(9)
    # where the bounds lie inside of the codes, exactly between two of them, and anywhere
    scales = [
        f32(v / n) for v in (6, 1) for n in (0.4, 0.5, 0.6, 1, 1.5, 2.5, 100.5, 127, 255, 256)
    ]
    scales += [f32(10**power) for power in rng.uniform(-8, 4, 60)]
    layers = []
    for number, scale in enumerate(scales):
        ends = [-128, 127, *rng.integers(-128, 128, 2).tolist()]
        same = identity(Quantization(scale, ends[number % 4]))
        layers += [replace(same, activation=name) for name in ACTIVATIONS if name != "linear"]
    outputs = judge([(QuantizedMLP((layer,)), CODES) for layer in layers])
    for layer, expected in zip(layers, outputs, strict=True):
        assert (layer.act_min, layer.act_max) == (expected.min(), expected.max()), layer
        assert (layer.run(CODES) == expected).all(), layer
    assert len(layers) == 240
    assert len({layer.act_max for layer in layers}) > 30


# --- softmax ----------------------------------------------------------------------------------


def classes(source: Quantization, n: int, beta: float = 1.0) -> QuantizedMLP:
    """A softmax of the ``n`` codes that go in."""
    return QuantizedMLP((identity(source, n),), Softmax(source, beta))


def logits(n: int, seed: int) -> Int8:
    """Rows of ``n`` logits: all 256 differences to the greatest, all spreads, all alike."""
    rng = np.random.default_rng(seed)
    spread = 2 ** rng.uniform(0, 8, (100, 1))
    rows = np.clip(rng.normal(rng.uniform(-100, 100, (100, 1)), spread, (100, n)), -128, 127)
    every = rng.integers(-128, 128, (256, n))
    every[:, 0], every[:, -1] = 127, np.arange(-128, 128)
    alike = np.repeat([[-128], [0], [127]], n, axis=1)
    return np.concatenate([np.floor(rows), every, alike]).astype(np.int8)


def test_the_softmax_equals_tflite_micros_at_every_scale() -> None:
    require("tflite_micro")
    cases: list[tuple[QuantizedMLP, Int8]] = []
    for number, source in enumerate(wide_range(10, 150)):
        beta = [1.0, 1.0, f32(0.1), f32(10.0), f32(1 / 3)][number % 5]
        if beta * source.scale > 2.0**-26:  # at and below it both give up
            n = (2, 3, 4, 10)[number % 4]
            cases.append((classes(source, n, beta), logits(n, number)))
    for power in range(-25, 16):  # where the shift of a factor changes
        for scale in (2.0**power, float(np.nextafter(np.float32(2.0**power), np.float32(0)))):
            cases.append((classes(Quantization(scale, 0), 3), logits(3, power + 25)))
    assert len(cases) > 200
    varied = 0
    for (model, rows), expected in zip(cases, judge(cases), strict=True):
        assert (model.run(rows) == expected).all(), model.softmax
        with sml.Engine(model) as engine:
            assert (engine.run(rows, row_by_row=True) == expected).all(), model.softmax
        varied += len(np.unique(expected)) > 60
    assert varied > 40


def test_the_softmax_of_many_classes_equals_tflite_micros() -> None:
    require("tflite_micro")
    cases = [
        (classes(Quantization(f32(scale), 7), n), logits(n, n)[::3])
        for n in (1, 2, 100, 255, 510, 511)
        for scale in (1e-3, 0.03, 0.1, 1.0)
    ]
    for (model, rows), expected in zip(cases, judge(cases), strict=True):
        assert (model.run(rows) == expected).all(), (model.softmax, model.outputs)
        with sml.Engine(model) as engine:
            result = engine.run(rows, row_by_row=True)
            assert (result == expected).all(), (model.softmax, model.outputs)


@given(scale=positive_scales(2.0**-20, 2.0**10), beta=positive_scales(2.0**-5, 2.0**5))
def test_beta_and_scale_count_by_their_product_only(scale: float, beta: float) -> None:
    product = beta * scale  # a float64: Softmax takes it as a scale too
    expected = Softmax(Quantization(product, 0)).table
    assert (Softmax(Quantization(scale, 17), beta).table == expected).all()


# --- what is refused, and what is just inside -------------------------------------------------


class UncheckedElementwise(Elementwise):
    """One that can be written to a file whatever its quantization is."""

    def __post_init__(self) -> None:
        pass


class UncheckedSoftmax(Softmax):
    def __post_init__(self) -> None:
        pass


def unchecked(kind: str, source: Quantization, target: Quantization) -> QuantizedMLP:
    return alone(UncheckedElementwise(kind, source, target))


def judged(model: QuantizedMLP, rows: Int8 = CODES) -> Int8:
    require("tflite_micro")
    return judge([(model, rows)])[0]


def end_of_tflite_micro(model: QuantizedMLP, rows: Int8 = CODES) -> int:
    """The exit status of a process that runs this model."""
    require("tflite_micro")
    return ask_tflite_micro([(model, rows)])[0].returncode


@pytest.mark.parametrize(
    ("scale", "beta"),
    [(2.0**-26, 1.0), (1e-8, 1.0), (2.0**-16, 2.0**-10), (0.1, 0.0), (0.1, -1.0), (0.1, math.nan)],
)
def test_logits_too_close_for_a_softmax_abort_tflite_micro(scale: float, beta: float) -> None:
    source = Quantization(f32(scale), 3)
    with pytest.raises(sml.ScratchmlError, match="cannot follow logits of scale"):
        Softmax(source, beta)
    model = QuantizedMLP((identity(source, 2),), UncheckedSoftmax(source, beta))
    assert end_of_tflite_micro(model, logits(2, 0)) == -signal.SIGABRT


@pytest.mark.parametrize("beta", [1.0, 2.0**-10, math.inf])
def test_logits_just_far_enough_for_a_softmax_do_not(beta: float) -> None:
    source = Quantization(2.0**-26 / min(beta, 1.0) * (1 + 2.0**-23), 3)
    model, rows = classes(source, 2, beta), logits(2, 0)
    assert (model.run(rows) == judged(model, rows)).all()


def test_512_classes_abort_tflite_micro_and_511_do_not() -> None:
    source = Quantization(0.01, 0)
    zeros = np.zeros(512, np.int32)
    wide = QuantizedDense(
        np.zeros((512, 1), np.int8), np.ones(512, np.float32), zeros, source, source
    )
    with pytest.raises(sml.ScratchmlError, match=r"softmax of 512 classes: .* 511 at most"):
        QuantizedMLP((wide,), Softmax(source))
    model = SimpleNamespace(
        layers=(wide,), softmax=Softmax(source), inputs=1, outputs=512, scaler=None,
        threshold=0.5, metadata={}, output_quantization=PROBABILITY, front_end=None, target=None,
    )  # fmt: skip
    assert end_of_tflite_micro(cast(QuantizedMLP, model), CODES[:1]) == -signal.SIGABRT


@pytest.mark.parametrize("kind", ["relu", "quantize"])
def test_a_rescaling_whose_product_leaves_32_bits_is_refused(kind: str) -> None:
    """TensorFlow Lite Micro shifts a difference of up to 255 codes to the left in 32 bits."""
    wraps = []
    for shift in (23, 24, 25):
        # its factor is 2^shift less a 24th bit
        source = Quantization(2.0 ** (shift - 10) * (1 - 2.0**-24), -128)
        target = Quantization(2.0**-10, 0)
        assert exact_multiplier(source.scale / target.scale)[1] == shift
        beyond = 255 << shift > 2**31 - 1
        assert beyond == (shift > 23)
        function = UncheckedElementwise(kind, source, target)
        result = judged(alone(function)).ravel().tolist()
        wraps.append(result != [exact_elementwise(function, code) for code in range(-128, 128)])
        if beyond:
            with pytest.raises(sml.ScratchmlError, match=f"{kind.upper()} from .* leaves 32 bits"):
                Elementwise(kind, source, target)
        else:
            assert Elementwise(kind, source, target).table.tolist() == result
    assert wraps == [False, True, True]


def test_a_ratio_of_scales_beyond_float64_is_refused() -> None:
    huge, tiny = Quantization(f32(3e38), 0), Quantization(f32(1e-45), 0)
    for kind in ("relu", "quantize"):
        with pytest.raises(sml.ScratchmlError, match="leaves 32 bits"):
            Elementwise(kind, huge, tiny)
        assert (Elementwise(kind, tiny, huge).table == 0).all()


@pytest.mark.parametrize("scale", [2.0**-28 * (1 - 2.0**-24), 2.0**-30, 2.0**-60, 2.0**35, 2.0**36])
def test_a_sigmoid_beyond_its_shifts_is_none_in_tflite_micro(scale: float) -> None:
    """It shifts by a negative number, or by more than 63: what comes out is no sigmoid."""
    source = Quantization(f32(scale), 10)
    with pytest.raises(sml.ScratchmlError, match="a sigmoid cannot follow logits of scale"):
        Elementwise("logistic", source, PROBABILITY)
    result = judged(unchecked("logistic", source, PROBABILITY)).ravel()
    with np.errstate(over="ignore"):
        probability = 256 / (1 + np.exp(-source.scale * (CODES[:, 0] - 10.0)))
    exact = np.minimum(np.floor(probability + 0.5) - 128, 127)
    assert (np.abs(result - exact) > 100).sum() > 1  # the code of zero is one at 2^34 already


@pytest.mark.parametrize("scale", [2.0**-28, 2.0**35 * (1 - 2.0**-24)])
def test_a_sigmoid_just_within_its_shifts_is_tflite_micros(scale: float) -> None:
    function = Elementwise("logistic", Quantization(scale, 10), PROBABILITY)
    assert (function.table == judged(alone(function)).ravel()).all()


def test_a_sigmoid_has_one_output_quantization() -> None:
    source = Quantization(0.1, 0)
    for target in (Quantization(1 / 256, -127), Quantization(f32(1 / 255), -128)):
        with pytest.raises(sml.ScratchmlError, match="scale 1/256 and zero point -128"):
            Elementwise("logistic", source, target)
    # of another zero point TensorFlow Lite Micro says no; another scale it does not look at
    assert end_of_tflite_micro(unchecked("logistic", source, Quantization(1 / 256, -127))) == 1
    ignored = judged(unchecked("logistic", source, Quantization(f32(1 / 255), -128)))
    assert (ignored.ravel() == Elementwise("logistic", source, PROBABILITY).table).all()


@pytest.mark.parametrize(("activation", "bound"), [("relu6", 6), ("relu_n1_to_1", 1)])
def test_a_bound_beyond_32_bits_is_refused_as_by_tflite_micro(activation: str, bound: int) -> None:
    limit = bound / 2**31
    inside, outside = f32(limit * (1 + 2.0**-22)), f32(limit * (1 - 2.0**-22))
    good = replace(identity(Quantization(inside, 5)), activation=activation)
    assert (good.run(CODES) == judged(QuantizedMLP((good,)))).all()
    bad = replace(identity(Quantization(outside, 5)), activation=activation)
    with pytest.raises(sml.ScratchmlError, match="too small for a bound at"):
        bad.run(CODES)
    assert end_of_tflite_micro(QuantizedMLP((bad,))) == 1


def test_a_relu6_whose_6_is_beyond_32_bits_is_refused() -> None:
    """TensorFlow Lite Micro converts the quotient to 32 bits all the same, which C leaves open."""
    inside = Quantization(f32(6 / 2**31 * (1 + 2.0**-22)), 10)
    outside = Quantization(f32(6 / 2**31 * (1 - 2.0**-22)), 10)
    function = Elementwise("relu6", inside, inside)
    assert (function.table == judged(alone(function)).ravel()).all()
    with pytest.raises(sml.ScratchmlError, match="too small for a bound at 6"):
        Elementwise("relu6", outside, outside)
    assert judged(unchecked("relu6", outside, outside)).min() < 10  # below zero's code
