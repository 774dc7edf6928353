"""A serial port as lines: one goes out, the answer comes in, and all that can go wrong between."""

from __future__ import annotations

import errno
import re
import time
from collections.abc import Iterator

from scratchml.board.ports import pyserial
from scratchml.errors import ScratchmlError

#: Seconds that one look for new bytes takes at most.
POLL = 0.1

#: No line of the firmware's is as long; what is, is cut here.
LONGEST_LINE = 1024

#: How the firmware's lines begin that nobody asked for; an hour's has an arrow in it.
GREETING = "scratchml weather station"
HOURLY = "->"

HALTED = re.compile(r"halted: .*|self-test .*; halted")

#: What to do about an error on opening a port, by its number.
REMEDIES = {
    errno.ENOENT: "there is no such port; see which there are with: scratchml board list",
    errno.ENXIO: "the board has gone; is the cable in?",
    errno.ENODEV: "the board has gone; is the cable in?",
    errno.EIO: "the board has gone; is the cable in?",
    errno.EISDIR: "this is a folder and no serial port",
    errno.ENOTTY: "this is no serial port",
}
REMEDIES |= dict.fromkeys(
    (errno.EACCES, errno.EPERM),
    "no permission to open it; on Linux join the group dialout (sudo usermod -aG dialout $USER, "
    "then log in again) or add the udev rule in docs/hardware.md",
)
REMEDIES |= dict.fromkeys(
    (errno.EBUSY, errno.EAGAIN),
    "another program has this port open: close it (a serial monitor, an upload; ModemManager lets "
    "go after some seconds)",
)


class Link:
    """Lines to and from whatever is at a port; ``close`` it in the end.

    Args:
        port: a device, or a URL of pyserial's such as ``socket://localhost:4000``.
        timeout: seconds to wait for an answer.

    Raises:
        ScratchmlError: the port cannot be opened; later, it does not answer or is gone.
    """

    def __init__(self, port: str, baud: int = 115200, timeout: float = 10.0) -> None:
        serial = pyserial()
        self.port, self.timeout = port, timeout
        self._received = bytearray()
        try:
            self._serial = serial.serial_for_url(
                port, baud, timeout=POLL, write_timeout=timeout, exclusive=True
            )
        except OSError as error:
            raise ScratchmlError(f"{port}: {why_not_open(error)}") from None
        except ValueError as error:  # an unknown kind of URL, an impossible speed
            raise ScratchmlError(f"{port}: {error}") from None
        self._too_slow = serial.SerialTimeoutException

    def send(self, line: str) -> None:
        """Write a line and its end.

        Raises:
            ScratchmlError: the port is gone, or takes nothing.
        """
        try:
            self._serial.write(f"{line}\n".encode("ascii"))
        except self._too_slow:
            raise ScratchmlError(f"{self.port}: the board takes no bytes: reset it") from None
        except OSError as error:
            raise self._gone(error) from None

    def read_line(self, until: float) -> str | None:
        """The next line that is not empty, without its end; ``None`` if none has come until then.

        ``until`` is a time of ``time.monotonic``.

        Raises:
            ScratchmlError: the port is gone.
        """
        while time.monotonic() < until:
            line, end, rest = _first_line(self._received)
            if end:
                self._received = rest
                if line:
                    return line
                continue
            try:
                self._received += self._serial.read(max(self._serial.in_waiting, 1))
            except OSError as error:
                raise self._gone(error) from None
        return None

    def lines(self) -> Iterator[str]:
        """Every line that comes, until the port is gone, which is a ScratchmlError."""
        while line := self.read_line(float("inf")):
            yield line

    def ask(
        self, command: str, answer: re.Pattern[str], timeout: float | None = None
    ) -> re.Match[str]:
        """Send a command and wait for the line that is its answer.

        Args:
            answer: what the whole line must match.
            timeout: seconds; by default the link's own.

        Raises:
            ScratchmlError: no answer in time, another than that, one that begins with ``error``,
                the board has halted or started anew, or the port is gone.
        """
        timeout = self.timeout if timeout is None else timeout
        self.send(command)
        until = time.monotonic() + timeout
        while line := self.read_line(until):
            if match := answer.fullmatch(line):
                return match
            self._pass_over(line, command)
        begun = self._received.decode("ascii", "replace")
        came = f"only {_short(begun)} came" if begun else "nothing came"
        raise ScratchmlError(
            f"{self.port}: no answer to {_short(command)} within {timeout:g} s, {came}; wait longer"
            " with --timeout, or reset the board"
        )

    def _pass_over(self, line: str, command: str) -> None:
        """Raise ScratchmlError unless nobody asked for the line, and nothing is wrong with it."""
        if line.startswith("error "):
            raise ScratchmlError(f"{self.port}: the board answers {line!r} to {_short(command)}")
        if line.startswith(GREETING):
            raise ScratchmlError(
                f"{self.port}: the board has started anew while it was asked; try again, with "
                "another cable or supply if that goes on"
            )
        self.refuse_halted(line)
        late = line.startswith("status ")  # it was asked more than once
        if HOURLY not in line and not late:
            raise ScratchmlError(
                f"{self.port}: the board answers {_short(line)} to {_short(command)}, which this "
                "scratchml cannot read; try again"
            )

    def refuse_halted(self, line: str) -> None:
        """Raise ScratchmlError if the line is one that a halted board repeats for ever."""
        if HALTED.fullmatch(line):
            raise ScratchmlError(
                f"{self.port}: the board has halted and says {line!r}: upload the firmware again"
            )

    def close(self) -> None:
        self._serial.close()

    def _gone(self, error: OSError) -> ScratchmlError:
        return ScratchmlError(
            f"{self.port}: the connection is lost: is the cable in, and the board running? "
            f"({error})"
        )


def why_not_open(error: OSError) -> str:
    """What a failure to open a port means, and what to do."""
    return REMEDIES.get(error.errno or 0, f"it cannot be opened ({error})")


def _first_line(received: bytearray) -> tuple[str, bool, bytearray]:
    """The line up to the first CR or LF, whether it has an end, and what follows that."""
    found = re.search(rb"[\r\n]", received[:LONGEST_LINE])
    if not found and len(received) < LONGEST_LINE:
        return "", False, received
    length, rest = found.span() if found else (LONGEST_LINE, LONGEST_LINE)
    return received[:length].decode("ascii", "replace").strip(), True, received[rest:]


def _short(text: str) -> str:
    """Quoted, and cut if it is long."""
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
