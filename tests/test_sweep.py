"""Many models of every shape: numpy integers = C engine = TensorFlow Lite Micro, and a digest.

The models come from a table, one line for each corner of what is supported, and from a generator of
random ones; all are the same every time. Each layer is fitted to what the layers before it put out,
so that activations stay varied however deep the model is. The suite runs every model on a few rows;
``pytest -m sweep`` runs 100,000 rows of each, fewer of the larger ones, and 100 million rows of the
snow model. What the proof at export must refuse is shown to overflow in exact arithmetic.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from operator import mul
from types import SimpleNamespace
from typing import cast

import numpy as np
import numpy.typing as npt
import pytest
from conftest import require, with_sigmoid
from test_golden import load
from test_parity import f32, identity, judge
from test_quantize import exact_multiplier, one_layer, worst_rows

import scratchml as sml
from scratchml import tflite
from scratchml.affine import Quantization
from scratchml.digest import digest
from scratchml.layers import ACTIVATIONS, Elementwise, QuantizedDense, Softmax
from scratchml.layouts import LAYOUTS
from scratchml.quantized import QuantizedMLP

Int8 = npt.NDArray[np.int8]

#: Hidden activations: those that a layer clamps to, and operators of their own.
HIDDEN = (*ACTIVATIONS, "sigmoid", "then relu", "then relu6", "then quantize")
HEADS = ("linear", "sigmoid", "softmax")

#: Products of weights and rows in the full sweep, where 100,000 rows would be more.
FULL_PRODUCTS, FULL_ROWS, LEAST_ROWS = 5 * 10**9, 100_000, 200
#: The same in the suite.
PRODUCTS, ROWS = 10**7, 400


@dataclass(frozen=True)
class Spec:
    """What ``build`` makes a model of.

    Attributes:
        sizes: units from input to output.
        hidden: activations of the hidden layers, one after the other, again from the first.
        scales: powers of ten between which the activations' scales lie.
        spread: how many codes the sums of a layer lie from their middle; above about 40 many
            outputs are clamped.
        weights: ``any``, ``ends`` (-128 and 127) or ``small`` (-1, 0 and 1).
        decades: how far the weights' scales reach to either side of their middle.
        zero_points: of the activations, one after the other; ``None`` is random.
        zero_rows: whether each layer has rows of zeros whose biases are 2^30.
        distinct: how many different rows of outputs there are, at least.
    """

    name: str
    sizes: Sequence[int]
    seed: int
    hidden: Sequence[str] = ("relu",)
    head: str = "linear"
    per_tensor: bool = False
    scales: tuple[float, float] = (-2, 0)
    spread: float = 40.0
    weights: str = "any"
    decades: float = 0.3
    zero_points: Sequence[int | None] = (None,)
    zero_rows: bool = False
    distinct: int = 30

    @property
    def products(self) -> int:
        """Of one row: the model's weights."""
        return sum(a * b for a, b in pairwise(self.sizes))


