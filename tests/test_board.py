"""The computer's side of the line protocol, against the firmware itself and against fake boards."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import host_firmware
import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, random_model, require
from fake_boards import HOUR, FakeBoard, Honest
from hypothesis import given
from hypothesis import strategies as st

import scratchml as sml
from scratchml.board import Board, Forecast, Link, Status, find_ports, the_board
from scratchml.board.answers import protocol_of
from scratchml.board.client import ENGINE, PROTOCOL
from scratchml.board.compare import expected_forecasts
from scratchml.board.link import GREETING, LONGEST_LINE
from scratchml.board.windows import cut_windows, first_test_hour
from scratchml.errors import ScratchmlError
from scratchml.export import fingerprint

MODEL = host_firmware.model()

LOWEST, HIGHEST = -(2**31), 2**31 - 1


@pytest.fixture(autouse=True)
def _tools() -> None:
    require("serial")


def header(name: str) -> str:
    return (host_firmware.FIRMWARE / name).read_text("utf-8")


# --- the firmware itself ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def firmware() -> Iterator[Board]:
    """A board that forecasts an hour a second, a thousand times as fast: lines without end."""
    program = host_firmware.built(*host_firmware.FAST)
    with host_firmware.running(program, "100") as port, Board(port) as board:
        yield board


def test_versions_are_the_firmware_s() -> None:
    (version,) = re.findall(r"CONSOLE_VERSION = (\d+)", header("console.h"))
    (engine,) = re.findall(
        r"SML_MODEL_VERSION (\d+)", (ROOT / "csrc" / "engine" / "scratchml.h").read_text("utf-8")
    )
    assert (int(version), int(engine)) == (PROTOCOL, ENGINE)


def test_status(firmware: Board) -> None:
    status = firmware.status()
    assert status.model == fingerprint(MODEL)
    assert (status.inputs, status.outputs) == (MODEL.inputs, MODEL.outputs)
    assert (status.board, status.clock, status.holes) == ("host", 10**9, 0)
    firmware.check_model(MODEL, "model.tflite")


def test_hours_go_by_between_the_answers(firmware: Board) -> None:
    """Every hour is a line that nobody asked for."""
    before = firmware.status().hours
    x = np.zeros((1, MODEL.inputs), np.int8)
    while firmware.status().hours < before + 10:
        assert (firmware.run(x) == MODEL.run(x)).all()


def test_self_test(firmware: Board) -> None:
    result = firmware.self_test()
    assert (result.good, result.rows, result.first) == (32, 32, None)
    assert result.passed


@pytest.mark.parametrize(("rows", "seed"), [(1, 0), (63, 1), (64, 2), (5000, 2**32 - 1)])
def test_digest(firmware: Board, rows: int, seed: int) -> None:
    assert firmware.digest(MODEL, rows, seed) == sml.digest(MODEL, rows, seed)


def test_run_gives_python_s_bytes(firmware: Board) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(-128, 128, (300, MODEL.inputs), np.int8)
    done: list[int] = []
    assert (firmware.run(x, done.append) == MODEL.run(x)).all()
    assert done == list(range(1, 301))


def test_feed_gives_python_s_forecasts(firmware: Board) -> None:
    rng = np.random.default_rng(0)
    near = rng.integers([-1500, 5000] * 3, [500, 10001] * 3, (200, MODEL.inputs))
    far = rng.choice([LOWEST, LOWEST + 1, -1, 0, 1, HIGHEST], (100, MODEL.inputs))
    counts = np.vstack([near, far]).astype(np.int32)
    forecasts = firmware.feed(counts)
    assert forecasts == expected_forecasts(MODEL, counts)
    assert len({forecast.code for forecast in forecasts}) > 20
    assert {forecast.snow for forecast in forecasts} == {False, True}


def test_bench(firmware: Board) -> None:
    bench = firmware.bench()
    assert bench.clock == 10**9
    assert bench.cycles > 0
    assert bench.microseconds == pytest.approx(bench.cycles / 1000)


def test_a_model_of_another_s(firmware: Board, model: sml.QuantizedMLP) -> None:
    message = (
        f"the board runs model {fingerprint(MODEL):08x}, own.tflite is {fingerprint(model):08x}"
    )
    with pytest.raises(ScratchmlError, match=message):
        firmware.check_model(model, "own.tflite")


def test_somebody_s_half_line_is_ended() -> None:
    """Its error comes before our status, and is not taken for an answer to us."""
    with host_firmware.running(host_firmware.built()) as port:
        other = os.open(port, os.O_RDWR | os.O_NOCTTY)
        os.write(other, b"run 0102")
        with Board(port) as board:
            assert board.self_test().passed
        os.close(other)


# --- answers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("code", range(-128, 128))
def test_percent_rounds_halves_up(code: int) -> None:
    percent = Fraction(100 * (code + 128), 256)
    assert Forecast.of(code, 5) == Forecast(code, int(percent + Fraction(1, 2)), code >= 5)


counts32 = st.integers(0, 2**32 - 1)


@given(
    st.builds(
        Status,
        *[counts32] * 5,
        st.text("abcdefghijklmnopqrstuvwxyz0123456789_-", min_size=1, max_size=20),
        *[counts32] * 4,
    )
)
def test_a_status_line_is_read_as_it_was_written(status: Status) -> None:
    values = {**vars(status), "model": f"{status.model:08x}"}
    line = " ".join(["status", *(f"{name}={value}" for name, value in values.items())])
    assert Status.parse(line) == status
    assert Status.parse(f"{line} later=1") == status
    assert protocol_of(line) == (status.protocol if status.protocol < 10**9 else None)


# --- lines -----------------------------------------------------------------------------------


@given(st.binary(max_size=60), st.lists(st.integers(1, 20), max_size=10))
def test_lines_are_the_same_however_they_come(data: bytes, sizes: list[int]) -> None:
    """CR, LF or both end a line; empty ones are none."""
    with Link("loop://") as link:
        at = 0
        for size in [*sizes, len(data)]:
            link._serial.write(data[at : at + size])
            at += size
        link.send("\nend")
        lines = link.lines()
        got = []
        while (line := next(lines)) != "end":
            got.append(line)
    decoded = [part.decode("ascii", "replace").strip() for part in re.split(rb"[\r\n]", data)]
    assert got == [part for part in decoded if part]


def test_a_line_without_end_takes_no_more_and_no_more_memory() -> None:
    with Link("loop://") as link:
        link.send("x" * 3 * LONGEST_LINE)
        lines = link.lines()
        assert [next(lines) for _ in range(3)] == ["x" * LONGEST_LINE] * 3


def test_lines_that_never_stop_are_no_answer() -> None:
    """The time is up although there is always one more."""
    with FakeBoard(lambda line: HOUR * 50 if line else b"") as fake:
        with pytest.raises(ScratchmlError, match=r"no answer within 0\.3 s"):
            Board(fake.port, timeout=0.3)
        assert set(fake.lines) == {"status"}


# --- fake boards -----------------------------------------------------------------------------


def test_lines_of_the_hour_and_greetings_are_let_pass() -> None:
    honest = Honest(MODEL)
    greeting = f"85.0 % -> sn\r\n{GREETING}; self-test 32/32; for more: help\r\n".encode()

    def talkative(line: str) -> bytes:
        begun = greeting if fake.lines == ["status"] else b""
        return begun + HOUR + honest(line) + HOUR

    x = np.arange(5 * MODEL.inputs, dtype=np.int8).reshape(5, -1)
    with FakeBoard(talkative) as fake, Board(fake.port) as board:
        assert (board.run(x) == MODEL.run(x)).all()
        assert board.status() == board.greeted
        assert board.self_test().passed


def test_a_board_that_is_still_busy_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its late answers to the first questions are not taken for one to another."""
    monkeypatch.setattr("scratchml.board.client.RETRY", 0.05)
    honest = Honest(MODEL)
    asked = 0

    def busy(line: str) -> bytes:
        nonlocal asked
        asked += line == "status"
        if line == "status":
            return honest(line) * 3 if asked == 3 else b""
        return honest(line)

    with FakeBoard(busy) as fake, Board(fake.port) as board:
        assert board.digest(MODEL, 10, 0) == sml.digest(MODEL, 10, 0)
    assert fake.lines == ["status", "status", "status", "digest 10 0"]


