"""The front end in C: what numpy gives, on the host, under sanitizers and on both boards.

The suite compiles for the boards at -O2; ``pytest -m sweep`` at -Os and -O3, too.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from conftest import ROOT, require, with_sigmoid
from emulated import BOARDS, SOURCES, Board, Target, Workshop, c_rows, compile_c, run_in_qemu
from front_end_models import CLASSES, any_samples, front_end, front_end_model, some_samples
from hypothesis import given, settings
from hypothesis import strategies as st
from scratchml._engine import ffi, lib

import scratchml as sml
from scratchml import verify
from scratchml.c_surroundings import c_string
from scratchml.errors import ScratchmlError
from scratchml.export import fingerprint, header_text, source_text
from scratchml.front_end import MAX_WINDOW, STATISTICS, Channel, FrontEnd
from scratchml.resources import engine_folder, engine_sources
from scratchml.stream import Stream

Int32 = npt.NDArray[np.int32]


# --- on the host ------------------------------------------------------------------------------


@st.composite
def front_ends(draw: st.DrawFn) -> FrontEnd:
    channels = tuple(Channel(f"c{i}", "", 1) for i in range(draw(st.integers(1, 4))))
    statistics = draw(st.sets(st.sampled_from(STATISTICS)))
    window, step = draw(st.integers(1, 40)), draw(st.integers(1, 50))
    return FrontEnd(channels, window, step, tuple(statistics))


@given(front_ends(), st.integers(0, 200), st.lists(st.integers(0, 200)), st.integers(0, 9))
@settings(max_examples=150)
def test_a_stream_in_any_pieces_is_numpy_s(
    one: FrontEnd, n: int, cuts: list[int], seed: int
) -> None:
    samples = any_samples(n, len(one.channels), seed)
    stream = Stream(one)
    pieces = [stream.add(piece) for piece in np.split(samples, sorted(cuts))]
    assert (np.concatenate(pieces) == one.stream(samples)).all()
    assert all(piece.dtype == np.int32 for piece in pieces)


@pytest.mark.parametrize("window", [1, 2, 4095, MAX_WINDOW])
def test_the_widest_windows_of_the_largest_counts(window: int) -> None:
    one = FrontEnd((Channel("x", "", 1),), window, 1000, STATISTICS)
    ends = np.array([[2**31 - 1], [-(2**31)]] * window)[:window]
    same = np.full((window, 1), -(2**31))
    half = np.sort(ends, axis=0)
    samples = np.concatenate([ends, same, half, any_samples(2 * window, 1)]).astype(np.int32)
    assert (Stream(one).add(samples) == one.stream(samples)).all()


def test_no_window_reaches_across_a_reset() -> None:
    one, samples = front_end(STATISTICS, window=7, step=3), any_samples(100)
    stream = Stream(one)
    for n in range(30):  # wherever the ring is, and however long the wait
        stream.add(samples[:n])
        stream.reset()
        assert (stream.add(samples) == one.stream(samples)).all()
        stream.reset()


def test_two_streams_do_not_know_each_other() -> None:
    one, samples = front_end(window=7, step=3), any_samples(60)
    first, second = Stream(one), Stream(one)
    pairs = [(first.add(samples[i : i + 1]), second.add(-samples[i : i + 1])) for i in range(60)]
    assert (np.concatenate([a for a, _ in pairs]) == one.stream(samples)).all()
    assert (np.concatenate([b for _, b in pairs]) == one.stream(-samples)).all()


def test_samples_of_another_shape_or_type_are_refused() -> None:
    stream = Stream(front_end())
    for samples in (np.zeros((4, 2), int), np.zeros((4, 3)), np.full((4, 3), 2**31)):
        with pytest.raises(ScratchmlError, match="int32"):
            stream.add(samples)
    assert stream.add(np.zeros((0, 3), int)).shape == (0, 6)
    assert len(stream.add(np.asfortranarray(some_samples(20)))) == 1  # the others left no trace


# --- statuses ---------------------------------------------------------------------------------


@dataclass
class InC:
    """A stream as a C program has it."""

    stream: Any
    front_end: Any
    ring: Any
    bytes: int

    def start(self) -> int:
        return int(lib.sml_stream_start(self.stream, self.front_end, self.ring, self.bytes))


@pytest.fixture
def in_c() -> InC:
    """Windows of four samples of two channels, of which mean and range are asked."""
    mask = lib.SML_MEAN | lib.SML_RANGE
    struct = ffi.new("sml_front_end *", (2, 4, 1, mask))
    return InC(ffi.new("sml_stream *"), struct, ffi.new("int32_t[8]"), 32)


def test_ready_says_that_features_were_written(in_c: InC) -> None:
    assert in_c.start() == lib.SML_OK
    features, ready = ffi.new("int32_t[6]", [99] * 6), ffi.new("int32_t *", 7)
    for i in range(6):
        sample = ffi.new("int32_t[2]", [i, -10 * i])
        assert lib.sml_stream_add(in_c.stream, sample, 2, features, 4, ready) == lib.SML_OK
        assert ready[0] == (i >= 3)
        if i < 3:
            assert list(features) == [99] * 6
    # samples 2 to 5: means of 3.5 and -35, ties away from zero
    assert list(features) == [4, 3, -35, 30, 99, 99]


@pytest.mark.parametrize(
    ("field", "value", "status"),
    [
        ("stream", ffi.NULL, lib.SML_ERR_ARGUMENT),
        ("front_end", ffi.NULL, lib.SML_ERR_ARGUMENT),
        ("ring", ffi.NULL, lib.SML_ERR_ARGUMENT),
        ("bytes", 31, lib.SML_ERR_MEMORY),
        ("bytes", 0, lib.SML_ERR_MEMORY),
    ],
)
def test_a_stream_that_cannot_start(in_c: InC, field: str, value: Any, status: int) -> None:
    assert in_c.start() == lib.SML_OK
    stream = in_c.stream
    setattr(in_c, field, value)
    assert in_c.start() == status
    if field != "stream":  # what it was before is not used any more
        assert lib.sml_stream_reset(stream) == lib.SML_ERR_STATE


def test_memory_that_is_not_aligned(in_c: InC) -> None:
    for offset in (1, 2, 3):
        shifted = ffi.cast("void *", ffi.cast("uint8_t *", in_c.ring) + offset)
        status = lib.sml_stream_start(in_c.stream, in_c.front_end, shifted, 32)
        assert status == lib.SML_ERR_ALIGNMENT


@pytest.mark.parametrize(
    "fields",
    [
        {"channels": 0},
        {"window": 0},
        {"window": MAX_WINDOW + 1},
        {"window": 65535},
        {"step": 0},
        {"statistics": 512},
        {"statistics": 0x8001},
        {"channels": 17, "window": MAX_WINDOW, "statistics": 0},
        {"channels": 65535, "statistics": 3},
    ],
)
def test_a_front_end_out_of_its_ranges(in_c: InC, fields: dict[str, int]) -> None:
    for name, value in fields.items():
        setattr(in_c.front_end, name, value)
    in_c.bytes = 2**31
    assert in_c.start() == lib.SML_ERR_SHAPE


def test_the_constants_are_numpy_s() -> None:
    assert lib.SML_MAX_WINDOW == MAX_WINDOW
    assert [getattr(lib, f"SML_{name.upper()}") for name in STATISTICS] == [
        1 << i for i in range(9)
    ]


def test_calls_that_do_not_fit(in_c: InC) -> None:
    sample, features, ready = (ffi.new(f"int32_t[{n}]") for n in (2, 4, 1))
    ready[0] = 7
    assert lib.sml_stream_add(in_c.stream, sample, 2, features, 4, ready) == lib.SML_ERR_STATE
    assert ready[0] == 0
    assert lib.sml_stream_reset(in_c.stream) == lib.SML_ERR_STATE
    assert lib.sml_stream_reset(ffi.NULL) == lib.SML_ERR_ARGUMENT
    assert in_c.start() == lib.SML_OK
    good = [in_c.stream, sample, 2, features, 4, ready]
    for place in (0, 1, 3, 5):
        given_ = [*good[:place], ffi.NULL, *good[place + 1 :]]
        assert lib.sml_stream_add(*given_) == lib.SML_ERR_ARGUMENT
    for place, value in ((2, 1), (2, 3), (4, 3), (4, 5), (4, 8)):
        given_ = [*good[:place], value, *good[place + 1 :]]
        ready[0] = 7
        assert lib.sml_stream_add(*given_) == lib.SML_ERR_SHAPE
        assert ready[0] == 0
    # none of them has taken a sample
    counted = [lib.sml_stream_add(*good) or ready[0] for _ in range(5)]
    assert counted == [0, 0, 0, 1, 1]


# --- exported ---------------------------------------------------------------------------------


@pytest.mark.parametrize("statistics", [STATISTICS, ("std",), ()])
def test_verify_runs_streams_too(statistics: tuple[str, ...]) -> None:
    require("gcc")
    model = front_end_model(statistics)
    samples = some_samples(333)
    found = verify(model, random_rows=200, samples=samples, use_oracle=False)
    named = {(c.implementation, c.rows_name): c for c in found}
    for who in ("C engine", "exported C"):
        for what in ("features", "windows"):
            assert named[who, f"{what} of the test stream"].rows == (333 - 20) // 10 + 1
            assert named[who, f"{what} of the random stream"].rows > 50
    assert all(c.differing == 0 for c in found)


def test_verify_notices_another_front_end(tmp_path: Path) -> None:
    require("gcc")
    model = front_end_model(("mean", "std"))
    source, _ = sml.export_c(model, tmp_path, name="gesture")
    text = source.read_text("utf-8")
    assert text.count("SML_MEAN | SML_STD") == 1
    source.write_text(text.replace("SML_MEAN | SML_STD", "SML_MEAN | SML_RMS"))
    with pytest.raises(ScratchmlError, match=r"not that of the \.tflite"):
        verify(model, random_rows=10, c_source=source, use_oracle=False)


def test_a_model_without_a_front_end_has_no_stream(model: sml.QuantizedMLP) -> None:
    with sml.Engine(model) as engine, pytest.raises(ScratchmlError, match="no front end"):
        engine.stream()
    assert "front_end" not in source_text(model, "m") + header_text(model, "m")


def test_the_fingerprint_knows_the_front_end() -> None:
    fingerprints = {fingerprint(front_end_model(("mean", "std"), step=step)) for step in (10, 11)}
    assert len(fingerprints) == 2


@pytest.mark.parametrize(
    ("output", "classes", "front", "named"),
    [
        ("softmax", ["a", "b", "c"], True, True),
        ("softmax", ["a", "b", "c"], False, True),
        ("sigmoid", ["no", "yes"], True, True),
        ("sigmoid", ["no", "yes"], False, False),  # the station's, say
        ("softmax", ["a", "b"], True, False),  # not as many as outputs
        ("softmax", [], False, False),
    ],
)
def test_which_models_name_their_classes(
    output: str, classes: list[str], front: bool, named: bool
) -> None:
    whole = front_end_model(("mean",))
    layers = whole.layers if output == "softmax" else (with_sigmoid(whole.layers[0]),)
    one = sml.QuantizedMLP(
        layers,
        whole.softmax if output == "softmax" else None,
        whole.scaler,
        metadata={"classes": classes},
        front_end=whole.front_end if front else None,
    )
    assert ("m_classes" in source_text(one, "m")) == named == ("m_classes" in header_text(one, "m"))


def test_names_of_classes_stay_text() -> None:
    assert c_string('a"\\?\\x') == r'"a\042\134\077\134x"'
    assert c_string("ö1") == r'"\303\2661"'
    assert c_string("a\nb\ud800\0") == r'"a\077b\077\077"'  # question marks


PROGRAM = """\
#include "gesture.h"

