"""The firmware's console over a real pseudo-terminal: whatever comes, one answer a line.

It runs under the sanitizers for addresses and undefined behaviour, and must still run at the end.
"""

from __future__ import annotations

import os
import re
import select
import threading
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import host_firmware
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scratchml as sml
from scratchml.export import fingerprint

MODEL = host_firmware.model()

#: CONSOLE_LINE_BYTES.
LONGEST = 24 + 12 * MODEL.inputs

GREETING = "scratchml weather station; self-test 32/32; for more: help"
HELP = "help, status, selftest, digest ROWS SEED, run HEX, feed COUNTS ..., bench"
NO_TEXT, TOO_LONG = "error this is no text", "error the line is too long"
UNKNOWN = "error unknown command; try: help"
HOLE = "no reading -> no forecast, 3 more hours (starting)"

#: Seconds until a firmware that says nothing is taken to hang.
PATIENCE = 60


class Terminal:
    """A computer at the port."""

    def __init__(self, port: str) -> None:
        self._port = os.open(port, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self._port)
        self._received = b""

    def write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._port, data) :]

    def line(self) -> str:
        while b"\r\n" not in self._received:
            assert self._receive(PATIENCE), f"nothing more came after {self._received!r}"
        line, self._received = self._received.split(b"\r\n", 1)
        return line.decode("ascii")

    def until(self, pattern: str) -> str:
        """The first line that matches; those before it are passed over."""
        while not re.fullmatch(pattern, line := self.line()):
            pass
        return line

    def lines_within(self, seconds: float) -> list[str]:
        """What comes until nothing more does for so long."""
        while self._receive(seconds):
            pass
        *lines, self._received = self._received.split(b"\r\n")
        return [line.decode("ascii") for line in lines]

    def _receive(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._port], [], [], seconds)
        if ready:
            self._received += os.read(self._port, 4096)
        return bool(ready)

    def close(self) -> None:
        os.close(self._port)


@contextmanager
def terminal(port: str) -> Iterator[Terminal]:
    """A computer that opens the port, has been greeted, and closes it at the end."""
    computer = Terminal(port)
    try:
        assert computer.line() == GREETING
        assert computer.line() == HOLE
        yield computer
    finally:
        computer.close()


@pytest.fixture(scope="module")
def port() -> Iterator[str]:
    """A firmware whose hours are hours: nothing comes but answers."""
    with host_firmware.running(host_firmware.built(), "real") as name:
        yield name


@pytest.fixture(scope="module")
def computer(port: str) -> Iterator[Terminal]:
    with terminal(port) as opened:
        yield opened


def code(row: list[int]) -> int:
    """The output for int8 codes."""
    return int(MODEL.run(np.array([row], np.int8))[0, 0])


ROW = [1, -2, 3, -4, 5, 127]

#: Commands whose answers are known here, without the firmware.
ANSWERS = {
    "help": HELP,
    "selftest": "self-test 32/32",
    "digest 65 7": f"digest {sml.digest(MODEL, 65, 7):08x}",
    f"run {np.array(ROW, np.int8).tobytes().hex()}": f"output {code(ROW) & 0xFF:02x}",
    "feed -2147483648 0 0 0 0 2147483647": None,
    "digest": "error digest takes a number of rows, 1 or more, and a seed",
    "digest 0 0": "error digest takes a number of rows, 1 or more, and a seed",
    "digest 1 4294967296": "error digest takes a number of rows, 1 or more, and a seed",
    "run 0102": "error run takes two hexadecimal digits for each input",
    "feed 1 2 3": "error feed takes a whole number for each input",
    "feed 1 2 3 4 5 2147483648": "error feed takes a whole number for each input",
    "status 1": "error status takes nothing",
    "helpme": UNKNOWN,
}
EXTREME = "feed -2147483648 0 0 0 0 2147483647"
(_extreme,) = MODEL.run(MODEL.prepare_input([[-(2**31), 0, 0, 0, 0, 2**31 - 1]]))[0].tolist()
ANSWERS[EXTREME] = (
    f"forecast {_extreme} {int((_extreme + 128) / 2.56 + 0.5)} "
    f"{'yes' if _extreme >= MODEL.decision_threshold else 'no'}"
)


