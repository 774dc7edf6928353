"""Damaged ``.tflite`` files, each made from a sound one by its number, and what becomes of them.

    python tests/tflite_mutants.py 0 20000              read mutants 0 to 19,999
    python tests/tflite_mutants.py 4711 --keep m.tflite write mutant 4711 and read it
    python tests/tflite_mutants.py --read m.tflite      read any files

Most changes know the format: they find a field, a length, an offset, a vtable or an element of a
vector, and put there what could do harm. Every mutant has to be refused with a ``ScratchmlError``
or to be a model that runs alike in numpy and in C. Anything else is a failure: another exception,
a warning, more than ``MEMORY`` bytes, more than ``SECONDS``. The last ends the process, which
leaves the mutant's number, or the file's name, in the file ``--progress``.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import re
import resource
import signal
import struct
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import IO

import numpy as np
from tflite_files import RESHAPE, File, assert_same, describe, layered

import scratchml as sml
from scratchml import tflite

GOLDEN = Path(__file__).parent / "golden"
MEMORY, SECONDS = 2**29, 60
MAX_SEED_BYTES = 3000  # larger files cost more time and find nothing else

#: The format's tables: a slot holds a number (a letter of ``struct``), a table (@), a vector (*).
SCHEMA: dict[str, dict[int, str]] = {
    "model": {0: "I", 1: "*@code", 2: "*@graph", 3: "*B", 4: "*@buffer", 6: "*@entry"},
    "code": {0: "b", 1: "*B", 2: "i", 3: "i"},
    "graph": {0: "*@tensor", 1: "*i", 2: "*i", 3: "*@operator", 4: "*B"},
    "tensor": {0: "*i", 1: "b", 2: "I", 3: "*B", 4: "@quantization", 5: "B", 6: "@empty", 7: "*i"},
    "quantization": {0: "*f", 1: "*f", 2: "*f", 3: "*q", 4: "B", 6: "i"},
    "operator": {0: "I", 1: "*i", 2: "*i", 3: "B", 4: "@options"},
    "options": {0: "i", 1: "b", 2: "B"},  # of FULLY_CONNECTED and SOFTMAX
    "buffer": {0: "*B"},
    "entry": {0: "*B", 1: "I"},
    "empty": {},
}
SIZES = {kind: struct.calcsize("<" + kind) for kind in "bBHiIqf"}


class Layout:
    """Where what is in a sound file.

    Attributes:
        numbers: position and kind of every number that is a field or an element of a vector.
        offsets, lengths, entries: positions of offsets, of vectors' lengths and of vtables' words.
        targets: positions of tables and vectors.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.numbers: list[tuple[int, str]] = []
        self.offsets: list[int] = [0]
        self.lengths: list[int] = []
        self.entries: list[int] = []
        self.targets: list[int] = []
        self.table(self.get(0, "I"), "model")

    def get(self, position: int, kind: str) -> int:
        return int(struct.unpack_from("<" + kind, self.data, position)[0])

    def table(self, position: int, name: str) -> None:
        if position in self.targets:
            return
        self.targets.append(position)
        self.numbers.append((position, "i"))  # the way to the vtable
        vtable = position - self.get(position, "i")
        words = range(vtable, vtable + self.get(vtable, "H"), 2)
        self.entries += words
        for slot, kind in SCHEMA[name].items():
            word = vtable + 4 + 2 * slot
            if word in words and self.get(word, "H"):
                self.field(position + self.get(word, "H"), kind)

    def field(self, place: int, kind: str) -> None:
        if kind in SIZES:
            self.numbers.append((place, kind))
            return
        self.offsets.append(place)
        target = place + self.get(place, "I")
        if kind.startswith("@"):
            self.table(target, kind[1:])
        elif target not in self.targets:
            self.targets.append(target)
            self.vector(target, kind[1:])

    def vector(self, start: int, kind: str) -> None:
        self.lengths.append(start)
        size = SIZES.get(kind, 4)
        elements = [start + 4 + size * i for i in range(self.get(start, "I"))]
        for place in elements if kind != "B" else elements[:4]:
            self.field(place, kind)


# --- the sound files ---------------------------------------------------------------------------


