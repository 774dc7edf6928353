"""Every integer of an inference: numpy and C agree on it, the page shows it, the JSON holds it."""

from __future__ import annotations

import io
import json
import re
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT, random_model, require
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from rich.console import Console
from typer.testing import CliRunner

import scratchml as sml
from scratchml import tasks
from scratchml.affine import PROBABILITY, Quantization
from scratchml.cli import app
from scratchml.errors import ScratchmlError
from scratchml.export import golden_inputs
from scratchml.layers import ACTIVATIONS, Elementwise, QuantizedDense, Softmax
from scratchml.trace import steps as trace
from scratchml.trace.inference import Inference
from scratchml.trace.report import page, sentence

SNOW = ROOT / "tests" / "golden" / "vectors" / "snow.tflite"
ENGINE = ROOT / "csrc" / "engine"
Model = sml.QuantizedMLP


def chained(
    sizes: list[int],
    seed: int,
    kinds: list[tuple[str, tuple[str, ...]]],
    softmax: bool = False,
    **rest: Any,
) -> Model:
    """Random integers in layers of given activations and following operators."""
    rng = np.random.default_rng(seed)

    def quantization() -> Quantization:
        scale = float(np.float32(2.0 ** rng.uniform(-7, -3)))
        return Quantization(scale, int(rng.integers(-128, 128)))

    source, layers = quantization(), []
    for inputs, outputs, (activation, names) in zip(sizes, sizes[1:], kinds, strict=False):
        target = quantization()
        following, before = [], target
        for name in names:
            after = {"logistic": PROBABILITY, "relu6": before}.get(name) or quantization()
            following.append(Elementwise(name, before, after))
            before = after
        weights = rng.integers(-127, 128, (outputs, inputs), np.int8)
        weights[rng.random(outputs) < 0.1] = 0
        scales = (2.0 ** rng.uniform(-9, -5, outputs)).astype(np.float32)
        bias = rng.integers(-5000, 5000, outputs).astype(np.int32)
        operators = activation, tuple(following)
        layers.append(QuantizedDense(weights, scales, bias, source, target, *operators))
        source = before
    return Model(tuple(layers), Softmax(source) if softmax else None, **rest)


@st.composite
def models(draw: st.DrawFn) -> Model:
    sizes = draw(st.lists(st.integers(1, 12), min_size=2, max_size=5))
    operator = st.sampled_from(["relu", "relu6", "logistic", "quantize"])
    kind = st.tuples(
        st.sampled_from(sorted(ACTIVATIONS)), st.lists(operator, max_size=2).map(tuple)
    )
    kinds = draw(st.lists(kind, min_size=len(sizes) - 1, max_size=len(sizes) - 1))
    seed, softmax = draw(st.integers(0, 2**32)), draw(st.booleans())
    try:
        return chained(sizes, seed, kinds, softmax)
    except ScratchmlError:
        assume(False)
        raise


PLAIN = ("linear", ())
RELU6 = chained([5, 8, 3], 9, [("relu6", ()), PLAIN])
HIDDEN_SIGMOID = chained([4, 7, 2], 2, [("linear", ("logistic",)), PLAIN])
SOFTMAX = chained(
    [6, 9, 4], 3, [("relu", ()), PLAIN], softmax=True, metadata={"classes": ["a", "b", "c", "d"]}
)
SEVERAL = chained([3, 4], 4, [("linear", ("logistic",))])
WIDE = random_model([40, 300, 20], 5)
HAND_MADE = {
    "relu6": RELU6,
    "hidden sigmoid": HIDDEN_SIGMOID,
    "softmax": SOFTMAX,
    "several sigmoids": SEVERAL,
    "wide": WIDE,
}


@pytest.fixture(scope="module")
def snow() -> Model:
    """The flagship: 6-12-1, with a scaler."""
    return Model.load(SNOW)


@pytest.fixture(scope="module")
def named(snow: Model) -> Model:
    """The same with names for its classes."""
    return replace(snow, metadata={**snow.metadata, "classes": ["no snow", "snow"]})


