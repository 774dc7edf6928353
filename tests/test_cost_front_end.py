"""What a front end costs, by the meter."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import require
from front_end_models import front_end_model
from rich.console import Console
from typer.testing import CliRunner

import scratchml as sml
from scratchml.cli import app
from scratchml.cost.cpus import CPUS, Cpu
from scratchml.cost.firmware import Build, build_firmware
from scratchml.cost.front_end import FrontEndCost, measure_front_end, trial_windows
from scratchml.cost.program import read_program
from scratchml.cost.report import front_end_table
from scratchml.front_end import STATISTICS

each_cpu = pytest.mark.parametrize("cpu", CPUS, ids=lambda cpu: cpu.name)


@pytest.fixture(autouse=True)
def tools() -> None:
    for tool in ("arm-none-eabi-gcc", "unicorn", "capstone", "elftools"):
        require(tool)


def measured(cpu: Cpu, *statistics: str, window: int = 20) -> FrontEndCost:
    found = measure_front_end(front_end_model(statistics, window=window), cpu)
    assert found
    return found


@each_cpu
def test_more_statistics_and_longer_windows_cost_more(cpu: Cpu) -> None:
    one, all_ = measured(cpu, "mean"), measured(cpu, *STATISTICS)
    long = measured(cpu, *STATISTICS, window=40)
    assert one.sample < one.cycles < all_.cycles < long.cycles < 2 * all_.cycles
    assert one.instructions < all_.instructions < long.instructions
    assert one.sample == all_.sample == long.sample
    # code is the same, but for a constant that may stand in an instruction
    assert max(abs(other.flash - all_.flash) for other in (one, long)) <= 8
    # RAM is the ring, the stream, the features and a word
    assert all_.ram - one.ram == 4 * 3 * (len(STATISTICS) - 1)
    assert long.ram - all_.ram == 4 * 3 * 20
    assert one.stack <= all_.stack == long.stack < 256


@each_cpu
def test_a_program_without_a_stream_has_nothing_of_it(cpu: Cpu, tmp_path: Path) -> None:
    """The linker drops code, constants and the names of the classes."""
    files = build_firmware(front_end_model(("mean", "std")), Build(cpu), tmp_path)
    counts, samples = (read_program(files[name]) for name in ("counts", "samples"))
    assert {"sml_stream_start", "sml_stream_add"} <= samples.functions.keys()
    assert not any("stream" in name for name in counts.functions)
    assert "model_front_end" in samples.variables
    assert not {"model_front_end", "model_classes"} & counts.variables.keys()


@each_cpu
def test_without_a_front_end_there_is_nothing_to_measure(cpu: Cpu, model: sml.QuantizedMLP) -> None:
    assert measure_front_end(model, cpu) is None


def test_the_windows_that_are_measured_differ() -> None:
    front_end = front_end_model(STATISTICS).front_end
    assert front_end
    windows = trial_windows(front_end)
    assert len({window.tobytes() for window in windows}) == len(windows) == 3


def test_the_command_reports_it(tmp_path: Path) -> None:
    model = front_end_model(("mean", "std"))
    model.save(tmp_path / "gesture.tflite")
    command = ["cost", str(tmp_path / "gesture.tflite"), "--json"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0
    figures = json.loads(result.stdout)
    for cpu in CPUS:
        found = measure_front_end(model, cpu)
        assert figures[cpu.name]["front_end"] == vars(found)


def test_the_table_has_a_column_for_each_cpu() -> None:
    """Of a cost it only asks for the CPU."""
    costs: list[Any] = [SimpleNamespace(cpu=cpu) for cpu in CPUS]
    found = [FrontEndCost(1001 * i, 2002 * i, 33 * i, 4004 * i, 5005 * i, 66 * i) for i in (1, 2)]
    page = Console(record=True, width=120, file=io.StringIO())
    page.print(front_end_table(costs, found))
    text = page.export_text()
    for figures in found:
        assert all(f" {value:,} " in text for value in vars(figures).values())
    assert all(cpu.title in text for cpu in CPUS)


def test_a_model_s_page_tells_its_front_end(tmp_path: Path) -> None:
    model = front_end_model(("mean", "std"))
    assert model.front_end
    model.save(tmp_path / "gesture.tflite")
    command = ["info", str(tmp_path / "gesture.tflite")]
    runner = CliRunner(env={"COLUMNS": "120"})
    values = json.loads(runner.invoke(app, [*command, "--json"]).stdout)
    assert values["front_end"] == model.front_end.to_dict()
    page = runner.invoke(app, command).stdout
    assert "20 samples of ax, ay, az, every 10: mean, std of each" in page