def described() -> Iterator[File]:
    """Files of the second writer that have, together, all features."""
    everything = [("relu", ("quantize", "relu6")), ("relu6", ("logistic",)), ("relu_n1_to_1", ())]
    yield describe(layered([2, 3, 2, 2], everything, softmax=True))
    for change in (
        (File.float_input, File.float_output),
        (File.uint8_input, File.uint8_output),
    ):
        file = describe(layered([2, 3, 2], [("relu", ()), ("linear", ("logistic",))]))
        for step in change:
            step(file)
        yield file
    file = describe(layered([2, 1], [("linear", ())], softmax=True))
    file.insert(1, RESHAPE, replace(file.tensor("layer1"), name="row"))
    yield file
    file = describe(layered([2, 3], [("linear", ("relu",))]))
    file.insert(1, RESHAPE, replace(file.tensor("layer1"), name="row"))
    file.tensor("w1").scales, file.tensor("w1").zero_points = file.tensor("w1").scales[:1], [0]
    file.operators[0].inputs[2] = -1
    file.computed_shape(1)
    file.code_fields, file.signatures = "old", 2
    file.metadata.insert(0, ("min_runtime_version", b"1.5.0"))
    yield file


@cache
def seeds() -> list[Layout]:
    """Every sound file, in an order that is always the same."""
    models = [
        layered([2, 3, 1], [("relu", ()), ("linear", ("logistic",))]),
        layered([1, 2, 2], [("relu6", ("relu", "quantize")), ("linear", ())], softmax=True),
    ]
    small = [file.write() for file in described()] + [tflite.to_bytes(model) for model in models]
    others = [
        path.read_bytes()
        for folder in ("vectors", "foreign")
        for path in sorted((GOLDEN / folder).glob("*.tflite"))
        if path.stat().st_size <= MAX_SEED_BYTES
    ]
    often = max(len(others) // len(small), 1)  # the small ones, as often as the others together
    return [Layout(data) for data in others] + [Layout(data) for data in small] * often


# --- changes -----------------------------------------------------------------------------------

INTEGERS = (
    *(0, 1, 2, 3, 4, 8, 9, 14, 22, 25, 114, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0xFFFF, 0x10000),
    *(0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF, 1 << 63, (1 << 63) - 1, (1 << 64) - 1),
)
REALS = (0.0, 1.0, -1.0, math.nan, math.inf, 1e-45, 1.2e-38, 3.4e38, 1e30, 1e-30, 1 / 256, 0.5)

Random = random.Random


def put(data: bytearray, position: int, kind: str, value: int) -> None:
    """Write a number of any size, modulo the field's."""
    size = SIZES[kind]
    if 0 <= position <= len(data) - size:
        data[position : position + size] = (value % (1 << 8 * size)).to_bytes(size, "little")


def integer(rng: Random, old: int) -> int:
    """What could do harm in place of ``old``."""
    choice = rng.randrange(4)
    if choice == 0:
        return old + rng.choice((-1, 1, -2, 2, -4, 4, 8, 16))
    if choice == 1:
        return old ^ 1 << rng.randrange(64)
    return rng.choice(INTEGERS) if choice == 2 else rng.randrange(-2, 40)


def change_number(rng: Random, data: bytearray, layout: Layout) -> None:
    position, kind = rng.choice(layout.numbers)
    if kind == "f":
        bits = struct.unpack("<I", struct.pack("<f", rng.choice(REALS)))[0]
        if rng.random() < 0.5:
            bits = layout.get(position, "I") + (rng.choice((-1, 1)) << rng.randrange(28))
        put(data, position, "I", bits)
    else:
        put(data, position, kind, integer(rng, layout.get(position, kind)))


def copy_number(rng: Random, data: bytearray, layout: Layout) -> None:
    """A number that is sound elsewhere."""
    position, kind = rng.choice(layout.numbers)
    others = [place for place, other in layout.numbers if other == kind]
    raw = "I" if kind == "f" else kind
    put(data, position, raw, layout.get(rng.choice(others), raw))


def change_offset(rng: Random, data: bytearray, layout: Layout) -> None:
    """To another table or vector, ahead or, modulo 2^32, behind; or to anywhere."""
    place = rng.choice(layout.offsets)
    if rng.random() < 0.75:
        put(data, place, "I", rng.choice(layout.targets) - place)
    else:
        put(data, place, "I", integer(rng, layout.get(place, "I")))


def change_length(rng: Random, data: bytearray, layout: Layout) -> None:
    place = rng.choice(layout.lengths)
    room = len(layout.data) - place - 4  # what just fits, in bytes or in items of some size
    old = layout.get(place, "I")
    large = (room, room + 1, room // 4, room // 4 + 1, room // 8, 1 << 29, 1 << 30)
    choices = (0, 1, old - 1, old + 1, rng.choice(large), rng.choice(large))
    value = rng.choice(choices) if rng.random() < 0.5 else integer(rng, old)
    put(data, place, "I", value)


def change_vtable(rng: Random, data: bytearray, layout: Layout) -> None:
    place = rng.choice(layout.entries)
    other = layout.get(rng.choice(layout.entries), "H")
    put(data, place, "H", other if rng.random() < 0.5 else integer(rng, layout.get(place, "H")))


def change_bytes(rng: Random, data: bytearray, layout: Layout) -> None:
    for _ in range(rng.randrange(1, 5)):
        place = rng.randrange(len(data))
        special = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        data[place] = special if rng.random() < 0.5 else data[place] ^ 1 << rng.randrange(8)


def change_range(rng: Random, data: bytearray, layout: Layout) -> None:
    """Zeros, or a piece of this file or of another one, over another piece or between two."""
    length = rng.choice((1, 2, 4, 8, 16, 64, 256))
    source = rng.choice((bytes(length), layout.data, rng.choice(seeds()).data))
    start = rng.randrange(max(len(source) - length, 0) // 4 + 1) * 4
    place = rng.randrange(len(data) // 4) * 4
    piece = source[start : start + length]
    data[place : place + (0 if rng.random() < 0.2 else len(piece))] = piece


def cut(rng: Random, data: bytearray, layout: Layout) -> None:
    del data[rng.randrange(8, len(data)) :]


CHANGES: tuple[tuple[int, Callable[[Random, bytearray, Layout], None]], ...] = (
    (10, change_number),
    (5, copy_number),
    (6, change_offset),
    (4, change_length),
    (4, change_vtable),
    (3, change_bytes),
    (3, change_range),
    (1, cut),
)


def mutant(number: int) -> bytes:
    """Always the same for the same number and the same sound files."""
    rng = Random(number)
    layout = rng.choice(seeds())
    data = bytearray(layout.data)
    changes = rng.choices([c for _, c in CHANGES], [w for w, _ in CHANGES], k=4)
    for change in changes[: rng.choice((1, 1, 1, 2, 2, 3, 4))]:
        if len(data) > 12:
            change(rng, data, layout)
    return bytes(data)


# --- what becomes of them ----------------------------------------------------------------------

ROWS = np.random.default_rng(0).integers(-128, 128, 64).astype(np.int8)


def outcome(data: bytes, *, rewrite: bool = True) -> str:
    """``accepted``, or the message with which the file is refused.

    An accepted model runs on four rows, in numpy as in C; and to ``rewrite`` it gives it back.
    """
    try:
        model = tflite.from_bytes(data)
    except sml.ScratchmlError as error:
        assert str(error) and "\n" not in str(error), str(error)
        return str(error)
    rows = np.resize(ROWS, (4, model.inputs))
    with sml.Engine(model) as engine:
        assert (engine.run(rows) == model.run(rows)).all(), "numpy and C differ"
    if rewrite:
        assert_same(tflite.from_bytes(tflite.to_bytes(model)), model)
    return "accepted"


def guard() -> None:
    """From here on a warning is an error, and this process may take ``MEMORY`` bytes more."""
    warnings.simplefilter("error")
    status = Path("/proc/self/statm")
    if status.exists():
        limit = int(status.read_text().split()[0]) * resource.getpagesize() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def note(progress: IO[bytes], text: str) -> None:
    """What is being read now; the process ends if that takes too long."""
    signal.alarm(SECONDS)
    os.pwrite(progress.fileno(), text.encode().ljust(80), 0)


def read_files(paths: list[Path], progress: IO[bytes]) -> dict[str, str]:
    """What became of each."""
    outcomes = {}
    for path in paths:
        note(progress, str(path))
        outcomes[str(path)] = outcome(path.read_bytes(), rewrite=False)
    return outcomes


def read_mutants(first: int, count: int, progress: IO[bytes]) -> dict[str, object]:
    """Counts of what became of them, the reasons (with # for numbers), and the failures."""
    reasons: Counter[str] = Counter()
    failures = []
    for number in range(first, first + count):
        note(progress, str(number))
        try:
            reason = outcome(mutant(number), rewrite=number % 4 == 0)
        except Exception as error:
            failures.append(f"mutant {number}: {error!r}")
            continue
        reasons[re.sub(r"-?\d[\d.e+-]*|\bnan\b|\binf\b", "#", reason)] += 1
    accepted = reasons.pop("accepted", 0)
    return {
        "accepted": accepted,
        "refused": sum(reasons.values()),
        "reasons": reasons,
        "failures": failures,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("first", type=int, nargs="?", default=0)
    parser.add_argument("count", type=int, nargs="?", default=1)
    parser.add_argument("--read", type=Path, nargs="+", help="files, instead of mutants")
    parser.add_argument("--keep", type=Path, help="write the first mutant here")
    parser.add_argument("--progress", type=Path, default=Path(os.devnull))
    arguments = parser.parse_args()
    if arguments.keep:
        arguments.keep.write_bytes(mutant(arguments.first))
    seeds()
    guard()
    with arguments.progress.open("wb", buffering=0) as progress:
        if arguments.read:
            result: object = read_files(arguments.read, progress)
        else:
            result = read_mutants(arguments.first, arguments.count, progress)
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
