"""Make ``tests/golden/tflite_converter.json``: what TFLiteConverter does to small MLPs.

A developer's tool. The fixtures are committed, so neither the library nor its tests need
TensorFlow; only someone who wants to regenerate the file does::

    python3.11 -m venv converter-env
    converter-env/bin/pip install "tensorflow-cpu==2.21.*"
    converter-env/bin/python tools/make_converter_fixtures.py

Every case is an MLP with given float32 weights. It is converted with full-integer
post-training quantization (int8 weights, activations, input and output), its calibration
rows being fed one at a time, and the quantized tensors are read back from the ``.tflite``
flatbuffer. Weights are drawn from a generator seeded with the case's name, so adding a case
leaves the others as they are.

The file
--------

``{"versions": {...}, "cases": [...]}``, a case being::

    {"name": ..., "note": ...,
     "per_channel": true,         # false: one scale for a whole weight tensor
     "order_free": true,          # see below
     "layers": [{"activation": "relu" | "relu6" | "relu_n1_to_1" | "sigmoid" | "none",
                 "bias": [...], "weights": [out][in]}, ...],
     "head": "sigmoid" | "softmax" | "none",
     "calibration": [row][feature],
     "expected": {
       "input": {"scale": ..., "zero_point": ..., "range": [lo, hi]},
       "layers": [{"weight_scales": [...], "bias": [int32], "bias_scales": [...] | null,
                   "output": {"scale": ..., "zero_point": ..., "range": [lo, hi]},
                   "sigmoid": {"scale": ..., "zero_point": ...},
                   "weights": [out][in] of int8}, ...],
       "output": {"scale": ..., "zero_point": ...}}}

- Every float is a float32 value printed as the shortest decimal of the equal float64:
  comparing parsed numbers with ``==`` compares float32 bits.
- ``range`` is what the converter's calibrator observed, before it is widened to hold 0. A
  maximum that never rose above the calibrator's initial FLT_MIN (1.18e-38) is written as 0.
- ``order_free`` cases have weights, biases and rows on coarse binary grids, so that no
  float32 sum in them is ever rounded: whichever order a matrix product adds in, the ranges
  are the same, and the whole way from calibration rows to int8 must be reproduced exactly.
  A hidden sigmoid's sums are 0 or at least 128 away from it in them, where it is exactly 0, 0.5
  or 1. In the other cases the last bit of a range depends on that order (hence on the BLAS and
  the CPU) or on how a sigmoid is computed; start from the recorded ``range`` there.
- ``bias_scales`` is null, and ``bias`` all 0, where the converter dropped a zero bias.
- ``sigmoid`` is there for hidden layers with that activation, which is an operator of its own:
  ``output`` then holds the sums in front of it.
- ``expected["output"]`` equals the last layer's output without a head; LOGISTIC and SOFTMAX have
  fixed parameters.
"""

# What the converter does with degenerate layers (TensorFlow 2.21). None of these is folded away:
#   all-zero weights, with or without bias; dead ReLU; constant output; identical layers that
#   share their constants; all-zero or constant inputs; a ReLU as the last layer; a sigmoid or a
#   softmax over constant sums.
# A bias that is all zeros is dropped from FULLY_CONNECTED (its input index becomes -1).
#
# Left out, because the result is not the chain FULLY_CONNECTED, [LOGISTIC], ..., [head] with the
# weights and biases that went in:
#   - a hidden layer without activation: its bias b1 is moved into the next layer, which gets
#     b2 + W2 b1, and the operator itself is left without a bias.

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike, NDArray
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

Floats = NDArray[np.float32]

DEFAULT_OUTPUT = Path(__file__).resolve().parent.parent / "tests/golden/tflite_converter.json"
CALIBRATOR_INITIAL_MAX = float(np.finfo(np.float32).tiny)
SIGNIFICAND_UNITS = 2**24  # float32 holds every integer up to here
SATURATED = 128.0  # sums from here on have a float32 sigmoid of exactly 0 or 1

