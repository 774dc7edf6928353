"""Weights as a CPU's kernel wants them: read back word by word, run, and equal to numpy's.

The words are decoded here by the order that dense_cortex_m4.c and dense_cortex_m0plus.c document,
in unbounded integers, and have to give the layer's own numbers. The kernels' C then runs on them at
every remainder of rows and columns and at the ends of what a packed sum can hold; just beyond that
end the packed formula is shown to be wrong, and the portable kernel to be taken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from conftest import random_model
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from test_integer import exact_requantize
from test_trace import models as any_models

import scratchml as sml
from scratchml import layouts
from scratchml.affine import PROBABILITY, Quantization
from scratchml.layers import ACTIVATIONS, Elementwise, QuantizedDense
from scratchml.layouts import CORTEX_M0PLUS, CORTEX_M4, LAYOUTS, PORTABLE, LaidOut, Layout
from scratchml.quantized import QuantizedMLP

Int8 = npt.NDArray[np.int8]
Int64 = npt.NDArray[np.int64]

PACKED = (CORTEX_M4, CORTEX_M0PLUS)

each_layout = pytest.mark.parametrize("layout", LAYOUTS, ids=[layout.name for layout in LAYOUTS])
each_packed = pytest.mark.parametrize("layout", PACKED, ids=[layout.name for layout in PACKED])


# --- layers -----------------------------------------------------------------------------------

#: Not a power of two: multipliers have all of their 31 bits.
SCALE = float(np.float32(0.3))


def dense(
    weights: npt.ArrayLike,
    factors: npt.ArrayLike,
    folded: npt.ArrayLike = 0,
    *,
    source: Quantization | None = None,
    target: Quantization | None = None,
    **rest: Any,
) -> QuantizedDense:
    """A layer with these factors, roughly, and these biases with the zero point folded in."""
    rows = np.asarray(weights, np.int8)
    source, target = source or Quantization(SCALE, -5), target or Quantization(SCALE, 9)
    scales = np.asarray(factors) * target.scale / source.scale
    biases = np.asarray(folded) + source.zero_point * rows.sum(axis=1, dtype=np.int64)
    return QuantizedDense(
        rows,
        np.broadcast_to(scales.astype(np.float32), len(rows)),
        np.broadcast_to(biases.astype(np.int32), len(rows)),
        source,
        target,
        **rest,
    )


def reach_of(layer: QuantizedDense) -> list[int]:
    """What no accumulator exceeds, in exact integers."""
    rows = zip(layer.weights.tolist(), layer.folded_bias.tolist(), strict=True)
    return [abs(bias) + 128 * sum(map(abs, row)) for row, bias in rows]


def random_layer(
    inputs: int, outputs: int, seed: int, *, spread: float | None = None, most: int = 127
) -> QuantizedDense:
    """Weights of both ends and in between, biases of all sizes, no row of zeros.

    Factors reach from 2^-31 to the largest that a packed kernel takes; with ``spread``, sums are
    about so many codes from zero.
    """
    rng = np.random.default_rng(seed)
    weights = rng.integers(-most, most + 1, (outputs, inputs))
    weights = np.where(rng.random(weights.shape) < 0.2, rng.choice([-most, 0, most]), weights)
    weights[~weights.any(axis=1), -1] = most
    size = np.sqrt((weights**2).sum(axis=1)) * 74
    bias = rng.choice([-1, 1], outputs) * 2 ** rng.uniform(0, 22, outputs)
    if spread:
        bias, factors = rng.normal(0, 0.5, outputs) * size, np.minimum(spread / size, 0.499)
    else:
        largest = 32_000 / (np.abs(bias) + 128 * np.abs(weights).sum(axis=1) + 1)
        factors = 2 ** rng.uniform(-31, np.log2(np.minimum(0.499, largest)))
    return dense(weights, factors, np.trunc(bias).astype(np.int64))


@st.composite
def layers(draw: st.DrawFn) -> QuantizedDense:
    inputs, outputs = draw(st.integers(1, 40)), draw(st.integers(1, 30))
    return random_layer(inputs, outputs, draw(st.integers(0, 2**32)))


def extreme_rows(layer: QuantizedDense, seed: int = 0, n: int = 40) -> Int8:
    """All codes at either end, what drives each output as far as it goes, and random rows."""
    inputs = layer.weights.shape[1]
    negative = layer.weights < 0
    random = np.random.default_rng(seed).integers(-128, 128, (n, inputs), np.int8)
    ends = np.array([[-128], [127], [0], [-1]], np.int8).repeat(inputs, axis=1)
    up, down = np.where(negative, -128, 127), np.where(negative, 127, -128)
    return np.vstack([ends, up, down, random]).astype(np.int8)


def differing(layer: QuantizedDense, layout: Layout, rows: Int8) -> list[int]:
    """The outputs that the layout's kernel computes otherwise than numpy does for some row."""
    model = QuantizedMLP((layer,))
    with sml.Engine(model, layout) as engine:
        return np.flatnonzero((engine.run(rows) != model.run(rows)).any(axis=0)).tolist()


