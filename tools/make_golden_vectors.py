"""Make ``tests/golden/vectors``: models, inputs, and the outputs of TensorFlow Lite Micro.

A developer's tool. The files are committed, so that the tests can hold numpy and C against
TensorFlow Lite Micro where its wheel does not exist; only someone who wants to add a model needs
it::

    pip install -e '.[oracle]'
    python tools/make_golden_vectors.py

Each model is two files: ``NAME.tflite``, and ``NAME.npz`` with the arrays

- ``inputs``, int8 ``[n, inputs]``, and ``outputs``, int8 ``[n, outputs]``, as TensorFlow Lite Micro
  computed them from the ``.tflite`` file;
- ``counts``, int32 ``[n, inputs]``, if the model has a scaler: the sensor counts from which
  scratchml made ``inputs``;
- ``tflite_micro``, the version of the wheel.

The same machine gives the same bytes. All models but ``snow`` consist of integers and of scales
that are a few exact products and come out the same anywhere; ``snow`` is trained, and another BLAS
or CPU may round its weights differently.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import scratchml as sml
from scratchml import oracle, tflite, weather
from scratchml.affine import PROBABILITY, Quantization
from scratchml.files import atomic_write
from scratchml.layers import ACTIVATIONS, Elementwise, QuantizedDense, Softmax
from scratchml.quantized import QuantizedMLP

Int8 = npt.NDArray[np.int8]
Int32 = npt.NDArray[np.int32]

DEFAULT_OUTPUT = Path(__file__).resolve().parent.parent / "tests/golden/vectors"
ROWS = 200

#: Activations that are operators of their own.
STAND_ALONE = ("then relu", "then relu6", "then quantize")


# --- models ----------------------------------------------------------------------------------


def snow() -> tuple[QuantizedMLP, Int32]:
    """The flagship network, trained with all defaults, and counts of its test rows."""
    hours = weather.load()
    data = sml.make_dataset(hours)
    net = sml.MLP([6, 12, 1], dropout=0.2, seed=0)
    sml.train(net, data.train, data.validation)
    net.threshold = sml.choose_threshold(net, data.validation)
    checkpoint = sml.Checkpoint(net, data.scaler, data.recipe, weather.fingerprint(hours))
    model = sml.quantize(net, data.train, metadata=checkpoint.metadata())

    # rows of each output first, since most hours are sure to be without snow; then any others
    _, first = np.unique(model.decision_scores(data.test), return_index=True)
    others = np.random.default_rng(0).choice(len(data.test), ROWS, replace=False)
    rows = np.concatenate([first, np.setdiff1d(others, first)])[:ROWS]
    extremes = np.array([[-(2**31)], [2**31 - 1], [0]], np.int32).repeat(6, axis=1)
    return model, np.concatenate([extremes, data.test.counts[rows]])


def dense(
    rng: np.random.Generator,
    inputs: int,
    outputs: int,
    source: Quantization,
    target: Quantization,
    exponents: range,
    *,
    activation: str = "linear",
) -> QuantizedDense:
    """Random weights; each output's factor is a power of two, times a random 1 to 2.

    Args:
        exponents: of the factors, one after the other, again from the first when they are used up.
    """
    weights = rng.integers(-127, 128, (outputs, inputs)).astype(np.int8)
    powers = np.resize(np.array(exponents), outputs)
    mantissas = 1 + rng.integers(0, 2**20, outputs) / 2**20  # exact in float32
    scales = np.ldexp(mantissas * target.scale / source.scale, powers).astype(np.float32)
    bias = rng.integers(-64, 65, outputs) * 64 * inputs // 8
    return QuantizedDense(weights, scales, bias.astype(np.int32), source, target, activation)


def chain(
    seed: int,
    sizes: list[int],
    exponents: range,
    *,
    hidden: Sequence[str] = ("relu",),
    head: str = "linear",
) -> QuantizedMLP:
    """A model of random layers, all scales powers of two or one and a half times that.

    Args:
        hidden: what the hidden layers' activations are, one after the other: those that a layer
            clamps to, ``sigmoid``, or an operator of its own such as ``then quantize``.
        head: ``linear``, ``sigmoid`` or ``softmax``.
    """
    rng = np.random.default_rng(seed)
    source = Quantization(2.0**-5, int(rng.integers(-128, 128)))
    layers = []
    for index, (inputs, outputs) in enumerate(pairwise(sizes)):
        kind = hidden[index % len(hidden)] if index < len(sizes) - 2 else head
        zero_point = -128 if kind == "relu" else int(rng.integers(-40, 41))
        target = Quantization(2.0**-4 if index < len(sizes) - 2 else 2.0**-5, zero_point)
        activation = kind if kind in ACTIVATIONS else "linear"
        layer = dense(rng, inputs, outputs, source, target, exponents, activation=activation)
        if kind == "sigmoid":
            layer = with_sigmoid(layer)
        elif kind.startswith("then "):
            layer = with_operator(layer, kind.removeprefix("then "))
        layers.append(layer)
        source = layer.output
    return QuantizedMLP(tuple(layers), Softmax(source) if head == "softmax" else None)


def with_operator(layer: QuantizedDense, kind: str) -> QuantizedDense:
    """The layer, followed by an operator to another quantization, where it can have one."""
    other = Quantization(1.5 * layer.target.scale, layer.target.zero_point - 50)
    target = layer.target if kind == "relu6" else other
    return replace(layer, following=(Elementwise(kind, layer.target, target),))


def with_sigmoid(layer: QuantizedDense) -> QuantizedDense:
    """The layer, followed by a sigmoid of its own."""
    return replace(layer, following=(Elementwise("logistic", layer.target, PROBABILITY),))


def sigmoid() -> QuantizedMLP:
    """One unit that hands on every code, and a sigmoid: its whole table."""
    same = Quantization(3 / 64, 11)
    one, zero = np.ones(1, np.float32), np.zeros(1, np.int32)
    layer = QuantizedDense(np.ones((1, 1), np.int8), one, zero, same, same)
    return QuantizedMLP((with_sigmoid(layer),))


def corners() -> QuantizedMLP:
    """What training seldom makes: factors above 1, zero rows with biases of 2^30, dead units."""
    rng = np.random.default_rng(4)
    source, target = Quantization(1.0, 3), Quantization(1.0, -7)
    weights = np.array(
        [[1, -1], [-1, 1], [1, 1], [2, -3], [0, 0], [0, 0], [0, 0], [127, 127]], np.int8
    )
    scales = np.ldexp(np.array([1, 1, 1.5, 1.75, 1.25, 1, 1, 1]), [-1, 0, 2, 4, -24, -26, 0, -8])
    bias = np.array([3, -3, 0, -20, 2**30, -(2**30), 5, -(2**20)], np.int32)
    first = QuantizedDense(weights, scales.astype(np.float32), bias, source, target, "relu")
    second = dense(rng, 8, 5, target, Quantization(0.5, 0), range(-9, -4))
    return QuantizedMLP((first, second))


def models() -> Iterator[tuple[str, QuantizedMLP, Int8, Int32 | None]]:
    """Name, model, inputs, and the counts of a model with a scaler."""
    model, counts = snow()
    yield "snow", model, model.prepare_input(counts), counts
    codes = np.arange(-128, 128).astype(np.int8)[:, None]
    yield "sigmoid", sigmoid(), codes, None
    for name, plain in [
        ("wide", chain(1, [64, 48, 10], range(-14, -11))),
        ("deep", chain(2, [5, 9, 12, 7, 6, 3], range(-9, -7), hidden=["linear"])),
        ("several_sigmoids", chain(3, [16, 24, 4], range(-11, -9), head="sigmoid")),
        ("corners", corners()),
        ("softmax", chain(6, [12, 24, 10], range(-11, -8), head="softmax")),
        ("bounded", chain(7, [8, 20, 16, 4], range(-10, -7), hidden=["relu6", "relu_n1_to_1"])),
        ("hidden_sigmoids", chain(8, [10, 16, 12, 3], range(-11, -8), hidden=["sigmoid"])),
        ("operators", chain(9, [9, 14, 13, 12, 5], range(-10, -8), hidden=STAND_ALONE)),
    ]:
        rows = np.random.default_rng(5).integers(-128, 128, (ROWS, plain.inputs), np.int8)
        rows[0], rows[1], rows[2] = -128, 127, 0
        yield name, plain, rows, None


# --- files -----------------------------------------------------------------------------------


def main() -> int:
    """Make every model's two files."""
    parser = argparse.ArgumentParser(description="Make the golden vectors of TFLite Micro.")
    parser.add_argument("--output", type=Path, default=DEFAULT_OUTPUT, help="the folder to write")
    folder = parser.parse_args().output
    if not oracle.available():
        print(f"TensorFlow Lite Micro is needed: {oracle.INSTALL}", file=sys.stderr)
        return 1

    for name, model, inputs, counts in models():
        outputs = oracle.run(model, inputs)
        arrays: dict[str, Any] = {"inputs": inputs, "outputs": outputs}
        if counts is not None:
            arrays["counts"] = counts
        buffer = io.BytesIO()
        np.savez(buffer, **arrays, tflite_micro=np.array(version("tflite-micro")))
        atomic_write(folder / f"{name}.tflite", tflite.to_bytes(model))
        atomic_write(folder / f"{name}.npz", buffer.getvalue())
        distinct, differing = len(np.unique(outputs, axis=0)), (model.run(inputs) != outputs).any(1)
        print(f"{name}: {len(inputs)} rows, {distinct} distinct outputs, {differing.sum()} differ")
    return 0


if __name__ == "__main__":
    sys.exit(main())