@pytest.mark.parametrize("command", ANSWERS)
@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\n\n\r", " \t\r\n"])
def test_every_command_has_its_answer(computer: Terminal, command: str, end: str) -> None:
    computer.write(f"{command}{end}".encode())
    assert computer.line() == ANSWERS[command]


def test_status(computer: Terminal) -> None:
    computer.write(b"status\n")
    assert computer.line() == (
        f"status protocol=1 engine=2 model={fingerprint(MODEL):08x} inputs=6 outputs=1 board=host "
        "clock=1000000000 hours=0 holes=0 needed=3"
    )


def test_bench(computer: Terminal) -> None:
    computer.write(b"bench\n")
    assert re.fullmatch("bench cycles=[1-9][0-9]* clock=1000000000", computer.line())


def test_commands_may_come_byte_by_byte(computer: Terminal) -> None:
    for command, answer in ANSWERS.items():
        for byte in f"{command}\n":
            computer.write(byte.encode())
        assert computer.line() == answer


def test_commands_may_be_cut_anywhere(computer: Terminal) -> None:
    command = f"{EXTREME}\r\n".encode()
    for at in range(1, len(command)):
        computer.write(command[:at])
        computer.write(command[at:])
        assert computer.line() == ANSWERS[EXTREME]


def test_several_commands_may_come_at_once(computer: Terminal) -> None:
    """A digest takes several polls, and the next line waits for it."""
    computer.write(b"digest 100000 0\nselftest\nhelp\n")
    assert computer.line() == f"digest {sml.digest(MODEL, 100_000, 0):08x}"
    assert [computer.line(), computer.line()] == ["self-test 32/32", HELP]


def expected(line: bytes) -> str | None:
    """The answer to a line, by the letter of console.h; ``None``: there is none."""
    text = line.replace(b"\t", b" ")
    if not re.fullmatch(rb"[ -~]*", text):
        return NO_TEXT
    if len(text) > LONGEST:
        return TOO_LONG
    words = text.decode().strip(" ")
    return ANSWERS.get(words, UNKNOWN) if words else None


#: Text that no command begins with.
strange = st.text("xyz!~ \t", max_size=2 * LONGEST).map(str.encode)
lines = st.one_of(
    st.sampled_from(sorted(ANSWERS)).map(str.encode),
    strange,
    st.binary(max_size=30).map(lambda data: b"\x80" + re.sub(rb"[\r\n]", b"", data)),
    st.integers(LONGEST - 2, LONGEST + 2).map(lambda n: b"x" * n),
    st.integers(LONGEST - 2, LONGEST + 2).map(lambda n: b"x" * n + b"\0"),
)


@given(st.lists(lines, max_size=12), st.lists(st.integers(1, 40), max_size=20))
@settings(max_examples=200)
def test_whatever_comes_has_one_answer_a_line(
    computer: Terminal, sent: list[bytes], sizes: list[int]
) -> None:
    """However the bytes are cut, too."""
    data = b"".join(line + b"\n" for line in [*sent, b"help"])
    for size in sizes:
        computer.write(data[:size])
        data = data[size:]
    computer.write(data)
    wanted = [answer for line in [*sent, b"help"] if (answer := expected(line))]
    assert [computer.line() for _ in wanted] == wanted


def test_a_megabyte_without_end_is_one_line(computer: Terminal) -> None:
    computer.write(b"x" * 2**20 + b"\nhelp\n")
    assert [computer.line(), computer.line()] == [TOO_LONG, HELP]


def test_a_megabyte_of_noise_leaves_it_as_it_was(computer: Terminal) -> None:
    """Every answer is an error or nothing, and is read while more noise comes."""
    noise = np.random.default_rng(0).integers(0, 256, 2**20, np.uint8).tobytes()
    writer = threading.Thread(target=computer.write, args=(noise + b"\nselftest\n",))
    writer.start()
    count = 0
    while (line := computer.line()) != "self-test 32/32":
        assert line in (NO_TEXT, TOO_LONG, UNKNOWN)
        count += 1
    writer.join()
    assert count == sum(expected(line) is not None for line in re.split(rb"[\r\n]", noise))


