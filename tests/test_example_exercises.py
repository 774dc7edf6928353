"""The example of a motion sensor: csrc/engine/examples/Exercises, and what docs/exercises.md says.

The sketch runs on a stand-in of Arduino (tests/c/arduino) with recorded readings, at a simulated
clock; what it prints is compared with Python's front end and network. How a reading becomes a count
is checked with decimal arithmetic.
"""

from __future__ import annotations

import ctypes
import math
import re
import shutil
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from c_builds import CPUS, WARNINGS, compiled
from conftest import ROOT, require
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import scratchml as sml
import scratchml.cli  # every module adds its commands
from scratchml import exercises, oracle, sensors, tasks
from scratchml.cli.app import app
from scratchml.cli.steps import test_stream as stream_of_test_rows
from scratchml.multiclass import ClassEvaluation
from scratchml.quantized import QuantizedMLP
from scratchml.resources import engine_folder, engine_sources
from scratchml.verify import verify

SKETCH = engine_folder() / "examples" / "Exercises"
STAND_INS = ROOT / "tests" / "c" / "arduino"
PAGE = (ROOT / "docs" / "exercises.md").read_text("utf-8")
INCLUDES = [f"-I{folder}" for folder in (engine_folder(), SKETCH, STAND_INS)]
CPP = "-std=gnu++14 -Wall -Wextra -Werror".split()
TRAPS = "-fsanitize=undefined,float-cast-overflow -fsanitize-undefined-trap-on-error".split()

PERIOD_MS, LATE_MS, MOST = 40, 20, 32767
NEVER = 2**32 - 1

READING = np.dtype(
    [("g", "f4", 3), ("is_available", "i4"), ("works", "i4"), ("takes", "u4")], align=True
)
Readings = npt.NDArray[np.void]


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


class Imu(ctypes.Structure):
    """``simulated_imu`` of tests/c/arduino/simulated_imu.h."""

    _fields_ = (
        ("readings", ctypes.c_void_p),
        ("times", ctypes.c_void_p),
        *((name, ctypes.c_int32) for name in ("count", "next", "absent", "begun")),
    )


@dataclass
class Board:
    """The sketch, compiled for this computer, and the world around it."""

    library: ctypes.CDLL

    def __post_init__(self) -> None:
        self.world = World.in_dll(self.library, "world")
        self.imu = Imu.in_dll(self.library, "imu")

    def start(self, *, now: int = 0, is_open: bool = True, absent: int = 0) -> None:
        """As after a reset."""
        ctypes.memset(ctypes.addressof(self.world), 0, ctypes.sizeof(self.world))
        self.world.now, self.world.is_open, self.world.reads = now, is_open, True
        self.world.opens_after = self.world.sends_after = NEVER
        self.world.room = 4096
        self.imu.absent, self.imu.begun = absent, 0
        self.library.sketch_setup()

    def feed(self, readings: Readings) -> tuple[list[str], list[int]]:
        """What it says of the readings, and when it took them."""
        times = np.zeros(len(readings), np.uint32)
        self.imu.readings, self.imu.times = readings.ctypes.data, times.ctypes.data
        self.imu.count, self.imu.next = len(readings), 0
        self.library.sketch_run()
        return self.said(), times.tolist()

    def said(self) -> list[str]:
        """The lines since the last time."""
        sent = self.world.sent
        assert sent <= len(self.world.bytes)
        text = bytes(self.world.bytes[:sent]).decode("ascii")
        self.world.sent = 0
        assert text == "" or text.endswith("\r\n")
        return text.removesuffix("\r\n").split("\r\n") if text else []


def build(folder: Path, c: str, cpp: str, *flags: str, sketch: Path = SKETCH) -> Board:
    library = folder / "sketch.so"
    includes = [f"-I{sketch}", *INCLUDES]
    objects = []
    for source in (sketch / "motion.c", sketch / "exercises_model.c", *engine_sources()):
        objects.append(folder / f"{source.stem}.o")
        compiled(c, *WARNINGS, *TRAPS, *includes, "-fPIC", "-c", source, "-o", objects[-1])
    sources = [ROOT / "tests" / "c" / "sketch.cpp", STAND_INS / "arduino.cpp"]
    compiled(
        cpp, *CPP, *TRAPS, *flags, *includes, "-fPIC", "-shared", *sources, *objects,
        "-o", library,
    )  # fmt: skip
    return Board(ctypes.CDLL(str(library)))


