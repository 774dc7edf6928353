"""Byte for byte: numpy integers = C engine = exported C = TensorFlow Lite Micro.

The models are made by hand, layer by layer, to reach what no training run would: factors above 1,
factors that vanish, constant and saturated units, biases of 2^30, layers wide and deep and of one
unit. TensorFlow Lite Micro judges all of them in one process. ``verify`` itself is checked the
other way round: it has to report the differences that are planted here.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from conftest import random_model, require, with_sigmoid

import scratchml as sml
from scratchml import oracle, tflite
from scratchml.affine import Quantization
from scratchml.layers import QuantizedDense
from scratchml.layouts import LAYOUTS, Layout
from scratchml.quantized import QuantizedMLP
from scratchml.verify import (
    C_BATCHES,
    C_ENGINE,
    EXPORTED_C,
    TFLITE_MICRO,
    Comparison,
    compare,
    random_counts,
    verify,
)

Int8 = npt.NDArray[np.int8]

#: What one process does with every model of a folder; see ``judge``.
JUDGE = """
import sys
from pathlib import Path

import numpy as np
from tflite_micro import runtime

for path in sorted(Path(sys.argv[1]).glob("*.tflite")):
    interpreter = runtime.Interpreter.from_file(str(path))
    outputs = []
    for row in np.load(path.with_suffix(".npy")):
        interpreter.set_input(row[None], 0)
        interpreter.invoke()
        outputs.append(interpreter.get_output(0)[0].copy())
    np.save(path.with_suffix(".output.npy"), np.array(outputs))
"""


def judge(cases: Sequence[tuple[QuantizedMLP | bytes, Int8]]) -> list[Int8]:
    """What TensorFlow Lite Micro makes of each model's rows; one process for all of them."""
    done, outputs = ask_tflite_micro(cases)
    assert done.returncode == 0, done.stderr
    return outputs


def ask_tflite_micro(
    cases: Sequence[tuple[QuantizedMLP | bytes, Int8]],
) -> tuple[subprocess.CompletedProcess[str], list[Int8]]:
    """How the process ended, which a model may abort, and the outputs up to there."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{number:04}.tflite" for number in range(len(cases))]
        for path, (model, rows) in zip(paths, cases, strict=True):
            path.write_bytes(model if isinstance(model, bytes) else tflite.to_bytes(model))
            np.save(path.with_suffix(".npy"), rows)
        done = subprocess.run([sys.executable, "-c", JUDGE, folder], capture_output=True, text=True)
        outputs = [path.with_suffix(".output.npy") for path in paths]
        return done, [np.load(path) for path in outputs if path.exists()]


# --- models ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A model, how many random rows it is run on, and how many distinct outputs that gives."""

    name: str
    model: QuantizedMLP
    rows: int = 3000
    distinct: int = 30

    def inputs(self) -> Int8:
        """Random codes, both extremes, and what drives the first unit as far as it goes."""
        rng = np.random.default_rng(len(self.name))
        rows = rng.integers(-128, 128, (self.rows, self.model.inputs), np.int8)
        rows[0], rows[1] = -128, 127
        negative = self.model.layers[0].weights[0] < 0
        rows[2], rows[3] = np.where(negative, -128, 127), np.where(negative, 127, -128)
        return rows


def layer(
    rng: np.random.Generator,
    inputs: int,
    outputs: int,
    source: Quantization,
    *,
    activation: str = "relu",
    spread: float = 80.0,
    zero_point: int | None = None,
    weights: Int8 | None = None,
    decades: float = 0.5,
    bias: float = 1.0,
) -> QuantizedDense:
    """Random weights, and a target scale for which sums are about ``spread`` codes from zero.

    ``decades`` is how far the weights' scales reach to either side of their middle, ``bias`` the
    biases' size compared with the sums.
    """
    if weights is None:
        weights = rng.integers(-127, 128, (outputs, inputs)).astype(np.int8)
    scales = (10 ** rng.uniform(-decades, decades, outputs)).astype(np.float32)
    size = 74 * np.sqrt((weights.astype(float) ** 2).sum(axis=1)) + 1  # of the sums, roughly
    target = Quantization(
        float(np.float32(source.scale * np.median(scales * size) / spread)),
        int(rng.integers(-128, 128)) if zero_point is None else zero_point,
    )
    biases = rng.normal(0, bias, outputs) * size
    return QuantizedDense(weights, scales, biases.astype(np.int32), source, target, activation)


