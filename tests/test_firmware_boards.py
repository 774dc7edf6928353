"""The boards' files of the weather station: arduino.cpp and mbed_usb.cpp on a stand-in of Arduino,
nrf52840.c in unicorn with a model of the chip's watchdog and counter.

The stand-in (tests/c/arduino) simulates the clock and a computer at the other end of the port: one
that reads, one that has stopped reading, none. Anything that would wait for it is counted.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from c_builds import compiled
from conftest import ROOT, require
from hypothesis import given
from hypothesis import strategies as st

BOARDS = ROOT / "csrc" / "firmware" / "boards"
INCLUDES = [f"-I{BOARDS.parent}", f"-I{ROOT / 'tests' / 'c' / 'arduino'}"]
WARNINGS = "-Wall -Wextra -Werror -funsigned-char".split()

NEVER = 2**32 - 1
PATIENCE_MS, LOOK_MS = 500, 100


class World(ctypes.Structure):
    """``simulated`` of tests/c/arduino/Arduino.h."""

    _fields_ = (
        *((name, ctypes.c_uint32) for name in ("now", "opens_after", "sends_after")),
        *(
            (name, ctypes.c_int32)
            for name in (
                "is_open", "reads", "room", "says_room", "held", "pending", "waits", "polls",
                "led", "led_is_output", "baud",
            )
        ),
        ("sent", ctypes.c_uint32),
        ("bytes", ctypes.c_uint8 * 4096),
    )  # fmt: skip


class Board:
    """What ``board.h`` declares, and the world around it."""

    def __init__(self, library: Path, *, says_room: bool) -> None:
        self.library = ctypes.CDLL(str(library))
        self.library.board_millis.restype = ctypes.c_uint32
        self.library.board_listening.restype = ctypes.c_bool
        self.says_room = says_room
        self.world = World.in_dll(self.library, "world")

    def start(self, *, now: int = 0, is_open: bool = False, reads: bool = True) -> None:
        """As after a reset; a write without a computer ends what the last test left."""
        ctypes.memset(ctypes.addressof(self.world), 0, ctypes.sizeof(self.world))
        self.library.board_write(b"", 0)
        self.world.now, self.world.is_open, self.world.reads = now, is_open, reads
        self.world.opens_after = self.world.sends_after = NEVER
        self.world.room, self.world.says_room = 64, self.says_room

    def write(self, line: bytes) -> int:
        """How many milliseconds it took."""
        before = self.world.now
        self.library.board_write(line, len(line))
        return (self.world.now - before) % 2**32

    def sleep(self, ms: int) -> int:
        before = self.world.now
        self.library.board_sleep(ctypes.c_uint32(ms))
        return (self.world.now - before) % 2**32

    def sent(self) -> bytes:
        return bytes(self.world.bytes[: self.world.sent])


@pytest.fixture(scope="module", params=["any core", "mbed"])
def board(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Board:
    """arduino.cpp alone, and with what replaces its board_offer on Mbed OS."""
    is_mbed = request.param == "mbed"
    library = tmp_path_factory.mktemp("board") / "board.so"
    compiled(
        "g++", "-std=gnu++14", *WARNINGS, *INCLUDES, "-fPIC", "-shared", BOARDS / "arduino.cpp",
        *[BOARDS / "mbed_usb.cpp"] * is_mbed, ROOT / "tests" / "c" / "arduino" / "arduino.cpp",
        "-o", library,
    )  # fmt: skip
    return Board(library, says_room=not is_mbed)


lines = st.lists(st.binary(min_size=1, max_size=200), max_size=12)


@given(lines, st.integers(1, 256))
def test_a_computer_that_reads_gets_every_byte(board: Board, said: list[bytes], room: int) -> None:
    board.start(is_open=True)
    board.world.room = room
    for line in said:
        # it fetches once a millisecond, and may have to once more for what was there before
        assert board.write(line) <= len(line) // room + 1
    assert board.sent() == b"".join(said)
    assert board.world.waits == 0


@given(lines, st.integers(1, 256), st.integers(0, 2**32 - 1))
def test_a_computer_that_does_not_read_is_waited_for_once(
    board: Board, said: list[bytes], room: int, now: int
) -> None:
    board.start(now=now, is_open=True, reads=False)
    board.world.room = room
    assert sum(map(board.write, said)) <= PATIENCE_MS + 1
    assert len(board.sent()) <= room
    assert said == [] or board.sent().startswith(said[0][:room])
    assert board.world.waits == 0


@given(lines, lines)
def test_a_computer_that_reads_again_gets_whole_lines(
    board: Board, lost: list[bytes], said: list[bytes]
) -> None:
    board.start(is_open=True, reads=False)
    for line in lost:
        board.write(line)
    broken = len(board.sent()) < sum(map(len, lost))  # half a line, which gets an end
    board.world.reads = True
    board.sleep(2)
    board.world.sent = 0
    for line in said:
        board.write(line)
    assert board.sent() == (b"\r\n" if broken and said else b"") + b"".join(said)
    assert board.world.waits == 0


def test_a_computer_that_goes_away_in_the_middle_of_a_line(board: Board) -> None:
    board.start(is_open=True, reads=False)
    assert board.write(bytes(200)) <= PATIENCE_MS + 1
    board.world.is_open = 0  # what the port holds stays there
    assert board.write(bytes(200)) == 0
    board.world.is_open = board.world.reads = 1
    board.world.sent = 0
    board.write(b"x" * 200)
    assert board.sent() == b"x" * 200


@given(lines)
def test_without_a_computer_nothing_is_sent_and_no_time_passes(
    board: Board, said: list[bytes]
) -> None:
    board.start()
    assert sum(map(board.write, said)) == 0
    assert (board.sent(), board.world.waits) == (b"", 0)


@given(st.integers(0, 4000), st.integers(0, 2**32 - 1), st.booleans())
def test_it_sleeps_as_long_as_it_was_told(board: Board, ms: int, now: int, is_open: bool) -> None:
    board.start(now=now, is_open=is_open)
    assert board.sleep(ms) == ms
    # asleep in between: it looked once a nap, not all the time
    assert board.world.polls <= (ms + 1 if is_open else ms // LOOK_MS + 1)


@given(st.integers(1, 3000))
def test_a_byte_from_the_computer_wakes_it(board: Board, when: int) -> None:
    board.start(is_open=True)
    board.world.sends_after = when
    assert board.sleep(4000) == when
    assert board.library.board_read() >= 0
    assert board.library.board_read() == -1


@given(st.integers(1, 3000))
def test_so_does_one_from_a_computer_that_has_just_come(board: Board, when: int) -> None:
    board.start()
    board.world.opens_after = board.world.sends_after = when
    assert when <= board.sleep(4000) <= when + LOOK_MS


@given(st.integers(1, 3000))
def test_and_the_computer_itself(board: Board, when: int) -> None:
    """It is greeted at once, and not when the sleep is over."""
    board.start()
    board.world.opens_after = when
    assert when <= board.sleep(4000) <= when + LOOK_MS


def test_clock_port_and_led_are_arduinos(board: Board) -> None:
    board.start(now=2**32 - 1)
    board.library.board_begin()
    assert (board.world.baud, board.world.led_is_output) == (115200, 1)
    assert board.library.board_millis() == 2**32 - 1
    for on in (True, False):
        board.library.board_led(on)
        assert board.world.led == on
        board.world.is_open = on
        assert board.library.board_listening() == on


def test_the_cores_board_offer_is_replaced_by_mbeds(tmp_path: Path) -> None:
    """In the order in which a linker may see them, and in the other."""
    for i, names in enumerate([("arduino", "mbed_usb"), ("mbed_usb", "arduino")]):
        library = tmp_path / f"{i}.so"
        compiled(
            "g++", "-std=gnu++14", *WARNINGS, *INCLUDES, "-fPIC", "-shared",
            *(BOARDS / f"{name}.cpp" for name in names),
            ROOT / "tests" / "c" / "arduino" / "arduino.cpp", "-o", library,
        )  # fmt: skip
        board = Board(library, says_room=False)
        board.start(is_open=True)
        board.write(b"through the USB class")
        assert board.sent() == b"through the USB class"


# --- the nRF52840 ---------------------------------------------------------------------------------

#: Where the program is put, and its stack; there is no RAM in it to initialise.
FLASH, STACK = 0x10000, 0x20000000
WDT, DWT, SCS = 0x40010000, 0xE0001000, 0xE000E000
KEY = 0x6E524635


@dataclass
class Chip:
    """A model of what Nordic's and Arm's manuals say of the registers that the file touches.

    The watchdog's CONFIG, RREN and CRV are locked while it runs. It is reloaded by KEY in an
    enabled RR register, and bites CRV + 1 ticks of 32,768 Hz later. The counter counts when both
    TRCENA and CYCCNTENA are set, here at every look.
    """

    now: float = 0  # seconds
    running: bool = False
    reloaded: float = 0
    wdt: dict[int, int] = field(
        default_factory=lambda: {0x504: 0xFFFFFFFF, 0x508: 1, 0x50C: 1}  # after a reset
    )
    other: dict[int, int] = field(default_factory=dict)

    def bites_at(self) -> float:
        return self.reloaded + (self.wdt[0x504] + 1) / 32768

    def write_wdt(self, _: Any, offset: int, size: int, value: int, __: Any) -> None:
        assert size == 4
        if offset == 0x000 and value & 1 and not self.running:
            self.running, self.reloaded = True, self.now
        elif offset in self.wdt and not self.running:
            self.wdt[offset] = value
        elif 0x600 <= offset < 0x620:
            if self.running and value == KEY and self.wdt[0x508] >> (offset - 0x600) // 4 & 1:
                self.reloaded = self.now
        else:
            assert offset in (0x000, *self.wdt), hex(offset)

    def read(self, base: int, offset: int) -> int:
        at = base + offset
        if at == DWT + 4:
            counts = self.other.get(SCS + 0xDFC, 0) >> 24 & self.other.get(DWT, 0) & 1
            self.other[at] = (self.other.get(at, 0) + 100 * counts) % 2**32
        return self.other.get(at, 0)


class Nano:
    """nrf52840.c alone, in unicorn."""

    def __init__(self, elf: Path) -> None:
        import unicorn
        from elftools.elf.elffile import ELFFile
        from unicorn.arm_const import UC_CPU_ARM_CORTEX_M4

        self.chip = Chip()
        self.unicorn = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | 0x20)
        self.unicorn.ctl_set_cpu_model(UC_CPU_ARM_CORTEX_M4)
        with elf.open("rb") as stream:
            file = ELFFile(stream)
            table: Any = file.get_section_by_name(".symtab")
            self.at = {symbol.name: symbol["st_value"] for symbol in table.iter_symbols()}
            self.unicorn.mem_map(FLASH, 0x1000)
            for segment in file.iter_segments("PT_LOAD"):
                self.unicorn.mem_write(segment["p_vaddr"], segment.data())
        self.unicorn.mem_map(STACK, 0x1000)
        self.unicorn.mmio_map(WDT, 0x1000, None, None, self.chip.write_wdt, None)
        for base in (DWT, SCS):
            self.unicorn.mmio_map(base, 0x1000, self.read, base, self.write, base)

    def read(self, _: Any, offset: int, size: int, base: int) -> int:
        assert size == 4
        return self.chip.read(base, offset)

    def write(self, _: Any, offset: int, size: int, value: int, base: int) -> None:
        assert size == 4
        self.chip.other[base + offset] = value

    def call(self, function: str, argument: int = 0) -> int:
        from unicorn import arm_const as arm

        end = FLASH + 0xFF0
        self.unicorn.reg_write(arm.UC_ARM_REG_SP, STACK + 0x1000)
        self.unicorn.reg_write(arm.UC_ARM_REG_LR, end | 1)
        self.unicorn.reg_write(arm.UC_ARM_REG_R0, argument)
        self.unicorn.emu_start(self.at[function] | 1, end, count=10_000)
        assert self.unicorn.reg_read(arm.UC_ARM_REG_PC) == end
        result: int = self.unicorn.reg_read(arm.UC_ARM_REG_R0)
        return result


@pytest.fixture(scope="module")
def nrf52840(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for module in ("unicorn", "elftools"):
        require(module)
    elf = tmp_path_factory.mktemp("nrf52840") / "board.elf"
    compiled(
        "arm-none-eabi-gcc", "-std=c11", *WARNINGS, "-Wconversion", "-Wshadow", "-Wpedantic",
        "-Wcast-qual", "-Wstrict-prototypes", "-Wmissing-prototypes", "-mcpu=cortex-m4", "-mthumb",
        "-Os", f"-I{BOARDS.parent}", BOARDS / "nrf52840.c", "-nostdlib", "-nostartfiles",
        f"-Wl,-Ttext={FLASH:#x},-e,board_watchdog_start,-z,max-page-size=4,-N", "-o", elf,
    )  # fmt: skip
    return elf


@pytest.mark.parametrize("ms", [1, 999, 1000, 8000])
def test_the_watchdog_lets_an_upload_finish_and_then_bites(nrf52840: Path, ms: int) -> None:
    nano = Nano(nrf52840)
    nano.call("board_watchdog_start", ms)
    assert nano.chip.running
    assert abs(nano.chip.bites_at() - (120 + ms / 1000)) <= 2 / 32768
    assert nano.chip.wdt[0x50C] == 1  # runs while the CPU sleeps, pauses for a debugger
    assert nano.chip.wdt[0x508] == 1


def test_feeding_postpones_the_bite(nrf52840: Path) -> None:
    nano = Nano(nrf52840)
    nano.call("board_watchdog_start", 8000)
    first = nano.chip.bites_at()
    nano.chip.now = 100
    nano.call("board_watchdog_feed")
    assert nano.chip.bites_at() == first + 100


def test_a_watchdog_that_runs_since_before_a_reset_is_fed_at_the_start(nrf52840: Path) -> None:
    nano = Nano(nrf52840)
    nano.call("board_watchdog_start", 8000)
    nano.chip.now = 127
    locked = dict(nano.chip.wdt)
    nano.call("board_watchdog_start", 1000)
    assert nano.chip.wdt == locked
    assert nano.chip.reloaded == 127


def test_the_counter_is_switched_on_and_counts(nrf52840: Path) -> None:
    nano = Nano(nrf52840)
    nano.chip.other[SCS + 0xDFC] = 0x10000  # what somebody else set there stays
    first, second = nano.call("board_cycles"), nano.call("board_cycles")
    assert second - first == 100
    assert nano.chip.other[SCS + 0xDFC] == 0x1010000
    nano.chip.other[DWT + 4] = 2**32 - 60
    assert nano.call("board_cycles") == 40
    assert nano.call("board_clock") == 64_000_000


def test_its_name_is_that_of_its_environment(nrf52840: Path) -> None:
    nano = Nano(nrf52840)
    name = bytes(nano.unicorn.mem_read(nano.at["board_name"], 16))
    assert name.split(b"\0")[0] == b"nano33ble"
