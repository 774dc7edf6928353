"""What the weather station around the model costs, by the meter."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import require

import scratchml as sml
from scratchml import cost
from scratchml.cost.cpus import CPUS, Cpu
from scratchml.cost.firmware import Build, build_firmware
from scratchml.cost.station import StationCost, build_station, measure_station
from scratchml.errors import ScratchmlError
from scratchml.resources import find

each_cpu = pytest.mark.parametrize("cpu", CPUS, ids=lambda cpu: cpu.name)


@pytest.fixture(scope="module")
def stations(model: sml.QuantizedMLP) -> dict[str, StationCost]:
    for tool in ("arm-none-eabi-gcc", "unicorn", "capstone", "elftools"):
        require(tool)
    return {cpu.name: measure_station(model, cpu) for cpu in CPUS}


@each_cpu
def test_a_loop_costs_what_is_in_it(
    stations: dict[str, StationCost], model: sml.QuantizedMLP, cpu: Cpu
) -> None:
    """The hour's loop holds a reading's, and the two calls that the meter knows by themselves."""
    station = stations[cpu.name]
    calls = cost.measure(model, cpu).calls
    engine = calls["sml_prepare_input"][1] + calls["sml_run_model"][1]
    assert 0 < station.idle < station.reading
    assert station.reading + engine < station.hour
    assert station.of_an_hour == station.hour + 11 * station.reading + 888 * station.idle


@each_cpu
def test_sizes_are_what_binutils_say(
    stations: dict[str, StationCost], model: sml.QuantizedMLP, cpu: Cpu, tmp_path: Path
) -> None:
    build = Build(cpu)
    bare = build_firmware(model, build, tmp_path)["counts"]
    whole = build_station(build, tmp_path)
    station = stations[cpu.name]
    parts, without = sections(whole), sections(bare)
    assert station.golden == 32 * 6 + 32 * 1 == parts[".model"] - without[".model"]
    assert station.code == parts[".engine"] - without.get(".engine", 0)
    assert station.total == parts[".engine"] + parts[".model"] + parts.get(".head", 0)
    assert station.ram == sum(
        size for name, size in variables(whole).items() if not name.startswith("meter_")
    )


def binutils(tool: str, *arguments: str | Path) -> list[list[str]]:
    command = [require("arm-none-eabi-gcc").replace("-gcc", f"-{tool}"), *map(str, arguments)]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [line.split() for line in text.splitlines()]


def sections(program: Path) -> dict[str, int]:
    rows = binutils("size", "-A", program)
    return {row[0]: int(row[1]) for row in rows if len(row) == 3 and row[0].startswith(".")}


def variables(program: Path) -> dict[str, int]:
    """Those in RAM, with their sizes."""
    rows = binutils("nm", "-S", program)
    return {row[3]: int(row[1], 16) for row in rows if len(row) == 4 and row[2] in "bBdD"}


def test_a_station_that_says_something_else_is_an_error(
    stations: dict[str, StationCost],
    model: sml.QuantizedMLP,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert stations
    shutil.copytree(find("csrc"), tmp_path / "csrc")
    source = tmp_path / "csrc" / "firmware" / "station.c"
    text = source.read_text()
    assert text.count('" % (no)"') == 1
    source.write_text(text.replace('" % (no)"', '" % (nay)"').replace('" % (yes)"', '" % (yea)"'))
    monkeypatch.setattr("scratchml.cost.station.find", lambda folder: tmp_path / folder)
    with pytest.raises(ScratchmlError, match=r"the emulated Cortex-M4 says .*instead of '-> snow "):
        measure_station(model, CPUS[0])