@pytest.fixture(scope="module", params=[("gcc", "g++", 1), ("clang", "clang++", 0)], ids=str)
def board(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Board:
    """With either revision's library."""
    c, cpp, revision2 = request.param
    return build(tmp_path_factory.mktemp("sketch"), c, cpp, f"-DSENSE_REV2={revision2}")


@pytest.fixture(scope="module")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Board:
    return build(tmp_path_factory.mktemp("recorder"), "gcc", "g++", "-DRECORD=1")


@pytest.fixture(scope="module")
def model() -> QuantizedMLP:
    return QuantizedMLP.load(SKETCH / "exercises_model.tflite")


class Recordings(tuple[pd.DataFrame, ...]):
    """All 140, as they are in the data; hypothesis prints every argument, and would them."""

    def __repr__(self) -> str:
        return f"{len(self)} recordings"


@pytest.fixture(scope="module")
def recordings() -> Recordings:
    table = exercises.load(exercises.Recipe())
    starts = table["time"].diff().fillna(-1) < 0
    return Recordings(recording for _, recording in table.groupby(starts.cumsum()))


def readings_of(recording: pd.DataFrame) -> Readings:
    """As the board's sensor would have read them: it counts gravity as pointing up."""
    readings = np.zeros(len(recording), READING)
    readings["g"] = -recording[["ax", "ay", "az"]].to_numpy()
    readings["is_available"] = readings["works"] = 1
    return readings


@cache
def count(g: float) -> int:
    """A finite reading in thousandths, halves away from zero."""
    exact = max(-MOST, min(MOST, 1000 * Decimal(g)))
    return int(Decimal(exact).quantize(Decimal(1), ROUND_HALF_UP))


def simulated(readings: Readings, start: int) -> tuple[list[list[list[int]]], list[int]]:
    """What the sketch should do: counts, in stretches without a gap; and when it reads."""
    clock = due = start
    stretches: list[list[list[int]]] = [[]]
    times = []
    for reading in readings:
        clock = max(clock, due)
        if clock - due >= LATE_MS:
            stretches.append([])
            due = clock
        due += PERIOD_MS
        times.append(clock % 2**32)
        clock += int(reading["takes"])
        g = [float(value) for value in reading["g"]]
        if reading["is_available"] and reading["works"] and all(map(math.isfinite, g)):
            stretches[-1].append([-count(value) for value in g])
        else:
            stretches.append([])
    return stretches, times


def answers(model: QuantizedMLP, stretches: list[list[list[int]]]) -> list[str]:
    """By numpy, what is to be printed for every window."""
    lines = []
    for stretch in stretches:
        assert model.front_end is not None
        features = model.front_end.stream(np.array(stretch, np.int32).reshape(-1, 3))
        for codes in model.run(model.prepare_input(features)):
            best = int(codes.argmax())
            share = Decimal(int(codes[best]) + 128) / 256
            percent = (100 * share).quantize(Decimal(1), ROUND_HALF_UP)
            lines.append(f"{model.classes[best]} {percent} %")
    return lines


# --- what it says ----------------------------------------------------------------------------


def test_every_recording(board: Board, model: QuantizedMLP, recordings: Recordings) -> None:
    """One after the other, with a second between them."""
    board.start()
    windows = 0
    for recording in recordings:
        readings = readings_of(recording)
        readings["takes"][-1] = 1000
        counts = np.rint(recording[["ax", "ay", "az"]].to_numpy() * 1000).astype(np.int32)
        expected = answers(model, [counts.tolist()])
        said, times = board.feed(readings)
        assert said == expected
        assert set(np.diff(times)) == {PERIOD_MS}
        windows += len(said)
    assert len(recordings) == 140 and windows == 2514
    assert board.world.waits == 0


faults = st.lists(
    st.tuples(
        st.integers(0, 499),
        st.sampled_from([
            ("takes", 19), ("takes", 39), ("takes", 59), ("takes", 60), ("takes", 61),
            ("takes", 79), ("takes", 80), ("takes", 5000), ("is_available", 0), ("works", 0),
            ("g", (math.nan, 0, 0)), ("g", (0, math.inf, 0)), ("g", (0, 0, -math.inf)),
            ("g", (3e38, -3e38, 32.7674)), ("g", (1e-40, -0.0, 4.0)),
        ]),
    ),
    max_size=6,
)  # fmt: skip

#: Half of them so that the clock of 32 bits starts again at 0 within the recording.
starts = st.integers(0, 2**32 - 1) | st.integers(2**32 - 20_000, 2**32 - 1)


@settings(max_examples=100)
@given(st.integers(0, 139), faults, starts)
def test_gaps_broken_readings_and_a_clock_that_starts_again(
    board: Board,
    model: QuantizedMLP,
    recordings: Recordings,
    number: int,
    broken: list[tuple[int, tuple[str, object]]],
    start: int,
) -> None:
    readings = readings_of(recordings[number])
    for place, (what, value) in broken:
        readings[what][min(place, len(readings) - 1)] = value
    stretches, times = simulated(readings, start)
    board.start(now=start)
    assert board.feed(readings) == (answers(model, stretches), times)


def test_without_a_computer_it_goes_on_and_tells_the_next_one(
    board: Board, model: QuantizedMLP, recordings: Recordings
) -> None:
    readings = readings_of(recordings[0])
    stretches, times = simulated(readings, 0)
    board.start(is_open=False)
    board.world.opens_after = 10_000
    said, taken = board.feed(readings)
    expected = answers(model, stretches)
    assert taken == times
    assert 0 < len(said) < len(expected) and said == expected[-len(said) :]
    assert board.world.waits == 0


def test_it_waits_for_its_sensor(board: Board) -> None:
    board.start(absent=3)
    assert board.imu.begun == 4
    assert board.said() == ["no accelerometer: is SENSE_REV2 right?"] * 3
    assert board.world.baud == 115200


# --- counts, axes, codes ---------------------------------------------------------------------

axes = st.tuples(st.permutations(range(3)), st.lists(st.sampled_from([-1, 1]), min_size=3))


@given(st.lists(st.integers(-(2**15), 2**15 - 1), min_size=3, max_size=3), axes)
def test_counts_of_any_reading_and_any_axes(
    board: Board, raw: list[int], how: tuple[list[int], list[int]]
) -> None:
    """Readings as the libraries compute them, from 16 bits for -4 to 4 g."""
    order, sign = how[0], how[1][:3]
    g = [value / 8192 for value in raw]
    counts = (ctypes.c_int32 * 3)()
    arrays = (ctypes.c_float * 3)(*g), (ctypes.c_int8 * 3)(*order), (ctypes.c_int8 * 3)(*sign)
    assert board.library.motion_counts(*arrays, counts) == 1
    assert list(counts) == [s * count(g[axis]) for axis, s in zip(order, sign, strict=True)]


def test_the_percent_of_every_code(board: Board) -> None:
    for code in range(-128, 128):
        exact = Decimal(100 * (code + 128)) / 256
        percent = board.library.motion_percent(ctypes.c_int8(code))
        assert percent == int(exact.quantize(Decimal(1), ROUND_HALF_UP))


@given(st.lists(st.integers(-128, 127), min_size=1, max_size=20))
def test_the_likeliest_is_the_first_of_the_greatest(board: Board, codes: list[int]) -> None:
    board.library.motion_likeliest.restype = ctypes.c_size_t
    output = (ctypes.c_int8 * len(codes))(*codes)
    best = board.library.motion_likeliest(output, ctypes.c_size_t(len(codes)))
    assert best == codes.index(max(codes))


# --- for a board -----------------------------------------------------------------------------


@pytest.mark.parametrize("flags", [[], ["-DSENSE_REV2=0"], ["-DRECORD=1"]], ids=str)
def test_the_sketch_for_a_board(flags: list[str], tmp_path: Path) -> None:
    nano = [*CPUS["cortex-m4"], "-mfloat-abi=softfp", "-mfpu=fpv4-sp-d16", "-Os"]
    sketch = ["-x", "c++", "-include", "Arduino.h", "-c", SKETCH / "Exercises.ino"]
    compiled(
        "arm-none-eabi-gcc", *CPP, *nano, "-fno-exceptions", *flags, *INCLUDES, *sketch,
        "-o", tmp_path / "sketch.o",
    )  # fmt: skip
    plain = [*WARNINGS, "-Wshadow", "-Wdouble-promotion", *nano]
    for compiler in (["arm-none-eabi-gcc"], ["gcc"], ["clang"]):
        target = plain if compiler[0].startswith("arm") else [*WARNINGS, "-Wshadow"]
        compiled(*compiler, *target, "-c", SKETCH / "motion.c", "-o", tmp_path / "motion.o")


# --- the model -------------------------------------------------------------------------------


def test_the_model_is_what_export_makes(model: QuantizedMLP, tmp_path: Path) -> None:
    """If not: scratchml export csrc/engine/examples/Exercises/exercises_model.tflite"""
    for path in sml.export_c(model, tmp_path, name="exercises_model"):
        assert (SKETCH / path.name).read_bytes() == path.read_bytes()


def test_the_model_is_trained_and_verified(model: QuantizedMLP) -> None:
    require("gcc")
    file = SKETCH / "exercises_model.tflite"
    data = tasks.make(tasks.from_metadata(model.metadata), scaler=model.scaler)
    assert isinstance(data, sensors.SensorDataset)
    assert data.fingerprint == model.metadata["data"] and data.classes == model.classes
    learnt, new = (sml.evaluate(model, rows) for rows in (data.train, data.test))
    assert isinstance(learnt, ClassEvaluation) and isinstance(new, ClassEvaluation)
    assert learnt.accuracy > 0.9 and new.accuracy > 0.7
    comparisons = verify(
        model,
        counts=data.test.counts,
        samples=stream_of_test_rows(data),
        random_rows=2000,
        c_source=SKETCH / "exercises_model.c",
        file=file.read_bytes(),
        use_oracle=oracle.available(),
    )
    assert len(comparisons) >= 20 and not any(c.differing for c in comparisons)


# --- docs/exercises.md -----------------------------------------------------------------------


def test_movements_of_one_s_own(
    recorder: Board,
    recordings: Recordings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Recorded by the sketch, put together by the page's Python, trained by its command, run."""
    monkeypatch.chdir(tmp_path)
    counts: dict[tuple[str, str], list[list[int]]] = {}
    recorder.start(now=5_000)
    for recording in recordings:
        who, side, what = (str(recording[name].iloc[0]) for name in ("subject", "side", "exercise"))
        what = what.replace(" ", "_")
        if who in "123" and side == "left" and what in ("abduction", "bent-over_row", "pendulum"):
            readings = readings_of(recording)
            readings["takes"][-1] = 3000
            said = []
            for part in np.array_split(readings, 10):  # as much as the stand-in's port keeps
                said += recorder.feed(part.copy())[0]
            (tmp_path / f"{what}-{who}.txt").write_text("\n".join(said))
            table = recording[["ax", "ay", "az"]].to_numpy()
            counts[what, who] = np.rint(table * 1000).astype(int).tolist()[1:-1]
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(code, "exercises.md", "exec"), {})

    written = pd.read_csv("mine.csv", dtype={"session": str})
    assert list(written) == ["time", "ax", "ay", "az", "label", "session"]
    for (what, who), expected in counts.items():
        rows = written[(written["label"] == what) & (written["session"] == who)]
        assert rows[["ax", "ay", "az"]].to_numpy().tolist() == expected
        assert np.allclose(rows["time"].diff()[1:], PERIOD_MS / 1000)

    (run,) = re.findall(r"^    scratchml (run mine\.csv .*)$", PAGE, re.MULTILINE)
    (export,) = re.findall(r"^    scratchml (export build/mine\S* .*)$", PAGE, re.MULTILINE)
    shutil.copytree(SKETCH, "Exercises")
    for command in (f"{run} --no-pictures --rows 1000", export):
        result = CliRunner().invoke(app, command.split())
        assert result.exit_code == 0, result.output
    model = QuantizedMLP.load("build/mine/model.tflite")
    assert len(model.classes) == 3
    board = build(tmp_path, "gcc", "g++", sketch=tmp_path / "Exercises")
    board.start()
    for recording in recordings[::20]:
        readings = readings_of(recording)
        readings["takes"][-1] = 1000
        assert board.feed(readings)[0] == answers(model, simulated(readings, 0)[0])


def test_what_the_page_names_is_there(model: QuantizedMLP) -> None:
    for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", PAGE):
        assert (ROOT / "docs" / link).exists(), link
    recipe = tasks.from_metadata(model.metadata)
    assert isinstance(recipe, exercises.Recipe)
    assert f"run exercises --validation {recipe.validation} --test {recipe.test}\n" in PAGE
    sketch = (SKETCH / "Exercises.ino").read_text("utf-8")
    for name in re.findall(r"`([A-Z][A-Z0-9_]+)`", PAGE):
        assert name in sketch + (SKETCH / "motion.h").read_text("utf-8"), name
