"""The station's console, byte by byte, on a board made of Python; the other side is its model."""

from __future__ import annotations

import re
from itertools import pairwise

import hypothesis.strategies as st
import numpy as np
import pytest
from console_model import (
    GREETING,
    HELP,
    NO_END,
    NO_TEXT,
    PATIENCE_MS,
    POLL_BYTES,
    POLL_ROWS,
    TOO_LONG,
    UNKNOWN,
    USAGE,
    Computer,
    answer,
    check,
    greeted,
    longest_line,
    model,
    without_arguments,
)
from hypothesis import given, settings
from station import FIRMWARE, compiled, firmware

from scratchml.digest import digest

CLOCK = 64_000_000


@pytest.fixture
def computer() -> Computer:
    return greeted(firmware())


# --- commands --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["help", "status", "selftest", "bench"])
def test_a_command_without_arguments(computer: Computer, name: str) -> None:
    wanted = without_arguments(CLOCK)[name]
    for spaces in ("", " ", "\t", "   "):
        assert computer.ask(f"{spaces}{name}{spaces}\n".encode()) == [wanted]
    for argument in ("1", "help", "-", name):
        assert computer.ask(f"{name} {argument}\n".encode()) == [f"error {name} takes nothing"]
    assert computer.ask(f"{name}s\n".encode()) == [UNKNOWN]
    assert computer.ask(f"{name.upper()}\n".encode()) == [UNKNOWN]


def test_help_names_every_command() -> None:
    source = (FIRMWARE / "console.c").read_text("utf-8")
    commands = re.findall(r'^    \{"(\w+)", ', source, re.MULTILINE)
    assert [words.split()[0] for words in HELP.split(", ")] == commands
    header = (FIRMWARE / "console.h").read_text("utf-8")
    assert sorted(re.findall(r"^ \*     (\w+)", header, re.MULTILINE)) == sorted(commands)


def test_status_counts_hours(computer: Computer) -> None:
    s = computer.station
    s.hours, s.holes, s.hours_needed = 2**32 - 1, 2**32 - 2, 2**32 - 3
    (line,) = computer.ask(b"status\n")
    assert line.endswith(" hours=4294967295 holes=4294967294 needed=4294967293")
    assert len(line) < 160  # nothing is left out


