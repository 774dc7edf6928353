"""``scratchml board``: what it prints, and the one line and the status of all that goes wrong."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import host_firmware
import numpy as np
import pandas as pd
import pytest
from command_line import (
    called,
    complaint,
    json_of,
    one_line,
    output_of,
    refused,
    terminal_run,
    write_hours,
)
from conftest import require
from fake_boards import HOUR, Answer, FakeBoard, Honest
from test_board import NANO, PICO, UART, with_ports

import scratchml as sml
from scratchml.engine import Engine
from scratchml.export import fingerprint

MODEL = host_firmware.model()
OURS = f"{fingerprint(MODEL):08x}"


@pytest.fixture(autouse=True)
def _tools() -> None:
    require("serial")


@pytest.fixture(scope="module")
def port() -> Iterator[str]:
    """The firmware itself."""
    with host_firmware.running(host_firmware.built(*host_firmware.FAST), "100") as name:
        yield name


@pytest.fixture
def honest() -> Iterator[str]:
    """A fake board without fault."""
    with FakeBoard(Honest(MODEL)) as fake:
        yield fake.port


# --- what is printed -------------------------------------------------------------------------


def test_status(port: str) -> None:
    page = one_line(output_of("board", "status", "--port", port))
    assert "board host, 1000 MHz" in page
    assert f"model {OURS}, that of model.tflite" in page
    assert "shape inputs: 6, outputs: 1" in page
    assert json_of("board", "status", "--port", port)["same_model"] is True


def test_status_tells_of_another_model(model: sml.QuantizedMLP, tmp_path: Path, port: str) -> None:
    path = tmp_path / "own.tflite"
    model.save(path)
    page = one_line(output_of("board", "status", "--port", port, "--model", path))
    assert f"model {OURS}, not that of own.tflite, which is {fingerprint(model):08x}" in page
    assert json_of("board", "status", "--port", port, "--model", path)["same_model"] is False


def test_selftest(port: str) -> None:
    assert output_of("board", "selftest", "--port", port) == "self-test 32/32\n"
    values = json_of("board", "selftest", "--port", port)
    assert values == {"good": 32, "rows": 32, "first": None, "passed": True}


def test_digest(port: str) -> None:
    with Engine(MODEL) as engine:
        expected = f"{engine.digest(5000, 7):08x}"
    options = ("--rows", "5000", "--seed", "7", "--port", port)
    line = f"5,000 rows, seed 7: board {expected}, numpy {expected}, C {expected}\n"
    assert output_of("board", "digest", *options) == line
    digests = dict.fromkeys(("board", "numpy", "c"), expected)
    assert json_of("board", "digest", *options) == {"rows": 5000, "seed": 7, **digests}


def test_verify(port: str) -> None:
    assert output_of("board", "verify", "--rows", "100", "--port", port).splitlines() == [
        "numpy = board on random rows: 100 rows, 0 differ",
        "numpy = board on random counts: 100 rows, 0 differ",
    ]
    values = json_of("board", "verify", "--rows", "10", "--port", port)
    assert [c["differing"] for c in values["verify"]] == [0, 0]


def test_bench_gives_a_row_for_the_table() -> None:
    with FakeBoard(Honest(MODEL, board="nano33ble")) as fake:
        lines = output_of("board", "bench", "--port", fake.port).splitlines()
        values = json_of("board", "bench", "--port", fake.port)
    assert lines == [
        "one inference: 1,234 cycles at 64 MHz, 19.3 microseconds",
        f"| nano33ble | Cortex-M4 | 64 MHz | 6-12-1 | 1,234 | 19.3 | {OURS} |",
    ]
    assert (values["cycles"], values["sizes"]) == (1234, [6, 12, 1])
    assert values["microseconds"] == 1234 / 64


def test_bench_of_the_firmware(port: str) -> None:
    values = json_of("board", "bench", "--port", port)
    assert values["clock"] == 10**9
    assert values["cycles"] > 0


def test_feed_sends_the_first_test_hours(port: str, data: sml.Dataset) -> None:
    values = json_of("board", "feed", "--port", port)
    hours = values["hours"]
    assert len(hours) == 48
    assert [hour["counts"] for hour in hours] == data.test.counts[:48].tolist()
    codes = MODEL.decision_scores(data.test)[:48]
    assert [hour["board"]["code"] for hour in hours] == codes.tolist()
    assert [hour["snow"] for hour in hours] == (data.test.y[:48] == 1).tolist()
    assert (values["differing"], values["known"]) == (0, 48)
    assert values["right"] == int(((codes >= MODEL.decision_threshold) == data.test.y[:48]).sum())


def test_feed_shows_what_really_fell(port: str, hours: pd.DataFrame) -> None:
    """An hour of a winter, in which snow fell."""
    lines = output_of(
        "board", "feed", "--start", "2006-01-01", "--hours", "4", "--port", port
    ).splitlines()
    assert len(lines) == 5
    rows = hours.set_index("time")
    for line, time in zip(
        lines, pd.date_range("2006-01-01T02:00", periods=4, freq="h"), strict=False
    ):
        fell = rows["snowfall"][time + pd.Timedelta(hours=1)]
        assert line.startswith(f"{time:%Y-%m-%d %H:%M}  {rows['temperature_2m'][time]:5.1f} C ")
        assert f"  {time + pd.Timedelta(hours=1):%H:%M}: {fell:.1f} cm" in line
    assert lines[-1].startswith("4 hours, 0 differ from numpy; ")


def test_feed_takes_hours_of_one_s_own(port: str, tmp_path: Path) -> None:
    path = write_hours(tmp_path, pd.read_csv(write_hours(tmp_path)).iloc[:4])
    lines = output_of("board", "feed", path, "--port", port).splitlines()
    assert lines[0].startswith("2001-01-01 02:00 ")
    assert lines[1].endswith("  04:00 is not in the table")
    assert lines[2].startswith("2 hours, 0 differ from numpy; ")
    line = refused("board", "feed", path, "--start", "2001-01-01T02:00", "--port", port)
    assert "no 3 hours in a row from 2001-01-01 02:00 on; the table goes from 2001-01-01" in line


def test_list(monkeypatch: pytest.MonkeyPatch) -> None:
    with_ports(monkeypatch, UART, NANO, PICO)
    result = called("board", "list")
    assert result.returncode == 0
    assert "/dev/ttyACM1 Arduino Nano 33 BLE 77" in " ".join(result.stdout.split())
    assert result.stderr == "other ports, for --port: /dev/ttyS0\n"
    (first, second) = json.loads(called("board", "list", "--json").stdout)
    assert (first["device"], second["serial_number"]) == ("/dev/ttyACM0", "77")


def test_list_tells_how_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    with_ports(monkeypatch)
    result = called("board", "list")
    assert (result.returncode, result.stdout) == (0, "")
    assert "no board is connected: connect one by a USB cable" in result.stderr
    assert called("board", "list", "--json").stdout == "[]\n"


def test_the_only_board_needs_no_port(honest: str, monkeypatch: pytest.MonkeyPatch) -> None:
    nano = type(NANO)(**{**vars(NANO), "device": honest})
    with_ports(monkeypatch, UART, nano)
    assert output_of("board", "selftest") == "self-test 32/32\n"


def test_a_socket_is_a_port() -> None:
    """As QEMU offers one."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = server.accept()
        with connection, connection.makefile("rwb") as stream:
            for line in stream:
                stream.write(Honest(MODEL)(line.decode().strip()))
                stream.flush()

    thread = threading.Thread(target=serve)
    thread.start()
    number = server.getsockname()[1]
    output = output_of("board", "verify", "--rows", "5", "--port", f"socket://127.0.0.1:{number}")
    thread.join()
    server.close()
    assert output.count(", 0 differ") == 2


