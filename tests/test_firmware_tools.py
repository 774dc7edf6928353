"""What the firmware's tests and ``make firmware`` are made with: the emulated port, the tools."""

from __future__ import annotations

import json
import os
from pathlib import Path

import firmware_builds
import local_scons
import make_replay_hours as replay
import numpy as np
import pandas as pd
import pytest
import run_firmware
from conftest import require
from firmware_builds import FIRMWARE, ask, build, next_line, on_a_port
from run_firmware import ENVIRONMENTS

import scratchml as sml
from scratchml.errors import ScratchmlError
from scratchml.firmware import committed_model

each_board = pytest.mark.parametrize("name", ENVIRONMENTS)


# --- a computer on the port, in real time -----------------------------------------------------


@each_board
def test_a_computer_talks_to_the_emulated_board(name: str) -> None:
    with on_a_port(name, build(name)) as port:
        computer = os.open(port, os.O_RDWR | os.O_NOCTTY)
        try:
            assert ask(computer, b"selftest\n") == b"self-test 32/32"
            assert f"board={name.replace('_', '-')}".encode() in ask(computer, b"status\n")
            assert ask(computer, b"what?\n").startswith(b"error ")
        finally:
            os.close(computer)


@each_board
def test_no_byte_of_a_flood_is_lost(name: str) -> None:
    """More than the board's buffer holds: the computer has to wait."""
    snow = sml.QuantizedMLP.load(committed_model())
    rows = np.random.default_rng(1).integers(-128, 128, (200, snow.inputs)).astype(np.int8)
    with on_a_port(name, build(name)) as port:
        computer = os.open(port, os.O_RDWR | os.O_NOCTTY)
        try:
            os.write(computer, b"".join(b"run %s\n" % row.tobytes().hex().encode() for row in rows))
            answers = [next_line(computer) for _ in rows]
        finally:
            os.close(computer)
    expected = [b"output %s" % row.tobytes().hex().encode() for row in snow.run(rows)]
    assert answers == expected and len(set(answers)) > 10


# --- the tools --------------------------------------------------------------------------------


def test_the_committed_hours_are_what_the_tool_writes(tmp_path: Path, hours: pd.DataFrame) -> None:
    assert replay.main(["-o", str(tmp_path)]) == 0
    committed = FIRMWARE / "replay" / replay.NAME
    assert (tmp_path / replay.NAME).read_bytes() == committed.read_bytes()

    counts = run_firmware.replayed(FIRMWARE / "replay")
    week = hours[hours["time"] >= "2007-02-21 01:00"].head(168)
    real = week[["temperature_2m", "relative_humidity_2m"]].to_numpy()
    there = np.arange(168) != 100
    assert np.abs(counts[there] - 100 * real[there]).max() < 1e-6
    assert counts[100].tolist() == [-32768, 0]
    assert (week["snowfall"] > 0.5).sum() == 30


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--start", "soon"], "start 'soon': write it like 2007-02-21T01:00"),
        (["--start", "2030-01-01T00:00"], "168 hours from 2030-01-01T00:00: there are those of "),
        (["--start", "2008-09-30T20:00"], "168 hours from 2008-09-30T20:00: there are those of "),
        (["--hours", "0"], "0 hours: there must be one at least"),
        (["--missing", "7,168"], "missing hours are numbered from 0 to 167"),
    ],
)
def test_hours_that_are_not_there_are_refused(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert replay.main([*arguments, "-o", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert said.startswith(message) and said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_table_s_own_gap_is_a_missing_hour(hours: pd.DataFrame) -> None:
    gap = hours.drop(index=3)
    counts = replay.counts_of(gap, "1998-10-01T01:00", 6)
    assert np.flatnonzero(counts[:, 0] == replay.MISSING).tolist() == [3]


def test_platformio_is_given_the_scons_that_it_wants(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require("platformio")
    folder = local_scons.install(tmp_path)
    assert sorted(path.name for path in folder.iterdir()) == [".piopm", "package.json", "scons.py"]
    assert json.loads((folder / "package.json").read_text())["version"] == "4.41101.0"
    monkeypatch.setattr(local_scons, "version", lambda _: "4.12.0")
    with pytest.raises(ScratchmlError, match=r"wants tool-scons ~4\.41101\.0, not 4\.41200\.0"):
        local_scons.install(tmp_path)


def test_no_missing_tool_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Tests are left out by name, under CI they fail; ``make firmware`` says what to do."""
    monkeypatch.setenv("PATH", str(tmp_path))
    # what conftest's require raises: caught here, it leaves nothing out
    for ci, outcome in (("true", pytest.fail.Exception), ("false", pytest.skip.Exception)):
        monkeypatch.setenv("CI", ci)
        with pytest.raises(outcome, match=r"arm-none-eabi-gcc is not here.*make toolchain"):
            firmware_builds.run([], tmp_path)
        with (
            pytest.raises(outcome, match=r"qemu-system-arm is not here.*make toolchain"),
            on_a_port(ENVIRONMENTS[0], tmp_path),
        ):
            pass
    assert run_firmware.main(["--folder", str(tmp_path)]) == 1
    assert capsys.readouterr().err == "qemu-system-arm is not here; add it with: make toolchain\n"
    with pytest.raises(ScratchmlError, match=r"arm-none-eabi-gcc is not here.*make toolchain"):
        run_firmware.build(ENVIRONMENTS, tmp_path, tmp_path)