# What a layer's activation is fused to; a sigmoid is not fused, but an operator behind the layer.
FUSED = {
    "none": schema.ActivationFunctionType.NONE,
    "relu": schema.ActivationFunctionType.RELU,
    "relu6": schema.ActivationFunctionType.RELU6,
    "relu_n1_to_1": schema.ActivationFunctionType.RELU_N1_TO_1,
    "sigmoid": schema.ActivationFunctionType.NONE,
}
CLIPS = {"relu": (0.0, None), "relu6": (0.0, 6.0), "relu_n1_to_1": (-1.0, 1.0)}
HEADS = {
    "none": [],
    "sigmoid": [schema.BuiltinOperator.LOGISTIC],
    "softmax": [schema.BuiltinOperator.SOFTMAX],
}
FUNCTIONS = {
    "none": tf.identity,
    "relu": tf.nn.relu,
    "relu6": tf.nn.relu6,
    "relu_n1_to_1": lambda x: tf.clip_by_value(x, -1.0, 1.0),
    "sigmoid": tf.sigmoid,
    "softmax": tf.nn.softmax,
}


# --- cases -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Layer:
    """One dense layer, ``activation(weights @ x + bias)``; weights have shape [out, in]."""

    weights: Floats
    bias: Floats
    activation: str = "none"


@dataclass(frozen=True)
class Case:
    """An MLP, the rows it is calibrated with and the way its weights are quantized."""

    name: str
    layers: list[Layer]
    calibration: Floats
    head: str = "none"
    per_channel: bool = True
    note: str = ""


def f32(values: ArrayLike) -> Floats:
    """Return `values` as a float32 array."""
    return np.asarray(values, dtype=np.float32)


def generator(name: str) -> np.random.Generator:
    """Return the random generator of the case called `name`."""
    return np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))


def on_grid(values: ArrayLike, bits: int | None) -> Floats:
    """Round `values` to multiples of ``2**-bits``; None leaves them as they are."""
    if bits is None:
        return f32(values)
    return f32(np.rint(np.asarray(values, dtype=np.float64) * 2.0**bits) / 2.0**bits + 0.0)


def mlp(
    rng: np.random.Generator,
    sizes: list[int],
    bits: list[int] | None = None,
    hidden: list[str] | None = None,
) -> list[Layer]:
    """Draw an MLP; layer i's weights are multiples of 2**-bits[i], `hidden` its activations.

    By default there is a ReLU between layers. What saturates gets weights three times as large.
    """
    layers = []
    hidden = ["relu"] * (len(sizes) - 2) if hidden is None else hidden
    for i, (n_in, n_out) in enumerate(itertools.pairwise(sizes)):
        layer_bits = None if bits is None else bits[i]
        activation = [*hidden, "none"][i]
        size = 1.5 if activation in ("none", "relu") else 4.5
        weights = rng.normal(0, size / np.sqrt(n_in), (n_out, n_in))
        bias = rng.normal(0, 0.5, n_out)
        layers.append(Layer(on_grid(weights, layer_bits), on_grid(bias, layer_bits), activation))
    return layers


def z_scores(rng: np.random.Generator, rows: int, features: int, bits: int | None = None) -> Floats:
    """Draw rows of skewed features, standardized to mean 0 and standard deviation 1."""
    raw = rng.gamma(4.0, 1.0, (rows, features)) * rng.choice([-1.0, 1.0], features)
    return on_grid((raw - raw.mean(axis=0)) / raw.std(axis=0), bits)


def ordinary_cases() -> Iterator[Case]:
    """Yield MLPs of the usual kind: random weights, standardized inputs."""
    for letter in "abc":
        name = f"sigmoid_6_12_1_{letter}"
        rng = generator(name)
        yield Case(name, mlp(rng, [6, 12, 1]), z_scores(rng, 40, 6), "sigmoid")
    for letter, bits in (("a", [7, 6]), ("b", [4, 9])):
        name = f"sigmoid_6_12_1_grid_{letter}"
        rng = generator(name)
        yield Case(name, mlp(rng, [6, 12, 1], bits), z_scores(rng, 60, 6, 4), "sigmoid")

    name = "logits_5_8_7_3"
    rng = generator(name)
    yield Case(name, mlp(rng, [5, 8, 7, 3]), z_scores(rng, 40, 5))
    name = "logits_8_10_6_4_grid"
    rng = generator(name)
    yield Case(name, mlp(rng, [8, 10, 6, 4], [4, 4, 5]), z_scores(rng, 40, 8, 3))
    name = "wide_64_32_10"
    rng = generator(name)
    yield Case(name, mlp(rng, [64, 32, 10], [7, 7]), z_scores(rng, 20, 64, 3))
    name = "relu_as_last_layer"
    rng = generator(name)
    first, last = mlp(rng, [4, 6, 3], [5, 5])
    last = Layer(last.weights, last.bias, "relu")
    yield Case(name, [first, last], z_scores(rng, 20, 4, 4))
    name = "zero_biases"
    rng = generator(name)
    layers = [Layer(x.weights, np.zeros_like(x.bias), x.activation) for x in mlp(rng, [4, 6, 1])]
    yield Case(name, layers, z_scores(rng, 20, 4), "sigmoid", note="biases are dropped")
    name = "identical_layers"
    rng = generator(name)
    first, last = mlp(rng, [4, 4, 4], [5, 5])
    layers = [first, Layer(first.weights, first.bias)]
    yield Case(name, layers, z_scores(rng, 20, 4, 4), note="both share their constants")


