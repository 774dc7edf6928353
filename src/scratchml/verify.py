"""Byte for byte: numpy integers = C engine = exported C = TensorFlow Lite Micro."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from scratchml import oracle
from scratchml.engine import Engine
from scratchml.export import export_c
from scratchml.features import Features
from scratchml.front_end import FrontEnd
from scratchml.quantized import QuantizedMLP

Rows = npt.NDArray[Any]

REFERENCE = "numpy integers"
C_ENGINE, EXPORTED_C, TFLITE_MICRO = "C engine", "exported C", "TFLite Micro"
#: Steps of each third of a random stream.
STREAM_WINDOWS = 20
#: What ``Engine.run`` does on the host with many rows; the other three go row by row.
C_BATCHES = "C engine, batches"


@dataclass(frozen=True)
class Comparison:
    """One pair on one set of rows; ``first`` tells the first difference in full, if any."""

    implementation: str
    rows_name: str
    rows: int
    differing: int
    first: str | None = None

    @property
    def result(self) -> str:
        """In words: ``26,299 rows, 0 differ``."""
        return f"{self.rows:,} rows, {self.differing:,} differ"

    def __str__(self) -> str:
        return f"{REFERENCE} = {self.implementation} on {self.rows_name}: {self.result}"


def verify(
    model: QuantizedMLP,
    *,
    counts: npt.NDArray[np.int32] | None = None,
    random_rows: int = 100_000,
    seed: int = 0,
    c_source: Path | None = None,
    file: bytes | None = None,
    use_oracle: bool = True,
    samples: npt.NDArray[np.int32] | None = None,
) -> list[Comparison]:
    """Run every implementation on the same rows and compare all output bytes with numpy's.

    Args:
        counts: sensor counts of test rows, ``[n, inputs]``; ``None`` for a model without a scaler.
        random_rows: how many rows of random int8 codes (and of random counts) besides.
        c_source: the exported C to compile and run; by default the model is exported anew.
        file: the ``.tflite`` file that the model was read from, for TensorFlow Lite Micro to run;
            by default the model is written anew.
        use_oracle: whether TensorFlow Lite Micro takes part; it must be ``oracle.available()``.
        samples: the test stream ``[n, c]``, for a model with a front end; random ones come besides.

    Raises:
        ScratchmlError: no C compiler, or an implementation refuses the model.
    """
    rng = np.random.default_rng(seed)
    sets: dict[str, Rows] = {}
    if counts is not None:
        sets["test rows"] = model.prepare_input(counts)
    sets["random rows"] = rng.integers(-128, 128, (random_rows, model.inputs), np.int8)
    count_sets: dict[str, Rows] = {}
    if counts is not None and model.features is not None:
        count_sets["test counts"] = counts
        count_sets["random counts"] = random_counts(
            model.features.tiled(model.inputs), random_rows, rng
        )

    with (
        ThreadPoolExecutor(1) as other_core,
        Engine(model) as engine,
        _exported(model, c_source) as exported,
    ):
        joined = np.concatenate(list(sets.values()))
        judged = other_core.submit(oracle.run, model, joined, file) if use_oracle else None
        expected = {name: model.run(rows) for name, rows in sets.items()}
        comparisons = [
            _compare(who, name, run, rows, expected[name])
            for who, run in (
                (C_ENGINE, partial(engine.run, row_by_row=True)),
                (C_BATCHES, engine.run),
                (EXPORTED_C, exported.run),
            )
            for name, rows in sets.items()
        ]
        for name, rows in count_sets.items():
            codes = model.run(model.prepare_input(rows))
            comparisons += [
                _compare(C_ENGINE, name, partial(engine.run_counts, row_by_row=True), rows, codes),
                _compare(C_BATCHES, name, engine.run_counts, rows, codes),
                _compare(EXPORTED_C, name, exported.run_counts, rows, codes),
            ]
        if model.front_end:
            streams = {"test stream": samples} if samples is not None else {}
            streams["random stream"] = random_samples(model.front_end, rng)
            for who, engine_ in ((C_ENGINE, engine), (EXPORTED_C, exported)):
                for name, stream in streams.items():
                    comparisons += compare_streams(who, name, model, engine_, stream)
        if judged:
            outputs, start = judged.result(), 0
            for name, rows in sets.items():
                part = outputs[start : start + len(rows)]
                comparisons.append(compare(TFLITE_MICRO, name, rows, expected[name], part))
                start += len(rows)
    return comparisons


def random_counts(features: Features, n: int, rng: np.random.Generator) -> npt.NDArray[np.int32]:
    """Sensor counts ``[n, inputs]``: half of them around where the codes live, half anywhere."""
    low, high = features.low.astype(np.int64), features.high.astype(np.int64)
    near = rng.integers(low, high + 1, (n - n // 2, len(low)))
    anywhere = rng.integers(-(2**31), 2**31, (n // 2, len(low)))
    return np.concatenate([near, anywhere]).astype(np.int32)


def random_samples(front_end: FrontEnd, rng: np.random.Generator) -> npt.NDArray[np.int32]:
    """A stream ``[n, c]`` of some windows: small counts, then any, then the extremes only."""
    shape = (front_end.window + STREAM_WINDOWS * front_end.step, len(front_end.channels))
    small = rng.integers(-1000, 1001, shape)
    anywhere = rng.integers(-(2**31), 2**31, shape)
    extremes = rng.choice([-(2**31), -(2**30), -1, 0, 1, 2**30, 2**31 - 1], shape)
    return np.concatenate([small, anywhere, extremes]).astype(np.int32)


def compare_streams(
    who: str, name: str, model: QuantizedMLP, engine: Engine, samples: npt.NDArray[np.int32]
) -> list[Comparison]:
    """The features of a stream's windows, and the output codes for them."""
    stream = engine.stream()
    expected = stream.front_end.stream(samples)
    halves = np.array_split(samples, 2)  # what a call leaves over goes into the next one
    got = np.concatenate([stream.add(half) for half in halves])
    codes = model.run(model.prepare_input(expected))
    return [
        compare(who, f"features of the {name}", expected, expected, got),
        compare(who, f"windows of the {name}", expected, codes, engine.run_counts(got)),
    ]


def compare(who: str, name: str, rows: Rows, expected: Rows, got: Rows) -> Comparison:
    """Count the rows whose bytes differ and describe the first of them."""
    differs = (expected != got).any(axis=1)
    first = None
    if differs.any():
        i = int(differs.argmax())
        first = (
            f"row {i} of the {name}: input {rows[i].tolist()}, "
            f"{REFERENCE} {expected[i].tolist()}, {who} {got[i].tolist()}"
        )
    return Comparison(who, name, len(rows), int(differs.sum()), first)


def _compare(
    who: str, name: str, run: Callable[[Rows], Rows], rows: Rows, expected: Rows
) -> Comparison:
    return compare(who, name, rows, expected, run(rows))


@contextmanager
def _exported(model: QuantizedMLP, c_source: Path | None) -> Iterator[Engine]:
    with tempfile.TemporaryDirectory(prefix="scratchml-") as folder:
        source = c_source or export_c(model, folder, name="model")[0]
        with Engine.from_c(source, model) as engine:
            yield engine
