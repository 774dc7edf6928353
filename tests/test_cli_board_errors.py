"""``scratchml board``: the one line and the exit status of all that goes wrong."""

from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import host_firmware
import numpy as np
import pytest
from command_line import (
    called,
    complaint,
    output_of,
    refused,
)
from conftest import require
from fake_boards import HOUR, Answer, FakeBoard, Honest, instead
from test_board_ports import UART, with_ports

import scratchml as sml
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


# --- a board that misbehaves -----------------------------------------------------------------


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
        instead(MODEL, "selftest", b"self-t\r\n"),
        "selftest",
        "the board answers 'self-t' to 'selftest', which this scratchml cannot read; try again",
    ),
    "cut at its end": (
        instead(MODEL, "bench", b"bench cycles=1234 clock=\r\n"),
        "bench",
        "the board answers 'bench cycles=1234 clock=' to 'bench', which",
    ),
    "never finished": (
        instead(MODEL, "selftest", b"self-test 32/"),
        "selftest",
        "no answer to 'selftest' within 0.5 s, only 'self-test 32/' came",
    ),
    "silent later": (
        instead(MODEL, "run", b""),
        "verify",
        "within 0.5 s, nothing came; wait longer with --timeout, or reset the board",
    ),
    "an error": (
        instead(MODEL, "bench", b"error this board has no counter of cycles\r\n"),
        "bench",
        "the board answers 'error this board has no counter of cycles' to 'bench'",
    ),
    "no clock": (
        instead(MODEL, "bench", b"bench cycles=5 clock=0\r\n"),
        "bench",
        "a clock of 0 Hz",
    ),
    "too many outputs": (
        instead(MODEL, "run", b"output 0102\r\n"),
        "verify",
        "the board answers 'output 0102' to 'run ",
    ),
    "started anew": (
        instead(
            MODEL, "selftest", b"scratchml weather station; self-test 32/32; for more: help\r\n"
        ),
        "selftest",
        "the board has started anew while it was asked",
    ),
    "halts later": (
        instead(MODEL, "run", HALTED),
        "verify",
        "the board has halted and says 'self-test",
    ),
    "hangs up at once": (lambda _: None, "status", "the connection is lost: is the cable in, "),
    "hangs up": (
        instead(MODEL, "run", None),
        "verify",
        "the connection is lost: is the cable in, ",
    ),
    "hangs up in a digest": (
        instead(MODEL, "digest", None),
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
    with FakeBoard(instead(MODEL, "feed", b"forecast 5 52 yes\r\n")) as fake:
        result = called("board", "verify", "--rows", "20", "--port", fake.port, "--json")
    codes, counts = json.loads(result.stdout)["verify"]
    assert (codes["differing"], counts["rows"]) == (0, 20)
    assert counts["differing"] > 10
    result.stdout = ""
    assert "of the random counts: input [" in complaint(result)


def test_a_digest_that_differs() -> None:
    with FakeBoard(instead(MODEL, "digest", b"digest 00000bad\r\n")) as fake:
        result = called("board", "digest", "--rows", "100", "--port", fake.port)
    expected = f"{sml.digest(MODEL, 100):08x}"
    line = f"100 rows, seed 0: board 00000bad, numpy {expected}, C {expected}\n"
    assert result.stdout == line
    result.stdout = ""
    assert "they differ; see where with: scratchml board verify" in complaint(result)


def test_a_self_test_that_fails() -> None:
    words = b"self-test 30/32: row 4, output 0 is 5 instead of 6\r\n"
    with FakeBoard(instead(MODEL, "selftest", words)) as fake:
        result = called("board", "selftest", "--port", fake.port)
    assert result.stdout == "self-test 30/32\n"
    result.stdout = ""
    line = complaint(result)
    assert line == "error: the board computes something else: row 4, output 0 is 5 instead of 6"


@pytest.mark.parametrize("answer", [b"forecast -100 11 yes", b"forecast -128 1 no"])
def test_a_forecast_that_differs(answer: bytes) -> None:
    """The percentage and the answer count as the code does."""
    with FakeBoard(instead(MODEL, "feed", answer + b"\r\n")) as fake:
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
