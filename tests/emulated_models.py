"""The models that are run on emulated boards, one for each corner of the packed kernels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from conftest import random_model
from emulated import SEED, Chosen
from test_sweep import HIDDEN, Builder, Spec

import scratchml as sml
from scratchml.affine import Quantization
from scratchml.digest import digest
from scratchml.layers import QuantizedDense
from scratchml.rows import Scaler

#: Random rows of a program, and their products of weights and inputs where that would be more.
ROWS, PRODUCTS = 10_000, 10**8


@dataclass(frozen=True, eq=False)
class Case:
    """A model, rows chosen for it, and whether a board's own kernel runs its layers: all of them,
    none of them (they take the portable one) or some."""

    model: sml.QuantizedMLP
    packed: str = "all"
    chosen: Chosen = field(default_factory=Chosen)

    @property
    def rows(self) -> int:
        """Random ones: ``ROWS``, of wide models as many as ``PRODUCTS`` allows."""
        products = sum(layer.weights.size for layer in self.model.layers)
        return min(ROWS, PRODUCTS // products)


def in_range(model: sml.QuantizedMLP, layers: Sequence[int] | None = None) -> sml.QuantizedMLP:
    """The model with -127 for each weight of -128, in some layers or in all."""
    chosen = range(len(model.layers)) if layers is None else layers
    return replace(
        model,
        layers=tuple(
            replace(layer, weights=np.maximum(layer.weights, -127)) if i in chosen else layer
            for i, layer in enumerate(model.layers)
        ),
    )


def of_spec(sizes: Sequence[int], seed: int, **choices: object) -> sml.QuantizedMLP:
    """A model of the sweep's generator, without weights of -128."""
    spec = Spec("", sizes, seed, **choices)  # type: ignore[arg-type]  # they are fields
    return in_range(Builder(spec).model())


WEATHER = Scaler(("T", "RH"), ("degC", "%"), (100, 10), (-1.25, 71.5), (7.5, 18.25))


