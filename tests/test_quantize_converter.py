"""Scales, zero points, weights and biases against those that TFLiteConverter chose.

The numbers were made once by tools/make_converter_fixtures.py with the TensorFlow version named in
the file; TensorFlow itself is not needed here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scratchml.quantize import activation_quantization, quantize_dense
from scratchml.quantized import Quantization

CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "golden" / "tflite_converter.json").read_text("utf-8")
)["cases"]
PER_CHANNEL = [case for case in CASES if case["per_channel"]]


def quantization(values: dict[str, Any]) -> Quantization:
    return Quantization(values["scale"], values["zero_point"])


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_activations_equal_the_converters(case: dict[str, Any]) -> None:
    expected = case["expected"]
    for tensor in [expected["input"], *(layer["output"] for layer in expected["layers"])]:
        assert activation_quantization(*tensor["range"]) == quantization(tensor)


@pytest.mark.parametrize("case", PER_CHANNEL, ids=[case["name"] for case in PER_CHANNEL])
def test_weights_and_biases_equal_the_converters(case: dict[str, Any]) -> None:
    source = quantization(case["expected"]["input"])
    for layer, expected in zip(case["layers"], case["expected"]["layers"], strict=True):
        w = np.column_stack([np.array(layer["weights"]), np.array(layer["bias"])])
        target = quantization(expected["output"])
        q = quantize_dense(w, source, target, relu=layer["activation"] == "relu")
        assert q.weight_scales.tolist() == expected["weight_scales"]
        assert q.weights.tolist() == expected["weights"]
        assert q.bias.tolist() == expected["bias"]
        source = target