def table() -> Iterator[Spec]:
    """A line for each corner."""
    # one layer, and the narrowest and widest ones
    yield Spec("1-1", [1, 1], 1)
    yield Spec("1-1 sigmoid", [1, 1], 2, head="sigmoid")
    yield Spec("1-2 softmax", [1, 2], 3, head="softmax")
    yield Spec("1-4096-1", [1, 4096, 1], 4)
    yield Spec("4096-1", [4096, 1], 5, head="sigmoid")
    yield Spec("4096-1-4096", [4096, 1, 4096], 6, hidden=["linear"])
    yield Spec("4096-12-3", [4096, 12, 3], 7, hidden=["relu6"], head="softmax")
    yield Spec("12-4096", [12, 4096], 8, per_tensor=True)
    yield Spec("1024-4096-10", [1024, 4096, 10], 9, head="softmax")
    yield Spec("4096-4096-10", [4096, 4096, 10], 10, hidden=["relu"], head="softmax")
    yield Spec("4096-1024-64", [4096, 1024, 64], 11, hidden=["sigmoid"], per_tensor=True)
    yield Spec("64-511", [64, 511], 12, head="softmax")
    yield Spec("2048-2048-1", [2048, 2048, 1], 13, hidden=["relu_n1_to_1"], head="sigmoid")
    # deep ones, one unit wide and more
    middle = [0]
    narrow = {"hidden": ["linear"], "spread": 60, "zero_points": middle, "decades": 0.0}
    yield Spec("1 unit, 16 layers", [1] * 17, 14, **narrow)
    yield Spec("2 units, 24 layers", [2] * 25, 15, **narrow)
    yield Spec("16 layers", [9] + [24] * 15 + [3], 16, head="softmax")
    yield Spec("17 layers of all kinds", [12] + [40] * 16 + [4], 17, hidden=HIDDEN)
    yield Spec("20 layers, 64 wide", [64] * 21, 18, per_tensor=True)
    yield Spec("32 layers", [5] + [16] * 31 + [2], 19, hidden=HIDDEN, head="sigmoid")
    yield Spec("64 layers", [8] * 65, 20, hidden=["linear", "relu"])
    yield Spec("16 layers, 256 wide", [256] * 16 + [10], 21, head="softmax")
    hourglass = [64, 1, 64, 2, 64, 3, 64, 4, 64, 5, 64, 6, 64, 7, 64, 8, 64, 9]
    yield Spec("wide and narrow in turn", hourglass, 22, hidden=["linear"])
    # every activation with every head, per tensor and per channel
    for number, kind in enumerate(HIDDEN):
        for head in HEADS:
            name = f"{kind}, {head} head"
            outputs, odd = (4 if head == "softmax" else 1 + number % 3), bool(number % 2)
            yield Spec(name, [10, 32, 24, outputs], 30 + number, [kind], head, per_tensor=odd)
    # numbers at their ends
    yield Spec("tiny scales", [16, 32, 8], 60, scales=(-6, -5))
    yield Spec("huge scales", [16, 32, 8], 61, scales=(2, 3))
    yield Spec("from tiny to huge scales", [16, 32, 32, 32, 8], 62, scales=(-6, 3))
    yield Spec("channels over eight decades", [16, 48, 24], 63, ["linear"], decades=4)
    yield Spec("zero points at the ends", [16, 32, 32, 8], 64, ["linear"], zero_points=[-128, 127])
    small = {"hidden": ["linear"], "weights": "small"}
    yield Spec("factors above 1", [3, 8, 6], 65, spread=400, **small)
    yield Spec("factors far above 1", [2, 24, 16], 66, spread=4000, **small)
    few = {"hidden": ["linear"], "weights": "small", "spread": 2.0, "zero_points": middle}
    yield Spec("few codes", [30, 20, 10], 67, **few)
    yield Spec("saturated", [16, 32, 32, 8], 68, ["linear"], spread=3000)
    yield Spec("weights at both ends", [32, 32, 8], 69, weights="ends")
    yield Spec("rows of zeros, per channel", [16, 32, 16, 8], 70, zero_rows=True)
    yield Spec("rows of zeros, per tensor", [16, 32, 8], 71, zero_rows=True, per_tensor=True)


def random_specs(first: int, n: int) -> Iterator[Spec]:
    """Everything drawn at random; the widths' logarithms are spread evenly up to 512."""
    for seed in range(first, first + n):
        rng = np.random.default_rng(seed)
        depth = int(rng.integers(1, 21))
        sizes = (
            np.exp2(rng.uniform(*((0, 9) if depth < 5 else (2, 6)), depth + 1)).astype(int).tolist()
        )
        low = rng.uniform(-6, 2)
        yield Spec(
            f"random {seed}",
            sizes,
            seed,
            rng.permutation(HIDDEN).tolist()[: rng.integers(1, 9)],
            str(rng.choice(HEADS)),
            per_tensor=bool(rng.random() < 0.4),
            scales=(low, rng.uniform(low, 3)),
            spread=float(2 ** rng.uniform(4.5, 7)),
            weights=str(rng.choice(["any", "any", "ends"])),
            decades=float(rng.uniform(0, 1)),
            zero_rows=bool(rng.random() < 0.3),
        )