def inference(model: Model, row: int = 3) -> Inference:
    codes = golden_inputs(model)[row]
    return Inference.of_codes(model, codes, name="model.tflite", origin="a golden row")


def rendered(run: Inference, width: int, **options: Any) -> str:
    """The page as it comes out of a pipe."""
    text = io.StringIO()
    Console(file=text, width=width, highlight=False).print(*page(run, **options), sep="\n")
    return text.getvalue()


def command(*arguments: str | Path) -> Any:
    return CliRunner().invoke(app, ["trace", *map(str, arguments)])


def complaint(*arguments: str | Path) -> str:
    """The one line with which the command fails."""
    result = command(*arguments)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("error: ")
    return result.stderr


# The two traces.


@settings(max_examples=150)
@given(models(), st.data())
def test_numpy_and_c_agree_on_every_integer(model: Model, draw: st.DataObject) -> None:
    code = st.integers(-128, 127)
    codes = draw.draw(st.lists(code, min_size=model.inputs, max_size=model.inputs))
    a, b = trace.trace_numpy(model, codes), trace.trace_c(model, codes)
    assert trace.first_difference(a, b) is None
    assert a == b
    assert a.input == tuple(codes)
    assert list(a.output) == model.run([codes])[0].tolist()


@pytest.mark.parametrize("name", HAND_MADE)
def test_the_last_codes_are_those_of_the_model_and_of_the_engine(name: str) -> None:
    model = HAND_MADE[name]
    rows = golden_inputs(model)
    with sml.Engine(model) as engine:
        expected = engine.run(rows)
    assert (model.run(rows) == expected).all()
    for row, output in zip(rows, expected.tolist(), strict=True):
        a, b = trace.trace_numpy(model, row), trace.trace_c(model, row)
        assert a == b
        assert list(a.output) == output


def test_the_hand_made_models_take_every_path() -> None:
    has_table = [layer.table is not None for model in HAND_MADE.values() for layer in model.layers]
    assert True in has_table
    assert False in has_table
    assert RELU6.layers[0].act_max < 127
    assert SOFTMAX.softmax
    trace_of_softmax = trace.trace_c(SOFTMAX, golden_inputs(SOFTMAX)[3]).softmax
    assert trace_of_softmax
    assert max(trace_of_softmax.exponentials) == 2**31 - 1


@given(
    st.lists(st.integers(-(2**31), 2**31 - 1) | st.integers(-20000, 20000), min_size=6, max_size=6)
)
def test_readings_become_the_codes_that_numpy_and_c_prepare(snow: Model, counts: list[int]) -> None:
    readings = trace.trace_readings(snow, counts)
    codes = [reading.code for reading in readings]
    assert codes == snow.prepare_input([counts])[0].tolist()
    assert trace.trace_c_counts(snow, counts) == trace.trace_numpy(snow, codes)
    assert [reading.counts for reading in readings] == counts
    for k, reading in enumerate(readings):
        assert (reading.channel, reading.unit, reading.resolution) == (
            ("temperature_2m", "C", 100) if k % 2 == 0 else ("relative_humidity_2m", "%", 100)
        )
        assert (
            reading.difference == min(max(reading.counts, reading.low), reading.high) - reading.mean
        )


@pytest.mark.parametrize("codes", [[0] * 5, [0] * 5 + [128], [[0] * 6], 0])
def test_what_is_no_input_of_the_model_is_refused(snow: Model, codes: Any) -> None:
    for function in (trace.trace_numpy, trace.trace_c):
        with pytest.raises(ScratchmlError):
            function(snow, codes)


def test_counts_for_a_model_without_a_scaler_are_refused() -> None:
    with pytest.raises(ScratchmlError, match="no scaler"):
        trace.trace_readings(RELU6, [0] * 5)
    with pytest.raises(ScratchmlError, match="SML_ERR_STATE"):
        trace.trace_c_counts(RELU6, [0] * 5)


def test_steps_are_numbered_as_in_the_engine() -> None:
    header = (ENGINE / "kernel.h").read_text("utf-8")
    enumeration = re.search(r"typedef enum \{(.*?)\} sml_trace_step;", header, re.DOTALL)
    assert enumeration
    names = re.findall(r"\bSML_TRACE_(\w+)", re.sub(r"/\*.*?\*/", "", enumeration[1]))
    assert names == [step.name for step in trace.Step]
    assert [step.value for step in trace.Step] == list(range(len(names)))