# --- a board that misbehaves -----------------------------------------------------------------


def instead(command: str, answer: bytes | None) -> Answer:
    """An honest board, but for the answer to one command; ``None`` hangs up."""
    honest = Honest(MODEL)
    return lambda line: answer if line.split()[:1] == [command] else honest(line)


def changed(**status: object) -> Answer:
    return Honest(MODEL, **status)


HALTED = b"self-test 31/32: row 4, output 0 is 5 instead of 6; halted\r\n"

#: The board, the command, and what the line says after the port's name.
MISBEHAVING: dict[str, tuple[Answer, str, str]] = {
    "silent": (lambda _: b"", "status", "no answer within 0.5 s: the board has another firmware"),
    "garbage": (
        lambda line: b"\x00\xff[2Jabc\r\n" * bool(line),
        "status",
        "what answers is no scratchml firmware (it says ",
    ),
    "echo": (
        lambda line: line.encode() + b"\r\n",
        "status",
        "what answers is no scratchml firmware (it says 'status')",
    ),
    "other": (
        lambda line: b"error unknown command\r\n",
        "status",
        "what answers is no scratchml firmware (it says 'error unknown command')",
    ),
    "hours only": (lambda _: HOUR, "status", "no answer within 0.5 s"),
    "halted": (lambda _: HALTED, "selftest", "the board has halted and says 'self-test 31/32: row"),
    "refused": (
        lambda _: b"halted: the engine refuses the model with status -2\r\n",
        "status",
        "the board has halted and says 'halted: the engine refuses the model with status -2'",
    ),
    "protocol": (
        changed(protocol=2),
        "status",
        "the firmware speaks version 2 of the protocol, this scratchml version 1: upload the",
    ),
    "later protocol": (
        lambda line: b"status protocol=2 all=new\r\n" if line else b"",
        "status",
        "the firmware speaks version 2 of the protocol, this scratchml version 1: upload the",
    ),
    "engine": (
        changed(engine=1),
        "status",
        "the firmware has version 1 of the engine, this scratchml version 2: upload the",
    ),
    "no status": (
        lambda line: b"status protocol=1 engine=\r\n" if line else b"",
        "status",
        "the board answers 'status protocol=1 engine=', which is no status",
    ),
    "cut in half": (
        instead("selftest", b"self-t\r\n"),
        "selftest",
        "the board answers 'self-t' to 'selftest', which this scratchml cannot read; try again",
    ),
    "cut at its end": (
        instead("bench", b"bench cycles=1234 clock=\r\n"),
        "bench",
        "the board answers 'bench cycles=1234 clock=' to 'bench', which",
    ),
    "never finished": (
        instead("selftest", b"self-test 32/"),
        "selftest",
        "no answer to 'selftest' within 0.5 s, only 'self-test 32/' came",
    ),
    "silent later": (
        instead("run", b""),
        "verify",
        "within 0.5 s, nothing came; wait longer with --timeout, or reset the board",
    ),
    "an error": (
        instead("bench", b"error this board has no counter of cycles\r\n"),
        "bench",
        "the board answers 'error this board has no counter of cycles' to 'bench'",
    ),
    "no clock": (instead("bench", b"bench cycles=5 clock=0\r\n"), "bench", "a clock of 0 Hz"),
    "too many outputs": (
        instead("run", b"output 0102\r\n"),
        "verify",
        "the board answers 'output 0102' to 'run ",
    ),
    "started anew": (
        instead("selftest", b"scratchml weather station; self-test 32/32; for more: help\r\n"),
        "selftest",
        "the board has started anew while it was asked",
    ),
    "halts later": (instead("run", HALTED), "verify", "the board has halted and says 'self-test"),
    "hangs up at once": (lambda _: None, "status", "the connection is lost: is the cable in, "),
    "hangs up": (instead("run", None), "verify", "the connection is lost: is the cable in, "),
    "hangs up in a digest": (
        instead("digest", None),
        "digest",
        "the connection is lost: is the cable in, ",
    ),
}