SPECS = [*table(), *random_specs(1000, 24)]

#: Scales between which the codes of a bounded activation are neither all alike nor all free.
BOUNDED = {"relu6": (0.02, 0.2), "relu_n1_to_1": (0.005, 0.02), "sigmoid": (0.02, 0.1)}
BOUNDED["then relu6"] = BOUNDED["relu6"]


class Builder:
    """Adds layer after layer, each fitted to 32 rows of what the layers before it put out.

    Sums are integers, so that the model is the same everywhere.
    """

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.rng = np.random.default_rng(spec.seed)
        self.quantizations = 0
        self.x = self.rng.integers(-128, 128, (32, spec.sizes[0]), np.int8)
        self.source = self.quantization(-128, 127)

    def model(self) -> QuantizedMLP:
        spec, layers = self.spec, list[QuantizedDense]()
        for index, outputs in enumerate(spec.sizes[1:-1]):
            layers.append(self.hidden(outputs, spec.hidden[index % len(spec.hidden)]))
            self.x, self.source = layers[-1].run(self.x), layers[-1].output
        last = self.dense(spec.sizes[-1], self.target(spec.head), "linear")
        if spec.head == "softmax":
            return QuantizedMLP((*layers, last), Softmax(last.target))
        return QuantizedMLP((*layers, with_sigmoid(last) if spec.head == "sigmoid" else last))

    def hidden(self, outputs: int, kind: str) -> QuantizedDense:
        target = self.target(kind)
        layer = self.dense(outputs, target, kind if kind in ACTIVATIONS else "linear")
        if kind == "sigmoid":
            return with_sigmoid(layer)
        if kind.startswith("then "):
            operator = kind.removeprefix("then ")
            other = Quantization(f32(target.scale * 2 ** self.rng.uniform(-0.5, 0.5)), 3)
            after = target if operator == "relu6" else other
            return replace(layer, following=(Elementwise(operator, target, after),))
        return layer

    def target(self, kind: str) -> Quantization:
        """Of a layer's sums; a ReLU needs codes above its zero point."""
        if kind in ("relu", "relu6", "then relu", "then relu6"):
            return self.quantization(-128, 0, BOUNDED.get(kind))
        if kind == "softmax":
            return self.quantization(-128, 127, (0.02, 0.1))
        return self.quantization(-128, 127, BOUNDED.get(kind))

    def quantization(
        self, low: int, high: int, limits: tuple[float, float] | None = None
    ) -> Quantization:
        """The next one: its zero point from ``low`` to ``high``, its scale as the spec says."""
        chosen = self.spec.zero_points[self.quantizations % len(self.spec.zero_points)]
        self.quantizations += 1
        zero_point = int(self.rng.integers(low, high + 1)) if chosen is None else chosen
        ends = np.log10(limits) if limits else self.spec.scales
        return Quantization(f32(10 ** self.rng.uniform(*ends)), min(max(zero_point, low), high))

    def dense(self, outputs: int, target: Quantization, activation: str) -> QuantizedDense:
        """Random weights; scales and biases for which the outputs are spread as the spec says."""
        spec, rng, inputs = self.spec, self.rng, self.x.shape[1]
        if spec.weights == "any":
            weights = rng.integers(-128, 128, (outputs, inputs), np.int8)
        else:
            values = {"ends": [-128, 127], "small": [-1, 0, 1]}[spec.weights]
            weights = rng.choice(np.array(values, np.int8), (outputs, inputs))
        weights[~weights.any(axis=1), 0] = 1

        # exact, whatever the order of the sums: they fit in the 53 bits of a float64
        x = self.x.astype(np.float64) - self.source.zero_point
        sums = (x @ weights.T.astype(np.float64)).astype(np.int64)
        mean = sums.sum(axis=0) // len(x)
        width = np.abs(sums - mean).sum(axis=0) // len(x) + 1
        decades = 0 if spec.per_tensor else spec.decades
        factor = spec.spread / (np.median(width) if spec.per_tensor else width)
        factor = factor * 10 ** rng.uniform(-decades, decades, outputs)
        scales = (factor * target.scale / self.source.scale).astype(np.float32)

        middle = target.zero_point if activation == "relu_n1_to_1" else 0
        middle = max(middle, target.zero_point)  # of a ReLU about half of the codes are above 0
        wanted = (middle - target.zero_point) / factor + rng.normal(0, 0.5, outputs) * width
        bias = np.clip(np.floor(wanted) - mean, -(2**29), 2**29).astype(np.int32)
        if spec.zero_rows and outputs >= 4:
            weights[:2], bias[:2] = 0, (2**30, -(2**30))
            if not spec.per_tensor:  # as the converter does: a scale for which the bias fits
                steps = np.array([77, 30]) * target.scale / self.source.scale
                scales[:2] = (steps / 2**30).astype(np.float32)
        return QuantizedDense(
            weights, scales, bias, self.source, target, activation, name=f"layer of {outputs}"
        )


