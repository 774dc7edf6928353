"""``scratchml board``: what it prints of a board without fault."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import host_firmware
import pandas as pd
import pytest
from command_line import (
    called,
    json_of,
    one_line,
    output_of,
    refused,
    write_hours,
)
from conftest import require
from fake_boards import FakeBoard, Honest
from test_board_ports import NANO, PICO, UART, with_ports
from typer.main import get_command

import scratchml as sml
from scratchml.cli.board import board_app
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


# --- help ------------------------------------------------------------------------------------

GROUP: Any = get_command(board_app)
COMMANDS = ["list", "status", "selftest", "digest", "verify", "bench", "monitor", "feed"]


def test_the_overview_lists_every_command() -> None:
    assert list(GROUP.commands) == COMMANDS
    overview = output_of("board", "--help")
    assert re.findall(r"^│ ([a-z]+) +[A-Z]", overview, re.MULTILINE) == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches_every_option(command: str) -> None:
    page = one_line(output_of("board", command, "--help", columns=200))
    for parameter in GROUP.commands[command].params:
        for word in parameter.opts if parameter.param_type_name == "option" else []:
            assert f" {word} " in page
        assert len(parameter.help) > 5
        assert one_line(parameter.help) in page


# --- usage --------------------------------------------------------------------------------------


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