def input_cases() -> Iterator[Case]:
    """Yield unusual inputs."""
    name = "inputs_all_positive"
    rng = generator(name)
    yield Case(name, mlp(rng, [4, 6, 2], [5, 5]), on_grid(rng.uniform(3, 9, (30, 4)), 4))
    name = "inputs_all_negative"
    rng = generator(name)
    yield Case(name, mlp(rng, [4, 6, 2], [5, 5]), on_grid(rng.uniform(-9, -3, (30, 4)), 4))
    name = "inputs_all_zero"
    rng = generator(name)
    yield Case(name, mlp(rng, [4, 6, 2], [5, 5]), np.zeros((20, 4), np.float32))
    name = "inputs_1e-6"
    rng = generator(name)
    yield Case(name, mlp(rng, [5, 6, 1]), f32(1e-6 * rng.normal(size=(30, 5))), "sigmoid")
    name = "inputs_narrower_than_1e-6"
    rng = generator(name)
    rows = f32(rng.uniform(-2e-7, 5e-7, (20, 3)))
    yield Case(name, mlp(rng, [3, 4, 2]), rows, note="narrow ranges are widened")
    name = "inputs_1e3"
    rng = generator(name)
    yield Case(name, mlp(rng, [5, 6, 1], [6, 4]), on_grid(1e3 * rng.normal(size=(30, 5)), -2))
    name = "symmetric_inputs"
    rng = generator(name)
    rows = on_grid(rng.uniform(-1.9, 1.9, (20, 4)), 7)
    rows[0, 0], rows[1, 1] = -255 / 128, 255 / 128
    note = "input zero point before rounding: -0.5"
    yield Case(name, mlp(rng, [4, 5, 2], [6, 5]), rows, note=note)
    name = "one_calibration_row"
    rng = generator(name)
    yield Case(name, mlp(rng, [4, 6, 2], [5, 5]), z_scores(rng, 20, 4, 4)[:1])
    name = "single_input_single_output"
    rng = generator(name)
    yield Case(name, mlp(rng, [1, 1], [10]), z_scores(rng, 20, 1, 6), "sigmoid")
    name = "single_input_1_4_1"
    rng = generator(name)
    yield Case(name, mlp(rng, [1, 4, 1]), z_scores(rng, 30, 1))


def output_cases() -> Iterator[Case]:
    """Yield unusual outputs, and values half way between two codes."""
    name = "logits_all_negative"
    rng = generator(name)
    first, last = mlp(rng, [4, 6, 2], [5, 5])
    last = Layer(last.weights, f32([-20, -25.5]))
    yield Case(name, [first, last], z_scores(rng, 30, 4, 4))
    name = "logit_all_positive"
    rng = generator(name)
    first, last = mlp(rng, [4, 6, 1], [5, 5])
    last = Layer(last.weights, f32([18.25]))
    yield Case(name, [first, last], z_scores(rng, 30, 4, 4), "sigmoid")
    name = "rounding_ties"
    rng = generator(name)
    rows = on_grid(rng.uniform(-1.9, 1.9, (20, 5)), 6)
    rows[0, 0], rows[1, 1] = -128 / 64, 127 / 64
    weights = (np.floor(rng.uniform(-126, 126, (6, 5))) + 0.5) / 64
    weights[:, 0] = [127 / 64, -127 / 64] * 3
    bias = (np.floor(rng.uniform(-4000, 4000, 6)) + 0.5) / 4096
    note = "scales are powers of two; most weights and all biases lie half way between two codes"
    yield Case(name, [Layer(f32(weights), f32(bias))], rows, note=note)


