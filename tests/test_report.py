"""Tables and JSON of what was found: every figure is the one of its source, and none is missing."""

from __future__ import annotations

import io
import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from conftest import random_model
from rich.console import Console, RenderableType

import scratchml as sml
from scratchml import report, tflite
from scratchml.baselines import baselines, nearest_mean
from scratchml.dataset import WeatherDataset
from scratchml.evaluate import evaluate_scores
from scratchml.layer_errors import LayerError
from scratchml.litert import Difference
from scratchml.multiclass import evaluate_classes
from scratchml.regression import evaluate_numbers
from scratchml.verify import Comparison


def lines(*tables: RenderableType) -> list[list[str]]:
    """The words of each line, as a wide terminal would show them."""
    console = Console(file=io.StringIO(), width=200, highlight=False, color_system=None)
    console.print(*tables, sep="\n")
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    return [line.split() for line in text.splitlines() if line.strip(" ─")]


@pytest.fixture(scope="module")
def images() -> sml.Dataset:
    return sml.digits.make_dataset()


# Data.


def test_rows_of_the_weather_with_their_times(data: sml.Dataset) -> None:
    found = report.data_json(data)
    header, *rows = lines(report.data_table(data))
    assert header == "Rows rows snow share from to".split()
    for part, row in zip(("train", "validation", "test"), rows, strict=True):
        labels = getattr(data, part).y.tolist()
        snow = sum(label > 0 for label in labels)
        assert found[part] == {"rows": len(labels), "snow": snow}
        first, last = (data.hours["time"].iloc[getattr(data, part).index[i]] for i in (0, -1))
        times = [word for t in (first, last) for word in str(t)[:16].split()]
        share = f"{100 * snow / len(labels):.1f}%"
        assert row == [part, f"{len(labels):,}", f"{snow:,}", share, *times]
    assert found["recipe"]["horizon"] == 1
    json.dumps(found)


def test_rows_of_digits_class_by_class(images: sml.Dataset) -> None:
    found = report.data_json(images)
    header, *rows = lines(report.data_table(images))
    assert header == ["Rows", "rows", *images.classes]
    for part, row in zip(("train", "validation", "test"), rows, strict=True):
        labels = getattr(images, part).y.tolist()
        counts = {str(digit): labels.count(digit) for digit in range(10)}
        assert found[part] == {"rows": len(labels), **counts}
        assert row == [part, str(len(labels)), *map(str, counts.values())]


# Evaluations.


def test_baselines_of_the_weather(data: WeatherDataset) -> None:
    found = report.baseline_evaluations(data)
    assert list(found) == ["always no", "T < 2 C and RH >= 95 %", "persistence"]
    for name, answers in baselines(data, data.test).items():
        right = sum(a == (y > 0) for a, y in zip(answers.tolist(), data.test.y, strict=True))
        assert found[name].metrics()["accuracy"] == pytest.approx(right / len(data.test))


def test_the_baseline_of_digits_is_the_nearest_mean(images: sml.Dataset) -> None:
    (evaluation,) = report.baseline_evaluations(images).values()
    taken = nearest_mean(images, images.test).argmax(axis=1)
    assert evaluation.metrics()["accuracy"] == pytest.approx((taken == images.test.y).mean())


def some_evaluations() -> dict[str, dict[str, Any]]:
    rng = np.random.default_rng(0)
    y, scores = rng.integers(0, 2, 90), rng.random(90)
    several, chances = rng.integers(0, 3, 90), rng.random((90, 3))
    return {
        "binary": {
            "float": evaluate_scores(y, scores, 0.5),
            "int8": evaluate_scores(y, scores, 0.7),
        },
        "classes": {"float": evaluate_classes(several, chances)},
        "numbers": {"float": evaluate_numbers(chances[:, :2], chances[:, 1:])},
    }


def test_a_small_error_is_not_rounded_away() -> None:
    """Of a target in a large unit; ratios keep their three decimals."""
    y = np.array([0.0012, 0.0031, 0.0024])
    evaluations = {"float": evaluate_numbers(y, y[:, None] + [[0.0002], [-0.0001], [0.0]])}
    _, *rows = lines(report.metrics_table(evaluations))
    assert [row[1] for row in rows] == ["1.67e-08", "0.000129", "0.0001", "0.973"]