def chain(
    sizes: Sequence[int], seed: int, *, scale: float = 0.05, logistic: bool = False, **choices: Any
) -> QuantizedMLP:
    """A model of random layers: ReLU between them, none after the last."""
    rng = np.random.default_rng(seed)
    quantization = Quantization(float(np.float32(scale)), int(rng.integers(-128, 128)))
    layers: list[QuantizedDense] = []
    for index, (inputs, outputs) in enumerate(pairwise(sizes), start=2):
        relu = index < len(sizes)
        options: dict[str, Any] = {
            "activation": "relu" if relu else "linear",
            "zero_point": -128 if relu else None,
            **choices,
        }
        layers.append(layer(rng, inputs, outputs, quantization, **options))
        quantization = layers[-1].target
    if logistic:  # as many codes as a sigmoid can tell apart
        logits = Quantization(0.047, layers[-1].target.zero_point)
        layers[-1] = with_sigmoid(replace_target(layers[-1], logits))
    return QuantizedMLP(tuple(layers))


def replace_target(old: QuantizedDense, target: Quantization) -> QuantizedDense:
    """The same layer in real numbers, but for its output's quantization."""
    factor = target.scale / old.target.scale
    scales = (old.weight_scales * np.float32(factor)).astype(np.float32)
    return replace(old, weight_scales=scales, target=replace(target, scale=f32(target.scale)))


def f32(value: float) -> float:
    return float(np.float32(value))


def left_shifts() -> QuantizedMLP:
    """Factors from 1/2 to 60: narrow sums of small weights, spread over all codes."""
    rng = np.random.default_rng(31)
    weights = rng.integers(-1, 2, (6, 2)).astype(np.int8)
    weights[:, 0] = [1, -1, 1, -1, 1, -1]
    scales = np.array([0.5, 1, 2, 3.7, 15.9, 60], np.float32)
    bias = np.array([3, -3, 0, 7, -20, 1], np.int32)
    source, target = Quantization(1.0, 3), Quantization(1.0, -7)
    first = QuantizedDense(weights, scales, bias, source, target)
    assert first.shift.tolist() == [0, 1, 2, 2, 4, 6]
    return QuantizedMLP((first, layer(rng, 6, 3, target, activation="linear")))


def vanishing_factors() -> QuantizedMLP:
    """Factors around 2^-32, the least that counts: shifts of -31, and multipliers of 0."""
    scales = np.array([2.0**-31, 1.5 * 2.0**-32, 2.0**-32, 2.0**-33, 1e-30, 2.0**-14], np.float32)
    rng = np.random.default_rng(32)
    weights = rng.integers(-127, 128, (6, 8)).astype(np.int8)
    bias = np.array([2**30, -(2**30), 2**30, 2**30, 5, 2**19], np.int32)
    source, target = Quantization(1.0, 0), Quantization(1.0, 11)
    only = QuantizedDense(weights, scales, bias, source, target)
    assert only.shift.tolist() == [-30, -31, -31, 0, 0, -13]
    assert (only.multiplier == 0).tolist() == [False, False, False, True, True, False]
    return QuantizedMLP((only,))


def constant_rows() -> QuantizedMLP:
    """Rows of zero weights whose biases are 0, small, as large as the converter makes them."""
    rng = np.random.default_rng(33)
    weights = rng.integers(-127, 128, (7, 5)).astype(np.int8)
    weights[1:6] = 0
    source, target = Quantization(0.02, -5), Quantization(0.03, 9)
    scales = np.full(7, 0.004, np.float32)
    scales[4:6] = (
        target.scale * 77 / source.scale / 2**30,
        target.scale * 300 / source.scale / 2**30,
    )
    bias = np.array([100, 0, 5000, -9000, 2**30, -(2**30), -100], np.int32)
    first = QuantizedDense(weights, scales, bias, source, target)
    return QuantizedMLP((first, layer(rng, 7, 2, target, activation="linear", zero_point=0)))


def dead_units() -> QuantizedMLP:
    """A hidden layer of which half is always clamped to zero."""
    rng = np.random.default_rng(34)
    first = layer(rng, 6, 8, Quantization(0.05, 4), zero_point=-128)
    bias = first.bias.copy()
    bias[::2] = -(10**7)
    first = replace(first, bias=bias)
    assert (QuantizedMLP((first,)).run(np.zeros((9, 6), np.int8))[:, ::2] == -128).all()
    return QuantizedMLP((first, layer(rng, 8, 2, first.target, activation="linear")))