def degenerate_cases() -> Iterator[Case]:
    """Yield layers with constant outputs."""
    name = "dead_relu_layer"
    rng = generator(name)
    first, last = mlp(rng, [4, 5, 1], [5, 5])
    first = Layer(first.weights, f32(np.full(5, -100.0)), "relu")
    yield Case(name, [first, last], z_scores(rng, 20, 4, 4), "sigmoid", note="hidden always 0")
    name = "zero_row_with_bias"
    rng = generator(name)
    (layer,) = mlp(rng, [4, 4], [6])
    layer.weights[1], layer.bias[1] = 0, 0.625
    layer.weights[2], layer.bias[2] = 0, -3
    yield Case(name, [layer], z_scores(rng, 20, 4, 4))
    name = "zero_row_without_bias"
    rng = generator(name)
    (layer,) = mlp(rng, [4, 4], [6])
    layer.weights[1], layer.bias[1] = 0, 0
    yield Case(name, [layer], z_scores(rng, 20, 4, 4))
    name = "zero_tensor_without_bias"
    rng = generator(name)
    first, last = mlp(rng, [4, 5, 2], [5, 5])
    first = Layer(np.zeros_like(first.weights), np.zeros_like(first.bias), "relu")
    yield Case(name, [first, last], z_scores(rng, 20, 4, 4), note="hidden always 0")
    name = "zero_tensor_with_bias"
    rng = generator(name)
    first, last = mlp(rng, [4, 5, 2], [5, 5])
    first = Layer(np.zeros_like(first.weights), first.bias, "relu")
    yield Case(name, [first, last], z_scores(rng, 20, 4, 4), note="hidden constant")
    name = "logit_always_zero"
    rng = generator(name)
    first, last = mlp(rng, [4, 5, 1], [5, 5])
    last = Layer(np.zeros_like(last.weights), np.zeros_like(last.bias))
    yield Case(name, [first, last], z_scores(rng, 20, 4, 4), "sigmoid")
    name = "logit_constant"
    rng = generator(name)
    first, last = mlp(rng, [4, 5, 1], [5, 5])
    last = Layer(np.zeros_like(last.weights), f32([-2.25]))
    yield Case(name, [first, last], z_scores(rng, 20, 4, 4), "sigmoid")


def large_bias_cases() -> Iterator[Case]:
    """Yield tiny weights, with biases for which the weight scale is raised (bias <= 2**30)."""
    name = "large_biases"
    rng = generator(name)
    weights = f32(rng.normal(size=(8, 4)) * 1e-5)
    bias = f32([1000.0, -777.7, 3.3, 0.0, -123.456, 0.001, 65.4321, -9.87654])
    note = "raised biases land on 2**30 or, by float32 rounding, 64 below it"
    yield Case(name, [Layer(weights, bias)], z_scores(rng, 20, 4), note=note)
    name = "large_biases_in_hidden_layer"
    rng = generator(name)
    first, last = mlp(rng, [4, 5, 1])
    first = Layer(f32(first.weights * 1e-6), f32(first.bias * 100), "relu")
    yield Case(name, [first, last], z_scores(rng, 20, 4), "sigmoid")
    note = "scale raised by at most 1e-3: the converter keeps the codes of the original scale"
    name = "large_bias_single_output"
    rng = generator(name)
    weights = f32(rng.normal(size=(1, 5)) * 1e-5)
    yield Case(name, [Layer(weights, f32([412.7]))], z_scores(rng, 20, 5), "sigmoid", note=note)
    name = "large_bias_single_output_requantized"
    rng = generator(name)
    weights = f32(rng.normal(size=(1, 5)) * 0.1)
    note = "scale raised by more than 1e-3: the weights are quantized again"
    yield Case(name, [Layer(weights, f32([-3e5]))], z_scores(rng, 20, 5), note=note)
    name = "tiny_weights"
    rng = generator(name)
    weights = f32(rng.normal(size=(6, 4)) * f32(10.0) ** -np.arange(4, 10)[:, None])
    bias = f32(rng.normal(size=6) * 1e-7)
    note = "rows below 5e-7 are quantized as if their maximum were 5e-7"
    yield Case(name, [Layer(weights, bias)], z_scores(rng, 20, 4), note=note)
    name = "tiny_weights_single_output"
    rng = generator(name)
    weights = f32(rng.normal(size=(1, 4)) * 1e-7)
    yield Case(name, [Layer(weights, f32([1e-7]))], z_scores(rng, 20, 4), "sigmoid")