@pytest.mark.parametrize("kind", ["binary", "classes", "numbers"])
def test_every_metric_is_a_row_and_every_evaluation_a_column(kind: str) -> None:
    evaluations = some_evaluations()[kind]
    header, *rows = lines(report.metrics_table(evaluations))
    assert header == ["On", "the", "test", "rows", *evaluations]
    names = list(evaluations["float"].metrics())
    for name, row in zip(names, rows, strict=True):
        figures = [f"{e.metrics()[name]:.3f}" for e in evaluations.values()]
        assert row[-len(figures) :] == figures
        assert " ".join(row[: -len(figures)]).lower() == name.replace("_", " ")
    assert json.loads(json.dumps(report.evaluations_json(evaluations)))["float"].keys() >= set(
        names
    )


def test_metrics_have_their_usual_names() -> None:
    found = some_evaluations()
    text = "\n".join(
        " ".join(row) for e in found.values() for row in lines(report.metrics_table(e))
    )
    for label in ("F1", "ROC AUC", "PR AUC", "macro F1", "MSE", "RMSE", "MAE", "R2"):
        assert label in text


def test_a_yes_or_no_has_its_four_cells() -> None:
    evaluations = some_evaluations()["binary"]
    table = lines(report.confusion_tables(evaluations, ("no snow", "snow")))
    a, b = (e.confusion for e in evaluations.values())
    assert table == [
        ["Confusion", "matrix", "float", "int8"],
        ["at", "threshold", "0.5", "0.7"],
        ["snow,", "forecast", str(a.tp), str(b.tp)],
        ["snow,", "missed", str(a.fn), str(b.fn)],
        ["no", "snow,", "false", "alarm", str(a.fp), str(b.fp)],
        ["no", "snow,", "none", "forecast", str(a.tn), str(b.tn)],
    ]


def test_several_classes_have_a_matrix_for_each_evaluation() -> None:
    y = np.array([0, 0, 0, 1, 2, 2])
    scores = np.eye(3)[[0, 0, 2, 1, 1, 1]]
    evaluations = {name: evaluate_classes(y, scores) for name in ("float", "int8")}
    table = lines(report.confusion_tables(evaluations, ("cat", "dog", "elk")))
    for start, name in ((0, "float,"), (4, "int8,")):
        assert table[start : start + 4] == [
            [name, "taken", "for", "cat", "dog", "elk", "recall"],
            ["cat", "2", ".", "1", "66.7%"],
            ["dog", ".", "1", ".", "100.0%"],
            ["elk", ".", "2", "0", "0.0%"],
        ]
    assert len(table) == 8


def test_evaluations_of_numbers_have_no_confusion() -> None:
    assert lines(report.confusion_tables(some_evaluations()["numbers"], ())) == []


# Models.


def test_sizes_in_words_and_as_json() -> None:
    model = random_model([6, 300, 4], seed=0)
    found = report.size_json(model)
    assert found["sizes"] == [6, 300, 4]
    assert found["ram_bytes"] == 8 + 300  # in whole words
    line = report.size_line(model).strip()
    assert line.startswith(f"6-300-4: {found['flash_bytes']:,} bytes of flash")
    assert line.endswith(f"{found['ram_bytes']:,} bytes of RAM for activations")


def test_layers_from_the_input_to_the_softmax() -> None:
    net = sml.MLP([3, 5, 2, 4], activations=["sigmoid", "relu6"], output="softmax", seed=0)
    model = sml.quantize(net, np.random.default_rng(0).normal(0, 1, (50, 3)).astype(np.float32))
    header, *rows = lines(report.layers_table(model))
    assert header == "Layer shape weight scales output scale zero point".split()
    first, second, third = model.layers

    def ends(layer: Any) -> list[str]:
        scales = layer.weight_scales.tolist()
        return [f"{min(scales):.4g}", "..", f"{max(scales):.4g}"]

    def of(quantization: Any) -> list[str]:
        return [f"{quantization.scale:.6g}", str(quantization.zero_point)]

    assert rows == [
        ["input", "3", *of(first.source)],
        ["1,", "linear", "3", "->", "5", *ends(first), *of(first.target)],
        ["sigmoid", "5", "0.00390625", "-128"],
        ["2,", "relu6", "5", "->", "2", *ends(second), *of(second.target)],
        ["3,", "linear", "2", "->", "4", *ends(third), *of(third.target)],
        ["softmax", "4", "0.00390625", "-128"],
    ]


