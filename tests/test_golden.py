"""numpy and C against outputs that TensorFlow Lite Micro computed once, without its wheel.

``golden/vectors`` was made by tools/make_golden_vectors.py. Where the wheel is installed, it has to
give the same outputs still, and the tool the same files.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from conftest import ROOT, require
from test_parity import judge

import scratchml as sml
from scratchml import tflite
from scratchml.layouts import LAYOUTS, Layout

each_layout = pytest.mark.parametrize("layout", LAYOUTS, ids=[layout.name for layout in LAYOUTS])

FOLDER = Path(__file__).parent / "golden" / "vectors"
NAMES = """
    bounded corners deep hidden_sigmoids operators several_sigmoids sigmoid snow softmax wide
""".split()


@dataclass(frozen=True)
class Golden:
    """A model, what went in and what came out."""

    file: bytes
    model: sml.QuantizedMLP
    inputs: npt.NDArray[np.int8]
    outputs: npt.NDArray[np.int8]
    counts: npt.NDArray[np.int32] | None


def load(name: str, folder: Path = FOLDER) -> Golden:
    file = (folder / f"{name}.tflite").read_bytes()
    with np.load(folder / f"{name}.npz") as arrays:
        counts = arrays.get("counts")
        return Golden(file, tflite.from_bytes(file), arrays["inputs"], arrays["outputs"], counts)


@pytest.fixture(params=NAMES)
def golden(request: pytest.FixtureRequest) -> Golden:
    return load(request.param)


def test_every_file_is_tested_and_they_are_small() -> None:
    files = sorted(FOLDER.iterdir())
    assert [file.name for file in files] == sorted(
        f"{name}.{kind}" for name in NAMES for kind in ("tflite", "npz")
    )
    assert sum(file.stat().st_size for file in files) < 300_000


def test_the_vectors_can_prove_something(golden: Golden) -> None:
    assert golden.inputs.dtype == golden.outputs.dtype == np.int8
    assert golden.inputs.shape == (len(golden.outputs), golden.model.inputs)
    assert len(golden.outputs) >= 200
    assert len(np.unique(golden.outputs, axis=0)) >= 25


def test_numpy_gives_the_golden_outputs(golden: Golden) -> None:
    assert (golden.model.run(golden.inputs) == golden.outputs).all()


@each_layout
def test_the_c_engine_gives_the_golden_outputs(golden: Golden, layout: Layout) -> None:
    with sml.Engine(golden.model, layout) as engine:
        assert (engine.run(golden.inputs, row_by_row=True) == golden.outputs).all()
        assert (engine.run(golden.inputs) == golden.outputs).all()


def test_the_exported_c_gives_the_golden_outputs(golden: Golden, tmp_path: Path) -> None:
    require("gcc")
    source, _ = sml.export_c(golden.model, tmp_path, name="golden")
    with sml.Engine.from_c(source, golden.model) as engine:
        assert (engine.run(golden.inputs) == golden.outputs).all()


def test_a_file_written_again_is_the_same_model(golden: Golden) -> None:
    again = tflite.from_bytes(tflite.to_bytes(golden.model))
    assert (again.run(golden.inputs) == golden.outputs).all()
    assert (again.scaler, again.threshold) == (golden.model.scaler, golden.model.threshold)
    assert again.metadata == golden.model.metadata


@each_layout
def test_the_snow_models_counts_give_the_golden_codes_and_outputs(layout: Layout) -> None:
    snow = load("snow")
    assert snow.counts is not None and snow.model.scaler is not None
    assert snow.counts.min() == -(2**31) and snow.counts.max() == 2**31 - 1
    assert (snow.model.prepare_input(snow.counts) == snow.inputs).all()
    with sml.Engine(snow.model, layout) as engine:
        assert (engine.prepare_input(snow.counts) == snow.inputs).all()
        assert (engine.run_counts(snow.counts, row_by_row=True) == snow.outputs).all()
        assert (engine.run_counts(snow.counts) == snow.outputs).all()


def test_the_snow_models_file_tells_what_it_is() -> None:
    model = load("snow").model
    assert model.sizes == (6, 12, 1) and model.output == "sigmoid"
    assert model.scaler is not None
    assert model.scaler.names == ("temperature_2m", "relative_humidity_2m")
    assert model.scaler.resolution == (100, 100)
    assert 0 < model.threshold < 1
    assert sorted(model.metadata) == ["classes", "data", "recipe", "seed", "task"]
    assert model.classes == ("no snow", "snow")


def test_tflite_micro_still_gives_the_golden_outputs() -> None:
    require("tflite_micro")
    goldens = [load(name) for name in NAMES]
    judged = judge([(golden.file, golden.inputs) for golden in goldens])
    for name, golden, outputs in zip(NAMES, goldens, judged, strict=True):
        assert (outputs == golden.outputs).all(), name


@pytest.mark.slow
def test_the_tool_makes_these_vectors(tmp_path: Path) -> None:
    require("tflite_micro")
    tool = ROOT / "tools" / "make_golden_vectors.py"
    done = subprocess.run(
        [sys.executable, str(tool), "--output", str(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in FOLDER.iterdir()}
    for name in NAMES:
        made, golden = load(name, tmp_path), load(name)
        assert (made.model.run(made.inputs) == made.outputs).all()
        assert made.model.sizes == golden.model.sizes
        if name != "snow":  # trained anew: its last bits depend on the machine
            assert (made.inputs == golden.inputs).all()
            assert (made.outputs == golden.outputs).all()