def test_a_board_s_patience_with_a_digest_grows_with_its_rows() -> None:
    """A silent board: what is waited for is in the message."""

    def silent(line: str) -> bytes:
        return Honest(MODEL)(line) if line == "status" else b""

    with FakeBoard(silent) as fake, Board(fake.port, timeout=0.1) as board:
        weights = sum(layer.weights.size for layer in MODEL.layers)
        seconds = 0.1 + 10 * (100 * weights + 20_000) / 16e6
        with pytest.raises(
            ScratchmlError, match=f"no answer to 'digest 10 0' within {seconds:g} s"
        ):
            board.digest(MODEL, 10, 0)


# --- ports -----------------------------------------------------------------------------------


def usb(device: str, vid: int | None, pid: int | None, number: str | None = None) -> Any:
    """What pyserial says of a port."""
    return SimpleNamespace(device=device, description="n/a", vid=vid, pid=pid, serial_number=number)


NANO = usb("/dev/ttyACM1", 0x2341, 0x805A, "77")
BOOT = usb("/dev/ttyACM1", 0x2341, 0x005A)
PICO = usb("/dev/ttyACM0", 0x2E8A, 0x00C0)
UNKNOWN_PI = usb("/dev/ttyACM3", 0x2E8A, 0x1234)
UNO = usb("/dev/ttyACM2", 0x2341, 0x0043)
UART = usb("/dev/ttyS0", None, None)


