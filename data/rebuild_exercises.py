#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Rebuild exercises.csv.gz from the recordings that the package seglearn carries.

    python data/rebuild_exercises.py                      # download the source, write the file anew
    python data/rebuild_exercises.py --check              # download, compare, write nothing
    python data/rebuild_exercises.py --source FILE.whl    # with a wheel that is already here

The source is the wheel of seglearn 1.2.5, which carries 140 recordings of a smartwatch, 50 samples
a second, as a pickled numpy array. A pickle can call anything; this one is read by a reader that
knows four names and builds arrays. Of each recording this script keeps the acceleration, every
second sample, the first 20 seconds, in steps of 0.001 g; README.md says why.

Exit status: 0 done or equal, 1 different or failed (one line on stderr), 2 wrong usage.
"""

from __future__ import annotations

import argparse
import io
import pickle
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from rebuilding import (
    RebuildError,
    Source,
    committed_text,
    require_equal,
    require_writable,
    write,
)

WHEEL = Source(
    requirement="seglearn==1.2.5",
    file="seglearn-1.2.5-py3-none-any.whl",
    sha256="ec6b952c85c9627050102854b372d85951563d3b990df677d7c55547e87413dd",
)
MEMBER = "seglearn/data/watch_dataset.npy"

OUTPUT = Path(__file__).resolve().parent / "exercises.csv.gz"
HEADER = "subject,side,exercise,time,ax,ay,az"
COLUMNS = ["ax", "ay", "az", "wx", "wy", "wz"]  # g and rad/s
SIDES = ["left", "right"]
EXERCISES = {
    "PEN": "pendulum",
    "ABD": "abduction",
    "FEL": "forward elevation",
    "IR": "internal rotation",
    "ER": "external rotation",
    "TRAP": "lower trapezius row",
    "ROW": "bent-over row",
}
EVERY = 2  # of the 50 samples a second
PERIOD = 4  # hundredths of a second between the samples that are kept
LONGEST = 500  # samples of a recording, 20 seconds
ROWS = 69_921


# A pickle, read without running it.


def empty_array(kind: type, shape: tuple[int, ...], dtype: bytes) -> npt.NDArray[Any]:
    """What numpy's own ``_reconstruct`` does: an array whose contents are set afterwards."""
    if kind is not np.ndarray:
        raise pickle.UnpicklingError(f"an array of the kind {kind!r}")
    return np.ndarray(shape, dtype.decode("ascii"))


def latin1_bytes(text: str, encoding: str) -> bytes:
    """Bytes as Python 3 writes them for protocol 2, with the one encoding that it writes."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"bytes in the encoding {encoding!r}")
    return text.encode("latin1")


KNOWN: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy.core.multiarray", "_reconstruct"): empty_array,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): latin1_bytes,
}


class ArrayUnpickler(pickle.Unpickler):
    """Reads lists, numbers, strings and numpy arrays; imports nothing that a pickle names."""

    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        try:
            return KNOWN[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"asks for {module}.{name}, which is refused") from None


def unpickle(stream: BinaryIO) -> dict[str, Any]:
    """The dictionary in a ``.npy`` file that holds one Python object."""
    if np.lib.format.read_magic(stream) != (1, 0):
        raise RebuildError(f"{MEMBER} is not of the .npy format 1.0")
    shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    if shape != () or dtype != np.dtype(object):
        raise RebuildError(f"{MEMBER} is not one Python object")
    try:
        contents = ArrayUnpickler(stream).load().item()
    except (pickle.UnpicklingError, AttributeError, TypeError, IndexError, EOFError) as error:
        raise RebuildError(f"{MEMBER} cannot be read: {error}") from None
    if not isinstance(contents, dict):
        raise RebuildError(f"{MEMBER} holds no dictionary")
    return contents


# What is kept of it.


def recording_rows(begin: str, samples: npt.NDArray[np.float64]) -> list[str]:
    """The lines of one recording: ``begin``, then time and acceleration.

    Args:
        samples: ``[n, 6]``, 50 a second: acceleration in g, then the rate of turn.
    """
    kept = np.rint(samples[::EVERY, :3][:LONGEST] * 1000).astype(np.int64)
    lines = []
    for index, row in enumerate(kept.tolist()):
        time = f"{index * PERIOD / 100:.2f}"
        lines.append(",".join([begin, time, *(f"{milli / 1000:.3f}" for milli in row)]))
    return lines


def rebuild(source: dict[str, Any]) -> str:
    """The text of the data set, header and all rows, from what the source's file holds."""
    try:
        if list(source["X_labels"]) != COLUMNS or list(source["y_labels"]) != list(EXERCISES):
            raise RebuildError("the source has other sensors or exercises than expected")
        names = list(EXERCISES.values())
        recordings = [
            ((int(subject), names[int(exercise)], SIDES[int(side)]), np.asarray(samples))
            for samples, subject, exercise, side in zip(
                source["X"], source["subject"], source["y"], source["side"], strict=True
            )
        ]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise RebuildError(f"the source has another layout than expected: {error}") from None
    lines = [HEADER]
    for (subject, exercise, side), samples in sorted(recordings, key=lambda pair: pair[0]):
        lines += recording_rows(f"{subject},{side},{exercise}", samples)
    return "\n".join([*lines, ""])


# Around it: get the source, compare, write.


def read_source(path: Path) -> dict[str, Any]:
    """The recordings, out of the wheel at `path`, in memory."""
    with zipfile.ZipFile(io.BytesIO(WHEEL.read(path))) as archive:
        try:
            packed = archive.read(MEMBER)
        except KeyError:
            raise RebuildError(f"{path}: has no {MEMBER}") from None
    return unpickle(io.BytesIO(packed))


def run(source: Path | None, output: Path, check: bool) -> str:
    """Do what the command line asks for; the answer is the line to print."""
    # What can be known to fail is told before the download, not after it.
    if check:
        committed = committed_text(output)
    else:
        require_writable(output)

    with tempfile.TemporaryDirectory() as folder:
        text = rebuild(read_source(source if source else WHEEL.download(Path(folder))))
    rows = text.count("\n") - 1
    if rows != ROWS:
        raise RebuildError(f"{rows:,} samples came out, expected {ROWS:,}")

    if check:
        require_equal(output, committed, text, "the rebuilt table")
        return f"{output}: all {ROWS:,} samples are equal to the rebuilt ones"
    write(output, text)
    return f"{output}: {ROWS:,} samples written"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Rebuild the embedded exercises.")
    already = f"{WHEEL.file}, already downloaded"
    parser.add_argument("--source", type=Path, metavar="FILE", help=already)
    where = "file to write, or with --check to compare; default: the committed one"
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", default=OUTPUT, help=where)
    parser.add_argument("--check", action="store_true", help="compare only; 1 if any row differs")
    options = parser.parse_args(arguments)
    try:
        print(run(options.source, options.output, options.check))
    except (RebuildError, OSError, EOFError, ValueError, zlib.error, zipfile.BadZipFile) as error:
        print("rebuild_exercises.py:", " ".join(str(error).split()), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