def build(spec: Spec) -> tuple[QuantizedMLP, bytes]:
    """The model and its file, which has one scale for all of a layer's weights if it says so."""
    model = Builder(spec).model()
    if not spec.per_tensor:
        return model, tflite.to_bytes(model)
    layers = [replace(layer, weight_scales=layer.weight_scales[:1]) for layer in model.layers]
    return model, file_of(layers, model.softmax)


def file_of(layers: Sequence[QuantizedDense], softmax: Softmax | None = None) -> bytes:
    """A file that no ``QuantizedMLP`` would be written to."""
    outputs, inputs = layers[-1].weights.shape[0], layers[0].weights.shape[1]
    model = SimpleNamespace(layers=layers, softmax=softmax, inputs=inputs, outputs=outputs)
    model.scaler, model.threshold, model.metadata = None, 0.5, {}
    model.front_end, model.target = None, None
    return tflite.to_bytes(cast(QuantizedMLP, model))


def rows_of(model: QuantizedMLP, seed: int, n: int) -> Int8:
    """Random rows of all spreads, with both extremes first."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(-128, 128, (n, model.inputs), np.int8)
    rows[n // 2 :] >>= rng.integers(0, 4, (n - n // 2, 1), np.int8)
    if seed == 0:
        rows[0], rows[1] = -128, 127
    return rows


# --- the suite's part -------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Built:
    """A model, its file, rows, and what numpy makes of them."""

    spec: Spec
    model: QuantizedMLP
    file: bytes
    rows: Int8
    outputs: Int8


@pytest.fixture(scope="module")
def built() -> dict[str, Built]:
    """Every model on a few rows."""
    result = {}
    for spec in SPECS:
        model, file = build(spec)
        rows = rows_of(model, 0, max(min(PRODUCTS // spec.products, ROWS), 40))
        result[spec.name] = Built(spec, model, file, rows, model.run(rows))
    return result


@pytest.fixture(scope="module")
def judged(built: dict[str, Built]) -> dict[str, Int8]:
    """What TensorFlow Lite Micro makes of them."""
    require("tflite_micro")
    outputs = judge([(one.file, one.rows) for one in built.values()])
    return dict(zip(built, outputs, strict=True))


each_spec = pytest.mark.parametrize("name", [spec.name for spec in SPECS])


@each_spec
def test_tflite_micro_gives_the_same_bytes(
    name: str, built: dict[str, Built], judged: dict[str, Int8]
) -> None:
    assert (built[name].outputs == judged[name]).all()


@each_spec
def test_the_c_engine_gives_the_same_bytes(name: str, built: dict[str, Built]) -> None:
    """In every layout; a weight of -128 leaves a layer to the portable kernel."""
    one = built[name]
    for layout in LAYOUTS:
        with sml.Engine(one.model, layout) as engine:
            assert (engine.run(one.rows, row_by_row=True) == one.outputs).all(), layout.name
            assert (engine.run(one.rows) == one.outputs).all(), layout.name


def without_minus_128(model: QuantizedMLP) -> QuantizedMLP:
    """The same model, but that its weights lie where packed kernels take them."""
    layers = [
        replace(layer, weights=np.maximum(layer.weights, np.int8(-127))) for layer in model.layers
    ]
    return replace(model, layers=tuple(layers))


@each_spec
def test_the_packed_kernels_give_the_same_bytes(name: str, built: dict[str, Built]) -> None:
    one = built[name]
    model, rows = without_minus_128(one.model), one.rows[:40]
    expected = model.run(rows)
    for layout in LAYOUTS:
        with sml.Engine(model, layout) as engine:
            assert (engine.run(rows, row_by_row=True) == expected).all(), layout.name


def test_the_sweep_takes_every_kernel(built: dict[str, Built]) -> None:
    for layout in LAYOUTS:
        if not layout.pack:
            continue
        models = [one.model for one in built.values()]
        kernels = [layout.lay_out(layer).kernel for model in models for layer in model.layers]
        packed = f"sml_dense_{layout.name.replace('-', '_')}"
        found = Counter(kernels)
        assert found.keys() == {"sml_dense_portable", packed, f"{packed}_small"}
        assert min(found.values()) >= 50
        models = [without_minus_128(model) for model in models]
        kernels = [layout.lay_out(layer).kernel for model in models for layer in model.layers]
        assert Counter(kernels)["sml_dense_portable"] < 0.05 * len(kernels)


@each_spec
def test_the_outputs_are_varied_enough_to_prove_something(
    name: str, built: dict[str, Built]
) -> None:
    one = built[name]
    assert len(np.unique(one.outputs, axis=0)) >= min(one.spec.distinct, len(one.rows) // 2)


@each_spec
def test_the_file_is_read_as_the_same_model(name: str, built: dict[str, Built]) -> None:
    one = built[name]
    read = tflite.from_bytes(one.file)
    for layer, again in zip(one.model.layers, read.layers, strict=True):
        scales = layer.weight_scales[:1] if one.spec.per_tensor else layer.weight_scales
        assert (again.weight_scales == scales).all()
        assert (again.weights == layer.weights).all()
        assert (again.bias == layer.bias).all()
        assert (again.source, again.target) == (layer.source, layer.target)
        assert (again.activation, again.following) == (layer.activation, layer.following)
    assert read.softmax == one.model.softmax


def test_the_sweep_covers_what_it_says(built: dict[str, Built]) -> None:
    assert len(SPECS) == len(built) >= 64
    models = [one.model for one in built.values()]
    layers = [layer for model in models for layer in model.layers]
    widths = [size for model in models for size in model.sizes]
    assert (min(widths), max(widths)) == (1, 4096)
    assert sum(4096 in model.sizes for model in models) >= 5
    assert sum(1 in model.sizes[1:-1] for model in models) >= 3
    assert sum(len(model.layers) >= 16 for model in models) >= 10
    assert Counter(model.output for model in models).keys() == {"linear", "sigmoid", "softmax"}
    assert {layer.activation for layer in layers} == set(ACTIVATIONS)
    hidden = [layer for model in models for layer in model.layers[:-1]]
    kinds = Counter(function.kind for layer in hidden for function in layer.following)
    assert min(kinds[kind] for kind in ("relu", "relu6", "logistic", "quantize")) >= 10
    assert sum(layer.table is not None for layer in hidden) >= 20
    for per_tensor in (False, True):
        assert sum(one.spec.per_tensor == per_tensor for one in built.values()) >= 20

    scales = [q.scale for layer in layers for q in (layer.source, layer.target)]
    assert min(scales) < 2e-6 and max(scales) > 500
    zero_points = {q.zero_point for layer in layers for q in (layer.source, layer.target)}
    assert len(zero_points) > 200 and {-128, 127} <= zero_points
    live = [layer.weights.any(axis=1) for layer in layers]
    shifts = np.concatenate([layer.shift[rows] for layer, rows in zip(layers, live, strict=True)])
    assert shifts.max() >= 5 and shifts.min() <= -17
    assert (shifts > 0).sum() >= 20  # factors of 1 and more
    assert sum((layer.weights == -128).any() for layer in layers) >= 50
    constant = [
        np.abs(layer.bias[~rows].astype(np.int64)) for layer, rows in zip(layers, live, strict=True)
    ]
    assert sum((bias == 2**30).any() for bias in constant) >= 10


# --- in full ----------------------------------------------------------------------------------


def run_in_parts(model: QuantizedMLP, rows: Int8) -> Int8:
    """In numpy, so that the widest layer's 64-bit numbers stay in a processor's cache."""
    step = max(2**18 // max(model.sizes), 64)
    parts = [model.run(rows[start : start + step]) for start in range(0, len(rows), step)]
    return np.concatenate(parts)


@pytest.mark.sweep
@each_spec
def test_every_row_of_the_full_sweep(name: str) -> None:
    """TensorFlow Lite Micro in one process, numpy and C in another, chunk by chunk."""
    require("tflite_micro")
    (spec,) = [spec for spec in SPECS if spec.name == name]
    model, file = build(spec)
    total = min(FULL_ROWS, max(FULL_PRODUCTS // spec.products, LEAST_ROWS))
    step = 2**26 // (model.inputs + model.outputs)
    distinct: set[bytes] = set()
    with ThreadPoolExecutor(1) as other_core, sml.Engine(model) as engine:
        for seed, start in enumerate(range(0, total, step)):
            rows = rows_of(model, seed, min(step, total - start))
            judged = other_core.submit(judge, [(file, rows)])
            expected = run_in_parts(model, rows)
            assert (engine.run(rows, row_by_row=True) == expected).all()
            assert (engine.run(rows) == expected).all()
            assert (judged.result()[0] == expected).all()
            distinct.update(row.tobytes() for row in expected[:10_000])
    assert len(distinct) >= spec.distinct


# --- one digest for many rows -----------------------------------------------------------------


def assert_equal_digests(model: QuantizedMLP, rows: int, seed: int) -> None:
    with ThreadPoolExecutor(1) as other_core, sml.Engine(model) as engine:
        in_c = other_core.submit(engine.digest, rows, seed)
        assert digest(model, rows, seed) == in_c.result()


def test_numpy_and_c_agree_on_200_000_rows_of_the_snow_model() -> None:
    assert_equal_digests(load("snow").model, 200_000, 1)


def test_all_layouts_agree_on_two_million_rows_of_the_snow_model() -> None:
    digests = []
    for layout in LAYOUTS:
        with sml.Engine(load("snow").model, layout) as engine:
            digests.append(engine.digest(2_000_000, 3))
    assert len(set(digests)) == 1


@pytest.mark.sweep
def test_numpy_and_c_agree_on_100_million_rows_of_the_snow_model() -> None:
    assert_equal_digests(load("snow").model, 10**8, 2)


# --- what the proof must refuse ---------------------------------------------------------------


def exact_numbers(layer: QuantizedDense, channel: int, row: list[int]) -> list[int]:
    """What a device has to hold for one output: the sum, shifted, requantized, and the code."""
    weights = layer.weights[channel].tolist()
    folded = int(layer.bias[channel]) - layer.source.zero_point * sum(weights)
    total = folded + sum(w * x for w, x in zip(weights, row, strict=True))
    factor = layer.source.scale * float(layer.weight_scales[channel]) / layer.target.scale
    multiplier, shift = exact_multiplier(Fraction(factor))
    shifted = total << max(shift, 0)
    high = (shifted * multiplier + 2**30) >> 31
    return [folded, total, shifted, high, (high >> max(-shift, 0)) + layer.target.zero_point]


def limit(weights: Sequence[int], shift: int, *, negative: bool) -> int:
    """The last bias, up or down, for which the worst input's sum still fits, shifted."""
    worst = [sum(map(mul, weights, row)) for row in worst_rows(list(weights)).tolist()]
    return -(2**31 >> shift) - min(worst) if negative else (2**31 - 1 >> shift) - max(worst)


