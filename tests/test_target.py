"""A number in its unit, from the rows to the board: scale, metrics, and the table of the C code."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn.linear_model
import sklearn.metrics
from c_builds import WARNINGS, compiled, printed
from conftest import random_model, require
from hypothesis import given
from hypothesis import strategies as st
from sample_tables import READ, weights

import scratchml as sml
from scratchml import sensors
from scratchml.affine import Quantization
from scratchml.baselines import linear_regression
from scratchml.c_surroundings import target_array
from scratchml.errors import ScratchmlError
from scratchml.evaluate import evaluate
from scratchml.regression import RegressionEvaluation
from scratchml.resources import engine_folder, engine_sources
from scratchml.sensors import SensorDataset
from scratchml.target import MAX_COUNT, Target

WEIGHT = sensors.Recipe(features=READ, target="weight", units=("", "C", "V"), split="random")


@pytest.fixture(scope="module")
def data() -> SensorDataset:
    return sensors.make_dataset(weights(), WEIGHT)


@pytest.fixture(scope="module")
def net(data: SensorDataset) -> sml.MLP:
    net = sml.MLP([3, 16, 1], output="linear", seed=0)
    sml.train(net, data.train, data.validation, epochs=60, batch_size=16, learning_rate=5e-3)
    return net


@pytest.fixture(scope="module")
def model(net: sml.MLP, data: SensorDataset) -> sml.QuantizedMLP:
    return sml.quantize(net, data.train, front_end=data.front_end)


def target_of(rows: sml.Rows) -> Target:
    assert rows.target is not None
    return rows.target


# The scale.


@given(st.lists(st.integers(-(10**6), 10**6), min_size=2, max_size=30))
def test_what_is_learnt_has_mean_0_and_deviation_1(numbers: list[int]) -> None:
    values = np.array(numbers) / 16
    if len(set(numbers)) == 1:
        with pytest.raises(ScratchmlError, match="level has one value in all training rows"):
            Target.fit(values, "level", "m", 16)
        return
    target = Target.fit(values, "level", "m", 16)
    scaled = target.standardize(values)
    assert scaled.dtype == np.float32
    assert np.mean(scaled, dtype=float) == pytest.approx(0, abs=1e-4)
    assert np.std(scaled, dtype=float) == pytest.approx(1, rel=1e-4)
    np.testing.assert_allclose(target.real(scaled), values, atol=1e-6 * (1 + np.ptp(values)))


@pytest.mark.parametrize(
    ("values", "resolution", "reason"),
    [
        ([], 1, "nothing to learn"),
        ([0.1] * 7, 10, "nothing to learn"),
        ([1.0, MAX_COUNT / 100 + 1], 100, "at 100 counts a unit does not fit in 30 bits"),
        ([1.0, np.inf], 1, "inf at 1 counts a unit does not fit"),
        ([1.0, np.nan], 1, "does not fit"),
    ],
)
def test_values_that_cannot_be_told_are_refused(
    values: list[float], resolution: int, reason: str
) -> None:
    with pytest.raises(ScratchmlError, match=reason):
        Target.fit(np.array(values), "level", "m", resolution)


def test_a_target_survives_its_file() -> None:
    target = Target("Füllstand \n*/", "m", 100, -3.25, 0.125)
    assert Target.from_dict(json.loads(json.dumps(target.to_dict()))) == target


@pytest.mark.parametrize(
    "change",
    [
        {"std": 0.0},
        {"std": -1.0},
        {"mean": float("nan")},
        {"std": float("inf")},
        {"resolution": 0},
        {"resolution": 2**31},
        {"resolution": "many"},
        {"mean": None},
        {"mean": ...},
    ],
    ids=str,
)
def test_a_target_that_is_none_is_refused(change: dict[str, Any]) -> None:
    values = {**Target("level", "m", 100, 0.0, 1.0).to_dict(), **change}
    values = {name: value for name, value in values.items() if value is not ...}
    with pytest.raises(ScratchmlError, match="the model's target"):
        Target.from_dict(values)


@pytest.mark.parametrize(
    ("sizes", "output"), [([3, 4, 2], "linear"), ([3, 4, 1], "sigmoid"), ([3, 4, 3], "softmax")]
)
def test_only_one_linear_output_has_a_target(sizes: list[int], output: str) -> None:
    model = random_model(sizes, 0, output=output)
    with pytest.raises(ScratchmlError, match="a target is what one linear output stands for"):
        replace(model, target=Target("level", "m", 100, 0.0, 1.0))


# Metrics are in units.


@pytest.mark.parametrize("kind", ["float", "int8"])
def test_errors_are_scikit_learns_in_units(
    kind: str, net: sml.MLP, model: sml.QuantizedMLP, data: SensorDataset
) -> None:
    """Against the table's own numbers, and the codes of the C engine."""
    target = target_of(data.test)
    truth = weights()["weight"].to_numpy()[data.test.index]
    if kind == "float":
        said = net.predict(data.test.x)[:, 0].astype(float) * target.std + target.mean
        found = evaluate(net, data.test)
    else:
        with sml.Engine(model) as engine:
            codes = engine.run_counts(data.test.counts)[:, 0].astype(float)
        output = model.output_quantization
        said = (codes - output.zero_point) * output.scale * target.std + target.mean
        found = evaluate(model, data.test)
    assert isinstance(found, RegressionEvaluation)
    metrics = found.metrics()
    assert metrics["mae"] == pytest.approx(sklearn.metrics.mean_absolute_error(truth, said), 1e-4)
    assert metrics["mse"] == pytest.approx(sklearn.metrics.mean_squared_error(truth, said), 1e-4)
    assert metrics["r2"] == pytest.approx(sklearn.metrics.r2_score(truth, said), abs=1e-6)
    # 1000 g of range, of which int8 tells 256 steps
    assert metrics["r2"] > 0.98 and metrics["mae"] < 30


