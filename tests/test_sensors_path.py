"""From a table to C, each kind of question: every implementation agrees to the last bit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from conftest import require
from sample_tables import READ, gestures, weights

import scratchml as sml
from scratchml import sensors, tasks
from scratchml.checkpoint import Checkpoint
from scratchml.cli.steps import test_stream as stream_of
from scratchml.evaluate import evaluate
from scratchml.sensors import Recipe, SensorDataset

AXES = ("ax", "ay", "az")
STATISTICS = ("mean", "minimum", "maximum", "range", "std", "rms", "mean_abs_diff",
              "zero_crossings", "mean_crossings")  # fmt: skip


def yes_or_no() -> pd.DataFrame:
    table = gestures(8)
    return table.assign(gesture=np.where(table["gesture"] == "idle", "still", "moving"))


def drifting() -> pd.DataFrame:
    """Values with no end of decimals, a missing one now and then."""
    table = weights()
    table["celsius"] += np.random.default_rng(1).normal(0, 0.01, len(table))
    table.loc[table.index % 41 == 0, "battery"] = np.nan
    return table


KINDS: dict[str, tuple[pd.DataFrame, Recipe, float]] = {
    "one sample, yes or no": (
        yes_or_no(),
        Recipe(features=AXES, label="gesture", positive="moving", group="person", units=("g",)),
        0.7,
    ),
    "statistics, three classes": (
        gestures(8),
        Recipe(features=AXES, label="gesture", group="person", window=25, step=5,
               statistics=STATISTICS),
        0.9,
    ),
    "raw windows, three classes": (
        gestures(8),
        Recipe(features=AXES, label="gesture", group="person", window=20, step=4,
               scaling="robust", balance="training"),
        0.8,
    ),
    "one sample, a number": (
        drifting(),
        Recipe(features=READ, target="weight", missing="median", split="random"),
        0.9,
    ),
    "raw windows, a number": (
        drifting(),
        Recipe(features=READ, target="weight", missing="previous",
               window=3, split="time"),
        0.9,
    ),
}  # fmt: skip


class Made(NamedTuple):
    data: SensorDataset
    net: sml.MLP
    model: sml.QuantizedMLP
    least: float


@pytest.fixture(scope="module", params=list(KINDS))
def made(request: pytest.FixtureRequest) -> Made:
    """Trained for a few epochs, quantized, with the front end where there is one."""
    table, recipe, least = KINDS[request.param]
    data = sensors.make_dataset(table, recipe)
    output, outputs = tasks.output_of(data)
    net = sml.MLP([data.train.counts.shape[1], 16, outputs], output=output, seed=0)
    sml.train(net, data.train, data.validation, epochs=20, batch_size=16, learning_rate=5e-3)
    metadata = Checkpoint.of(net, data).metadata()
    model = sml.quantize(net, data.train, metadata=metadata, front_end=data.front_end)
    return Made(data, net, model, least)


def score(model: Any, rows: sml.Rows) -> float:
    metrics = evaluate(model, rows).metrics()
    return metrics["r2"] if "r2" in metrics else metrics["accuracy"]


def test_all_implementations_agree(made: Made, tmp_path: Path) -> None:
    """Of the file, read again: numpy, the C engine, the exported C, TensorFlow Lite Micro."""
    require("tflite_micro")
    made.model.save(tmp_path / "model.tflite")
    model = sml.QuantizedMLP.load(tmp_path / "model.tflite")
    source, _ = sml.export_c(model, tmp_path, name="gauge")
    comparisons = sml.verify(
        model,
        counts=made.data.test.counts,
        samples=stream_of(made.data),
        random_rows=2_000,
        c_source=source,
        file=(tmp_path / "model.tflite").read_bytes(),
    )
    assert [str(c) for c in comparisons if c.differing] == []
    names = {c.rows_name for c in comparisons}
    assert {"test rows", "test counts"} <= names
    assert ("windows of the test stream" in names) == (made.data.front_end is not None)
    assert all(c.rows for c in comparisons)


def test_the_file_keeps_all_that_a_board_needs(made: Made, tmp_path: Path) -> None:
    made.model.save(tmp_path / "model.tflite")
    model = sml.QuantizedMLP.load(tmp_path / "model.tflite")
    for name in ("scaler", "front_end", "target", "classes", "threshold", "output"):
        assert getattr(model, name) == getattr(made.model, name), name
    kept, stored = (json.dumps(dict(m.metadata), sort_keys=True) for m in (model, made.model))
    assert kept == stored
    assert tasks.from_metadata(model.metadata) == made.data.recipe
    Checkpoint.of(made.net, made.data).save(tmp_path / "model.npz")
    again = Checkpoint.load(tmp_path / "model.npz")
    assert (again.scaler, again.front_end) == (made.data.scaler, made.data.front_end)
    assert (again.target, again.classes) == (made.data.train.target, made.data.classes)
    assert again.recipe == made.data.recipe


def test_the_data_made_again_for_the_model_is_the_same(made: Made) -> None:
    recipe = tasks.from_metadata(made.model.metadata)
    assert isinstance(recipe, Recipe)
    (table,) = (t for t, r, _ in KINDS.values() if _same(r, recipe))
    again = sensors.make_dataset(
        table,
        recipe,
        scaler=made.model.scaler,
        target=made.model.target,
        classes=made.data.classes,
    )
    assert again.fingerprint == made.model.metadata["data"]
    assert np.array_equal(again.test.counts, made.data.test.counts)
    assert np.array_equal(again.test.y, made.data.test.y)


def _same(recipe: Recipe, found: Recipe) -> bool:
    fields = ("features", "label", "target", "positive", "window", "statistics", "missing")
    return all(getattr(recipe, name) == getattr(found, name) for name in fields)


def test_something_is_learnt_and_int8_keeps_it(made: Made) -> None:
    """So that what agrees is not one answer for all."""
    data, net, model = made.data, made.net, made.model
    real, in_int8 = score(net, data.test), score(model, data.test)
    assert real > made.least
    assert in_int8 == pytest.approx(real, abs=0.05)
    codes = model.run(model.prepare_input(data.test.counts))
    assert len(np.unique(codes, axis=0)) > 5