@pytest.mark.parametrize("case", MISBEHAVING)
def test_a_board_that_misbehaves_ends_in_one_line(case: str) -> None:
    answer, command, message = MISBEHAVING[case]
    with FakeBoard(answer) as fake:
        line = refused("board", command, "--port", fake.port, "--timeout", "0.5")
        assert line.startswith(f"error: {fake.port}: ")
        assert message in line


def test_a_byte_that_differs_is_named() -> None:
    """The first of them, with what was expected."""
    honest = Honest(MODEL)

    def wrong(line: str) -> bytes:
        return honest(line).replace(b"output 80", b"output 81")

    with FakeBoard(wrong) as fake:
        result = called("board", "verify", "--rows", "50", "--port", fake.port)
    codes = np.random.default_rng(0).integers(-128, 128, (50, 6), np.int8)
    first = int((MODEL.run(codes)[:, 0] == -128).argmax())
    differing = int((MODEL.run(codes) == -128).sum())
    assert result.stdout.splitlines() == [
        f"numpy = board on random rows: 50 rows, {differing} differ",
        "numpy = board on random counts: 50 rows, 0 differ",
    ]
    assert differing > 1
    result.stdout = ""
    assert complaint(result) == (
        f"error: the board computes something else: row {first} of the random rows: input "
        f"{codes[first].tolist()}, numpy integers [-128], board [-127]"
    )