def test_threads_take_turns_at_the_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    inside: list[int] = []

    class SlowEngine:
        def __getattr__(self, name: str) -> Any:
            return getattr(honest, name)

        def sml_run_traced(self, *arguments: Any) -> Any:
            inside.append(1)
            time.sleep(0.005)  # long enough for the others to come
            status = honest.sml_run_traced(*arguments)
            inside.append(-1)
            return status

    honest, model_struct = trace.lib, trace.model_struct
    monkeypatch.setattr(trace, "lib", SlowEngine())
    # cffi takes addresses of its own libraries' functions only
    monkeypatch.setattr(
        trace, "model_struct", lambda model, ffi, _: model_struct(model, ffi, honest)
    )
    models = [RELU6, HIDDEN_SIGMOID, SEVERAL] * 4
    rows = [golden_inputs(model)[3] for model in models]
    expected = [trace.trace_numpy(model, row) for model, row in zip(models, rows, strict=True)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(trace.trace_c, models, rows)) == expected
    assert inside == [1, -1] * len(models)


# Where they differ.


CHANGES: dict[str, tuple[Callable[[Any], None], str]] = {
    "bias": (lambda s: change_channel(s, 0, 2, "bias", 1), "layers[0].outputs[2].folded_bias"),
    "weight": (
        lambda s: add(trace.ffi.cast("int8_t *", s.layers[0].weights), 0, 1),
        "layers[0].outputs[0].accumulator",
    ),
    "multiplier": (
        lambda s: change_channel(s, 1, 1, "multiplier", -1),
        "layers[1].outputs[1].multiplier",
    ),
    "shift": (lambda s: change_channel(s, 0, 0, "shift", 1), "layers[0].outputs[0].shift"),
    "bound": (lambda s: setattr(s.layers[0], "act_min", 5), "layers[0].act_min"),
    "zero point": (lambda s: setattr(s.layers[1], "zero_point", -3), "layers[1].zero_point"),
    "softmax table": (lambda s: add(s.head.table, 0, -1), "softmax.exponentials["),
}


def add(array: Any, i: int, change: int) -> None:
    """To what the engine takes for a constant."""
    kind = trace.ffi.typeof(array).item.cname
    trace.ffi.cast(f"{kind.removeprefix('const ')} *", array)[i] += change


def change_channel(struct: Any, layer: int, output: int, name: str, change: int) -> None:
    """One constant of one output."""
    channel = trace.ffi.cast("sml_channel *", struct.layers[layer].channels)[output]
    setattr(channel, name, getattr(channel, name) + change)


