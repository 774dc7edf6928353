"""Which serial ports this computer has, and which of them could be a board."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from scratchml.errors import ScratchmlError

ARDUINO, RASPBERRY_PI = 0x2341, 0x2E8A

#: Boards by their USB vendor and product.
#: Source: the hwids of PlatformIO's boards; raspberrypi/usb-pid.
NAMES = {
    (ARDUINO, 0x005A): "Arduino Nano 33 BLE (its boot loader)",
    (ARDUINO, 0x805A): "Arduino Nano 33 BLE",
    (RASPBERRY_PI, 0x000A): "Raspberry Pi Pico",
    (RASPBERRY_PI, 0x00C0): "Raspberry Pi Pico",
}

#: Raspberry Pi's probes for debugging: a port of theirs is some other board's UART.
PROBES = (0x0004, 0x000C)

#: What to do where no board is found.
NO_BOARD = (
    "connect one by a USB cable that carries data, and upload the firmware (see docs/hardware.md)"
)


@dataclass(frozen=True)
class Port:
    """A serial port: what to open, what the system calls it, and the board's name if it could be
    one."""

    device: str
    description: str
    board: str | None
    serial_number: str | None


def pyserial() -> Any:
    """The package ``serial``, with its list of ports.

    Raises:
        ScratchmlError: it is not installed.
    """
    try:
        import serial
        import serial.tools.list_ports
    except ImportError:  # or another package of that name, which has no such list
        raise ScratchmlError("pyserial is not installed: pip install 'scratchml[board]'") from None
    return serial


def board_name(vendor: int | None, product: int | None) -> str | None:
    """The board behind a USB vendor and product, or ``None``."""
    if vendor == RASPBERRY_PI and product not in PROBES:
        return NAMES.get((vendor, product or 0), "Raspberry Pi board")
    return NAMES.get((vendor or 0, product or 0))


def find_ports() -> list[Port]:
    """All serial ports, in the order of their names."""
    ports = pyserial().tools.list_ports.comports()
    return sorted(
        (
            Port(p.device, p.description or "", board_name(p.vid, p.pid), p.serial_number)
            for p in ports
        ),
        key=lambda port: port.device,
    )


def the_board() -> str:
    """The port of the one board that is connected.

    Raises:
        ScratchmlError: there is none, or more than one; the message lists what there is.
    """
    ports = find_ports()
    boards = [port for port in ports if port.board]
    if len(boards) == 1:
        return boards[0].device
    if boards:
        names = ", ".join(f"{port.device} ({port.board})" for port in boards)
        raise ScratchmlError(f"{len(boards)} boards are connected: choose one with --port: {names}")
    others = ", ".join(port.device for port in ports)
    else_ = f", or name its port with --port (there are {others})" if others else ""
    raise ScratchmlError(f"no board is connected: {NO_BOARD}{else_}")