def refused() -> Iterator[tuple[str, Callable[[], QuantizedDense]]]:
    """A name, and a layer whose second output overflows; the first is a harmless one."""
    unit, odd, rng = Quantization(1.0, 0), Quantization(1.0, -100), np.random.default_rng(0)
    many = rng.integers(-128, 128, 3000, np.int8).tolist()
    ends = [-128] * 65535

    def layer(
        weights: Sequence[int], bias: int, scale: float, source: Quantization = unit
    ) -> Callable[[], QuantizedDense]:
        rows = [[1] * len(weights), list(weights)]
        return lambda: one_layer(rows, [0, bias], [1e-3, scale], source, unit)

    yield "a bias that leaves no room", layer([127, -128], 2**31 - 1, 1e-6)
    yield "a negative one", layer([127, -128], -(2**31), 1e-6)
    yield "a folded bias of 33 bits", layer([127, 127], 2**31 - 1, 1e-6, odd)
    yield "a folded negative one", layer([-127, -127], -(2**31), 1e-6, odd)
    yield "60,000 products and a large bias", layer(many * 20, 2**31 - 2**28, 1e-6)
    yield "65,535 products of 2^14 and 2^30", layer(ends, 2**30 + 2**14, 1e-6)
    yield "a left shift of 10", layer(many, 0, 1000.0)
    yield "a left shift of 3", layer(many * 5, 2**28, 7.9)
    yield "a left shift of one product", layer([127], 0, 2.0**18)
    yield "a shift of 31", layer([1], 0, 2.0**30)
    yield "a shift of 61", layer([1], 0, 2.0**60)
    yield "a row of zeros, shifted", layer([0, 0], 2**30, 4.0)
    yield "a small one, shifted far", layer([0], 1, 2.0**40)
    for number in range(12):
        draw = np.random.default_rng(100 + number)
        weights = draw.integers(-128, 128, int(draw.integers(1, 200)), np.int8).tolist()
        shift, negative = int(draw.integers(0, 12)), bool(number % 2)
        bias = limit(weights, shift, negative=negative) + (-1 if negative else 1)
        name = f"one too {'few' if negative else 'many'}, shift {shift}, {len(weights)} products"
        yield name, layer(weights, bias, 0.75 * 2.0**shift)


REFUSED = dict(refused())
each_refused = pytest.mark.parametrize("name", REFUSED)


@each_refused
def test_what_the_proof_refuses_overflows(name: str) -> None:
    layer = REFUSED[name]()
    with pytest.raises(sml.ScratchmlError, match=r"the layer, output 1: .* 32 bits"):
        QuantizedMLP((layer,))
    rows = worst_rows(layer.weights[1].tolist()).tolist()
    numbers = [number for row in rows for number in exact_numbers(layer, 1, row)]
    assert not all(-(2**31) <= number < 2**31 for number in numbers)


@each_refused
def test_it_is_refused_in_a_file_too(name: str) -> None:
    layer = REFUSED[name]()
    with pytest.raises(sml.ScratchmlError, match=r"layer 1, output 1: .* 32 bits"):
        tflite.from_bytes(file_of([layer, identity(layer.target, 2)]))