def some_counts(inputs: int) -> npt.NDArray[np.int32]:
    """Rows of weather, then of numbers that no sensor gives."""
    rng = np.random.default_rng(0)
    usual = rng.normal([-125, 715], [750, 182], (60, inputs // 2, 2)).reshape(60, inputs)
    unusual = rng.choice([-(2**31), 2**31 - 1, 0, -70_000, 70_000], (20, inputs))
    return np.vstack([usual.astype(np.int32), unusual.astype(np.int32)])


def flagship() -> Case:
    model = replace(random_model([6, 12, 1], 1), scaler=WEATHER)
    return Case(model, chosen=Chosen(counts=some_counts(6)))


def every_remainder(least: int) -> Case:
    """Odd and even numbers of inputs, each with outputs of every remainder modulo 12.

    And inputs of every remainder modulo 8 at least; layers are ``least`` units wide or a bit more.
    """
    steps = [*range(12, -1, -1), *range(2, 13, 2), *range(1, 14, 2)]
    sizes = [least + step for step in steps]
    assert len({(a % 2, b % 12) for a, b in pairwise(sizes)}) == 24
    assert len({a % 8 for a in sizes[:-1]}) == 8
    return Case(of_spec(sizes, 3, hidden=["linear", "relu", "linear"]))


def wide_and_narrow() -> Case:
    """Layers of 1, 2, 3, ... 17 inputs, and of as many outputs."""
    sizes = [n for narrow in range(1, 18) for n in (19 + narrow % 2, narrow)] + [20]
    return Case(of_spec(sizes, 4, hidden=["linear"]))


def extreme(inputs: int, total: int, most: int, codes: int = 120) -> Case:
    """One layer of 13 outputs, and rows that drive its accumulators to their ends.

    A packed kernel holds a sum in 24 bits; one that left them would be off by 2^24. So a layer
    whose accumulator can reach 2^23 has to take the portable one; so has one whose codes do not fit
    in 16 bits before they are clamped. The first five outputs show both ends, the sixth has a
    factor of 0, the others show what random rows give.

    Args:
        total: what an output's weights add up to in magnitude.
        most: the greatest accumulator, of which the bias is a part.
        codes: what the first outputs are at the ends, before they are clamped.
    """
    rng = np.random.default_rng(inputs)
    size = np.full(inputs, total // inputs)
    size[: total % inputs] += 1
    sign = rng.choice([-1, 1], (13, inputs))
    sign[:6] = np.array([1, -1, -1, 1, 1, 1])[:, None]
    weights = (sign * size).astype(np.int8)
    bias = -sign[:, 0] * (most - 128 * total)
    ends, typical = codes / (128 * total), 40 / (74 * np.sqrt((size**2).sum()))
    scales = np.where(np.arange(13) < 6, ends, typical).astype(np.float32)
    scales[5] = 1e-12  # below 2^-32
    like = Quantization(float(np.float32(0.05)), 0)
    layer = QuantizedDense(weights, scales, bias.astype(np.int32), like, like)

    # up to these columns a row is extreme; all of 4096 columns would not fit into the flash
    edges = (258, 259, 515, 516, inputs) if 516 <= inputs < 1000 else (inputs,)
    rows = [np.where(np.arange(inputs) < edge, end, 0) for edge in edges for end in (-128, 127)]
    rows += [np.where(row * flip > 0, 127, -128) for row in sign[-2:] for flip in (-1, 1)]
    chosen = np.array(rows).astype(np.int8)
    assert np.abs(chosen.astype(np.int64) @ weights.T.astype(np.int64) + bias).max() == most
    packed = "all" if most < 2**23 and codes < 2**15 - 256 else "none"
    return Case(sml.QuantizedMLP((layer,)), packed, Chosen(chosen))


def some_at_minus_128() -> Case:
    """The middle one of three layers holds weights of -128: it alone takes the portable kernel."""
    model = Builder(Spec("", [16, 23, 25, 9], 5, weights="ends", hidden=["relu", "relu6"])).model()
    assert all((layer.weights == -128).any() for layer in model.layers)
    return Case(in_range(model, [0, 2]), "some")


def large_factors() -> Case:
    """Two layers of factors of 1/2 and more, one of smaller ones down to none at all.

    The first layer shows the codes that counts become.
    """
    like = Quantization(float(np.float32(0.05)), -3)
    copies, zeros = np.eye(6, dtype=np.int8), np.zeros(6, np.int32)
    factors = [[1, 1, 1, 1, 1, 1], [0.5, 1, 1, 1.5, 3, 40], [0.499, 0.25, 0.4, 0.3, 1e-9, 1e-12]]
    layers = tuple(
        QuantizedDense(copies * weight, np.array(scales, np.float32), zeros + weight, like, like)
        for weight, scales in zip((1, 3, 5), factors, strict=True)
    )
    return Case(sml.QuantizedMLP(layers, scaler=WEATHER), "some", Chosen(counts=some_counts(6)))


def all_kinds() -> Case:
    """Clamps, tables and rows of zeros."""
    sizes, kinds = [12, *[21] * len(HIDDEN), 5], HIDDEN
    return Case(of_spec(sizes, 6, hidden=kinds, head="sigmoid", zero_rows=True))


def every_pair(n: int) -> list[int]:
    """The shortest row of 1 to ``n`` in which each number follows each: 1 1 2 1 3 2 2 3 3 1."""
    row = []
    for a in range(1, n + 1):
        row.append(a)
        for b in range(a + 1, n + 1):
            row += [a, b]
    return [*row, 1]


def layers_of(sizes: Sequence[int]) -> sml.QuantizedMLP:
    """Random layers, each for random codes, whatever the layer before it puts out."""
    rng, layers = np.random.default_rng(0), []
    source = Quantization(float(np.float32(0.05)), 5)
    for inputs, outputs in pairwise(sizes):
        weights = rng.integers(-127, 128, (outputs, inputs)).astype(np.int8)
        spread = 74 * 74 * inputs**0.5  # of the sums, about
        scales = (rng.uniform(20, 50, outputs) / spread).astype(np.float32)
        bias = rng.integers(-3000, 3000, outputs).astype(np.int32)
        target = Quantization(source.scale, int(rng.integers(-30, 30)))
        layers.append(QuantizedDense(weights, scales, bias, source, target))
        source = target
    return sml.QuantizedMLP(tuple(layers))


CASES: dict[str, Callable[[], Case]] = {
    "6-12-1": flagship,
    "64-32-10": lambda: Case(random_model([64, 32, 10], 2, output="softmax")),
    "392-64-64-32-4": lambda: Case(of_spec([392, 64, 64, 32, 4], 1)),
    "256-128-64-10": lambda: Case(of_spec([256, 128, 64, 10], 2)),
    "1-1": lambda: Case(of_spec([1, 1], 1)),
    "every remainder, 5 to 18 wide": lambda: every_remainder(5),
    "every remainder, 51 to 64 wide": lambda: every_remainder(51),
    "wide and narrow": wide_and_narrow,
    "516 inputs, 24 bits": lambda: extreme(516, 127 * 516, 2**23 - 1),
    "516 inputs, just over 24 bits": lambda: extreme(516, 127 * 516, 2**23),
    "640 inputs, 25 bits": lambda: extreme(640, 127 * 640, 128 * 127 * 640 + 1000),
    "4096 inputs, 24 bits": lambda: extreme(4096, 2**16 - 1, 2**23 - 1),
    "4096 inputs, 28 bits": lambda: extreme(4096, 127 * 4096, 128 * 127 * 4096 + 1000),
    "64 inputs, codes of 16 bits": lambda: extreme(64, 127 * 64, 128 * 127 * 64 + 100, 32_500),
    "64 inputs, codes of 17 bits": lambda: extreme(64, 127 * 64, 128 * 127 * 64 + 100, 33_000),
    "some weights of -128": some_at_minus_128,
    "factors of 1/2 and more": large_factors,
    "clamps, tables and zeros": all_kinds,
}


@cache
def case(name: str) -> Case:
    return CASES[name]()


@cache
def expected(name: str, rows: int) -> int:
    return digest(case(name).model, rows, SEED)
