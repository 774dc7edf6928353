"""The computer's side of the line protocol that the weather station speaks on its serial port.

``Board(port)`` is a context manager; csrc/firmware/console.h has the protocol. Needs the extra
``board`` (pyserial), which is loaded when a port is opened or looked for, not before.
"""

from scratchml.board.answers import Bench, Forecast, SelfTest, Status
from scratchml.board.client import Board
from scratchml.board.link import Link
from scratchml.board.ports import Port, find_ports, the_board

__all__ = [
    "Bench",
    "Board",
    "Forecast",
    "Link",
    "Port",
    "SelfTest",
    "Status",
    "find_ports",
    "the_board",
]
