"""``scratchml cost``: tables, JSON, options, and what it says where something is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from command_line import FOREIGN, called, complaint, json_of, one_line, output_of, refused
from conftest import random_model, require

import scratchml as sml
from scratchml import cost
from scratchml.cli import cost as command
from scratchml.cost.station import StationCost

CPUS = ("cortex-m4", "cortex-m0plus")


@pytest.fixture(scope="module")
def file(model: sml.QuantizedMLP, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The snow model."""
    for tool in ("arm-none-eabi-gcc", "unicorn", "capstone", "elftools"):
        require(tool)
    path = tmp_path_factory.mktemp("cost") / "model.tflite"
    model.save(path)
    return path


@pytest.fixture(scope="module")
def values(file: Path) -> dict[str, Any]:
    """What it costs, really measured."""
    return json_of("cost", file)


@pytest.fixture(scope="module")
def costs(file: Path) -> dict[str, cost.Cost]:
    loaded = sml.QuantizedMLP.load(file)
    return {cpu.name: cost.measure(loaded, cpu) for cpu in cost.CPUS}


@pytest.fixture
def at_once(
    costs: dict[str, cost.Cost], values: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not measured again: for what does not depend on the measurement."""
    monkeypatch.setattr(cost, "measure", lambda model, cpu, optimize: costs[cpu.name])
    monkeypatch.setattr(
        "scratchml.cost.station.measure_station",
        lambda model, cpu, optimize: StationCost(**values[cpu.name]["station"]),
    )


def test_json_has_the_documented_shape(values: dict[str, Any]) -> None:
    assert tuple(values) == CPUS
    for cpu in values.values():
        for key in ("instructions", "cycles", "cycles_min", "flash", "flash_read", "ram", "stack"):
            assert isinstance(cpu[key], int)
            assert cpu[key] > 0
        assert cpu["microseconds"] == pytest.approx(cpu["cycles"] / cpu["clock_hz"] * 1e6)
        assert sum(cpu["flash_parts"].values()) == cpu["flash"]
        assert [layer["products"] for layer in cpu["layers"]] == [72, 12]
        for key in ("instructions", "cycles", "flash_read"):
            assert sum(part[key] for part in cpu["layers"] + cpu["rest"]) == cpu[key]
        assert {"sml_set_input", "sml_prepare_input"} <= cpu["calls"].keys()
        estimates = cpu["estimates"]
        assert cpu["cycles"] <= estimates["weights_in_ram"] <= estimates["warm_flash"]
        assert estimates["warm_flash"] < estimates["cold_flash"]
        assert "arm-none-eabi-gcc" in cpu["compiler"]
        assert "-O2" in cpu["compiler"]
        station = cpu["station"]
        assert 0 < station["idle"] < station["reading"] < station["hour"]
        assert station["total"] > station["code"] + station["golden"] + cpu["flash_parts"]["model"]
    assert [values[name]["clock_hz"] for name in CPUS] == [64_000_000, 133_000_000]
    assert [values[name]["chip"] for name in CPUS] == ["nRF52840", "RP2040"]


@pytest.mark.usefixtures("at_once")
def test_the_page_says_the_same_as_the_json(file: Path, values: dict[str, Any]) -> None:
    page = output_of("cost", file, columns=120)
    for line in ("Cortex-M4", "Cortex-M0+", "nRF52840, 64 MHz", "RP2040, 133 MHz"):
        assert line in page
    for name in CPUS:
        cpu = values[name]
        for key in ("instructions", "cycles", "flash", "flash_read", "ram", "stack"):
            assert f"{cpu[key]:,}" in page
        for part in cpu["layers"]:
            assert f"{part['cycles']:,}" in page
        assert cpu["estimates"]["assumptions"] in one_line(page)
        assert cpu["compiler"] in one_line(page)
        for size in cpu["station"].values():
            assert f"{size:,}" in page
    assert "constant" in page
    assert "█" in page
    assert "E = P * T = V * I * T" in page


@pytest.mark.usefixtures("at_once")
def test_cycles_never_stand_without_their_conditions(file: Path) -> None:
    """A line that names cycles or times also says how they came about."""
    words = ("zero wait states", "estimated", "estimates", "takes 56 cycles")
    for line in output_of("cost", file, columns=400).splitlines():
        if "cycles" in line or "microseconds" in line:
            assert any(word in line for word in words), line


@pytest.mark.usefixtures("at_once")
def test_energy_follows_from_the_options(file: Path) -> None:
    given = ("--current", "10", "--voltage", "2", "--sleep-current", "5")
    values = json_of("cost", file, *given, "--battery", "100", "--interval", "0.5")
    for cpu in values.values():
        seconds = cpu["microseconds"] / 1e6
        energy = cpu["energy"]
        assert energy["microjoules"] == pytest.approx(2 * 0.010 * seconds * 1e6)
        average = 5 + (10_000 - 5) * seconds / 0.5
        assert energy["average_current"] == pytest.approx(average)
        assert energy["days"] == pytest.approx(100_000 / average / 24)
        assert energy["source"].startswith("--current, --voltage, --sleep-current as given")


@pytest.mark.usefixtures("at_once")
def test_an_inference_longer_than_the_interval_is_refused(file: Path) -> None:
    assert "shorter than the inference" in refused("cost", file, "--interval", "0.000001")


@pytest.mark.parametrize("option", ["--current", "--voltage", "--interval", "--battery"])
def test_nothing_and_less_are_wrong_usage(file: Path, option: str) -> None:
    assert called("cost", file, option, "0").returncode == 2
    assert called("cost", file, option, "-1").returncode == 2


def test_optimization_levels(file: Path) -> None:
    assert all("-Os" in cpu["compiler"] for cpu in json_of("cost", file, "-Os").values())
    assert "known are" in refused("cost", file, "-O", "fast")


@pytest.mark.usefixtures("file")
def test_a_model_from_elsewhere_without_features() -> None:
    found = json_of("cost", FOREIGN / "tf221_linear_3.tflite")
    for cpu in found.values():
        assert "sml_prepare_input" not in cpu["calls"]
        assert cpu["flash_parts"]["head"] == 0
        assert "station" not in cpu


@pytest.mark.usefixtures("file")
def test_softmax_tells_the_range_of_its_cycles(tmp_path: Path) -> None:
    path = tmp_path / "classes.tflite"
    random_model([8, 16, 10], 4, activations="relu6", output="softmax").save(path)
    found = json_of("cost", path)
    assert all(cpu["cycles_min"] < cpu["cycles"] for cpu in found.values())
    page = output_of("cost", path, columns=120)
    for cpu in found.values():
        assert f"{cpu['cycles_min']:,} .. {cpu['cycles']:,}" in page
        assert [part["name"] for part in cpu["rest"]] == ["head", "engine"]


def test_without_the_cross_compiler_it_says_what_to_install(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    line = complaint(called("cost", file))
    assert "arm-none-eabi-gcc is not here" in line
    assert "apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi" in line


def test_without_the_c_library_it_says_what_to_install(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler = tmp_path / "arm-none-eabi-gcc"
    compiler.write_text('#!/bin/sh\necho "${1#-print-file-name=}"\n')
    compiler.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    line = complaint(called("cost", file))
    assert "newlib for arm-none-eabi-gcc is not here" in line
    assert "libnewlib-arm-none-eabi" in line


def test_without_the_wheels_it_says_what_to_install(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "WHEELS", {"no_such_module": "unicorn", "json": "capstone"})
    assert refused("cost", file) == (
        "error: unicorn is not installed: pip install 'scratchml[cost]'"
    )


def test_a_file_that_is_no_model_is_refused(file: Path, tmp_path: Path) -> None:
    path = tmp_path / "text.tflite"
    path.write_text("no model")
    assert str(path) in refused("cost", path)
    assert "No such file" in refused("cost", tmp_path / "none.tflite")


def test_help_does_not_load_the_emulator() -> None:
    """Nor does anything else that does not measure."""
    code = (
        "import sys; from scratchml.cli import app; import scratchml.cost.report; "
        "print(sorted({'unicorn', 'capstone', 'elftools'} & sys.modules.keys()))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (0, "[]\n")
    assert "What an inference costs" in output_of("cost", "--help")