def full_accumulators() -> QuantizedMLP:
    """Sums that reach the last of 31 bits, above and below, with and without a left shift."""
    rng = np.random.default_rng(36)
    weights = rng.integers(-127, 128, (4, 64)).astype(np.int8)
    reach = 128 * np.abs(weights.astype(np.int64)).sum(axis=1)
    scales = np.array([2.0**-24, 2.0**-24, 9.5, 2.0**-13], np.float32)
    bias = 2**31 - 256 - reach  # 256: for the rounding and the zero point that are still to come
    bias[1] = -bias[1]
    bias[2:] = [2**27 - 16 - reach[2], 0]  # a factor of 9.5 shifts to the left by 4
    source, target = Quantization(1.0, 0), Quantization(1.0, -13)
    first = QuantizedDense(weights, scales, bias.astype(np.int32), source, target)
    assert first.shift.tolist() == [-23, -23, 4, -12]
    return QuantizedMLP((first,))


def extreme_weights() -> QuantizedMLP:
    """Weights of -128, which the converter never writes, and of 127."""
    rng = np.random.default_rng(35)
    weights = rng.choice(np.array([-128, 127], np.int8), (16, 32))
    first = layer(rng, 32, 16, Quantization(0.05, -128), weights=weights, zero_point=-128)
    return QuantizedMLP((first, layer(rng, 16, 1, first.target, activation="linear")))


def handmade() -> Iterator[Case]:
    """Each model with a name that says what is special about it."""
    yield Case("the snow model's shape", chain([6, 12, 1], 1, logistic=True), 10_000)
    yield Case("one input, one output", chain([1, 1], 2), 1000)
    yield Case("one input, one output, sigmoid", chain([1, 1], 3, logistic=True), 1000)
    one_wide = chain([1] * 7, 4, activation="linear", spread=85.0, zero_point=0, bias=0.0)
    yield Case("one unit in each of six layers", one_wide, 1000)
    yield Case("one layer", chain([17, 5], 5))
    yield Case("six layers", chain([9, 33, 21, 64, 12, 7, 3], 6))
    yield Case("64 wide, four layers", chain([64, 64, 64, 64, 1], 7))
    yield Case("256 wide", chain([256, 256, 10], 8), 1000)
    yield Case("1024 inputs", chain([1024, 16, 1], 9, logistic=True), 1000)
    yield Case("1024 outputs, then one", chain([2, 1024, 1], 0), 1000)
    yield Case("several sigmoids", chain([8, 16, 5], 11, logistic=True))
    yield Case("no activation between layers", chain([6, 20, 20, 4], 12, activation="linear"))
    yield Case("ReLU after the last layer", chain([6, 20, 4], 13, activation="relu"))
    yield Case(
        "ReLU at odd zero points", chain([6, 20, 20, 4], 14, activation="relu", zero_point=5)
    )
    yield Case("saturated activations", chain([12, 24, 24, 3], 15, spread=2000.0))
    few = chain([12, 24, 24, 3], 16, spread=9.0, activation="linear", zero_point=0, bias=0.1)
    yield Case("activations of few codes", few)
    yield Case("scales over ten decades", chain([10, 40, 40, 6], 17, decades=5.0))
    yield Case("tiny scales", chain([6, 12, 3], 18, scale=1e-8))
    yield Case("huge scales", chain([6, 12, 3], 19, scale=1e20))
    yield Case("biases far above the sums", chain([6, 12, 3], 20, bias=20.0), distinct=1)
    yield Case("no biases", chain([6, 12, 3], 21, bias=0.0))
    yield Case("zero points of -128", chain([6, 12, 3], 22, zero_point=-128, activation="linear"))
    yield Case("zero points of 127", chain([6, 12, 3], 23, zero_point=127, activation="linear"))
    yield Case("left shifts", left_shifts())
    yield Case("vanishing factors", vanishing_factors(), distinct=10)
    yield Case("constant rows", constant_rows())
    yield Case("dead units", dead_units())
    yield Case("accumulators of 31 bits", full_accumulators())
    yield Case("weights at both ends", extreme_weights())
    yield Case("quantized from floats", random_model([6, 12, 1], 1))
    for name, size in [("small", 1e-5), ("large", 1e5)]:
        logits = random_model([5, 9, 7, 3], 2, output_scale=size)
        bare = replace(logits.layers[-1], following=())
        yield Case(f"quantized, {name} outputs", QuantizedMLP((*logits.layers[:-1], bare)))
    yield Case("quantized, 256 wide", random_model([6, 256, 256, 1], 4), 1000)


