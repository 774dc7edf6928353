"""Which ports could be a board, and which of them is taken."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from conftest import require

from scratchml.board import find_ports, the_board
from scratchml.errors import ScratchmlError


@pytest.fixture(autouse=True)
def _tools() -> None:
    require("serial")


def usb(device: str, vid: int | None, pid: int | None, number: str | None = None) -> Any:
    """What pyserial says of a port."""
    return SimpleNamespace(device=device, description="n/a", vid=vid, pid=pid, serial_number=number)


NANO = usb("/dev/ttyACM1", 0x2341, 0x805A, "77")
BOOT = usb("/dev/ttyACM1", 0x2341, 0x005A)
PICO = usb("/dev/ttyACM0", 0x2E8A, 0x00C0)
UNKNOWN_PI = usb("/dev/ttyACM3", 0x2E8A, 0x1234)
PROBE = usb("/dev/ttyACM4", 0x2E8A, 0x000C)
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
    with_ports(monkeypatch, PROBE, PICO)  # whose port is some board's UART, not a board
    assert the_board() == "/dev/ttyACM0"
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