def test_a_computer_that_never_reads_does_not_stop_it() -> None:
    """It reads on, or the computer could not write that much; what it says is dropped."""
    with (
        host_firmware.running(host_firmware.built(), "real") as port,
        terminal(port) as computer,
    ):
        computer.write(b"help\n" * 2**17)
        wanted = f"digest {sml.digest(MODEL, 3, 4):08x}"
        for _ in range(PATIENCE):  # the first answers may be dropped, too
            computer.write(b"digest 3 4\n")
            if wanted in computer.lines_within(1.0):
                return
        pytest.fail("it does not answer any more")


@pytest.mark.parametrize("begun", [b"sta", b"digest 300000 0\n", b"\xff" * 200, b"help"])
def test_a_computer_that_comes_back_is_greeted_again(begun: bytes) -> None:
    """What it had begun is forgotten: ``sta`` and ``tus`` are no status."""
    with host_firmware.running(host_firmware.built(), "real") as port:
        come_back(port, begun)


def come_back(port: str, begun: bytes) -> None:
    wanted = [GREETING, HOLE, UNKNOWN, "self-test 32/32"]
    answers: list[str] = []
    for pause in (0.05, 0.5, 5.0):  # so fast nobody can come back unnoticed, at the latest
        first = Terminal(port)
        first.write(begun)
        first.close()
        time.sleep(pause)
        second = Terminal(port)
        second.write(b"tus\nselftest\n")
        answers = [second.line()]
        while answers[-1] != "self-test 32/32":
            answers.append(second.line())
        second.close()
        if answers[-4:] == wanted:
            break
    assert answers[-4:] == wanted


def test_a_line_without_end_is_given_up() -> None:
    """Five seconds at a thousand times their speed; what comes then is a line of its own."""
    with (
        host_firmware.running(host_firmware.built(), "1000") as port,
        terminal(port) as computer,
    ):
        for begun in (b"stat", b" ", b"\0"):
            computer.write(begun)
            assert computer.until("error .*") == "error the line has no end"
        computer.write(b"help\n")
        assert computer.until("help.*") == HELP


def test_forecasts_of_replayed_hours_are_python_s(tmp_path: Path) -> None:
    """A reading an hour, each colder than the one before: a line names its own hour."""
    n = 120
    rng = np.random.default_rng(0)
    table = np.stack([300 - 20 * np.arange(n), 10 * rng.integers(600, 1001, n)], axis=1)
    readings = tmp_path / "readings"
    np.savetxt(readings, table, fmt="%d")
    program = host_firmware.built(
        "STATION_HOUR_MS=1000", "STATION_READINGS=1", "STATION_REPORT_CODE"
    )
    hour = re.compile(r"(\S+ C \S+ %) -> snow (\d+) % \((yes|no)\) code (-?\d+)")
    with host_firmware.running(program, "200", readings) as port:
        computer = Terminal(port)
        assert computer.line() == GREETING
        computer.line()
        matches = [hour.fullmatch(computer.line()) for _ in range(n)]
        computer.close()
    names = {f"{t / 100:.1f} C {h / 100:.1f} %": i for i, (t, h) in enumerate(table)}
    seen = set()
    for match in filter(None, matches):
        i = names[match[1]]
        window = np.array([table[i - 2], table[i - 1], table[i]]).reshape(1, -1)
        value = int(MODEL.run(MODEL.prepare_input(window))[0, 0])
        assert int(match[4]) == value
        assert int(match[2]) == int((value + 128) / 2.56 + 0.5)
        assert match[3] == ("yes" if value >= MODEL.decision_threshold else "no")
        seen.add(match[3])
    assert len(list(filter(None, matches))) >= n - 2
    assert seen == {"yes", "no"}