def per_tensor_cases() -> Iterator[Case]:
    """Yield MLPs converted with one scale for each weight tensor."""
    name = "per_tensor_6_12_1"
    rng = generator(name)
    yield Case(name, mlp(rng, [6, 12, 1]), z_scores(rng, 40, 6), "sigmoid", per_channel=False)
    name = "per_tensor_5_8_7_3_grid"
    rng = generator(name)
    layers = mlp(rng, [5, 8, 7, 3], [4, 4, 5])
    yield Case(name, layers, z_scores(rng, 40, 5, 3), per_channel=False)
    name = "per_tensor_large_biases"
    rng = generator(name)
    layer = Layer(f32(rng.normal(size=(4, 4)) * 1e-5), f32([300.0, -0.5, 0.0, 12.0]))
    note = "scale raised by at most 1e-3: the converter keeps the codes of the original scale"
    yield Case(name, [layer], z_scores(rng, 20, 4), per_channel=False, note=note)
    name = "per_tensor_tiny_weights"
    rng = generator(name)
    layer = Layer(f32(rng.normal(size=(4, 4)) * 1e-7), f32(rng.normal(size=4) * 1e-7))
    note = "the scale is that of a maximum of 5e-7, the codes are those of the actual maximum"
    yield Case(name, [layer], z_scores(rng, 20, 4), per_channel=False, note=note)


def clipped_cases() -> Iterator[Case]:
    """Yield hidden layers with relu6 and relu_n1_to_1."""
    name = "relu6_5_6_1_grid"
    rng = generator(name)
    yield Case(name, mlp(rng, [5, 6, 1], [5, 5], ["relu6"]), z_scores(rng, 20, 5, 4), "sigmoid")
    name = "relu_n1_to_1_4_5_2_grid"
    rng = generator(name)
    layers = mlp(rng, [4, 5, 2], [5, 5], ["relu_n1_to_1"])
    yield Case(name, layers, z_scores(rng, 20, 4, 4), note="a linear head of two outputs")
    name = "relu_n1_to_1_within_bounds"
    rng = generator(name)
    first, last = mlp(rng, [3, 4, 1], [9, 5], ["relu_n1_to_1"])
    first = Layer(on_grid(first.weights / 32, 9), on_grid(first.bias / 16, 9), "relu_n1_to_1")
    yield Case(name, [first, last], z_scores(rng, 20, 3, 4), note="nothing is clipped")
    name = "relu_n1_to_1_always_1"
    rng = generator(name)
    first, last = mlp(rng, [3, 4, 2], [5, 5], ["relu_n1_to_1"])
    first = Layer(first.weights, f32(np.full(4, 100.0)), "relu_n1_to_1")
    yield Case(name, [first, last], z_scores(rng, 20, 3, 4), note="hidden constant")
    name = "dead_relu6_layer"
    rng = generator(name)
    first, last = mlp(rng, [4, 3, 1], [5, 5], ["relu6"])
    first = Layer(first.weights, f32(np.full(3, -100.0)), "relu6")
    yield Case(name, [first, last], z_scores(rng, 20, 4, 4), note="hidden always 0")
    name = "large_biases_before_relu6"
    rng = generator(name)
    first, last = mlp(rng, [3, 5, 2], [17, 1], ["relu6"])
    first = Layer(on_grid(first.weights * 1e-5, 17), f32([96, -77.75, 4.5, 0, 0.625]), "relu6")
    rows = on_grid(rng.uniform(-9, 9, (20, 3)), 0)
    yield Case(name, [first, last], rows, note="weight scales are raised for biases")
    name = "one_unit_layers"
    rng = generator(name)
    layers = mlp(rng, [1, 1, 1, 1], [3, 3, 3], ["relu6", "relu_n1_to_1"])
    layers[0] = Layer(f32([[2.125]]), f32([1.5]), "relu6")
    layers[1] = Layer(f32([[-0.375]]), f32([0.75]), "relu_n1_to_1")
    yield Case(name, layers, z_scores(rng, 20, 1, 4))