def plant(change: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have C run structs that are not quite the model's."""
    honest = trace.model_struct

    def dishonest(model: Model, ffi: Any, lib: Any) -> tuple[Any, list[Any]]:
        struct, owned = honest(model, ffi, lib)
        change(struct)
        return struct, owned

    monkeypatch.setattr(trace, "model_struct", dishonest)


@pytest.mark.parametrize("what", CHANGES)
def test_a_planted_difference_is_found_where_it_is(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    change, where = CHANGES[what]
    plant(change, monkeypatch)
    row = golden_inputs(SOFTMAX)[3]
    a, b = trace.trace_numpy(SOFTMAX, row), trace.trace_c(SOFTMAX, row)
    difference = trace.first_difference(a, b)
    assert difference
    assert difference[0].startswith(where)
    assert difference[1] != difference[2]


def test_the_command_reports_a_planted_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(CHANGES["weight"][0], monkeypatch)
    path = tmp_path / "model.tflite"
    SOFTMAX.save(path)
    result = command(path)
    assert result.exit_code == 1
    assert "numpy and C differ, first in layers[0].outputs[0].accumulator: numpy " in result.stdout
    right, wrong = json_of(path, status=1)["layers"][0]["outputs"][0].values(), "accumulator"
    _, _, a, b, _ = right
    assert f"{a[wrong]}  != {b[wrong]}" in result.stdout
    where = json_of(path, status=1)["first_difference"]
    assert where == {
        "where": "layers[0].outputs[0].accumulator", "numpy": a[wrong], "c": b[wrong]
    }  # fmt: skip


# The JSON.


def json_of(*arguments: str | Path, status: int = 0) -> dict[str, Any]:
    result = command(*arguments, "--json")
    assert result.exit_code == status, result.stderr
    values: dict[str, Any] = json.loads(result.stdout)
    return values


def high_multiply(a: int, b: int) -> int:
    return (a * b + 2**30) // 2**31


def divide(value: int, exponent: int) -> int:
    """By a power of two, ties away from zero."""
    quotient = Fraction(value, 2**exponent)
    size = int(abs(quotient) + Fraction(1, 2))
    return size if quotient > 0 else -size


def rescale(value: int, multiplier: int, shift: int) -> int:
    return divide(high_multiply(value * 2 ** max(shift, 0), multiplier), max(-shift, 0))


def clamp(value: int, low: int, high: int) -> int:
    return min(max(value, low), high)


def computed_again(values: dict[str, Any]) -> list[int]:
    """The output codes from the integers of the JSON alone; the steps on the way are checked."""
    given = values["input"]
    if given["readings"]:
        codes = []
        for r in given["readings"]:
            assert r["difference"] == clamp(r["counts"], r["low"], r["high"]) - r["mean"]
            assert r["requantized"] == rescale(r["difference"], r["multiplier"], r["shift"])
            codes.append(clamp(r["requantized"] + r["zero_point"], -128, 127))
        assert codes == [r["code"] for r in given["readings"]]
    else:
        codes = given["numpy"]
    assert given["numpy"] == given["c"] == codes
    for layer in values["layers"]:
        assert layer["numpy"] == layer["c"]
        codes = [one_output(layer, output, codes) for output in layer["outputs"]]
    if not values["softmax"]:
        return codes
    softmax, steps = values["softmax"], values["softmax"]["numpy"]
    exponentials = [softmax["table"][max(codes) - y] for y in codes]
    total = sum(divide(e, 12) for e in exponentials)
    zeros = 32 - total.bit_length()
    assert (max(codes), exponentials, total) == (
        steps["greatest"], steps["exponentials"], steps["sum"]
    )  # fmt: skip
    assert steps["zeros"] == zeros
    # the reciprocal of 1 .. 2 is right to some units of its last place
    assert abs(Fraction(2**62, total << zeros) - steps["reciprocal"]) < 16
    products = [high_multiply(steps["reciprocal"], e) for e in exponentials]
    return [min(divide(p, 35 - zeros) - 128, 127) for p in products]


def one_output(layer: dict[str, Any], output: dict[str, Any], x: list[int]) -> int:
    o, weights = output["numpy"], output["weights"]
    assert output["c"] == o
    centred = [code - layer["input"]["zero_point"] for code in x]
    plain = o["bias"] + sum(a * w for a, w in zip(centred, weights, strict=True))
    folded = o["folded_bias"] + sum(a * w for a, w in zip(x, weights, strict=True))
    if any(weights):
        assert plain == folded
    assert o["accumulator"] == folded
    assert o["requantized"] == rescale(folded, o["multiplier"], o["shift"])
    assert o["shifted"] == o["requantized"] + layer["numpy"]["zero_point"]
    bounds = layer["numpy"]["act_min"], layer["numpy"]["act_max"]
    assert o["clamped"] == clamp(o["shifted"], *bounds)
    code = o["clamped"] if layer["table"] is None else layer["table"][o["clamped"] + 128]
    assert o["code"] == code
    return int(code)


@pytest.mark.parametrize("name", HAND_MADE)
def test_the_output_follows_from_the_json_alone(name: str, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    HAND_MADE[name].save(path)
    row = golden_inputs(HAND_MADE[name])[7]
    values = json_of(path, "--codes", ",".join(map(str, row)), "--layer", "1", "--outputs", "1")
    expected = HAND_MADE[name].run([row])[0].tolist()
    assert computed_again(values) == values["output"]["numpy"] == values["output"]["c"] == expected


def test_readings_are_in_the_json_too(snow: Model) -> None:
    values = json_of(SNOW, "--input", "-3.2,91,-3.4,93.5,-2.9,95")
    counts = [-320, 9100, -340, 9350, -290, 9500]
    assert [r["counts"] for r in values["input"]["readings"]] == counts
    assert [r["real"] for r in values["input"]["readings"]] == [-3.2, 91, -3.4, 93.5, -2.9, 95]
    assert computed_again(values) == snow.run(snow.prepare_input([counts]))[0].tolist()


@settings(max_examples=50)
@given(models())
def test_reals_are_what_the_codes_and_accumulators_stand_for(model: Model) -> None:
    """Against exact fractions of what the file says."""
    values = inference(model).as_json()
    codes = values["input"]["numpy"]
    for layer, its in zip(model.layers, values["layers"], strict=True):
        si, zi = Fraction(layer.source.scale), layer.source.zero_point
        x = [si * (code - zi) for code in codes]
        for c, output in enumerate(its["outputs"]):
            o, sw = output["numpy"], Fraction(float(layer.weight_scales[c]))
            weights = layer.weights[c].tolist()
            exact = sum((sw * w * v for w, v in zip(weights, x, strict=True)), si * sw * o["bias"])
            # of a row of zeros the result stands there, rounded twice: exact to a step
            tolerance = abs(exact) * 1e-12 if any(weights) else layer.target.scale * 1.000001
            assert abs(output["real"]["accumulator"] - exact) <= tolerance
            before = Fraction(layer.target.scale) * (o["clamped"] - layer.target.zero_point)
            assert output["real"]["clamped"] == pytest.approx(float(before), rel=1e-6)
            after = Fraction(layer.output.scale) * (o["code"] - layer.output.zero_point)
            assert output["real"]["code"] == pytest.approx(float(after), rel=1e-6)
            factor = Fraction(o["multiplier"], 2**31) * Fraction(2) ** o["shift"]
            assert output["real"]["factor"] == float(factor)
        codes = [output["numpy"]["code"] for output in its["outputs"]]
    if softmax := values["softmax"]:
        steps, real = softmax["numpy"], softmax["real"]
        assert real["exponentials"] == [e / 2**31 for e in steps["exponentials"]]
        assert real["sum"] == pytest.approx(sum(real["exponentials"]), abs=len(codes) / 2**19)
        normalized = real["sum"] * 2.0 ** (steps["zeros"] - 12)
        assert 1 <= normalized < 2
        assert real["reciprocal"] * normalized == pytest.approx(1)


# The page.


@pytest.mark.parametrize("width", [80, 100])
@pytest.mark.parametrize("name", [*HAND_MADE, "snow", "readings"])
def test_the_page_fits_and_leaves_nothing_out(name: str, width: int, named: Model) -> None:
    """No line is too long, no number is cut or broken in two, whatever the width."""
    if name == "readings":
        counts = [-320, 9100, -340, 9350, -290, 9500]
        run = Inference.of_counts(named, counts, name="model.tflite", origin="readings")
    else:
        run = inference(HAND_MADE.get(name, named))
    narrow, broad = rendered(run, width), rendered(run, 300)
    assert "…" not in narrow
    assert "\x1b" not in narrow
    assert max(map(len, narrow.splitlines())) <= width
    words, all_words = (sorted(text.replace("─", " ").split()) for text in (narrow, broad))
    assert words == all_words
    if width == 100:  # not even wrapped
        lines, all_lines = (
            [line.rstrip(" ─") for line in text.splitlines()] for text in (narrow, broad)
        )
        assert lines == all_lines


@pytest.mark.parametrize("row", range(32))
def test_no_input_of_the_flagship_wraps_at_100_columns(row: int, named: Model) -> None:
    run = inference(named, row)
    assert rendered(run, 100).count("\n") == rendered(run, 300).count("\n")


def rows_of(text: str, title: str) -> list[list[str]]:
    """The cells below the rule of the first table after a title."""
    lines = text[text.index(title) :].splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("  ──"))
    end = lines.index("", start)
    return [line.split() for line in lines[start + 1 : end]]


def test_tables_hold_the_integers_of_both(named: Model) -> None:
    run = inference(named)
    text = rendered(run, 100)
    for part, layer in zip(text.split("Layer ")[1:], run.numpy.layers, strict=True):
        sums, factors = rows_of(part, "Accumulate"), rows_of(part, "Requantize")
        assert [row[0] for row in sums] == [row[0] for row in factors]
        assert [row[0] for row in sums] == [str(c) for c in range(len(layer.outputs))]
        for o, (_, _, bq, _, *pairs, _), (_, _, q, e, *steps, _) in zip(
            layer.outputs, sums, factors, strict=True
        ):
            assert [bq, *pairs] == [
                str(v) for v in (o.bias, o.folded_bias, o.folded_bias, o.accumulator, o.accumulator)
            ]
            assert [q, e, *steps] == [
                str(v)
                for v in (o.multiplier, o.shift, *[o.requantized] * 2, o.shifted, *[o.clamped] * 2)
            ]
    (last,) = rows_of(text, "Look up")
    output = run.numpy.layers[1].outputs[0]
    assert last[3:5] == [str(output.code)] * 2


def test_worked_lines_are_true(named: Model) -> None:
    """Each ``... = value`` of the first output, evaluated by Python."""
    run = inference(named)
    text = rendered(run, 300)
    found = 0
    for match in re.finditer(r"(?:p|d\[0\]|bias'\[0\]|acc\[0\]) += (.+) = (-?\d+)\s*$", text, re.M):
        expression = match[1].replace("2^", "2**")
        if "more" in expression:
            continue
        assert eval(expression, {"clamp": clamp}) == int(match[2]), match[0]
        found += 1
    assert found == 5  # folded bias and product of both layers, and the short sum of the first
    for value, shift, result in re.findall(
        r"r += (-?\d+) / 2\^(\d+) = .*, rounded to (-?\d+)", text
    ):
        assert divide(int(value), int(shift)) == int(result)


def test_the_worked_softmax_is_true() -> None:
    run = inference(SOFTMAX)
    text = rendered(run, 300)
    text = text[text.index("Softmax ─") :]
    assert run.numpy.softmax
    reciprocal, exponential = run.numpy.softmax.reciprocal, run.numpy.softmax.exponentials[0]
    product = re.search(r"p += \((\d+) \* (\d+) \+ 2\^30\) >> 31 = (\d+)", text)
    code = re.search(r"code\[0\] += (\d+) / 2\^(\d+) - 128 = .*, so (-?\d+)", text)
    assert product
    assert code
    assert [int(v) for v in product.groups()[:2]] == [reciprocal, exponential]
    assert product[3] == code[1] == str(high_multiply(reciprocal, exponential))
    assert min(divide(int(code[1]), int(code[2])) - 128, 127) == int(code[3]) == run.c.output[0]


def test_green_where_equal_red_where_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def coloured(run: Inference) -> str:
        text = io.StringIO()
        console = Console(file=text, width=100, force_terminal=True, color_system="standard")
        console.print(*page(run), sep="\n")
        return text.getvalue()

    assert "\x1b[1;31m" not in coloured(inference(SOFTMAX))
    assert "\x1b[32m" in coloured(inference(SOFTMAX))
    plant(CHANGES["weight"][0], monkeypatch)
    assert re.search(r"\x1b\[1;31m *!= -?\d+", coloured(inference(SOFTMAX)))


def test_wide_layers_are_shortened_and_say_so() -> None:
    run = inference(WIDE)
    text = rendered(run, 100, outputs=10)
    assert len(rows_of(text, "Layer 1")) == 10
    assert text.count("... and 290 more") == 2
    assert text.count("... and 30 more") == 1
    assert text.count("... and 10 more") == 3
    assert text.splitlines()[-1].endswith("), and 16 more")
    assert " more (" not in rendered(run, 100, outputs=300)


def test_one_layer_only() -> None:
    text = rendered(inference(SOFTMAX), 100, layer=1)
    assert "Layer 1" in text
    for part in ("Input ─", "Layer 2", "Softmax ─"):
        assert part not in text
    assert "Softmax ─" in rendered(inference(SOFTMAX), 100, layer=2)


def test_a_row_of_zeros_is_marked() -> None:
    layer = replace(RELU6.layers[0], weights=RELU6.layers[0].weights * np.int8([[0]] + [[1]] * 7))
    text = rendered(inference(Model((layer, *RELU6.layers[1:]))), 100)
    assert rows_of(text, "Layer 1")[0][0] == "0*"
    assert "weights of zero only" in text


def test_text_from_the_file_cannot_steer_the_terminal(snow: Model) -> None:
    assert snow.scaler
    evil = replace(snow.scaler, names=("a\x1b[31m\nb", "[red]c"), units=("\x07", ":smile:"))
    model = replace(snow, scaler=evil, metadata={"classes": ["\x1bno", "\x1byes"]})
    run = Inference.of_counts(model, [0] * 6, name="\x1b.tflite", origin="counts")
    text = rendered(run, 100)
    assert "\x1b" not in text
    assert "\x07" not in text
    for word in ("a?[31m?b", "[red]c", ":smile:", "?no"):
        assert word in text


# What came out.


def test_sentence_of_a_threshold(named: Model) -> None:
    run = inference(named)
    code = run.numpy.output[0]
    for threshold, index, sign in (((code + 128) / 256, 1, ">="), ((code + 129) / 256, 0, "<")):
        decided = replace(run, model=replace(named, threshold=threshold))
        assert decided.decision.index == index
        name = ["no snow", "snow"][index]
        assert sentence(decided) == (
            f"code {code}: probability {(code + 128) / 256:.3f} {sign} threshold "
            f"{threshold:g} (code {code + 1 - index}): {name}"
        )
    nameless = replace(named, metadata={}, threshold=0.9)
    assert sentence(replace(run, model=nameless)).endswith(": negative")


def test_sentence_of_classes_numbers_and_several_sigmoids() -> None:
    run = inference(SOFTMAX)
    best = int(np.argmax(run.numpy.output))
    assert run.decision.index == best
    code = run.numpy.output[best]
    assert sentence(run) == (
        f"code {code}: probability {(code + 128) / 256:.3f}, the greatest of 4: "
        f"class {'abcd'[best]}"
    )
    for model, start in ((RELU6, "output: "), (SEVERAL, "probability: ")):
        run = inference(model)
        assert run.decision.index is None
        words = sentence(run).removeprefix(start).split("), ")
        assert len(words) == model.outputs
        for word, real, code in zip(words, run.decision.real, run.numpy.output, strict=True):
            assert word.rstrip(")").endswith(f"(code {code}")
            unit = model.output_quantization.scale
            assert abs(float(word.split()[0]) - real) < unit


# The command.


def test_by_default_a_golden_row_is_traced(snow: Model) -> None:
    assert json_of(SNOW)["input"]["numpy"] == golden_inputs(snow)[3].tolist()
    result = command(SNOW)
    assert result.exit_code == 0
    assert result.stderr == ""
    assert "numpy = C in every integer" in result.stdout


def test_a_row_of_the_models_own_data(net: sml.MLP, data: sml.Dataset, tmp_path: Path) -> None:
    metadata = {**tasks.to_metadata(data.recipe), "data": data.fingerprint}
    model = sml.quantize(net, data.train, metadata=metadata)
    path = tmp_path / "model.tflite"
    model.save(path)
    values = json_of(path, "--row", "5")
    assert [r["counts"] for r in values["input"]["readings"]] == data.test.counts[5].tolist()
    assert values["decision"]["name"] in tasks.task_of(data.recipe).classes
    assert f"rows 0 to {len(data.test) - 1}" in complaint(path, "--row", "99999999")


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("0.005,-0.005,0.0049,-0.0049,1.005,2.675", [1, -1, 0, 0, 101, 268]),
        (" 12.5 ,1e2,-0,.5,+3,5e-999999", [1250, 10000, 0, 50, 300, 0]),
        ("21474836.47,-21474836.48,0,0,0,0", [2**31 - 1, -(2**31), 0, 0, 0, 0]),
    ],
)
def test_readings_are_rounded_as_they_are_written(text: str, counts: list[int]) -> None:
    readings = json_of(SNOW, "--input", text)["input"]["readings"]
    assert [r["counts"] for r in readings] == counts


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--input", "1,2,3"], "--input: 3 given, but the model takes 6: temperature_2m (C)"),
        (["--input", "1,2,3,4,5,warm"], "--input: 'warm' is not a number"),
        (["--input", "1,2,3,4,5,"], "--input: '' is not a number"),
        (["--input", "1,2,3,4,5,nan"], "--input: 'nan' is not a reading"),
        (["--input", "1,2,3,4,5,-inf"], "--input: '-inf' is not a reading"),
        (["--input", "1,2,3,4,5,21474836.475"], "do not fit in 32 bits"),
        (["--input", "1,2,3,4,5,1e999999999"], "does not fit in 32 bits"),
        (["--codes", "1,2,3,4,5"], "--codes: 5 given, but the model takes 6: int8"),
        (["--codes", "-1,2,3,4,5,128"], "--codes: '128' is not an int8 code, -128 to 127"),
        (["--codes", "1,2,3,4,5,-129"], "--codes: '-129' is not an int8 code"),
        (["--codes", "1,2,3,4,5,0.5"], "--codes: '0.5' is not an int8 code"),
        (["--codes", "1,2,3,4,5," + "9" * 5000], "is not an int8 code"),
        (["--codes", "1", "--row", "2"], "--codes and --row: only one of them"),
        (["--input", "1", "--codes", "1"], "--input and --codes: only one of them"),
        (["--layer", "3"], "--layer 3: the model's last one is 2"),
    ],
)
def test_mistakes_are_told_in_one_line(arguments: list[str], words: str) -> None:
    assert words in complaint(SNOW, *arguments)


