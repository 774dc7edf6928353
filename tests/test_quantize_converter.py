"""Scales, zero points, weights and biases against those that TFLiteConverter chose.

Tensor by tensor for every network, starting from the ranges that the converter saw; and from the
calibration rows on for networks whose ranges do not depend on the order in which a sum is added up.

The numbers were made once by tools/make_converter_fixtures.py with the TensorFlow version named in
the file; TensorFlow itself is not needed here.
"""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scratchml as sml
from scratchml.affine import PROBABILITY, Quantization
from scratchml.calibrate import observe, observed_range
from scratchml.layers import Elementwise, QuantizedDense
from scratchml.mlp import Floats
from scratchml.quantize import activation_quantization, quantize_dense

CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "golden" / "tflite_converter.json").read_text("utf-8")
)["cases"]
PER_CHANNEL = [case for case in CASES if case["per_channel"]]

#: No model comes of these: TensorFlow Lite Micro would overflow, or take no logits of such a scale.
REFUSED = {
    "dead_relu_layer": r"no calibration row activates layer 1.*accumulator can leave 32 bits",
    "dead_relu6_layer": r"no calibration row activates layer 1.*accumulator can leave 32 bits",
    "softmax_of_zeros": "a softmax of beta 1 cannot follow logits of scale 7.8",
}


def is_expressible(case: dict[str, Any]) -> bool:
    """Whether an ``MLP`` can be this network: the last layer's activation is the head."""
    return bool(case["per_channel"] and case["layers"][-1]["activation"] == "none")


ORDER_FREE = [case for case in CASES if case["order_free"] and is_expressible(case)]
WHOLE = [case for case in ORDER_FREE if case["name"] not in REFUSED]


def named(cases: list[dict[str, Any]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=[case["name"] for case in cases])


def network(case: dict[str, Any]) -> tuple[sml.MLP, Floats]:
    """The float network of a case, and its calibration rows."""
    layers = case["layers"]
    activations = [*(layer["activation"] for layer in layers[:-1]), case["head"]]
    net = sml.from_arrays(
        [layer["weights"] for layer in layers],
        [layer["bias"] for layer in layers],
        ["linear" if name == "none" else name for name in activations],
    )
    return net, np.array(case["calibration"], np.float32)


def quantization(values: dict[str, Any]) -> Quantization:
    return Quantization(values["scale"], values["zero_point"])


def check_layer(q: QuantizedDense, activation: str, expected: dict[str, Any]) -> None:
    """``q`` has the converter's weights and biases, and does what ``activation`` says."""
    assert q.weight_scales.dtype == np.float32
    assert q.weight_scales.tolist() == expected["weight_scales"]
    assert q.weights.tolist() == expected["weights"]
    assert q.bias.tolist() == expected["bias"]
    assert q.target == quantization(expected["output"])
    if activation == "sigmoid":
        logistic = Elementwise("logistic", q.target, quantization(expected["sigmoid"]))
        assert (q.activation, q.following) == ("linear", (logistic,))
    else:
        assert q.activation == ("linear" if activation == "none" else activation)
        assert q.following == ()


def test_the_file_has_every_kind_of_network_that_can_be_quantized() -> None:
    # all but hidden layers without activation, whose bias the converter moves into the next layer
    hidden = {layer["activation"] for case in PER_CHANNEL for layer in case["layers"][:-1]}
    assert hidden == {"relu", "relu6", "relu_n1_to_1", "sigmoid"}
    assert {case["head"] for case in WHOLE} == {"none", "sigmoid", "softmax"}
    assert {layer["activation"] for case in WHOLE for layer in case["layers"][:-1]} == hidden
    assert len(WHOLE) >= 0.85 * sum(case["order_free"] for case in CASES)
    assert REFUSED.keys() <= {case["name"] for case in ORDER_FREE}


@named(CASES)
def test_activations_equal_the_converters(case: dict[str, Any]) -> None:
    expected = case["expected"]
    for tensor in [expected["input"], *(layer["output"] for layer in expected["layers"])]:
        assert activation_quantization(*tensor["range"]) == quantization(tensor)
    sigmoids = [layer["sigmoid"] for layer in expected["layers"] if "sigmoid" in layer]
    assert len(sigmoids) == sum(layer["activation"] == "sigmoid" for layer in case["layers"])
    fixed = sigmoids if case["head"] == "none" else [*sigmoids, expected["output"]]
    assert all(quantization(tensor) == PROBABILITY for tensor in fixed)


@named(PER_CHANNEL)
def test_weights_and_biases_equal_the_converters(case: dict[str, Any]) -> None:
    source = quantization(case["expected"]["input"])
    for layer, expected in zip(case["layers"], case["expected"]["layers"], strict=True):
        w = np.column_stack([np.array(layer["weights"]), np.array(layer["bias"])])
        q = quantize_dense(w, source, quantization(expected["output"]))
        check_layer(q, "none", expected)
        source = quantization(expected.get("sigmoid", expected["output"]))


@named(ORDER_FREE)
def test_calibration_sees_the_converters_ranges(case: dict[str, Any]) -> None:
    expected = case["expected"]
    tensors = [expected["input"], *(layer["output"] for layer in expected["layers"])]
    for values, tensor in zip(observe(*network(case)), tensors, strict=True):
        low, high = observed_range(values)
        # the converter's greatest value begins just above 0
        assert [low, max(high, 0.0)] == tensor["range"]


@named(WHOLE)
def test_a_whole_network_equals_the_converters(case: dict[str, Any]) -> None:
    model, expected = sml.quantize(*network(case)), case["expected"]
    assert model.layers[0].source == quantization(expected["input"])
    assert all(after.source == layer.output for layer, after in pairwise(model.layers))
    *hidden, last = model.layers
    for q, layer, tensors in zip(hidden, case["layers"], expected["layers"], strict=False):
        check_layer(q, layer["activation"], tensors)
    # a sigmoid as the head is an operator behind the last layer, like a hidden one
    head = "sigmoid" if case["head"] == "sigmoid" else "none"
    check_layer(last, head, expected["layers"][-1] | {"sigmoid": expected["output"]})
    assert len(model.layers) == len(expected["layers"])
    assert model.output == ("linear" if case["head"] == "none" else case["head"])
    assert model.output_quantization == quantization(expected["output"])
    assert (model.softmax is not None) == (case["head"] == "softmax")


@named([case for case in ORDER_FREE if case["name"] in REFUSED])
def test_a_network_that_cannot_run_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(sml.ScratchmlError, match=REFUSED[case["name"]]):
        sml.quantize(*network(case))
