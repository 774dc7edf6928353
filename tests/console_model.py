"""What the station's console must answer, and a computer that talks to it."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable

import numpy as np
from station import BOARD_NAME, FIRMWARE, Board, Firmware
from station_model import percent

import scratchml as sml
from scratchml.digest import digest
from scratchml.export import fingerprint
from scratchml.quantized import QuantizedMLP

PATIENCE_MS = 5000
POLL_BYTES, POLL_ROWS = 64, 256

HELP = "help, status, selftest, digest ROWS SEED, run HEX, feed COUNTS ..., bench"
NO_TEXT = "error this is no text"
TOO_LONG = "error the line is too long"
NO_END = "error the line has no end"
UNKNOWN = "error unknown command; try: help"
USAGE = {
    "digest": "error digest takes a number of rows, 1 or more, and a seed",
    "run": "error run takes two hexadecimal digits for each input",
    "feed": "error feed takes a whole number for each input",
}
GREETING = [
    "scratchml weather station; self-test 32/32; for more: help",
    "no reading -> no forecast, 3 more hours (starting)",
]


@functools.cache
def model() -> QuantizedMLP:
    """The committed one."""
    return sml.QuantizedMLP.load(FIRMWARE / "model" / "model.tflite")


def longest_line() -> int:
    return 24 + 12 * model().inputs


def threshold() -> int:
    header = (FIRMWARE / "model" / "model.h").read_text("utf-8")
    found = re.search(r"#define MODEL_THRESHOLD \((-?\d+)\)", header)
    assert found
    return int(found[1])


def without_arguments(clock: int) -> dict[str, str]:
    m = model()
    status = f"status protocol=1 engine=2 model={fingerprint(m):08x} inputs={m.inputs} "
    status += f"outputs={m.outputs} board={BOARD_NAME} clock={clock} hours=0 holes=0 needed=3"
    no_counter = "error this board has no counter of cycles"
    bench = f"bench cycles=1000 clock={clock}" if clock else no_counter
    return {"help": HELP, "status": status, "selftest": "self-test 32/32", "bench": bench}


def numbers(words: list[str], low: int, high: int) -> list[int] | None:
    sign = "-?" if low < 0 else ""
    if not all(re.fullmatch(f"{sign}[0-9]+", word) for word in words):
        return None
    values = list(map(int, words))
    return values if all(low <= value <= high for value in values) else None


def answer_with_arguments(name: str, words: list[str]) -> str | None:
    m = model()
    if name == "digest":
        values = numbers(words, 0, 2**32 - 1)
        if values and len(values) == 2 and values[0]:
            return f"digest {digest(m, *values):08x}"
    elif name == "run":
        if len(words) == 1 and re.fullmatch(rf"[0-9a-fA-F]{{{2 * m.inputs}}}", words[0]):
            row = np.frombuffer(bytes.fromhex(words[0]), np.int8)
            return f"output {m.run(row[None]).tobytes().hex()}"
    else:
        values = numbers(words, -(2**31), 2**31 - 1)
        if values and len(values) == m.inputs:
            code = int(m.run(m.prepare_input(np.array([values], np.int32)))[0, 0])
            return f"forecast {code} {percent(code)} {'yes' if code >= threshold() else 'no'}"
    return None


def answer(line: bytes, clock: int = 64_000_000) -> str | None:
    """To a line without its end; None if there is nothing to answer."""
    line = line.replace(b"\t", b" ")
    if re.search(rb"[^ -~]", line):
        return NO_TEXT
    if len(line) > longest_line():
        return TOO_LONG
    words = [word for word in line.decode("ascii").split(" ") if word]
    if not words:
        return None
    name, *arguments = words
    alone = without_arguments(clock)
    if name in alone:
        return f"error {name} takes nothing" if arguments else alone[name]
    if name in USAGE:
        return answer_with_arguments(name, arguments) or USAGE[name]
    return UNKNOWN


def answers(sent: bytes) -> list[str]:
    """To all lines that have an end."""
    found = map(answer, re.split(rb"[\r\n]", sent)[:-1])
    return [line for line in found if line is not None]


class Computer:
    """A watched console with its own clock, and the computer that it talks to."""

    GUARD = 32

    def __init__(self, firmware: Firmware, start: int = 2**32 - 3000) -> None:
        self.firmware, self.now = firmware, start
        ffi, lib = firmware.ffi, firmware.lib
        firmware.board = self.board = Board()
        self.context = ffi.new("sml_context *")
        self._window = ffi.new("int32_t[]", model().inputs)
        self._memory = ffi.new("uint32_t[64]")
        assert lib.sml_load_model(self.context, lib.station_model()) == 0
        memory = ffi.cast("void *", self._memory)
        assert lib.sml_initialize_model_memory(self.context, memory, 256) == 0
        self.station = ffi.new("station *")
        config = [(3_600_000, 12, 288, model().inputs // 2)]
        lib.station_begin(self.station, config, self._window, start % 2**32)
        self._size = ffi.sizeof("console")
        self._bytes = ffi.new("uint8_t[]", b"\xa5" * (self._size + 2 * self.GUARD))
        self.c = ffi.cast("console *", self._bytes + self.GUARD)
        lib.console_begin(self.c, self.context, self.station, start % 2**32)

    def poll(self, later: int = 0) -> bool:
        """One poll, ``later`` milliseconds after the last; whether there is more to do at once."""
        self.now += later
        already, written = self.board.bytes_read, len(self.board.outgoing)
        self.firmware.lib.console_poll(self.c, self.now % 2**32)
        assert self.board.bytes_read - already <= POLL_BYTES
        assert self.board.outgoing[written:].count(b"\n") <= 3  # an answer, or a greeting and one
        around = bytes(self.firmware.ffi.buffer(self._bytes))
        assert set(around[: self.GUARD] + around[self.GUARD + self._size : -1]) == {0xA5}
        return bool(self.firmware.lib.console_is_busy(self.c))

    def say(self, sent: bytes) -> None:
        self.board.incoming += sent

    def poll_until_idle(self) -> None:
        while self.poll():
            pass
        assert not self.board.incoming

    def hear(self) -> list[str]:
        """The lines that have come: printable, of bounded length, and whole."""
        heard = bytes(self.board.outgoing)
        self.board.outgoing.clear()
        lines = heard.split(b"\r\n")
        assert lines.pop() == b""
        assert all(re.fullmatch(rb"[ -~]{1,160}", line) for line in lines)
        return [line.decode("ascii") for line in lines]

    def ask(self, sent: bytes) -> list[str]:
        self.say(sent)
        self.poll_until_idle()
        return self.hear()


def greeted(firmware: Firmware) -> Computer:
    computer = Computer(firmware)
    computer.poll()
    assert computer.hear() == GREETING
    return computer


def check(firmware: Firmware, pieces: Iterable[bytes]) -> None:
    """That the console answers what comes piece by piece as it must."""
    pieces = list(pieces)
    computer = greeted(firmware)
    for piece in pieces:
        computer.say(piece)
        computer.poll(100)
    computer.poll_until_idle()
    heard, sent = computer.hear(), b"".join(pieces)
    assert heard == answers(sent), sent