def with_ports(monkeypatch: pytest.MonkeyPatch, *ports: Any) -> None:
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: list(ports))


def test_boards_are_known_by_their_usb_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    with_ports(monkeypatch, NANO, UART, PICO, UNO, UNKNOWN_PI)
    assert [(port.device, port.board) for port in find_ports()] == [
        ("/dev/ttyACM0", "Raspberry Pi Pico"),
        ("/dev/ttyACM1", "Arduino Nano 33 BLE"),
        ("/dev/ttyACM2", None),
        ("/dev/ttyACM3", "Raspberry Pi board"),
        ("/dev/ttyS0", None),
    ]


def test_the_only_board_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    with_ports(monkeypatch, UART, NANO)
    assert the_board() == "/dev/ttyACM1"
    with_ports(monkeypatch, BOOT)
    assert the_board() == "/dev/ttyACM1"


@pytest.mark.parametrize(
    ("ports", "message"),
    [
        ([], "no board is connected: connect one .*hardware.md.$"),
        ([UNO, UART], r"no board is connected: .*--port .there are /dev/ttyACM2, /dev/ttyS0.$"),
        ([NANO, PICO], r"2 boards .*: /dev/ttyACM0 .Raspberry Pi Pico., /dev/ttyACM1 .Arduino"),
    ],
)
def test_none_or_several_are_listed(
    ports: list[Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_ports(monkeypatch, *ports)
    with pytest.raises(ScratchmlError, match=message):
        the_board()


def test_nothing_loads_pyserial_before_a_port_is_needed() -> None:
    program = (
        "import scratchml, scratchml.cli, scratchml.board, sys; sys.exit('serial' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


# --- windows of hours ------------------------------------------------------------------------


def test_windows_are_those_of_the_test_rows(hours: pd.DataFrame, data: sml.Dataset) -> None:
    recipe = data.recipe
    windows = cut_windows(hours, MODEL, first_test_hour(hours, recipe), 10**6)
    n = len(data.test.counts)
    assert len(windows) == n + recipe.horizon  # the last has nothing to be compared with
    assert (np.array([w.counts for w in windows[:n]]) == data.test.counts).all()
    assert [w.snow for w in windows[:n]] == (data.test.y == 1).tolist()
    assert (windows[-1].fell, windows[-1].snow) == (None, None)
    newest = hours.iloc[data.test.index[7]]
    assert windows[7].time == newest["time"]
    assert windows[7].ahead == newest["time"] + pd.Timedelta(hours=recipe.horizon)
    assert windows[7].temperature == newest["temperature_2m"]
    assert windows[7].humidity == newest["relative_humidity_2m"]


def test_no_window_reaches_across_a_gap(hours: pd.DataFrame) -> None:
    table = hours.iloc[[0, 1, 2, 4, 5, 6, 7]].reset_index(drop=True)
    start = table["time"].iloc[0]
    windows = cut_windows(table, MODEL, start, 100)
    assert [(w.time - start) // pd.Timedelta(hours=1) for w in windows] == [2, 6, 7]
    assert [w.fell is None for w in windows] == [True, False, True]
    assert len(cut_windows(table, MODEL, start, 2)) == 2
    (last,) = cut_windows(table, MODEL, table["time"].iloc[4], 100)
    assert last.time == table["time"].iloc[6]
    with pytest.raises(ScratchmlError, match=r"no 3 hours in a row from .*; the table goes from "):
        cut_windows(table, MODEL, table["time"].iloc[5], 100)
    with pytest.raises(ScratchmlError, match="no 3 hours in a row"):
        cut_windows(table.iloc[:2], MODEL, start, 100)


def test_a_model_of_other_inputs_is_not_fed(hours: pd.DataFrame) -> None:
    with pytest.raises(ScratchmlError, match="the weather station measures"):
        cut_windows(hours, random_model([6, 1], 0), hours["time"].iloc[0], 1)