def test_a_single_weight_scale_is_shown_once() -> None:
    (_, _, layer, *_) = lines(report.layers_table(random_model([3, 1], seed=0)))
    model = random_model([3, 1], seed=0)
    assert f"{model.layers[0].weight_scales[0]:.4g}" in layer
    assert ".." not in layer


def test_a_file_is_told_without_its_weights() -> None:
    model = replace(random_model([3, 2], seed=0), metadata={"seed": 4, "note": [1, {"a": None}]})
    data = tflite.to_bytes(model)
    file = tflite.read(data)
    found = json.loads(json.dumps(report.file_json(file, len(data))))
    assert found["file_bytes"] == len(data)
    assert found["metadata"] == {"seed": 4, "note": [1, {"a": None}]}
    assert found["operators"] == list(file.operators)
    assert found["output"] == "sigmoid"
    assert len(found["layers"][0]["weight_scales"]) == 2
    rows = lines(report.file_table(file, len(data)))
    assert rows[0] == ["File", f"{len(data):,}", "bytes"]
    assert ["seed", "4"] in rows
    assert not any(row[0] == "threshold" for row in rows)  # two sigmoids have none


# Comparisons.


def test_every_comparison_is_a_row_and_differences_stand_out() -> None:
    comparisons = [
        Comparison("C engine", "test rows", 26299, 0),
        Comparison("exported C", "random rows", 1000, 3, "row 7 of the random rows: ..."),
    ]
    table = report.verify_table(comparisons, oracle=True)
    assert lines(table) == [
        ["numpy", "integers", "=", "on", "result"],
        ["C", "engine", "test", "rows", "26,299", "rows,", "0", "differ"],
        ["exported", "C", "random", "rows", "1,000", "rows,", "3", "differ"],
    ]
    assert list(table.columns[2].cells) == [
        "[green]26,299 rows, 0 differ[/]",
        "[bold red]1,000 rows, 3 differ[/]",
    ]
    last = lines(report.verify_table(comparisons, oracle=False))[-1]
    assert last == ["TFLite", "Micro", "not", "available", "here"]
    assert report.verify_json(comparisons)[1] == {
        "implementation": "exported C",
        "rows_name": "random rows",
        "rows": 1000,
        "differing": 3,
        "first": "row 7 of the random rows: ...",
    }


def test_errors_of_int8_with_and_without_decisions() -> None:
    errors = [
        LayerError("input", 1000, math.inf, 0.0, 0.0, 0),
        LayerError("layer 1", 1000, 41.26, 0.01234, 0.123456, 7),
        LayerError("output", 1000, -3.0, 1.0, 12345.6, None),
    ]
    assert lines(report.errors_table(errors))[1:] == [
        ["input", "exact", "0.00%", "0", "0", "of", "1,000"],
        ["layer", "1", "41.3", "dB", "1.23%", "0.1235", "7", "of", "1,000"],
        ["output", "-3.0", "dB", "100.00%", "1.235e+04"],
    ]
    found = json.loads(json.dumps(report.errors_json(errors), allow_nan=False))
    assert [e["sqnr"] for e in found] == [None, 41.26, -3.0]
    assert [e["flips"] for e in found] == [0, 7, None]


def test_differences_of_litert() -> None:
    found = [
        Difference("default delegate", 2000, 35, 1, 2),
        Difference("reference kernels", 2000, 0, 0, None),
        Difference("others", 3000, 3000, 11, 1500),
    ]
    assert lines(report.differences_table(found)) == [
        ["LiteRT", "rows", "differ", "largest", "difference", "decisions", "differ"],
        ["default", "delegate", "2,000", "35", "(1.75%)", "1", "code", "2"],
        ["reference", "kernels", "2,000", "0", "(0.00%)", "0", "codes"],
        ["others", "3,000", "3,000", "(100.00%)", "11", "codes", "1,500"],
    ]
    assert report.differences_json(found)[0] == {
        "kernels": "default delegate",
        "rows": 2000,
        "differing": 35,
        "largest": 1,
        "flips": 2,
    }
