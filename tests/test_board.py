"""The computer's side of the line protocol, against the firmware itself and against fake boards."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction

import host_firmware
import numpy as np
import pytest
from conftest import ROOT, require
from fake_boards import HOUR, FakeBoard, Honest
from hypothesis import given
from hypothesis import strategies as st

import scratchml as sml
from scratchml.board import Board, Forecast, Link, Status
from scratchml.board.answers import protocol_of
from scratchml.board.client import ENGINE, PROTOCOL
from scratchml.board.compare import expected_forecasts
from scratchml.board.link import GREETING, LONGEST_LINE
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


def test_somebody_s_half_line_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its error comes before our status, which is asked for once, and is no answer to us."""
    monkeypatch.setattr("scratchml.board.client.RETRY", 60.0)
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
    with closing(Link("loop://")) as link:
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
    with closing(Link("loop://")) as link:
        link.send("x" * 3 * LONGEST_LINE)
        lines = link.lines()
        assert [next(lines) for _ in range(3)] == ["x" * LONGEST_LINE] * 3


def test_lines_that_never_stop_are_no_answer() -> None:
    """The time is up although there is always one more."""
    with FakeBoard(lambda line: HOUR * 50 if line else b"") as fake:
        with pytest.raises(ScratchmlError, match=r"no answer within 0\.3 s"):
            Board(fake.port, timeout=0.3)
        assert set(fake.lines) == {"status"}


def test_a_board_that_takes_no_bytes() -> None:
    master, slave = pty.openpty()
    with (
        closing(Link(os.ttyname(slave), timeout=0.2)) as link,
        pytest.raises(ScratchmlError, match="the board takes no bytes: reset it"),
    ):
        link.send("x" * 2**20)
    os.close(slave)
    os.close(master)


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


def test_nothing_loads_pyserial_before_a_port_is_needed() -> None:
    program = (
        "import scratchml, scratchml.cli, scratchml.board, sys; sys.exit('serial' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