@pytest.mark.parametrize("option", ["--input", "--row"])
def test_a_model_without_a_scaler_takes_codes_only(option: str, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    RELU6.save(path)
    assert f"{option}: this model has no scaler" in complaint(path, option, "1")
    assert "--codes" in complaint(path, option, "1")
    assert command(path, "--codes", "-128,-1,0,1,127").exit_code == 0


# What the hook costs an engine that is compiled without it.

COMPILERS = {
    "gcc": ["-O2"],
    "arm-none-eabi-gcc": ["-Os", "-mcpu=cortex-m0plus", "-mthumb"],
}


def machine_code(compiler: str, source: Path, *flags: str) -> tuple[bytes, str]:
    """The bytes of ``.text`` of one C file, and the names that it refers to."""
    prefix = require(compiler).removesuffix("gcc")
    compiled, text = source.with_suffix(".o"), source.with_suffix(".text")
    options = ["-std=c11", "-Wall", "-Werror", *COMPILERS[compiler], "-I", str(ENGINE), *flags]
    subprocess.run([compiler, *options, "-c", source, "-o", compiled], check=True)
    copy = [f"{prefix}objcopy", "-O", "binary", "--only-section=.text", compiled, text]
    subprocess.run(copy, check=True)
    names = subprocess.run([f"{prefix}nm", compiled], capture_output=True, text=True, check=True)
    return text.read_bytes(), names.stdout


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("name", ["dense_portable.c", "softmax.c", "scratchml.c"])
def test_without_the_flag_the_hook_is_not_there_at_all(
    compiler: str, name: str, tmp_path: Path
) -> None:
    lines = (ENGINE / name).read_text("utf-8").splitlines(keepends=True)
    kept = [line for line in lines if not line.strip().startswith("SML_TRACE(")]
    assert len(kept) < len(lines)
    source = tmp_path / name
    source.write_text("".join(kept))
    bare, _ = machine_code(compiler, source)
    source.write_text("".join(lines))
    code, names = machine_code(compiler, source)
    assert len(code) > 50
    assert code == bare
    assert "sml_trace" not in names
    with_hook, names = machine_code(compiler, source, "-DSML_WITH_TRACE")
    assert with_hook != code
    assert "sml_trace" in names