#include <stdio.h>

static int32_t ring[GESTURE_STREAM_BYTES / 4];
static uint32_t memory[GESTURE_MEMORY_BYTES / 4];

int main(void)
{
    sml_context gesture_net;
    sml_stream stream;
    int32_t sample[GESTURE_CHANNELS], features[GESTURE_INPUTS], ready;
    int8_t output[GESTURE_OUTPUTS];

    if (sml_load_model(&gesture_net, &gesture) != SML_OK ||
        sml_initialize_model_memory(&gesture_net, memory, sizeof memory) != SML_OK ||
        sml_stream_start(&stream, &gesture_front_end, ring, sizeof ring) != SML_OK) {
        return 1;
    }
    while (scanf("%d %d %d", &sample[0], &sample[1], &sample[2]) == GESTURE_CHANNELS) {
        sml_stream_add(&stream, sample, GESTURE_CHANNELS, features, GESTURE_INPUTS, &ready);
        if (ready) {
            sml_prepare_input(&gesture_net, features, GESTURE_INPUTS);
            sml_run_model(&gesture_net, output, GESTURE_OUTPUTS);
            int best = 0;
            for (int i = 1; i < GESTURE_OUTPUTS; i++) {
                best = output[i] > output[best] ? i : best;
            }
            puts(gesture_classes[best]);
        }
    }
    return GESTURE_WINDOW != 20 || GESTURE_STEP != 10;
}
"""


def test_a_program_that_names_what_it_sees(tmp_path: Path) -> None:
    """The whole way in C, down to the names of the classes, whatever is in them."""
    model = front_end_model(("mean", "std", "mean_crossings"))
    assert model.front_end
    source, _ = sml.export_c(model, tmp_path, name="gesture")
    (tmp_path / "main.c").write_text(PROGRAM)
    flags = "-std=c11 -O1 -Wall -Wextra -Wconversion -Wpedantic -Werror".split()
    program = tmp_path / "program"
    folders = [f"-I{engine_folder()}", f"-I{tmp_path}"]
    files = [tmp_path / "main.c", source, *engine_sources()]
    subprocess.run([require("gcc"), *flags, *folders, *files, "-o", program], check=True)
    samples = some_samples(400)
    lines = "".join(f"{x} {y} {z}\n" for x, y, z in samples.tolist())
    done = subprocess.run([program], input=lines, capture_output=True, text=True, check=True)
    codes = model.run(model.prepare_input(model.front_end.stream(samples)))
    decided = model.decide(codes)
    assert decided is not None and len(set(decided.tolist())) > 1
    assert done.stdout.splitlines() == [CLASSES[i] for i in decided]


# --- under sanitizers, and on both boards -----------------------------------------------------


def streams() -> Iterator[tuple[FrontEnd, Int32]]:
    """Front ends and streams for them: all statistics and one by one, raw, short and long."""
    yield front_end(STATISTICS, window=50, step=25), any_samples(400)
    yield front_end((), window=20, step=7), any_samples(150)
    yield front_end(STATISTICS, window=1, step=1), any_samples(30)
    yield front_end(STATISTICS, window=2, step=1), any_samples(90)  # many ties
    yield front_end(STATISTICS, window=6, step=11), any_samples(130)
    for name in STATISTICS:
        yield front_end((name,), window=13, step=5), any_samples(100)
    one = FrontEnd((Channel("x", "", 1),), 2000, 100, STATISTICS)
    ends = np.array([[2**31 - 1], [-(2**31)]] * 1000, np.int32)
    yield one, np.concatenate([ends, np.sort(ends, axis=0)[:600]])


def streams_header() -> str:
    """``streams.h``: the samples and, by numpy, the features."""
    parts, cases, words, inputs = [], [], [], []
    for i, (one, samples) in enumerate(streams()):
        rows = one.stream(samples)
        parts += [c_rows("int32_t", f"samples{i}", samples), c_rows("int32_t", f"rows{i}", rows)]
        struct = f"{{{len(one.channels)}, {one.window}, {one.step}, {one.mask}}}"
        cases.append(
            f"    {{{struct}, samples{i}[0], {len(samples)}, rows{i}[0], {len(rows)}, "
            f"{one.inputs}}},\n"
        )
        words.append(one.window * len(one.channels))
        inputs.append(one.inputs)
    sizes = f"#define MOST_WORDS {max(words)}\n#define MOST_INPUTS {max(inputs)}\n"
    return sizes + "".join(parts) + f"static const stream_case cases[] = {{\n{''.join(cases)}}};\n"


EXPECTED = [f"stream {n}/{n}" for n in (len(one.stream(s)) for one, s in streams())]


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_sanitizers_find_nothing(compiler: str, tmp_path: Path) -> None:
    (tmp_path / "streams.h").write_text(streams_header())
    program = tmp_path / "program"
    flags = "-std=c11 -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all".split()
    folders = [f"-I{path}" for path in (engine_folder(), SOURCES, tmp_path)]
    files = [SOURCES / "stream.c", ROOT / "tests" / "c" / "host_machine.c", *engine_sources()]
    command = [require(compiler), *flags, *folders, *map(str, files), "-o", str(program)]
    subprocess.run(command, check=True)
    done = subprocess.run([program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == EXPECTED


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("streams"))


def check_board(workshop: Workshop, target: Target) -> None:
    folder = workshop.new_folder()
    (folder / "streams.h").write_text(streams_header())
    script = ["-nostdlib", "-T", f"{target.board.machine}.ld", "-L", SOURCES, "-Wl,--gc-sections"]
    elf = folder / "program.elf"
    shared = workshop.compile_shared(target)
    compile_c(
        *target.all_flags, "-I", folder, *script, SOURCES / "stream.c", *shared, "-lgcc", "-o", elf
    )
    result = run_in_qemu(target.board, elf)
    assert result.lines == EXPECTED
    assert result.code == 0


each_board = pytest.mark.parametrize("board", BOARDS, ids=[board.cpu for board in BOARDS])


@each_board
def test_streams_on_both_boards(board: Board, workshop: Workshop) -> None:
    check_board(workshop, Target(board))


@pytest.mark.sweep
@pytest.mark.parametrize("optimization", ["-O0", "-Os", "-O3"])
@each_board
def test_streams_on_both_boards_at_every_optimization(
    board: Board, optimization: str, workshop: Workshop
) -> None:
    check_board(workshop, Target(board, optimization))


@each_board
def test_the_stack_does_not_grow(board: Board, tmp_path: Path) -> None:
    """GCC knows the size of every function's frame, whatever the window; none calls itself."""
    source = engine_folder() / "front_end.c"
    compile_c(*Target(board).all_flags, "-fstack-usage", "-c", source, "-o", tmp_path / "f.o")
    usage = (tmp_path / "f.su").read_text("utf-8").splitlines()
    assert usage and all(re.search(r"\t\d+\tstatic$", line) for line in usage)
