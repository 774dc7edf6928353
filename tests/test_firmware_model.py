"""The model in the firmware: the committed one, and ``scratchml export --firmware``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command_line import json_of, one_line, output_of, refused
from conftest import ROOT, random_model

import scratchml as sml
from scratchml import tflite
from scratchml.export import fingerprint, header_text, source_text
from scratchml.firmware import FOLDER, NAME, committed_model, is_for_station
from scratchml.tasks import from_metadata
from scratchml.verify import verify


@pytest.fixture(scope="module")
def committed() -> sml.QuantizedMLP:
    return sml.QuantizedMLP.load(committed_model())


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """As much of a checkout as the command looks for."""
    (tmp_path / FOLDER).mkdir(parents=True)
    (tmp_path / FOLDER.parent / "main.cpp").touch()
    (tmp_path / "platformio.ini").touch()
    return tmp_path


@pytest.fixture
def file(model: sml.QuantizedMLP, tmp_path: Path) -> Path:
    model.save(tmp_path / "mine.tflite")
    return tmp_path / "mine.tflite"


# --- the committed model ----------------------------------------------------------------------


def test_the_c_files_are_the_export_of_the_tflite_file(committed: sml.QuantizedMLP) -> None:
    assert (ROOT / FOLDER / f"{NAME}.c").read_text() == source_text(committed, NAME)
    assert (ROOT / FOLDER / f"{NAME}.h").read_text() == header_text(committed, NAME)
    assert tflite.to_bytes(committed) == committed_model().read_bytes()


def test_it_was_trained_on_the_embedded_hours_with_the_default_recipe(
    committed: sml.QuantizedMLP, data: sml.Dataset
) -> None:
    assert committed.metadata["data"] == data.fingerprint
    assert from_metadata(committed.metadata) == data.recipe
    assert committed.scaler == data.scaler


def test_it_forecasts_as_well_as_the_readme_says(
    committed: sml.QuantizedMLP, data: sml.Dataset
) -> None:
    assert sml.evaluate(committed, data.test).pr_auc > 0.23


def test_numpy_c_and_the_committed_file_agree(
    committed: sml.QuantizedMLP, data: sml.Dataset
) -> None:
    compared = verify(
        committed,
        counts=data.test.counts,
        random_rows=20_000,
        seed=0,
        c_source=ROOT / FOLDER / f"{NAME}.c",
        file=committed_model().read_bytes(),
        use_oracle=False,
    )
    assert {c.differing for c in compared} == {0}
    assert "exported C" in {c.implementation for c in compared}


# --- its fingerprint --------------------------------------------------------------------------


def test_a_fingerprint_is_that_of_the_numbers_and_not_of_the_name(model: sml.QuantizedMLP) -> None:
    defined = f"UINT32_C(0x{fingerprint(model):08x})"
    assert f"#define A_FINGERPRINT {defined}\n" in header_text(model, "a")
    assert f"#define B_FINGERPRINT {defined}\n" in header_text(model, "b")
    assert fingerprint(replace(model, metadata={"seed": 5})) == fingerprint(model)


def test_whatever_a_board_computes_with_changes_it(model: sml.QuantizedMLP) -> None:
    first, last = model.layers
    weights = first.weights.copy()
    weights[3, 2] ^= 1
    assert model.scaler is not None
    mean = (model.scaler.mean[0] + 0.01, *model.scaler.mean[1:])
    others = [
        replace(model, layers=(replace(first, weights=weights), last)),
        replace(model, layers=(first, replace(last, bias=last.bias + 1))),
        replace(model, scaler=replace(model.scaler, mean=mean)),
        replace(model, threshold=model.threshold + 1 / 256),
    ]
    assert len({fingerprint(m) for m in (model, *others)}) == 5


# --- export --firmware ------------------------------------------------------------------------


def test_export_puts_a_model_in_the_place_of_the_firmware_s(
    file: Path, checkout: Path, model: sml.QuantizedMLP
) -> None:
    found = json_of("export", file, "--firmware", "-o", checkout)["files"]
    folder = checkout / FOLDER
    assert [Path(name) for name in found] == [
        folder / f"{NAME}{s}" for s in (".c", ".h", ".tflite")
    ]
    assert (folder / "model.c").read_text() == source_text(model, NAME)
    placed = sml.QuantizedMLP.load(folder / "model.tflite")
    rows = np.random.default_rng(0).integers(-128, 128, (100, 6), np.int8)
    assert (placed.run(rows) == model.run(rows)).all()
    assert fingerprint(placed) == fingerprint(model)


def test_export_finds_the_checkout_it_is_run_in(
    file: Path, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (checkout / "docs").mkdir()
    monkeypatch.chdir(checkout / "docs")
    output_of("export", file, "--firmware")
    assert (checkout / FOLDER / "model.c").exists()


def test_export_outside_of_a_checkout(file: Path, tmp_path: Path) -> None:
    line = one_line(refused("export", file, "--firmware", "-o", tmp_path))
    assert "not in a checkout" in line
    assert "-o" in line


@pytest.mark.parametrize("option", ["--with-engine", "--byte-array", "--name=mine"])
def test_export_with_options_that_are_not_the_station_s(
    file: Path, checkout: Path, option: str
) -> None:
    assert "--firmware goes with" in one_line(
        refused("export", file, "--firmware", "-o", checkout, option)
    )
    assert list((checkout / FOLDER).iterdir()) == []


def test_models_that_the_station_cannot_use(
    model: sml.QuantizedMLP, checkout: Path, tmp_path: Path
) -> None:
    assert model.scaler is not None
    fahrenheit = replace(model, scaler=replace(model.scaler, units=("F", "%")))
    linear = replace(
        model, layers=(model.layers[0], replace(model.layers[1], following=())), threshold=0.5
    )
    for other, words in (
        (random_model([6, 4, 1], 0, output="sigmoid"), "temperature_2m and relative_humidity_2m"),
        (fahrenheit, "temperature_2m and relative_humidity_2m"),
        (linear, "yes or no"),
    ):
        assert not is_for_station(other)
        other.save(tmp_path / "other.tflite")
        line = one_line(refused("export", tmp_path / "other.tflite", "--firmware", "-o", checkout))
        assert words in line
    assert list((checkout / FOLDER).iterdir()) == []
    assert is_for_station(model)