CASES = list(handmade())


def any_model(seed: int) -> QuantizedMLP:
    """A model of random shape, with every choice of ``chain`` drawn at random."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 65, rng.integers(2, 8)).tolist()
    return chain(
        sizes,
        seed,
        scale=10 ** rng.uniform(-9, 9),
        logistic=bool(rng.random() < 0.3),
        spread=10 ** rng.uniform(0.5, 3.5),
        decades=rng.uniform(0, 3),
        bias=rng.uniform(0, 3),
        activation="relu" if rng.random() < 0.5 else "linear",
    )


# --- all four ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def judged() -> dict[str, Int8]:
    """TensorFlow Lite Micro's outputs for every case, by name."""
    require("tflite_micro")
    outputs = judge([(case.model, case.inputs()) for case in CASES])
    return {case.name: part for case, part in zip(CASES, outputs, strict=True)}


each_case = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])


@each_case
def test_tflite_micro_gives_the_same_bytes(case: Case, judged: dict[str, Int8]) -> None:
    rows = case.inputs()
    result = compare(TFLITE_MICRO, case.name, rows, case.model.run(rows), judged[case.name])
    assert result.differing == 0, result.first


@each_case
@pytest.mark.parametrize("layout", LAYOUTS, ids=[layout.name for layout in LAYOUTS])
def test_the_c_engine_gives_the_same_bytes(case: Case, layout: Layout) -> None:
    rows = case.inputs()
    with sml.Engine(case.model, layout) as engine:
        got = engine.run(rows, row_by_row=True)
        result = compare(C_ENGINE, case.name, rows, case.model.run(rows), got)
    assert result.differing == 0, result.first


@each_case
def test_the_exported_c_gives_the_same_bytes(case: Case, tmp_path: Path) -> None:
    require("gcc")
    rows = case.inputs()
    source, _ = sml.export_c(case.model, tmp_path, name="model")
    with sml.Engine.from_c(source, case.model) as engine:
        result = compare(EXPORTED_C, case.name, rows, case.model.run(rows), engine.run(rows))
    assert result.differing == 0, result.first


@each_case
def test_the_outputs_are_varied_enough_to_prove_something(case: Case) -> None:
    assert len(np.unique(case.model.run(case.inputs()), axis=0)) >= case.distinct


@pytest.mark.slow
def test_a_hundred_models_of_any_kind() -> None:
    require("tflite_micro")
    models = [any_model(seed) for seed in range(1000, 1100)]
    rng = np.random.default_rng(0)
    rows = [rng.integers(-128, 128, (2000, model.inputs), np.int8) for model in models]
    for seed, (model, x, expected) in enumerate(
        zip(models, rows, judge(list(zip(models, rows, strict=True))), strict=True), start=1000
    ):
        assert (model.run(x) == expected).all(), seed
        for layout in LAYOUTS:
            with sml.Engine(model, layout) as engine:
                assert (engine.run(x, row_by_row=True) == expected).all(), (seed, layout.name)
                assert (engine.run(x) == expected).all(), (seed, layout.name)


# --- the sigmoid's table -----------------------------------------------------------------------


def sigmoid_cases() -> Iterator[Quantization]:
    """150 logit scales from 2^-28, the least allowed, to 10^9, with zero points of all kinds."""
    rng = np.random.default_rng(7)
    borders = [2.0**-28, 2.0**-27, 1 / 256, 0.5, 1, 1.99, 2, 3.99, 4, 7.99, 8, 2.0**30]
    scales = [*borders, *10 ** rng.uniform(-8.4, 9, 150 - len(borders))]
    for number, scale in enumerate(scales):
        ends = [-128, 127, 0, -1, *rng.integers(-128, 128, 4).tolist()]
        yield Quantization(f32(scale), ends[number % 8])


def identity(quantization: Quantization, units: int = 1) -> QuantizedDense:
    """Hands on every code as it is, with this quantization on both sides."""
    ones, zeros = np.ones(units, np.float32), np.zeros(units, np.int32)
    return QuantizedDense(np.eye(units, dtype=np.int8), ones, zeros, quantization, quantization)