def test_rows_of_another_scale_are_refused(model: sml.QuantizedMLP, data: SensorDataset) -> None:
    """Their numbers would be of no unit; made with the model's target they are judged."""
    other = weights(seed=3)
    with pytest.raises(ScratchmlError, match=r"the model tells weight with mean .* target=model"):
        evaluate(model, sensors.make_dataset(other, data.recipe, scaler=model.scaler).test)
    again = sensors.make_dataset(other, data.recipe, scaler=model.scaler, target=model.target)
    assert evaluate(model, again.test).metrics()["mae"] < 30


def test_the_plane_is_scikit_learns(data: SensorDataset) -> None:
    reference = sklearn.linear_model.LinearRegression().fit(
        data.train.x.astype(float), data.train.y.astype(float)
    )
    found = linear_regression(data, data.test)
    np.testing.assert_allclose(found, reference.predict(data.test.x.astype(float)), atol=1e-5)
    other = replace(data, test=data.train, validation=data.train)
    np.testing.assert_array_equal(linear_regression(other, data.test), found)


# The table of the C code.

PROGRAM = """
#include <stdio.h>
#include "weight.h"
int main(void) {
    for (int code = -128; code < 128; code++)
        printf("%ld\\n", (long)weight_target[code + 128]);
    return 0;
}
"""


def table_in(source: str) -> list[int]:
    (body,) = re.findall(r"_target\[256\] = \{(.*?)\};", source, re.DOTALL)
    return [int(word) for word in re.findall(r"-?[0-9]+", body)]


@pytest.mark.parametrize(
    ("compiler", "suffix"), [("gcc", "c"), ("clang", "c"), ("gcc", "cpp")], ids=str
)
def test_the_compiled_table_has_pythons_numbers(
    compiler: str, suffix: str, model: sml.QuantizedMLP, data: SensorDataset, tmp_path: Path
) -> None:
    """What each code stands for in tenths of a gram, as the header says."""
    source, header = sml.export_c(model, tmp_path, name="weight")
    text = header.read_text()
    assert "/* weight in counts of 1/10: weight_target[output[0] + 128]. */" in text
    for i, (name, unit, resolution) in enumerate(data.scaler.channels):
        assert f" *     counts[{i}]: {name}, counts of 1/{resolution} {unit}".rstrip() in text
    program = tmp_path / f"main.{suffix}"
    program.write_text(PROGRAM)
    folders = ["-I", engine_folder(), "-I", tmp_path]
    # the model stays C in a program of C++
    flags = ["-Wall", "-Werror", "-lstdc++"] if suffix == "cpp" else WARNINGS
    require("g++")
    sources = [program, source, *engine_sources()]
    compiled(compiler, *flags, *folders, *sources, "-o", tmp_path / "program")
    found = [int(line) for line in printed(tmp_path / "program").split()]

    target, output = target_of(data.test), model.output_quantization
    for code, count in zip(range(-128, 128), found, strict=True):
        real = (code - output.zero_point) * output.scale * target.std + target.mean
        assert abs(count - real * 10) <= 0.5 + 1e-3
    assert found == table_in(source.read_text())
    assert found == sorted(found) and len(set(found)) == 256


def test_the_table_rounds_half_to_even_and_keeps_a_negative_zero_out() -> None:
    """In whole counts and by hand: code q stands for q / 2 units."""
    target = Target("level", "m", 1, 0.0, 1.0)
    found = table_in(target_array(target, Quantization(0.5, 0), "level"))
    assert found[127:133] == [0, 0, 0, 1, 2, 2]
    assert found[:2] == [-64, -64] and found[255] == 64


def test_counts_beyond_32_bits_are_refused() -> None:
    target = Target("level", "m", 2**20, 0.0, 1000.0)
    with pytest.raises(ScratchmlError, match="level in 1/1048576 does not fit in 32 bits"):
        target_array(target, Quantization(0.5, 0), "level")


def test_names_that_close_a_comment_do_not(model: sml.QuantizedMLP, tmp_path: Path) -> None:
    assert model.scaler is not None
    nasty = "a */ int x; /* \n#error "
    scaler = replace(model.scaler, names=(nasty, *READ[1:]), units=(nasty,) * 3)
    target = Target(nasty, nasty, 10, 0.0, 1.0)
    source, _ = sml.export_c(replace(model, scaler=scaler, target=target), tmp_path, name="weight")
    compiled("gcc", *WARNINGS, "-I", engine_folder(), "-c", source, "-o", tmp_path / "weight.o")


def test_the_target_is_in_the_file_but_not_in_the_fingerprint_of_the_arithmetic(
    model: sml.QuantizedMLP, tmp_path: Path
) -> None:
    model.save(tmp_path / "weight.tflite")
    again = sml.QuantizedMLP.load(tmp_path / "weight.tflite")
    assert again.target == model.target and model.target is not None
    assert asdict(again.target) == model.target.to_dict()
    other = replace(model, target=replace(model.target, name="mass"))
    headers = []
    for number, each in enumerate((model, again, other)):
        headers.append(sml.export_c(each, tmp_path / str(number), name="weight")[1].read_text())
    assert headers[0] == headers[1] != headers[2]
    prints = {re.findall(r"FINGERPRINT .*", header)[0] for header in headers}
    assert len(prints) == 1