def sigmoid_cases() -> Iterator[Case]:
    """Yield hidden sigmoids."""
    name = "hidden_sigmoid_5_4_1"
    rng = generator(name)
    yield Case(name, mlp(rng, [5, 4, 1], hidden=["sigmoid"]), z_scores(rng, 20, 5), "sigmoid")
    name = "every_activation"
    rng = generator(name)
    layers = mlp(rng, [4, 5, 4, 4, 3], hidden=["sigmoid", "relu6", "relu_n1_to_1"])
    yield Case(name, layers, z_scores(rng, 20, 4), "softmax")
    name = "hidden_sigmoid_of_large_sums"
    rng = generator(name)
    first, last = mlp(rng, [3, 5, 2], [5, 5], ["sigmoid"])
    first = Layer(on_grid(first.weights, 0) * 128, on_grid(first.bias, 0) * 128, "sigmoid")
    yield Case(name, [first, last], z_scores(rng, 20, 3, 0), note="hidden is 0, 0.5 or 1")
    name = "zero_tensor_before_sigmoid"
    rng = generator(name)
    first, last = mlp(rng, [3, 4, 2], [5, 5], ["sigmoid"])
    first = Layer(np.zeros_like(first.weights), np.zeros_like(first.bias), "sigmoid")
    yield Case(name, [first, last], z_scores(rng, 20, 3, 4), note="hidden always 0.5")
    name = "constant_sums_before_sigmoid"
    rng = generator(name)
    first, last = mlp(rng, [3, 4, 1], [5, 5], ["sigmoid"])
    first = Layer(np.zeros_like(first.weights), f32([0.75, -1.5, 0, 3.25]), "sigmoid")
    yield Case(name, [first, last], z_scores(rng, 20, 3, 4), note="hidden constant")


def softmax_cases() -> Iterator[Case]:
    """Yield softmax heads."""
    name = "softmax_4_5_3_grid"
    rng = generator(name)
    yield Case(name, mlp(rng, [4, 5, 3], [5, 5]), z_scores(rng, 20, 4, 4), "softmax")
    name = "softmax_of_equal_logits"
    rng = generator(name)
    layer = Layer(np.zeros((3, 2), np.float32), f32([1.5, 1.5, 1.5]))
    yield Case(name, [layer], z_scores(rng, 20, 2, 4), "softmax")
    name = "softmax_of_zeros"
    rng = generator(name)
    layer = Layer(np.zeros((3, 2), np.float32), np.zeros(3, np.float32))
    note = "TensorFlow Lite Micro takes no logits of so small a scale"
    yield Case(name, [layer], z_scores(rng, 20, 2, 4), "softmax", note=note)


def all_cases() -> list[Case]:
    """Return every case, in the order of the file."""
    cases = [
        *ordinary_cases(),
        *input_cases(),
        *output_cases(),
        *degenerate_cases(),
        *large_bias_cases(),
        *per_tensor_cases(),
        *clipped_cases(),
        *sigmoid_cases(),
        *softmax_cases(),
    ]
    names = [case.name for case in cases]
    if len(set(names)) != len(names):
        raise ValueError("two cases have the same name")
    return cases


# --- exact ranges --------------------------------------------------------------------------------


def grid_of(values: NDArray[np.float64]) -> float:
    """Return the largest power of two, at most 1, that every value is a multiple of."""
    grid = 1.0
    while not np.array_equal(values / grid, np.rint(values / grid)):
        grid /= 2
    return grid


def exact_ranges(case: Case) -> list[tuple[float, float]] | None:
    """Return the ranges of the input and of each layer, or None if a sum may be rounded.

    A sum of multiples of a power of two whose absolute values add up to at most 2**24 times that
    power is exact in float32, in any order. A hidden sigmoid is exact at 0 and far from it.
    """
    x = case.calibration.astype(np.float64)
    ranges = [(float(x.min()), float(x.max()))]
    for layer in case.layers:
        weights, bias = layer.weights.astype(np.float64), layer.bias.astype(np.float64)
        grid = min(grid_of(x) * grid_of(weights), grid_of(bias))
        if (np.abs(x) @ np.abs(weights).T + np.abs(bias)).max() > SIGNIFICAND_UNITS * grid:
            return None
        x = x @ weights.T + bias
        if layer.activation in CLIPS:
            x = np.clip(x, *CLIPS[layer.activation])
        ranges.append((float(x.min()), float(x.max())))
        if layer.activation == "sigmoid":
            if np.any((x != 0) & (np.abs(x) < SATURATED)):
                return None
            x = (np.sign(x) + 1) / 2
    return ranges


# --- conversion ----------------------------------------------------------------------------------


