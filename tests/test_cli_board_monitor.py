"""``scratchml board``: Ctrl-C, and the monitor, which ends by it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import host_firmware
import pytest
from command_line import (
    refused,
    terminal_run,
)
from conftest import require
from fake_boards import HOUR, FakeBoard, Honest, instead

from scratchml.export import fingerprint

MODEL = host_firmware.model()
OURS = f"{fingerprint(MODEL):08x}"


@pytest.fixture(autouse=True)
def _tools() -> None:
    require("serial")


@pytest.fixture
def honest() -> Iterator[str]:
    """A fake board without fault."""
    with FakeBoard(Honest(MODEL)) as fake:
        yield fake.port


def test_an_interrupted_digest_ends_in_one_line() -> None:
    with FakeBoard(instead(MODEL, "digest", b"")) as fake:
        result = terminal_run(
            "board", "digest", "--rows", "1000", "--port", fake.port, until="board"
        )
    assert (result.returncode, result.stdout) == (130, "")
    assert "interrupted" in result.stderr
    assert "Traceback" not in result.stderr


@contextmanager
def monitor(port: str, *options: str | Path) -> Iterator[subprocess.Popen[str]]:
    """A monitor that listens already."""
    words = [sys.executable, "-m", "scratchml", "board", "monitor", "--port", port]
    with subprocess.Popen(
        [*words, *map(str, options)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # a shell's background job, such as the tests may be part of, ignores Ctrl-C
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stderr.readline() == f"listening at {port}; Ctrl-C ends it\n"
        yield process


def test_the_monitor_puts_the_time_in_front_until_ctrl_c(tmp_path: Path) -> None:
    log = tmp_path / "hours.log"
    log.write_text("before\n")
    program = host_firmware.built(*host_firmware.FAST)
    with (
        host_firmware.running(program, "100") as port,
        monitor(port, "--log", log) as process,
    ):
        assert process.stdout is not None
        lines = [process.stdout.readline().rstrip("\n") for _ in range(10)]
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")
    lines += rest.splitlines()
    assert log.read_text().endswith("\n")
    logged = log.read_text().splitlines()
    assert logged[: 1 + len(lines)] == ["before", *lines]
    assert len(logged) <= 2 + len(lines)  # the last may have been logged, but not yet shown
    times = [datetime.strptime(line[:21], "%Y-%m-%d %H:%M:%S  ") for line in lines]
    assert times == sorted(times)
    (code,) = MODEL.run(MODEL.prepare_input([[1200, 8500] * 3]))[0].tolist()
    percent = (code + 128) * 100 // 256
    assert lines[-1][21:] == f"12.0 C 85.0 % -> snow {percent} % (no)"


def test_the_monitor_gives_an_object_a_line() -> None:
    with FakeBoard(lambda _: b"") as fake, monitor(fake.port, "--json") as process:
        assert process.stdout is not None
        fake.say(HOUR + b"half\x1b")
        assert json.loads(process.stdout.readline())["line"] == HOUR.decode().strip()
        fake.say(b" a line\r\n")
        assert json.loads(process.stdout.readline())["line"] == "half? a line"
        process.send_signal(signal.SIGINT)
        assert process.wait() == 0


def test_a_cable_pulled_from_the_monitor_ends_in_one_line(tmp_path: Path) -> None:
    """What has come until then is in the file; half a line is not."""
    log = tmp_path / "hours.log"
    with FakeBoard(lambda _: b"") as fake, monitor(fake.port, "--log", log) as process:
        assert process.stdout is not None
        fake.say(HOUR + b"12.0 C 8")
        line = process.stdout.readline()
        fake.hang_up()
        rest, errors = process.communicate()
    assert (process.returncode, rest) == (1, "")
    assert errors.startswith(f"error: {fake.port}: the connection is lost: is the cable in, ")
    assert errors.count("\n") == 1
    assert log.read_text() == line


def test_a_log_that_cannot_be_written(honest: str, tmp_path: Path) -> None:
    line = refused("board", "monitor", "--log", tmp_path, "--port", honest)
    assert line == f"error: {tmp_path}: Is a directory"