def test_bench_is_the_least_of_a_few(computer: Computer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cycles wrap, and an interrupt comes in between; some boards cannot count them."""
    costs = iter([0, 900, 0, 5000, 0, 777, *[0, 2**24 - 1] * 5])
    monkeypatch.setattr(computer.board, "board_cycles", lambda: next_cycles(computer, next(costs)))
    assert computer.ask(b"bench\n") == [f"bench cycles=777 clock={CLOCK}"]
    computer.board.clock = 0
    assert computer.ask(b"bench\n") == ["error this board has no counter of cycles"]


def next_cycles(computer: Computer, cost: int) -> int:
    computer.board.cycles = (computer.board.cycles + cost) % 2**32
    return computer.board.cycles


@pytest.mark.parametrize(("rows", "seed"), [(1, 0), (63, 1), (64, 2), (65, 2**32 - 1), (1000, 7)])
def test_a_digest_is_python_s(computer: Computer, rows: int, seed: int) -> None:
    assert computer.ask(f"digest {rows} {seed}\n".encode()) == [
        f"digest {digest(model(), rows, seed):08x}"
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        "", "1", "0 1", "1 2 3", "-1 1", "1 -1", "+1 1", "1 4294967296", "4294967296 1", "1x 1",
        "1 1x", "a b", "99999999999999999999 1", "1,1", "0x10 1", "1.0 1",
    ],
)  # fmt: skip
def test_no_digest(computer: Computer, arguments: str) -> None:
    assert computer.ask(f"digest {arguments}\n".encode()) == [USAGE["digest"]]


def test_a_digest_of_all_rows_is_begun(computer: Computer) -> None:
    assert computer.say(b"digest 4294967295 4294967295\n") is None
    computer.poll()
    assert (computer.c.digest_rows, computer.c.digest.seed) == (2**32 - 1, 2**32 - 1)


@given(st.lists(st.integers(-128, 127), min_size=6, max_size=6), st.booleans())
def test_run_is_python_s(codes: list[int], upper: bool) -> None:
    row = np.array([codes], np.int8)
    digits = row.tobytes().hex()
    sent = f"run {digits.upper() if upper else digits}\n".encode()
    assert greeted(firmware()).ask(sent) == [f"output {model().run(row).tobytes().hex()}"]


@pytest.mark.parametrize(
    "arguments",
    ["", "00", "0" * 11, "0" * 13, "0" * 14, "0" * 12 + " 0", "0000 00000000", "g" * 12, "-" * 12,
     "0" * 11 + "g", "0x0000000000", "0" * 11 + "/", "0" * 11 + ":",
     "0" * 11 + "@", "0" * 11 + "`"],
)  # fmt: skip
def test_no_run(computer: Computer, arguments: str) -> None:
    assert computer.ask(f"run {arguments}\n".encode()) == [USAGE["run"]]


counts = st.one_of(
    st.integers(-5000, 11_000),
    st.integers(-(2**31), 2**31 - 1),
    st.sampled_from([-(2**31), 2**31 - 1, 0, -1]),
)


@given(st.lists(counts, min_size=6, max_size=6))
def test_feed_is_python_s(values: list[int]) -> None:
    line = "feed " + " ".join(map(str, values))
    (heard,) = greeted(firmware()).ask(f"{line}\n".encode())
    assert heard == answer(line.encode())
    assert heard.startswith("forecast ")


@pytest.mark.parametrize(
    "arguments",
    ["", "1 2 3 4 5", "1 2 3 4 5 6 7", "1 2 3 4 5 x", "1 2 3 4 5 -", "1 2 3 4 5 - 6", "- 1 2 3 4 5",
     "1 2 3 4 5 +6", "1 2 3 4 5 --6", "1 2 3 4 5 6.0", "1 2 3 4 5 2147483648", "1,2,3,4,5,6",
     "1 2 3 4 5 -2147483649", "1 2 3 4 5 4294967296", "1 2 3 4 5 6-"],
)  # fmt: skip
def test_no_feed(computer: Computer, arguments: str) -> None:
    assert computer.ask(f"feed {arguments}\n".encode()) == [USAGE["feed"]]


def test_the_weather_is_left_alone(computer: Computer) -> None:
    before = bytes(computer.firmware.ffi.buffer(computer.station))
    window = bytes(computer.firmware.ffi.buffer(computer._window))
    computer.ask(b"feed 1 2 3 4 5 6\nrun 000000000000\ndigest 9 9\nselftest\nstatus\nbench\n")
    assert bytes(computer.firmware.ffi.buffer(computer.station)) == before
    assert bytes(computer.firmware.ffi.buffer(computer._window)) == window


# --- whatever comes --------------------------------------------------------------------------

words = st.one_of(
    st.sampled_from(["help", "status", "selftest", "digest", "run", "feed", "bench", "", "hel"]),
    st.integers(0, 300).map(str),
    st.integers(-(2**33), -1).map(str),
    st.just(str(2**32)),
    st.binary(min_size=6, max_size=6).map(bytes.hex),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=8),
)
digests = st.tuples(st.integers(0, 200), st.integers(0, 2**32 + 9)).map(
    "digest {0[0]} {0[1]}".format
)
feeds = st.lists(counts, min_size=5, max_size=7).map(lambda v: "feed " + " ".join(map(str, v)))
lines = st.one_of(
    st.lists(words, max_size=4).map(" ".join).map(str.encode),
    digests.map(str.encode),
    feeds.map(str.encode),
    st.binary(max_size=20),
    st.integers(longest_line() - 2, longest_line() + 300).map(b"x".__mul__),
    st.integers(longest_line() - 6, longest_line()).map(lambda n: b"help".ljust(n)),
)
ends = st.sampled_from([b"\n", b"\r", b"\r\n", b"\n\r\n", b"\n"])
streams = st.lists(st.tuples(lines, ends), max_size=12).map(
    lambda pairs: b"".join(line + end for line, end in pairs)
)


def is_quick(sent: bytes) -> bool:
    """No digest of millions of rows, which random bytes may ask for."""
    return not re.search(rb"digest[ \t]+\d{5}", sent)


@given(streams.filter(is_quick), st.lists(st.integers(0, 2000), max_size=20))
def test_every_line_has_its_answer(sent: bytes, cuts: list[int]) -> None:
    places = sorted({0, len(sent), *(cut % (len(sent) + 1) for cut in cuts)})
    check(firmware(), [sent[a:b] for a, b in pairwise(places)])


@pytest.mark.sweep
@settings(max_examples=2000)
@given(streams.filter(is_quick), st.lists(st.integers(0, 2000), max_size=20))
def test_every_line_of_many_has_its_answer(sent: bytes, cuts: list[int]) -> None:
    places = sorted({0, len(sent), *(cut % (len(sent) + 1) for cut in cuts)})
    check(firmware(), [sent[a:b] for a, b in pairwise(places)])


def test_byte_by_byte() -> None:
    check(firmware(), [bytes([byte]) for byte in b"help\r\nfeed 1 2 3 4 5 6\n\x00\nstatus\n"])


def test_every_byte() -> None:
    """Alone in a line, and in the middle of a command."""
    for byte in map(bytes, zip(range(256))):
        check(firmware(), [byte + b"\nhe" + byte + b"lp\n"])


def test_the_longest_line(computer: Computer) -> None:
    """It is what a feed of the longest numbers needs; one byte more is too long."""
    feed = ("feed" + " -2147483648" * model().inputs).encode()
    assert len(feed) <= longest_line()
    assert computer.ask(feed.ljust(longest_line()) + b"\n") == [answer(feed)]
    assert computer.ask(feed.ljust(longest_line() + 1) + b"\n") == [TOO_LONG]
    assert computer.ask(b"x" * 100_000 + b"\n") == [TOO_LONG]
    assert computer.ask(b"help\n") == [HELP]


def test_a_flood_is_read_in_bounded_pieces(computer: Computer) -> None:
    """Each poll reads no more than its share, and the station lives on in between."""
    computer.say(bytes(range(14, 256)) * 100)
    polls = 0
    while computer.poll():
        polls += 1
    assert polls == 242 * 100 // POLL_BYTES
    assert computer.hear() == []
    assert computer.ask(b"\nhelp\n") == [NO_TEXT, HELP]


def test_a_flood_of_lines_is_answered_one_a_poll(computer: Computer) -> None:
    computer.say(b"help\n" * 500)
    for n in range(500):
        assert computer.hear() == [HELP] * (n > 0)
        assert computer.poll()
    assert computer.hear() == [HELP]
    assert not computer.poll()


def test_a_digest_delays_the_next_line(computer: Computer) -> None:
    rows = 10 * POLL_ROWS
    computer.say(f"digest {rows} 5\nhelp\n".encode())
    for _ in range(10):
        assert computer.poll()
        assert computer.hear() == []
    assert computer.poll()
    assert computer.hear() == [f"digest {digest(model(), rows, 5):08x}"]
    computer.poll_until_idle()
    assert computer.hear() == [HELP]


def test_inferences_between_polls_do_not_touch_a_digest(computer: Computer) -> None:
    """The station's own, once an hour."""
    lib, ffi = computer.firmware.lib, computer.firmware.ffi
    computer.say(b"digest 1000 5\n")
    while computer.poll():
        assert lib.sml_prepare_input(computer.context, [1, 2, 3, 4, 5, 6], 6) == 0
        assert lib.sml_run_model(computer.context, ffi.new("int8_t[1]"), 1) == 0
    assert computer.hear() == [f"digest {digest(model(), 1000, 5):08x}"]


# --- time, and computers that come and go ----------------------------------------------------


@pytest.mark.parametrize("half", [b"h", b"help", b" ", b"\x00", b"x" * 500, b"digest 1 "])
def test_half_a_line_is_an_error_after_a_while(computer: Computer, half: bytes) -> None:
    """Also while the clock wraps; one error, and what comes then is a new line."""
    computer.say(half)
    computer.poll_until_idle()
    computer.poll(PATIENCE_MS - 1)
    assert computer.hear() == []
    computer.poll(1)
    assert computer.hear() == [NO_END]
    computer.poll(10 * PATIENCE_MS)
    assert computer.hear() == []
    assert computer.ask(b"\nhelp\n") == [HELP]


def test_a_slow_typist_is_waited_for(computer: Computer) -> None:
    for byte in b"help\n":
        computer.poll(PATIENCE_MS - 1)
        computer.say(bytes([byte]))
        computer.poll()
    assert computer.hear() == [HELP]


def test_a_line_that_came_while_nobody_looked_is_whole(computer: Computer) -> None:
    """The sensor took its time: what has arrived counts, not when it is looked at."""
    computer.say(b"he")
    computer.poll()
    computer.say(b"lp\n")
    computer.poll(10 * PATIENCE_MS)
    assert computer.hear() == [HELP]


def test_no_line_is_no_half_line(computer: Computer) -> None:
    computer.say(b"help\n\r\n")
    computer.poll_until_idle()
    assert computer.hear() == [HELP]
    computer.poll(PATIENCE_MS)
    assert computer.hear() == []


def test_whoever_opens_the_port_is_greeted_once() -> None:
    computer = Computer(firmware())
    computer.board.listening = False
    computer.poll()
    assert computer.hear() == []
    computer.board.listening = True
    computer.poll()
    computer.poll()
    assert computer.hear() == GREETING


@pytest.mark.parametrize("begun", [b"digest 4000000000 1\n", b"hel", b"\x00", b"x" * 500])
def test_what_one_computer_began_is_not_for_the_next(computer: Computer, begun: bytes) -> None:
    computer.say(begun)
    for _ in range(20):
        computer.poll()
    computer.board.listening = False
    assert not computer.poll(10)  # there is nothing to do for nobody
    computer.board.listening = True
    assert computer.ask(b"help\n") == [*GREETING, HELP]


# --- a board that computes something else ----------------------------------------------------


def test_a_self_test_names_the_first_difference() -> None:
    source = (FIRMWARE / "self_test.c").read_text("utf-8")
    run = "sml_run_model(context, output, MODEL_OUTPUTS);"
    assert source.count(run) == 1
    broken = source.replace(run, f"{run}\n        output[0] ^= row >= 30;")
    (line,) = greeted_by(broken).ask(b"selftest\n")
    golden = golden_outputs()
    wanted = f"row 30, output 0 is {golden[30] ^ 1} instead of {golden[30]}"
    assert line == f"self-test 30/32: {wanted}"


def test_a_self_test_says_that_a_row_was_refused() -> None:
    source = (FIRMWARE / "self_test.c").read_text("utf-8")
    given = "model_golden_input[row], MODEL_INPUTS"
    assert source.count(given) == 1
    broken = source.replace(given, f"{given} + (row == 3)")
    (line,) = greeted_by(broken).ask(b"selftest\n")
    assert line == "self-test 31/32: row 3 is refused with status -4"


def greeted_by(self_test: str) -> Computer:
    computer = Computer(compiled({"self_test.c": self_test}))
    computer.poll()
    greeting, _ = computer.hear()
    assert re.fullmatch(
        r"scratchml weather station; self-test \d+/32: .*; for more: help", greeting
    )
    return computer


def golden_outputs() -> list[int]:
    generated = (FIRMWARE / "model" / "model.c").read_text("utf-8")
    found = re.search(r"model_golden_output\[32\]\[1\] = (\{.*?\});", generated, re.DOTALL)
    assert found
    return list(map(int, re.findall(r"-?\d+", found[1])))