def forward(case: Case) -> tf.types.experimental.PolymorphicFunction:
    """Return the MLP of `case` as a TensorFlow function of one row."""
    constants = [
        (tf.constant(layer.weights.T), tf.constant(layer.bias), layer.activation)
        for layer in case.layers
    ]

    @tf.function(input_signature=[tf.TensorSpec([1, case.calibration.shape[1]], tf.float32)])
    def function(x: tf.Tensor) -> tf.Tensor:
        for weights, bias, activation in constants:
            x = FUNCTIONS[activation](tf.nn.bias_add(tf.matmul(x, weights), bias))
        return FUNCTIONS[case.head](x)

    return function


def convert(case: Case, *, calibrate_only: bool = False) -> bytes:
    """Convert the MLP of `case` to int8, or to a float model that holds the observed ranges."""
    module = tf.Module()
    module.forward = forward(case)
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [module.forward.get_concrete_function()], module
    )
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([row[np.newaxis]] for row in case.calibration)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    # The two attributes with an underscore are the only way to these two features.
    if not case.per_channel:
        converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    if calibrate_only:
        converter._experimental_calibrate_only = True
    else:
        converter.inference_input_type = tf.int8
        converter.inference_output_type = tf.int8
    return bytes(converter.convert())


class Model:
    """The one subgraph of a converted model, checked to be the MLP that went in."""

    def __init__(self, case: Case, content: bytes) -> None:
        """Parse `content` and check its operators against `case`."""
        self.model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
        (self.graph,) = self.model.subgraphs
        operators = self.graph.operators
        found = [self.model.operatorCodes[op.opcodeIndex].builtinCode for op in operators]
        dense, expected = schema.BuiltinOperator.FULLY_CONNECTED, []
        for layer in case.layers:
            expected.append(dense)
            expected += HEADS["sigmoid"] if layer.activation == "sigmoid" else []
        if found != expected + HEADS[case.head]:
            raise ValueError(f"{case.name}: unexpected operators {found}")
        self.dense = [op for op, code in zip(operators, found, strict=True) if code == dense]
        if [op.builtinOptions.fusedActivationFunction for op in self.dense] != [
            FUSED[layer.activation] for layer in case.layers
        ]:
            raise ValueError(f"{case.name}: unexpected activations")
        chain = [int(self.graph.inputs[0])]
        for op in operators:
            if op.inputs[0] != chain[-1]:
                raise ValueError(f"{case.name}: the operators are not a chain")
            chain.append(int(op.outputs[0]))
        if [chain[-1]] != list(self.graph.outputs):
            raise ValueError(f"{case.name}: the last operator does not make the output")
        self.input, self.output = chain[0], chain[-1]
        self.following = dict(itertools.pairwise(chain))

    def data(self, index: int, tensor_type: int, dtype: type) -> NDArray[Any]:
        """Return the constant in tensor `index`, which must have the given type."""
        tensor = self.graph.tensors[index]
        if tensor.type != tensor_type:
            raise ValueError(f"tensor {index} has type {tensor.type}, not {tensor_type}")
        content = np.asarray(self.model.buffers[tensor.buffer].data, np.uint8).tobytes()
        return np.frombuffer(content, np.dtype(dtype).newbyteorder("<")).reshape(tensor.shape)

    def scales(self, index: int) -> list[float]:
        """Return the scales of tensor `index`, whose zero points must be 0."""
        quantization = self.graph.tensors[index].quantization
        if np.any(quantization.zeroPoint) or quantization.quantizedDimension != 0:
            raise ValueError(f"tensor {index} is not quantized symmetrically by row")
        return floats(quantization.scale)

    def range(self, index: int) -> list[float]:
        """Return the calibrated range of tensor `index` of a calibrate-only model."""
        quantization = self.graph.tensors[index].quantization
        low, high = float(quantization.min[0]), float(quantization.max[0])
        return [low, 0.0 if high == CALIBRATOR_INITIAL_MAX else high]

    def parameters(self, index: int) -> dict[str, Any]:
        """Return scale and zero point of the int8 activation in tensor `index`."""
        tensor = self.graph.tensors[index]
        if tensor.type != schema.TensorType.INT8 or len(tensor.quantization.scale) != 1:
            raise ValueError(f"tensor {index} is not an int8 activation")
        (scale,), (zero_point,) = tensor.quantization.scale, tensor.quantization.zeroPoint
        return {"scale": float(scale), "zero_point": int(zero_point)}