def test_a_forecast_of_counts_that_differs_is_named() -> None:
    with FakeBoard(instead("feed", b"forecast 5 52 yes\r\n")) as fake:
        result = called("board", "verify", "--rows", "20", "--port", fake.port, "--json")
    codes, counts = json.loads(result.stdout)["verify"]
    assert (codes["differing"], counts["rows"]) == (0, 20)
    assert counts["differing"] > 10
    result.stdout = ""
    assert "of the random counts: input [" in complaint(result)


def test_a_digest_that_differs() -> None:
    with FakeBoard(instead("digest", b"digest 00000bad\r\n")) as fake:
        result = called("board", "digest", "--rows", "100", "--port", fake.port)
    expected = f"{sml.digest(MODEL, 100):08x}"
    line = f"100 rows, seed 0: board 00000bad, numpy {expected}, C {expected}\n"
    assert result.stdout == line
    result.stdout = ""
    assert "they differ; see where with: scratchml board verify" in complaint(result)


def test_a_self_test_that_fails() -> None:
    words = b"self-test 30/32: row 4, output 0 is 5 instead of 6\r\n"
    with FakeBoard(instead("selftest", words)) as fake:
        result = called("board", "selftest", "--port", fake.port)
    assert result.stdout == "self-test 30/32\n"
    result.stdout = ""
    line = complaint(result)
    assert line == "error: the board computes something else: row 4, output 0 is 5 instead of 6"


@pytest.mark.parametrize("answer", [b"forecast -100 11 yes", b"forecast -128 1 no"])
def test_a_forecast_that_differs(answer: bytes) -> None:
    """The percentage and the answer count as the code does."""
    with FakeBoard(instead("feed", answer + b"\r\n")) as fake:
        result = called("board", "feed", "--hours", "3", "--port", fake.port)
    assert result.stdout.splitlines()[-1].startswith("3 hours, 3 differ from numpy; ")
    result.stdout = ""
    assert "at 2005-10-01 05:00 the board says (-1" in complaint(result)


@pytest.mark.parametrize("command", ["digest", "verify", "bench", "feed"])
def test_another_model_is_refused_with_both_fingerprints(command: str) -> None:
    with FakeBoard(Honest(MODEL, model="1a2b3c4d")) as fake:
        line = refused("board", command, "--port", fake.port)
    assert line == (
        f"error: the board runs model 1a2b3c4d, model.tflite is {OURS}: put it there with "
        "scratchml export --firmware and upload, or name the board's model with --model"
    )


def test_the_self_test_needs_no_model() -> None:
    with FakeBoard(Honest(MODEL, model="1a2b3c4d")) as fake:
        assert output_of("board", "selftest", "--port", fake.port) == "self-test 32/32\n"


def test_a_board_s_name_commands_no_terminal() -> None:
    with FakeBoard(Honest(MODEL, board="[red]a\x1b[2Jb")) as fake:
        page = output_of("board", "status", "--port", fake.port)
    assert "[red]a?[2Jb" in page


# --- ports that cannot be used ---------------------------------------------------------------