def test_the_sigmoid_of_every_code_equals_tflite_micros() -> None:
    require("tflite_micro")
    codes = np.arange(-128, 128).astype(np.int8)[:, None]
    cases = list(sigmoid_cases())
    assert all((identity(case).run(codes) == codes).all() for case in cases)
    models = [QuantizedMLP((with_sigmoid(identity(case)),)) for case in cases]
    for case, model, expected in zip(
        cases, models, judge([(model, codes) for model in models]), strict=True
    ):
        (sigmoid,) = model.layers[0].following
        assert sigmoid.table.tolist() == expected.ravel().tolist(), case
        assert (model.run(codes) == expected).all(), case


# --- verify ------------------------------------------------------------------------------------


def by_pair(comparisons: Sequence[Comparison]) -> dict[tuple[str, str], int]:
    """Differing rows by implementation and set of rows."""
    return {(c.implementation, c.rows_name): c.differing for c in comparisons}


def edit(source: Path, pattern: str, replacement: str) -> None:
    """Change the one place of an exported file that the pattern matches."""
    text, count = re.subn(pattern, replacement, source.read_text("utf-8"), count=1)
    assert count == 1
    source.write_text(text, "utf-8")


@pytest.fixture
def small() -> QuantizedMLP:
    return random_model([3, 5, 2], 8)


def test_verify_compares_everything_with_everything(model: QuantizedMLP, data: sml.Dataset) -> None:
    require("gcc")
    require("tflite_micro")
    counts = data.test.counts[:500]
    comparisons = verify(model, counts=counts, random_rows=300)
    codes, sensors = (
        {"test rows": 500, "random rows": 300},
        {"test counts": 500, "random counts": 300},
    )
    expected = {
        (who, name): rows
        for who, sets in [
            (C_ENGINE, codes | sensors),
            (C_BATCHES, codes | sensors),
            (EXPORTED_C, codes | sensors),
            (TFLITE_MICRO, codes),
        ]
        for name, rows in sets.items()
    }
    assert {(c.implementation, c.rows_name): c.rows for c in comparisons} == expected
    assert len(comparisons) == len(expected)
    assert [(c.differing, c.first) for c in comparisons] == [(0, None)] * len(expected)


def test_verify_without_counts_and_without_the_oracle(small: QuantizedMLP) -> None:
    require("gcc")
    comparisons = verify(small, random_rows=50, use_oracle=False)
    who = (C_ENGINE, C_BATCHES, EXPORTED_C)
    assert by_pair(comparisons) == {(name, "random rows"): 0 for name in who}
    assert str(comparisons[0]) == "numpy integers = C engine on random rows: 50 rows, 0 differ"


def test_verify_draws_other_rows_from_another_seed(
    small: QuantizedMLP, monkeypatch: pytest.MonkeyPatch
) -> None:
    require("gcc")
    seen: list[Int8] = []

    def watch(model: QuantizedMLP, rows: Int8, file: bytes | None) -> Int8:
        seen.append(rows)
        return model.run(rows)

    monkeypatch.setattr(oracle, "run", watch)
    for seed in (0, 0, 1):
        verify(small, random_rows=100, seed=seed)
    assert (seen[0] == seen[1]).all()
    assert (seen[0] != seen[2]).any()
    assert seen[0].min() < -120 and seen[0].max() > 120


def test_verify_reports_an_edited_weight(small: QuantizedMLP, tmp_path: Path) -> None:
    require("gcc")
    source, _ = sml.export_c(small, tmp_path, name="edited")
    weight = int(small.layers[1].weights[0, 0])
    wrong = weight - 100 if weight > 0 else weight + 100
    edit(source, rf"(layer2_weights\[10\] = {{\s+){weight},", rf"\g<1>{wrong},")

    comparisons = verify(small, random_rows=400, c_source=source, use_oracle=False)

    differing = by_pair(comparisons)
    assert differing[C_ENGINE, "random rows"] == 0
    assert differing[EXPORTED_C, "random rows"] > 0
    rows = np.random.default_rng(0).integers(-128, 128, (400, 3), np.int8)
    expected = small.run(rows)
    with sml.Engine.from_c(source, small) as engine:
        got = engine.run(rows)
    different = np.flatnonzero((expected != got).any(axis=1))
    first = different[0]
    (report,) = [c for c in comparisons if c.differing]
    assert report.differing == len(different)
    assert report.first == (
        f"row {first} of the random rows: input {rows[first].tolist()}, "
        f"numpy integers {expected[first].tolist()}, exported C {got[first].tolist()}"
    )
    assert report.result == f"400 rows, {len(different)} differ"