def floats(values: NDArray[np.float32]) -> list[Any]:
    """Return a float32 array as (nested) lists of Python floats."""
    if values.dtype != np.float32:
        raise TypeError(f"expected float32, not {values.dtype}")
    return values.tolist()


def expect(case: Case) -> dict[str, Any]:
    """Convert `case` and return the tensors of the result."""
    calibrated = Model(case, convert(case, calibrate_only=True))
    quantized = Model(case, convert(case))

    def activation(q: int, c: int) -> dict[str, Any]:
        return {**quantized.parameters(q), "range": calibrated.range(c)}

    layers = []
    for i, (layer, op) in enumerate(zip(case.layers, quantized.dense, strict=True)):
        _, weights, bias = (int(index) for index in op.inputs)
        if bias == -1 and np.any(layer.bias):
            raise ValueError(f"{case.name}: the converter dropped a bias")
        constants = calibrated.data(
            int(calibrated.dense[i].inputs[1]), schema.TensorType.FLOAT32, np.float32
        )
        if not np.array_equal(constants, layer.weights):
            raise ValueError(f"{case.name}: the converter changed the float weights")
        dropped = bias == -1
        output = int(op.outputs[0])
        sigmoid = {}
        if layer.activation == "sigmoid":
            sigmoid["sigmoid"] = quantized.parameters(quantized.following[output])
        layers.append(
            {
                "weight_scales": quantized.scales(weights),
                "bias": [0] * len(layer.bias)
                if dropped
                else quantized.data(bias, schema.TensorType.INT32, np.int32).tolist(),
                "bias_scales": None if dropped else quantized.scales(bias),
                "output": activation(output, int(calibrated.dense[i].outputs[0])),
                **sigmoid,
                "weights": quantized.data(weights, schema.TensorType.INT8, np.int8).tolist(),
            }
        )
    return {
        "input": activation(quantized.input, calibrated.input),
        "layers": layers,
        "output": quantized.parameters(quantized.output),
    }


def record(case: Case) -> dict[str, Any]:
    """Return the entry of `case` in the file."""
    expected = expect(case)
    exact = exact_ranges(case)
    if exact is not None:
        found = [expected["input"]["range"], *(x["output"]["range"] for x in expected["layers"])]
        for (low, high), (found_low, found_high) in zip(exact, found, strict=True):
            if (found_low, found_high) != (low, max(high, 0.0)):
                raise ValueError(f"{case.name}: calibrated {found}, exact ranges {exact}")
    return {
        "name": case.name,
        "note": case.note,
        "per_channel": case.per_channel,
        "order_free": exact is not None,
        "layers": [
            {
                "activation": layer.activation,
                "bias": floats(layer.bias),
                "weights": floats(layer.weights),
            }
            for layer in case.layers
        ],
        "head": case.head,
        "calibration": floats(case.calibration),
        "expected": expected,
    }


# --- the file ------------------------------------------------------------------------------------


def dump(value: Any, indent: str = "") -> str:
    """Return `value` as JSON with one line for each list of plain values."""
    if isinstance(value, dict) and any(isinstance(x, list | dict) for x in value.values()):
        items = [f"{json.dumps(key)}: {dump(x, indent + ' ')}" for key, x in value.items()]
        opening, closing = "{", "}"
    elif isinstance(value, list) and any(isinstance(x, list | dict) for x in value):
        items = [dump(x, indent + " ") for x in value]
        opening, closing = "[", "]"
    else:
        return json.dumps(value, separators=(",", ":"), allow_nan=False)
    separator = f",\n{indent} "
    return f"{opening}\n{indent} {separator.join(items)}\n{indent}{closing}"


def main() -> int:
    """Make the fixtures and write them to a file."""
    parser = argparse.ArgumentParser(description="Make the golden file of TFLiteConverter.")
    parser.add_argument("--output", type=Path, default=DEFAULT_OUTPUT, help="the file to write")
    arguments = parser.parse_args()

    records = []
    for case in all_cases():
        records.append(record(case))
        print(case.name, "(order-free)" if records[-1]["order_free"] else "")
    versions = {
        "tensorflow": tf.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
    text = dump({"versions": versions, "cases": records}) + "\n"
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(text, encoding="utf-8")
    print(f"{len(records)} cases, {len(text)} bytes: {arguments.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
