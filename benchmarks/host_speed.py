"""The engine on the host beside TensorFlow Lite Micro, LiteRT and numpy, in one process.

Random models and rows, 1, 32 and 4096 at a time, one thread, CPU time. What is timed is what a
program calls in Python: ``Engine.run``; set_input, invoke and get_output of TensorFlow Lite
Micro's wheel, which takes one row at a time; set_tensor, invoke and get_tensor of LiteRT with its
default delegate and the input resized to the batch; ``QuantizedMLP.run``, the integers in numpy.
All of them take turns, round after round: a ratio is the median of the rounds' ratios, with the
least and the greatest. Run with ``make benchmark``, or ``python benchmarks/host_speed.py --rounds
15``.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from rich.console import Console
from rich.table import Table
from tflite_micro import runtime

import scratchml as sml

MODELS = ([6, 12, 1], [256, 128, 64, 10])
BATCHES = (1, 32, 4096)
#: Seconds that one measurement takes at least, unless a single call takes longer.
LEAST = 0.01

Run = Callable[[], np.ndarray]


def random_model(sizes: list[int]) -> sml.QuantizedMLP:
    """An untrained network, calibrated on random rows."""
    rows = np.random.default_rng(0).normal(0, 1, (64, sizes[0])).astype(np.float32)
    return sml.quantize(sml.MLP(sizes, seed=0), rows)


def micro(path: Path, x: np.ndarray) -> Run:
    """TensorFlow Lite Micro, row by row."""
    interpreter = runtime.Interpreter.from_file(str(path))
    rows = [x[i : i + 1] for i in range(len(x))]

    def run() -> np.ndarray:
        outputs = []
        for row in rows:
            interpreter.set_input(row, 0)
            interpreter.invoke()
            outputs.append(interpreter.get_output(0))
        return outputs[0] if len(outputs) == 1 else np.concatenate(outputs)

    return run


def litert(path: Path, x: np.ndarray) -> Run:
    """LiteRT with its default delegate."""
    interpreter = Interpreter(model_path=str(path), num_threads=1)
    source = interpreter.get_input_details()[0]["index"]
    target = interpreter.get_output_details()[0]["index"]
    interpreter.resize_tensor_input(source, x.shape)
    interpreter.allocate_tensors()

    def run() -> np.ndarray:
        interpreter.set_tensor(source, x)
        interpreter.invoke()
        return interpreter.get_tensor(target)

    return run


def microseconds(run: Run, calls: int) -> float:
    """CPU time of one call, which other programs on the machine do not lengthen."""
    start = time.process_time()
    for _ in range(calls):
        run()
    return (time.process_time() - start) / calls * 1e6


def measure(runs: dict[str, Run], rounds: int) -> dict[str, np.ndarray]:
    """Microseconds of a call in each round, by name."""
    calls = {}
    for name, run in runs.items():
        run()
        calls[name] = max(1, round(LEAST * 1e6 / microseconds(run, 1)))
    table = [[microseconds(run, calls[name]) for name, run in runs.items()] for _ in range(rounds)]
    return dict(zip(runs, np.array(table).T, strict=True))


def compare(sizes: list[int], batch: int, rounds: int) -> dict[str, np.ndarray]:
    """All runtimes on one batch; those that are exact have to give the same bytes."""
    model = random_model(sizes)
    x = np.random.default_rng(batch).integers(-128, 128, (batch, sizes[0]), np.int8)
    with ExitStack() as stack:
        path = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "model.tflite"
        model.save(path)
        engine = stack.enter_context(sml.Engine(model))
        runs: dict[str, Run] = {
            "scratchml": lambda: engine.run(x),
            "TFLite Micro": micro(path, x),
            "LiteRT": litert(path, x),
            "numpy": lambda: model.run(x),
        }
        for name in ("TFLite Micro", "numpy"):
            assert np.array_equal(runs["scratchml"](), runs[name]()), name
        return measure(runs, rounds)


def main() -> None:
    """Print a table: each runtime's time for a row, and that time over scratchml's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    table = Table("model", "batch", "", "ns a row", "/ scratchml", title=f"{rounds} rounds")
    for sizes in MODELS:
        for batch in BATCHES:
            times = compare(sizes, batch, rounds)
            labels = ["-".join(map(str, sizes)), str(batch)]
            for name, values in times.items():
                ratios = values / times["scratchml"]
                spread = f"{np.median(ratios):6.2f}  ({ratios.min():.2f} .. {ratios.max():.2f})"
                table.add_row(*labels, name, f"{np.median(values) / batch * 1e3:,.0f}", spread)
                labels = ["", ""]
            table.add_section()
    Console(width=90).print(table)


if __name__ == "__main__":
    main()