def test_verify_reports_an_edited_scaler(
    model: QuantizedMLP, data: sml.Dataset, tmp_path: Path
) -> None:
    require("gcc")
    source, _ = sml.export_c(model, tmp_path, name="edited")
    assert model.features is not None
    mean = int(model.features.mean[0])
    edit(source, rf"\.mean = {mean},", f".mean = {mean + 100},")
    comparisons = verify(
        model, counts=data.test.counts[:500], random_rows=300, c_source=source, use_oracle=False
    )
    different = {pair for pair, differing in by_pair(comparisons).items() if differing}
    assert different == {(EXPORTED_C, "test counts"), (EXPORTED_C, "random counts")}


def test_verify_reports_a_byte_that_only_the_oracle_sees_differently(
    model: QuantizedMLP, data: sml.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    require("gcc")
    counts = data.test.counts[:40]

    def wrong_once(model: QuantizedMLP, rows: Int8, file: bytes | None) -> Int8:
        outputs = model.run(rows).copy()
        outputs[40 + 7] ^= 1  # the eighth of the random rows
        return outputs

    monkeypatch.setattr(oracle, "run", wrong_once)
    comparisons = verify(model, counts=counts, random_rows=60)
    (report,) = [c for c in comparisons if c.differing]
    assert (report.implementation, report.rows_name) == (TFLITE_MICRO, "random rows")
    assert (report.rows, report.differing) == (60, 1)
    assert report.first is not None and report.first.startswith("row 7 of the random rows: input [")


def test_verify_passes_on_that_the_oracle_failed(
    small: QuantizedMLP, monkeypatch: pytest.MonkeyPatch
) -> None:
    require("gcc")

    def fail(model: QuantizedMLP, rows: Int8, file: bytes | None) -> Int8:
        raise sml.ScratchmlError("TensorFlow Lite Micro failed")

    monkeypatch.setattr(oracle, "run", fail)
    with pytest.raises(sml.ScratchmlError, match="TensorFlow Lite Micro failed"):
        verify(small, random_rows=10)


def test_the_oracle_names_what_went_wrong_in_its_process(small: QuantizedMLP) -> None:
    require("tflite_micro")
    with pytest.raises(sml.ScratchmlError, match=r"^TensorFlow Lite Micro failed \(1\): .*reshape"):
        oracle.run(small, np.zeros((5, 2), np.int8))  # 10 bytes are not rows of 3


def test_the_oracle_takes_no_rows_and_many(small: QuantizedMLP) -> None:
    require("tflite_micro")
    assert oracle.run(small, np.zeros((0, 3), np.int8)).shape == (0, 2)
    rows = np.random.default_rng(1).integers(-128, 128, (70_000, 3), np.int8)  # more than a pipe
    assert (oracle.run(small, rows) == small.run(rows)).all()


def test_compare_counts_rows_not_bytes() -> None:
    rows = np.arange(12, dtype=np.int8).reshape(4, 3)
    expected = np.zeros((4, 2), np.int8)
    got = np.array([[0, 0], [1, 1], [0, 0], [0, 2]], np.int8)
    result = compare("the other", "four rows", rows, expected, got)
    assert (result.rows, result.differing) == (4, 2)
    assert result.first == (
        "row 1 of the four rows: input [3, 4, 5], numpy integers [0, 0], the other [1, 1]"
    )


@pytest.mark.parametrize("n", [0, 1, 2, 7, 1000])
def test_half_of_the_random_counts_lie_where_the_codes_do(model: QuantizedMLP, n: int) -> None:
    assert model.features is not None
    features = model.features.tiled(6)
    counts = random_counts(features, n, np.random.default_rng(0))
    assert counts.shape == (n, 6) and counts.dtype == np.int32
    near = counts[: n - n // 2]
    assert ((near >= features.low) & (near <= features.high)).all()
    if n == 1000:
        assert len(np.unique(model.prepare_input(near))) > 250
        assert counts[n // 2 :].min() < -(2**30) and counts[n // 2 :].max() > 2**30