# --- words, read back -------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """What the words say of one output; the columns include the padding."""

    weights: list[int]
    bias: int
    multiplier: int
    shift: int


class Words:
    """The words of a layer, to be taken in the order in which a kernel reads them."""

    def __init__(self, data: LaidOut) -> None:
        assert data.weights.dtype == np.uint32
        self.words = data.weights.tolist()

    def take(self, n: int) -> list[int]:
        assert len(self.words) >= n
        taken, self.words = self.words[:n], self.words[n:]
        return taken


def signed(value: int, bits: int) -> int:
    """The number that the lowest ``bits`` of ``value`` are in two's complement."""
    return (value + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1)


def decode_cortex_m4(data: LaidOut, inputs: int, outputs: int) -> list[Row]:
    """By the comment of dense_cortex_m4.c."""
    words, rows = Words(data), list[Row]()
    sizes = (2, 1) if data.kernel.endswith("_small") else (6, 2, 1)
    while left := outputs - len(rows):
        size = next(size for size in sizes if size <= left)
        if size == 1:
            (bias,) = words.take(1)
            columns = words.take(-(-inputs // 4) * 2)
            weights = [signed(word >> half, 16) for word in columns for half in (0, 16)]
            q, shift = words.take(2)
            rows.append(Row(weights, signed(bias, 32), exact_half(q), shift))
            continue
        pairs = size // 2
        h, low = words.take(pairs), words.take(pairs)
        columns = words.take(-(-inputs // 2) * pairs)
        for i in range(pairs):
            halves = [signed(word >> half, 16) for word in columns[i::pairs] for half in (0, 16)]
            b = [signed(half, 8) for half in halves]
            a = [exact_quotient(half - below, 256) for half, below in zip(halves, b, strict=True)]
            q_a, q_b, shifts = words.take(3)
            bias_a = exact_quotient(signed(h[i] - low[i], 32), 256)
            rows.append(Row(a, bias_a, exact_half(q_a), shifts & 0xFF))
            rows.append(Row(b, signed(low[i], 32), exact_half(q_b), shifts >> 8))
    assert words.words == []
    return rows


def decode_cortex_m0plus(data: LaidOut, inputs: int, outputs: int) -> list[Row]:
    """By the comment of dense_cortex_m0plus.c."""
    words, rows = Words(data), list[Row]()
    while left := outputs - len(rows):
        if left < 4:
            (bias,) = words.take(1)
            columns = words.take(-(-inputs // 4))
            weights = [signed(word >> byte, 8) for word in columns for byte in (0, 8, 16, 24)]
            rows.append(Row(weights, signed(bias, 32), *scale(words.take(2))))
            continue
        t, u, a, c = words.take(4)
        biases = [
            signed(a, 32),
            exact_quotient(signed(t - (u << 16) - a, 32), 256),
            signed(c, 32),
            exact_quotient(signed(u - c, 32), 256),
        ]
        columns = [four(word) for word in words.take(inputs)]
        assert words.take(inputs % 2) == [0] * (inputs % 2)
        for k, bias in enumerate(biases):
            rows.append(Row([column[k] for column in columns], bias, *scale(words.take(2))))
    assert words.words == []
    return rows


def four(word: int) -> tuple[int, int, int, int]:
    """The weights of rows A, B, C and D in one column."""
    a, c = signed(word, 8), signed(word >> 16, 8)
    b = exact_quotient((word & 0xFFFF) - a, 256) - 128
    return a, b, c, exact_quotient(signed(word >> 16, 16) - c, 256)


def scale(words: Sequence[int]) -> tuple[int, int]:
    """A multiplier and a shift."""
    low, high = words
    assert low < 2**16
    assert high & 0xFFE0 == 0  # nothing between the shift and the multiplier's high half
    return (high & 0xFFFF0000) | low, high & 31


def exact_half(value: int) -> int:
    return exact_quotient(value, 2)


def exact_quotient(value: int, divisor: int) -> int:
    quotient, rest = divmod(value, divisor)
    assert rest == 0
    return quotient


DECODERS: dict[str, Callable[[LaidOut, int, int], list[Row]]] = {
    "cortex-m4": decode_cortex_m4,
    "cortex-m0plus": decode_cortex_m0plus,
}


@each_packed
@settings(max_examples=200)
@given(layer=layers())
def test_the_words_hold_the_layers_numbers_and_nothing_else(
    layout: Layout, layer: QuantizedDense
) -> None:
    outputs, inputs = layer.weights.shape
    data = layout.lay_out(layer)
    assert data.channels is None
    rows = DECODERS[layout.name](data, inputs, outputs)
    for row, weights in zip(rows, layer.weights.tolist(), strict=True):
        assert row.weights[:inputs] == weights
        assert set(row.weights[inputs:]) <= {0}
    # activations are codes plus the layout's offset
    sums = layer.weights.sum(axis=1, dtype=np.int64)
    folded = layer.folded_bias.astype(np.int64)
    assert [row.bias for row in rows] == (folded - layout.offset * sums).tolist()
    assert [row.multiplier for row in rows] == layer.multiplier.tolist()
    assert [-row.shift for row in rows] == layer.shift.tolist()
    assert (data.act_min, data.act_max) == (-128 + layout.offset, 127 + layout.offset)
    assert data.zero_point == layer.target.zero_point + layout.offset
    assert data.table is layer.table is None


@each_layout
@given(layer=layers())
def test_the_portable_kernel_has_plain_numbers(layout: Layout, layer: QuantizedDense) -> None:
    weights = layer.weights.copy()
    weights[0, 0] = -128  # none of the packed kernels
    layer = replace(layer, weights=weights)
    data = layout.lay_out(layer)
    assert data.kernel == "sml_dense_portable"
    assert (data.weights == weights).all()
    assert data.channels is not None
    bias, multiplier, shift = data.channels.T
    # what is added for the offset of the codes is taken away again
    rows = extreme_rows(layer).astype(np.int64)
    accumulators = (rows + layout.offset) @ weights.T.astype(np.int64) + bias
    assert (accumulators == rows @ weights.T.astype(np.int64) + layer.folded_bias).all()
    assert (multiplier == layer.multiplier).all()
    assert (shift == layer.shift).all()
    bounds = np.array([data.zero_point, data.act_min, data.act_max]) - layout.offset
    assert bounds.tolist() == [layer.target.zero_point, -128, 127]


@pytest.mark.parametrize("inputs", [1, 2, 3, 4, 5, 6, 7, 8, 14, 15, 16, 17])
@pytest.mark.parametrize("outputs", [1, 2, 4, 5, 6, 7, 12])
def test_small_layers_take_the_small_kernels(inputs: int, outputs: int) -> None:
    layer = random_layer(inputs, outputs, 0)
    is_small = inputs in (5, 6) or (outputs < 6 and inputs < 16)
    assert CORTEX_M4.lay_out(layer).kernel == "sml_dense_cortex_m4" + "_small" * is_small
    is_small = inputs < 16
    assert CORTEX_M0PLUS.lay_out(layer).kernel == "sml_dense_cortex_m0plus" + "_small" * is_small


@given(st.integers(0, 100), st.sampled_from([(6, 2, 1), (2, 1), (4, 1), (1,)]))
def test_groups_are_the_largest_that_are_left(rows: int, sizes: tuple[int, ...]) -> None:
    found = layouts.groups(rows, sizes)
    starts = [start for start, _ in found]
    assert starts == [sum(size for _, size in found[:i]) for i in range(len(found))]
    assert sum(size for _, size in found) == rows
    for start, size in found:
        assert size == next(size for size in sizes if size <= rows - start)


# --- the kernels ------------------------------------------------------------------------------


@each_packed
@pytest.mark.parametrize("outputs", range(1, 15))
def test_every_remainder_of_rows_and_columns_equals_numpy(layout: Layout, outputs: int) -> None:
    """Rows are taken by 6, 4 and 2, columns by 2 and 4."""
    distinct = []
    for inputs in range(1, 21):
        layer = random_layer(inputs, outputs, 100 * inputs + outputs, spread=60)
        assert layout.lay_out(layer).channels is None
        rows = extreme_rows(layer)
        distinct.append(len(np.unique(layer.run(rows), axis=0)))
        assert differing(layer, layout, rows) == [], inputs
    assert min(distinct) >= 5 and max(distinct) >= 30


@each_packed
@given(layer=layers(), seed=st.integers(0, 99))
def test_factors_of_every_size_equal_numpy(
    layout: Layout, layer: QuantizedDense, seed: int
) -> None:
    assert differing(layer, layout, extreme_rows(layer, seed)) == []


@each_layout
@settings(max_examples=60)
@given(model=any_models(), seed=st.integers(0, 99))
def test_any_model_equals_numpy(layout: Layout, model: QuantizedMLP, seed: int) -> None:
    """Also where packed and portable kernels, tables and narrow clamps take turns."""
    rows = np.random.default_rng(seed).integers(-128, 128, (30, model.inputs), np.int8)
    rows[0], rows[1] = -128, 127
    with sml.Engine(model, layout) as engine:
        assert (engine.run(rows) == model.run(rows)).all()


@each_packed
@pytest.mark.parametrize(
    ("inputs", "weight", "is_packed"),
    [
        (500, 127, True),
        (515, 127, True),
        (516, 127, True),  # 128 * 127 * 516 = 2^23 - 512
        (517, 127, False),
        (640, 127, False),
        (640, 102, True),
        (4096, 127, False),
        (4096, 16, False),  # 2^23
        (4096, 15, True),
    ],
)
@pytest.mark.parametrize("outputs", [1, 11])
def test_extreme_weights_of_wide_layers_equal_numpy(
    layout: Layout, inputs: int, weight: int, is_packed: bool, outputs: int
) -> None:
    """Within the bound by a packed kernel, beyond it by the portable one."""
    rng = np.random.default_rng(inputs)
    signs = rng.choice([-1, 1], (outputs, inputs))
    signs[::4], signs[1::4] = 1, -1
    signs[2::4] = np.where(np.arange(inputs) % 2, 1, -1)
    layer = dense(weight * signs, 2.0**-17, 0)
    assert (layout.lay_out(layer).channels is None) == is_packed
    rows = extreme_rows(layer)
    assert differing(layer, layout, rows) == []
    codes = layer.run(rows)
    assert codes.min() < -20 and codes.max() > 40


def worst_layer(reach: int) -> tuple[QuantizedDense, Int8]:
    """Four outputs whose sums reach this, and the row that drives them there."""
    layer = dense(np.full((4, 516), -127), 2.0**-17, reach - 128 * 127 * 516)
    assert reach_of(layer) == [reach] * 4
    return layer, np.full((1, 516), -128, np.int8)


@each_packed
def test_the_bound_of_packed_sums_is_tight(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last sum that a packed kernel holds, and the first that it would not."""
    last, row = worst_layer(2**23 - 1)
    assert layout.lay_out(last).channels is None
    assert differing(last, layout, row) == []
    first, row = worst_layer(2**23)
    assert layout.lay_out(first).channels is not None
    assert differing(first, layout, row) == []

    monkeypatch.setattr(layouts, "PACKED_REACH", 2**24)
    assert layout.lay_out(first).channels is None
    # of a pair the upper row is peeled, of four rows the second and the last
    assert differing(first, layout, row) == ([0, 2] if layout == CORTEX_M4 else [1, 3])


def peeled(a: int, b: int, c: int, d: int, x: int) -> list[tuple[int, int]]:
    """Each sum with what the packed formulas find, as their files state them.

    ``x`` is the sum of the activations on a Cortex-M0+. Everything is modulo 2^32.
    """
    h, low = (256 * a + b) % 2**32, b % 2**32
    on_m4 = [(a, signed(h - low, 32) >> 8), (b, signed(low, 32))]
    u, va, vc = (256 * d + c) % 2**32, a % 2**32, c % 2**32
    t = ((256 * d + c << 16) + 256 * (b + 128 * x) + a) % 2**32
    b_found = signed(t - (u << 16) - va - (x << 15), 32) >> 8
    return [*on_m4, (b, b_found), (d, signed(u - vc, 32) >> 8)]


SUMS = st.integers(-(2**23), 2**23 - 1)


@given(SUMS, SUMS, SUMS, SUMS, st.integers(0, 255 * 65535))
def test_packed_sums_are_found_again(a: int, b: int, c: int, d: int, x: int) -> None:
    for right, found in peeled(a, b, c, d, x):
        assert found == right


@pytest.mark.parametrize("beyond", [2**23, -(2**23) - 1])
def test_packed_sums_beyond_the_bound_are_lost(beyond: int) -> None:
    (a, on_m4), _, (b, second), (d, last) = peeled(beyond, beyond, 0, beyond, 1000)
    assert a == b == d == beyond
    assert on_m4 == second == last == signed(beyond, 24) != beyond


# --- what the portable kernel takes -----------------------------------------------------------

#: One row of everything that a packed kernel takes.
WEIGHTS = [[127, -127, 50, 3], [1, 0, 0, 0], [-9, 8, -7, 6], [127, 127, 127, 127]]


def reasons(layer: QuantizedDense) -> set[str]:
    """Why a layer cannot be packed, in exact integers, by the bounds of the kernels' files."""
    found = set()
    rows = zip(
        layer.weights.tolist(), reach_of(layer), layer.multiplier.tolist(), layer.shift.tolist(),
        strict=True,
    )  # fmt: skip
    for row, reach, multiplier, shift in rows:
        if not any(row):
            continue  # a constant: it is brought to where it fits
        if min(row) == -128:
            found.add("a weight of -128")
        if reach >= 2**23:
            found.add("a sum of 2^23")
        if multiplier and shift >= 0:
            found.add("a factor of 1/2")
        # the code without its zero point, times 2^31 to be an integer
        if multiplier and reach * multiplier * 2 ** max(shift, 0) >= (2**15 - 256) * 2 ** (
            31 + max(-shift, 0)
        ):
            found.add("a code of 16 bits")
    return found


def with_weight(value: int) -> QuantizedDense:
    return dense([*WEIGHTS[:3], [127, 127, value, 127]], 0.01)


BASE = 128 * 4 * 127  # the reach of the last row, without a bias
ALONE: dict[str, list[tuple[str, QuantizedDense]]] = {
    "a weight of -128": [("one", with_weight(-128))],
    "a sum of 2^23": [
        ("positive", dense(WEIGHTS, 2e-4, [0, 0, 0, 2**23 - BASE])),
        ("negative", dense(WEIGHTS, 2e-4, [0, 0, 0, BASE - 2**23])),
        ("large", dense(WEIGHTS, 2e-6, [0, 0, 2**30, 0])),
    ],
    "a factor of 1/2": [
        ("exactly", dense([[1, -1]], 0.5)),
        ("of one row", dense([[1, -1], [2, 3], [4, 5]], [0.1, 0.1, 0.75])),
        ("above 1", dense([[1, -1]], 60.0)),
    ],
    "a code of 16 bits": [
        ("exactly", dense([[127, 127, 1, 0]], 2**-1.0001, 2**16 - 512 - 128 * 255 + 12)),
        ("by far", dense(WEIGHTS, 0.49, [0, 0, 0, 2**20])),
    ],
}
CASES = [
    pytest.param(layer, reason, id=f"{reason}: {which}")
    for reason, examples in ALONE.items()
    for which, layer in examples
]


@each_packed
@pytest.mark.parametrize(("layer", "reason"), CASES)
def test_each_reason_alone_takes_the_portable_kernel(
    layout: Layout, layer: QuantizedDense, reason: str
) -> None:
    assert reasons(layer) == {reason}
    data = layout.lay_out(layer)
    assert data.kernel == "sml_dense_portable" and data.channels is not None
    assert differing(layer, layout, extreme_rows(layer)) == []


@each_packed
@pytest.mark.parametrize(
    "layer",
    [
        with_weight(-127),
        dense(WEIGHTS, 2e-4, [0, 0, 0, 2**23 - BASE - 1]),
        dense(WEIGHTS, 2e-4, [0, 0, 0, BASE + 1 - 2**23]),
        dense([[1, -1]], 0.49999),
        dense([[127, 127, 1, 0]], 2**-1.0001, 2**16 - 512 - 128 * 255),
    ],
    ids=["weights of -127", "2^23 - 1", "1 - 2^23", "below 1/2", "a code below 2^15 - 256"],
)
def test_just_within_the_bounds_a_packed_kernel_is_taken(
    layout: Layout, layer: QuantizedDense
) -> None:
    assert reasons(layer) == set()
    assert layout.lay_out(layer).channels is None
    assert differing(layer, layout, extreme_rows(layer)) == []


@settings(max_examples=300)
@given(st.data())
def test_a_kernel_is_packed_where_nothing_speaks_against_it(data: st.DataObject) -> None:
    draw = data.draw
    shape = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    weights = rng.integers(draw(st.sampled_from([-128, -127, -3])), 128, shape)
    bias = rng.choice([-1, 1], shape[0]) * 2 ** rng.uniform(0, 24, shape[0])
    low = draw(st.sampled_from([-33, -20, -8]))
    factors = 2 ** rng.uniform(low, draw(st.sampled_from([-6, -1, 1])), shape[0])
    layer = dense(weights, factors, bias.astype(np.int64))
    try:
        model = QuantizedMLP((layer,))
    except sml.ScratchmlError:
        assume(False)
        raise
    rows = extreme_rows(layer, n=5)
    for layout in PACKED:
        assert (layout.lay_out(layer).channels is None) == (reasons(layer) == set())
        with sml.Engine(model, layout) as engine:
            assert (engine.run(rows) == model.run(rows)).all()


# --- constants --------------------------------------------------------------------------------

CONSTANTS = [
    -(2**20), -1000, -257, -256, -255, -129, -128, -127, -1, 0, 1, 126, 127, 128, 254, 255, 256,
    257, 300, 2**20,
]  # fmt: skip


@each_packed
@pytest.mark.parametrize("zero_point", [-128, -1, 0, 77, 127])
def test_rows_of_zeros_are_their_constants(layout: Layout, zero_point: int) -> None:
    """Between other rows, at every place in a group of rows."""
    n = len(CONSTANTS)
    weights = np.zeros((2 * n + 1, 3), np.int8)
    weights[::2] = [5, -6, 7]
    biases = np.full(2 * n + 1, 40)
    biases[1::2] = np.array(CONSTANTS) * 4
    layer = dense(weights, 0.25, biases, target=Quantization(SCALE, zero_point))
    assert layer.folded_bias[1::2].tolist() == CONSTANTS
    data = layout.lay_out(layer)
    assert data.channels is None
    rows = extreme_rows(layer)
    assert differing(layer, layout, rows) == []
    codes = np.clip(np.array(CONSTANTS) + zero_point, -128, 127)
    with sml.Engine(QuantizedMLP((layer,)), layout) as engine:
        assert (engine.run(rows)[:, 1::2] == codes).all()
    for row in DECODERS[layout.name](data, 3, 2 * n + 1)[1::2]:
        assert abs(row.bias) < 2**23
        constant = exact_requantize(row.bias, row.multiplier, -row.shift)
        assert constant == exact_quotient(row.bias, 4)


@each_packed
@pytest.mark.parametrize("bias", [0, 5, -5, 2**22, -(2**22)])
def test_factors_too_small_for_any_code_are_packed(layout: Layout, bias: int) -> None:
    layer = dense([[127, -127], [0, 1], [0, 0], [9, 9]], [1e-30, 2.0**-40, 1e-30, 0.001], bias)
    assert layer.multiplier.tolist()[:2] == [0, 0]
    data = layout.lay_out(layer)
    assert data.channels is None
    assert differing(layer, layout, extreme_rows(layer)) == []
    for row in DECODERS[layout.name](data, 2, 4)[:2]:
        assert (row.multiplier, row.shift) == (2**30, 31)


@each_packed
def test_only_rows_of_zeros(layout: Layout) -> None:
    layer = dense(np.zeros((7, 5), np.int8), 0.25, np.arange(-3, 4) * 40)
    assert layout.lay_out(layer).channels is None
    assert differing(layer, layout, extreme_rows(layer)) == []


# --- clamps and tables ------------------------------------------------------------------------

CODES = np.arange(-128, 128).astype(np.int8)[:, None]


def passing(zero_point: int, activation: str, *kinds: str) -> QuantizedDense:
    """Hands on every code, through a clamp and operators: 4 code / 4."""
    tenths = Quantization(float(np.float32(0.1)), zero_point)
    following, before = list[Elementwise](), tenths
    for kind in kinds:
        after = {"logistic": PROBABILITY, "relu6": before}.get(kind, Quantization(0.25, 17))
        following.append(Elementwise(kind, before, after))
        before = after
    return dense(
        [[4]],
        0.25,
        -4 * zero_point,
        source=tenths,
        target=tenths,
        activation=activation,
        following=tuple(following),
    )


@each_packed
@pytest.mark.parametrize(
    ("activation", "zero_point", "low", "high"),
    [
        ("linear", 3, -128, 127),
        ("relu", -128, -128, 127),
        ("relu", 3, 3, 127),
        ("relu", 127, 127, 127),
        ("relu6", -128, -128, -68),
        ("relu6", 3, 3, 63),
        ("relu6", 100, 100, 127),
        ("relu_n1_to_1", 3, -7, 13),
        ("relu_n1_to_1", -128, -128, -118),
        ("relu_n1_to_1", 127, 117, 127),
    ],
)
def test_narrow_clamps_are_tables(
    layout: Layout, activation: str, zero_point: int, low: int, high: int
) -> None:
    layer = passing(zero_point, activation)
    clamped = np.clip(CODES.ravel(), low, high)
    assert layer.run(CODES).ravel().tolist() == clamped.tolist()
    data = layout.lay_out(layer)
    assert data.channels is None
    assert (data.act_min, data.act_max) == (-128 + layout.offset, 127 + layout.offset)
    if (low, high) == (-128, 127):
        assert data.table is None
    else:
        assert data.table is not None
        assert data.table.dtype == np.int8
        assert data.table.tolist() == clamped.tolist()
    assert differing(layer, layout, CODES) == []


FOLLOWING = [("logistic",), ("quantize",), ("relu",), ("relu6",), ("quantize", "logistic")]


@each_packed
@pytest.mark.parametrize("kinds", FOLLOWING, ids="+".join)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_clamp_comes_before_the_table(
    layout: Layout, activation: str, kinds: tuple[str, ...]
) -> None:
    """One table does both: of every code it says what numpy does in two steps."""
    for zero_point in (-100, 3):
        layer = passing(zero_point, activation, *kinds)
        data = layout.lay_out(layer)
        assert data.channels is None and data.table is not None
        assert data.table.tolist() == layer.run(CODES).ravel().tolist()
        assert differing(layer, layout, CODES) == []


@each_packed
def test_the_portable_kernel_clamps_by_itself(layout: Layout) -> None:
    layer = replace(dense([[-128]], 2.0**-7, 0), activation="relu6")
    data = layout.lay_out(layer)
    assert (data.act_min, data.act_max) == (9 + layout.offset, 29 + layout.offset)
    assert data.channels is not None and data.table is None
    assert differing(layer, layout, CODES) == []


# --- memory -----------------------------------------------------------------------------------


def words_of(units: int, layout: Layout) -> int:
    """The words of so many activations: rows are read four columns at a time."""
    return -(-units // 4) * {"portable": 1, "cortex-m4": 2, "cortex-m0plus": 1}[layout.name]


SIZES = st.lists(st.integers(1, 40) | st.integers(1, 65535), min_size=2, max_size=12)


@each_layout
@given(sizes=SIZES.map(tuple))
def test_a_layers_input_and_output_do_not_overlap(layout: Layout, sizes: tuple[int, ...]) -> None:
    total = layout.memory_bytes(sizes)
    words = [words_of(n, layout) for n in sizes]
    assert total == 4 * max(a + b for a, b in pairwise(words))
    places = [0, *layout.places(sizes)]
    assert len(places) == len(sizes)
    assert max(places) < 2**16  # what the struct holds
    spans = [range(place, place + n) for place, n in zip(places, words, strict=True)]
    for source, target in pairwise(spans):
        assert source.stop <= target.start or target.stop <= source.start
        assert min(source.start, target.start) >= 0
        assert 4 * max(source.stop, target.stop) <= total


@pytest.mark.parametrize(
    ("sizes", "bytes_", "places"),
    [
        ((1, 1), 8, [1]),
        ((6, 12, 1), 20, [2, 0]),
        ((64, 32, 10), 96, [16, 0]),
        ((5, 4, 9), 16, [3, 0]),
        ((4, 1, 5, 1), 12, [2, 0, 2]),
    ],
)
def test_memory_of_some_shapes(sizes: tuple[int, ...], bytes_: int, places: list[int]) -> None:
    """Twice as much for a Cortex-M4, whose activations have 16 bits."""
    model = random_model(list(sizes), 0)
    assert model.memory_bytes == bytes_
    for layout, size in zip(LAYOUTS, (1, 2, 1), strict=True):
        assert layout.memory_bytes(sizes) == size * bytes_
        with sml.Engine(model, layout) as engine:
            struct = engine._struct
            assert struct.memory_bytes == size * bytes_
            found = [struct.layers[i].place for i in range(struct.layer_count)]
        assert found == [size * place for place in places]


# --- what the engine relies on without looking --------------------------------------------------


@each_layout
@settings(max_examples=60)
@given(model=any_models())
def test_constants_lie_where_the_kernels_expect_them(layout: Layout, model: QuantizedMLP) -> None:
    low, high = -128 + layout.offset, 127 + layout.offset
    for layer in model.layers:
        data = layout.lay_out(layer)
        assert low <= data.zero_point <= high
        assert low <= data.act_min <= data.act_max <= high
        assert (data.channels is None) == (data.kernel != "sml_dense_portable")
        if data.channels is None:
            assert data.weights.dtype == np.uint32 and data.weights.ndim == 1
            assert layout != PORTABLE
        else:
            assert data.weights.dtype == np.int8 and data.channels.dtype == np.int32
            _, multiplier, shift = data.channels.T
            assert ((multiplier == 0) | (multiplier >= 2**30)).all()
            assert shift.min() >= -31 and shift.max() <= 30