@pytest.mark.parametrize("command", ["status", "monitor"])
def test_no_such_port(command: str) -> None:
    assert refused("board", command, "--port", "/dev/ttyNONE") == (
        "error: /dev/ttyNONE: there is no such port; see which there are with: scratchml board list"
    )


def test_no_board(monkeypatch: pytest.MonkeyPatch) -> None:
    with_ports(monkeypatch, UART)
    assert "no board is connected: " in refused("board", "status")
    assert "/dev/ttyS0" in refused("board", "monitor")


REFUSED = {
    "permission": (errno.EACCES, "no permission to open it; on Linux join the group dialout"),
    "busy": (errno.EBUSY, "another program has this port open: close it (a serial monitor, "),
    "gone": (errno.ENXIO, "the board has gone; is the cable in?"),
    "other": (errno.ENOMEM, "it cannot be opened ("),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_system_refuses(case: str, honest: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may open everything, so the system's answer is given for it."""
    number, message = REFUSED[case]
    real = os.open

    def refusing(path: Any, *flags: int, **options: Any) -> int:
        if path == honest:
            raise OSError(number, os.strerror(number), path)
        return real(path, *flags, **options)

    monkeypatch.setattr(os, "open", refusing)
    assert refused("board", "status", "--port", honest).startswith(f"error: {honest}: {message}")


def test_a_port_without_permission(honest: str) -> None:
    assert output_of("board", "selftest", "--port", honest)  # what is imported later is now
    Path(honest).chmod(0)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)  # root may open every port
    try:
        line = refused("board", "selftest", "--port", honest)
    finally:
        if root:
            os.seteuid(0)
    assert line.startswith(f"error: {honest}: no permission to open it; on Linux join the group ")


def test_a_port_that_another_program_has(honest: str) -> None:
    program = (
        "import serial, sys; port = serial.Serial(sys.argv[1], exclusive=True); "
        "print('open', flush=True); sys.stdin.read()"
    )
    words = [sys.executable, "-c", program, honest]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        line = refused("board", "status", "--port", honest)
        other.communicate()
    assert line.startswith(f"error: {honest}: another program has this port open: close it")
    assert output_of("board", "selftest", "--port", honest) == "self-test 32/32\n"


def test_a_file_is_no_port(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    assert f"{path}: it cannot be opened (Could not configure port" in refused(
        "board", "status", "--port", path
    )
    assert "this is a folder and no serial port" in refused("board", "status", "--port", tmp_path)


def test_nobody_at_a_socket() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"socket://127.0.0.1:{server.getsockname()[1]}"
    assert f"{url}: it cannot be opened (" in refused("board", "status", "--port", url)


def test_an_unknown_kind_of_url() -> None:
    line = refused("board", "status", "--port", "carrier://pigeon")
    assert line.startswith("error: carrier://pigeon: ")


def test_without_pyserial(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "serial", None)
    line = "error: pyserial is not installed: pip install 'scratchml[board]'"
    for command in ("list", "status", "monitor"):
        assert refused("board", command) == line


def test_no_model_file(honest: str, tmp_path: Path) -> None:
    path = tmp_path / "none.tflite"
    for command in ("status", "digest", "verify", "bench", "feed"):
        line = refused("board", command, "--port", honest, "--model", path)
        assert line == f"error: {path}: No such file or directory"


@pytest.mark.parametrize(
    "arguments",
    [
        ["list", "--port", "x"],
        ["digest", "--rows", "0"],
        ["digest", "--seed", "4294967296"],
        ["verify", "--rows", "0"],
        ["feed", "--hours", "0"],
        ["feed", "--start", "yesterday"],
        ["status", "--baud", "0"],
        ["status", "--timeout", "0"],
        ["fly"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_status_2(arguments: list[str]) -> None:
    result = called("board", *arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert "Usage: " in result.stderr


# --- Ctrl-C and the monitor ------------------------------------------------------------------


def test_an_interrupted_digest_ends_in_one_line() -> None:
    with FakeBoard(instead("digest", b"")) as fake:
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
