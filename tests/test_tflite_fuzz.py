"""Damaged and hostile ``.tflite`` files: each is refused, with one clear error, or is a model.

Random damage is done by ``tflite_mutants``, in processes of their own with little memory and a
clock. Hostile files are made by hand: small ones that claim to be huge, and large ones in which
everything refers to the same large thing.
"""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tflite_files import (
    FULLY_CONNECTED,
    RESHAPE,
    File,
    Operator,
    Tensor,
    assert_same,
    describe,
    layered,
)
from tflite_mutants import mutant, outcome, seeds

import scratchml as sml
from scratchml import tflite
from scratchml.quantized import QuantizedMLP
from scratchml.rows import Scaler
from scratchml.tflite.flatbuffer import Node

PROGRAM = Path(__file__).with_name("tflite_mutants.py")


def run(*arguments: object, program: str = "") -> subprocess.Popen[str]:
    """The program, perhaps with a part replaced, in a process of its own."""
    start = ["-c", f"import tflite_mutants\n{program}\ntflite_mutants.main()"]
    command = [sys.executable, *(start if program else [str(PROGRAM)]), *map(str, arguments)]
    return subprocess.Popen(
        command, cwd=PROGRAM.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


# --- random damage -----------------------------------------------------------------------------


def failures(process: subprocess.Popen[str], progress: Path) -> tuple[list[str], dict[str, Any]]:
    """What went wrong, with the mutants' numbers, and what the process counted."""
    output, errors = process.communicate()
    if process.returncode:
        reached = progress.read_text().strip() if progress.exists() else "none"
        return [f"mutant {reached} ended the process ({process.returncode}): {errors}"], {}
    counts = json.loads(output)
    return counts["failures"], counts


def check(ranges: list[tuple[int, int]], folder: Path) -> list[dict[str, Any]]:
    """Read the mutants from the first of a range to before its last; a process for each range."""
    progress = [folder / str(first) for first, _ in ranges]
    processes = [
        run(first, last - first, "--progress", path)
        for (first, last), path in zip(ranges, progress, strict=True)
    ]
    results = [failures(*pair) for pair in zip(processes, progress, strict=True)]
    found = [failure for part, _ in results for failure in part]
    assert found == [], f"to read one again: python {PROGRAM} NUMBER --keep mutant.tflite"
    for (first, last), (_, counts) in zip(ranges, results, strict=True):
        assert counts["accepted"] + counts["refused"] == last - first
    return [counts for _, counts in results]


def test_twenty_thousand_mutants(tmp_path: Path) -> None:
    (counts,) = check([(0, 20_000)], tmp_path)
    assert counts["accepted"] > 2_000 and counts["refused"] > 10_000
    assert len(counts["reasons"]) > 100  # they get past the first check, and the second


@pytest.mark.sweep
def test_two_hundred_thousand_mutants_more(tmp_path: Path) -> None:
    check([(20_000, 120_000), (120_000, 220_000)], tmp_path)


def test_the_sound_files_have_everything_in_them() -> None:
    operators, types = set(), set()
    for layout in seeds():
        if outcome(layout.data) == "accepted":
            file = tflite.read(layout.data)
            operators.update(file.operators)
            types |= {file.input_type, file.output_type}
    dense = {"FULLY_CONNECTED", "RELU", "RELU6", "LOGISTIC", "QUANTIZE", "SOFTMAX"}
    shapes = {"RESHAPE", "SHAPE", "STRIDED_SLICE", "PACK"}
    assert operators == dense | shapes | {"DEQUANTIZE"}
    assert types == {"INT8", "UINT8", "FLOAT32"}


def test_a_number_always_makes_the_same_mutant(tmp_path: Path) -> None:
    path = tmp_path / "mutant.tflite"
    for number in (0, 4711):
        output, errors = run(number, "--keep", path).communicate()
        assert path.read_bytes() == mutant(number) == mutant(number), errors
        counts = json.loads(output)
        assert counts["accepted"] + counts["refused"] == 1
    assert len({mutant(number) for number in range(200)}) > 190


@pytest.mark.parametrize(
    ("bug", "message"),
    [
        ("raise KeyError(7)", "KeyError(7)"),
        ("raise ValueError('odd')", "ValueError('odd')"),
        ("import warnings; warnings.warn('odd')", "UserWarning('odd')"),
        ("bytes(2**31)", "MemoryError()"),
        ("raise tflite_mutants.sml.ScratchmlError('two\\nlines')", "two"),
    ],
)
def test_a_bug_in_the_reader_would_be_reported(bug: str, message: str, tmp_path: Path) -> None:
    program = f"def bug(data): {bug}\ntflite_mutants.tflite.from_bytes = bug"
    found, counts = failures(run(8, 3, program=program), tmp_path)
    assert counts["accepted"] == counts["refused"] == 0
    assert [failure.split(":")[0] for failure in found] == ["mutant 8", "mutant 9", "mutant 10"]
    assert all(message in failure for failure in found)


@pytest.mark.parametrize("bug", ["while True: pass", "tflite_mutants.os.abort()"])
def test_a_mutant_that_ends_the_process_would_be_named(bug: str, tmp_path: Path) -> None:
    program = (
        f"def bug(number):\n  if number != 9: return b''\n  {bug}\n"
        "tflite_mutants.mutant, tflite_mutants.SECONDS = bug, 1"
    )
    progress = tmp_path / "progress"
    found, _ = failures(run(8, 3, "--progress", progress, program=program), progress)
    assert len(found) == 1 and found[0].startswith("mutant 9 ended the process (-")


# --- damage at every place ---------------------------------------------------------------------


def with_everything() -> QuantizedMLP:
    """A small model in whose file every kind of part occurs."""
    plain = layered([2, 3, 2], [("relu", ("quantize",)), ("linear", ("relu",))], softmax=True)
    scaler = Scaler(("t", "h"), ("C", "%"), (100, 100), (1.5, 60.0), (8.0, 20.0))
    return replace(plain, scaler=scaler, metadata={"seed": 0})


HEALTHY = tflite.to_bytes(with_everything())


def test_a_file_that_ends_early_is_refused() -> None:
    for length in range(len(HEALTHY)):
        with pytest.raises(sml.ScratchmlError):
            tflite.from_bytes(HEALTHY[:length])


def test_bytes_after_the_end_do_no_harm() -> None:
    assert_same(tflite.from_bytes(HEALTHY + b"\xff" * 100), with_everything())


@pytest.mark.parametrize("beyond", [1, 2, 3, 4, 5])
def test_a_vector_that_reaches_past_the_end_is_refused(beyond: int) -> None:
    start, _ = Node(HEALTHY, 0).follow(0).tables(4)[1]._vector(0, 1)
    damaged = bytearray(HEALTHY)
    struct.pack_into("<I", damaged, start - 4, len(HEALTHY) - start + beyond)
    with pytest.raises(sml.ScratchmlError, match="a vector reaches past its end"):
        tflite.from_bytes(bytes(damaged))


def test_every_offset_length_and_count_may_be_any_32_bits() -> None:
    for place in range(0, len(HEALTHY) - 3, 4):
        for value in (0, 0x7FFFFFFF, 0xFFFFFFFC, len(HEALTHY)):
            damaged = bytearray(HEALTHY)
            struct.pack_into("<I", damaged, place, value)
            outcome(bytes(damaged), rewrite=False)


@given(data=st.binary(max_size=200))
@settings(deadline=None, max_examples=300)
def test_any_bytes_behind_the_identifier_are_refused(data: bytes) -> None:
    with pytest.raises(sml.ScratchmlError):
        tflite.from_bytes(data)
    with pytest.raises(sml.ScratchmlError):
        tflite.from_bytes(data[:4] + b"TFL3" + data[4:])


# --- hostile files -----------------------------------------------------------------------------

MANY = 2_400_000  # offsets, or numbers of four bytes: about ten megabytes


def small() -> File:
    return describe(layered([3, 2], [("linear", ())]))


def changed(**fields: Any) -> Callable[[str], File]:
    """The small file, with one tensor changed."""

    def change(name: str) -> File:
        file = small()
        vars(file.tensor(name)).update(fields)
        return file

    return change


def tower(widths: list[int]) -> File:
    """Layers of these widths without biases; all weights are one buffer, of the first's size."""
    file, shared = describe(layered([1, 1], [("linear", ())])), bytes(widths[0] * widths[1])
    weights, hidden = file.tensor("w1"), file.tensor("layer1")
    file.tensors, file.operators = [replace(file.tensor("input"), shape=(1, widths[0]))], []
    one = {"scales": [1.0], "zero_points": [0]}
    for inputs, outputs in pairwise(widths):
        source = len(file.tensors) - 1
        matrix = replace(weights, shape=(outputs, inputs), data=shared, **one)
        file.tensors += [matrix, replace(hidden, shape=(1, outputs))]
        file.operators.append(Operator(FULLY_CONNECTED, [source, source + 1, -1], [source + 2]))
    file.outputs = [len(file.tensors) - 1]
    return file


def hostile() -> Iterator[tuple[str, File, str]]:
    """A name, the file, and what becomes of it, or how that ends."""
    file = small()
    file.operators *= MANY
    yield "operators", file, f"the file has {MANY} operators: 1024 at most"
    file = small()
    file.tensors += [Tensor("unused", (2**31 - 1,) * 8, scales=[1.0] * 9)] * MANY
    yield "tensors", file, "accepted"
    file = replace(small(), subgraphs=MANY)
    yield "subgraphs", file, f"the file has {MANY} subgraphs instead of 1"
    file = replace(small(), metadata=[("scratchmL", b"")] * MANY)
    yield "metadata", file, f"the file has {MANY} metadata entries: 1024 at most"
    name = "scratchml" * (MANY // 2)
    yield "names", replace(small(), metadata=[(name, b"")] * 1024), "accepted"

    dense = "operator 0 (FULLY_CONNECTED): "
    file = changed(shape=(1,) * MANY)("input")
    yield "dimensions", file, f"{dense}a tensor has {MANY} dimensions"
    file = changed(scales=[1.0] * MANY)("w1")
    message = f"the weights have {MANY} scales: 1 or 2 positive ones are needed"
    yield "scales", file, dense + message
    file = changed(zero_points=[0] * (MANY // 2))("w1")
    yield "zero points", file, f"{dense}the weights have 2 scales and {MANY // 2} zero points"
    file = small()
    file.operators[0].inputs += [0] * MANY
    message = f"it has {MANY + 3} operands: an input, weights and a bias"
    yield "operands", file, dense + message

    file = small()
    image = replace(file.tensor("input"), scales=[1.0] * MANY)
    first = len(file.tensors)
    file.tensors += [image] * 1001
    file.operators = [Operator(RESHAPE, [first + i], [first + i + 1]) for i in range(1000)]
    file.inputs, file.outputs = [first], [first + 1000]
    message = "its input and output have different types or quantizations"
    yield "quantizations", file, f"operator 0 (RESHAPE): {message}"

    shared = "(FULLY_CONNECTED): the layers share weights, and are too large together"
    yield "large layers", tower([3000] * 1000), shared
    yield "wide layers", tower([1, 65535] * 500), shared
    yield "as much as may be shared", tower([1, 65535] * 42), "accepted"
    yield "one large layer", tower([3000, 3000]), "accepted"

    refused = "the metadata named scratchml is not a JSON object"
    texts = {
        "nested": (b"[" * MANY * 4, refused),
        "digits": (b'{"a":' + b"9" * MANY * 4 + b"}", refused),
        "decimals": (b'{"a":1.' + b"9" * MANY * 4 + b"}", "accepted"),
        "objects": (b'{"a":[' + b"{}," * MANY + b"{}]}", "accepted"),
        "names in JSON": (
            b'{"features":{"names":[' + b"0," * MANY + b'0],"units":[],"resolution":[],"mean":[],'
            b'"std":[]}}',
            "the model's features do not fit each other",
        ),
    }
    for name, (text, message) in texts.items():
        yield name, replace(small(), metadata=[("scratchml", text)]), message


def test_hostile_files_take_neither_memory_nor_time(tmp_path: Path) -> None:
    """The process that reads them has half a gigabyte, and a minute for each."""
    expected = {}
    for name, file, message in hostile():
        (tmp_path / name).write_bytes(file.write())
        expected[name] = message
        assert (tmp_path / name).stat().st_size < 12_000_000
    progress = tmp_path / "progress"
    process = run("--read", *[tmp_path / name for name in expected], "--progress", progress)
    output, errors = process.communicate()
    assert process.returncode == 0, f"{progress.read_text()}: {errors}"
    outcomes = json.loads(output)
    for name, message in expected.items():
        assert message in outcomes[str(tmp_path / name)], name
