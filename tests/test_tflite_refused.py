"""Files that hold something else than an int8 perceptron: each is refused by name, in one line.

The files are two layers built with ``tflite_files``, with one deviation each. The line says which
operator is meant, what is wrong with it and what is supported.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import require
from test_tflite_reader import JUDGE
from tflite_files import (
    ADD,
    CONV_2D,
    CUSTOM,
    DEQUANTIZE,
    FLOAT,
    FULLY_CONNECTED,
    INT4,
    INT16,
    INT32,
    INT64,
    LOGISTIC,
    PACK,
    QUANTIZE,
    RELU,
    RELU6,
    RELU_N1_TO_1,
    RESHAPE,
    SHAPE,
    SOFTMAX,
    STRIDED_SLICE,
    TANH,
    UINT8,
    File,
    Operator,
    Tensor,
    activation,
    describe,
    fully_connected,
    layered,
    softmax_options,
)

import scratchml as sml
from scratchml import tflite
from scratchml.affine import PROBABILITY

Change = Callable[[File], None]

SUPPORTED = (
    "supported are FULLY_CONNECTED, RELU, RELU6, LOGISTIC and QUANTIZE after it, SOFTMAX at the "
    "end, RESHAPE, and QUANTIZE and DEQUANTIZE at the edges"
)
NOT = f"it is not supported: {SUPPORTED}"
NOT_HERE = f"it is not supported here: {SUPPORTED}"
CONVERT = "convert it with int8 weights and activations (a representative data set is needed)"
CHAIN = (
    "it does not continue one chain of layers: supported are operators that each read what the one "
    "before has written"
)
BATCH = "one row at a time is supported (a batch of 1)"


def two_layers() -> File:
    """3 inputs, 6 units, 4 outputs; tensors 0 to 6 are input, w1, b1, layer1, w2, b2, layer2."""
    return describe(layered([3, 6, 4], [("relu", ()), ("linear", ())]))


def refusal(file: File) -> str:
    """The message, which is one line."""
    with pytest.raises(sml.ScratchmlError) as error:
        tflite.from_bytes(file.write())
    assert "\n" not in str(error.value)
    return str(error.value)


def check(change: Change, message: str) -> None:
    file = two_layers()
    change(file)
    assert refusal(file) == message


# --- changes -----------------------------------------------------------------------------------


def operator(index: int, **fields: Any) -> Change:
    return lambda file: vars(file.operators[index]).update(fields)


def tensor(name: str, **fields: Any) -> Change:
    return lambda file: vars(file.tensor(name)).update(fields)


def graph(**fields: Any) -> Change:
    return lambda file: vars(file).update(fields)


def insert(place: int, code: int, like: str, **fields: Any) -> Change:
    """An operator whose output is like that tensor, but for these fields."""
    return lambda file: file.insert(place, code, replace(file.tensor(like), name="new", **fields))


def activations(**fields: Any) -> Change:
    def change(file: File) -> None:
        for tensor in file.tensors:
            if tensor.data is None:
                vars(tensor).update(fields)

    return change


def both(*changes: Change) -> Change:
    def change(file: File) -> None:
        for step in changes:
            step(file)

    return change


# --- operators ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("ADD", ADD),
        ("CONV_2D", CONV_2D),
        ("TANH", TANH),
        ("RELU_N1_TO_1", RELU_N1_TO_1),
        ("CUSTOM", CUSTOM),
        ("HARD_SWISH", 117),
        ("number 118", 118),
        ("number 126", 126),
        ("number 206", 206),
        ("number 1000000", 10**6),
    ],
)
def test_an_operator_that_is_not_supported(name: str, code: int) -> None:
    check(operator(1, code=code), f"operator 1 ({name}): {NOT}")
    check(operator(0, code=code), f"operator 0 ({name}): {NOT}")


def test_a_residual_connection() -> None:
    """Its sum is what is missing here, not its second input."""
    file = two_layers()
    file.insert(1, ADD, replace(file.tensor("layer1"), name="sum"))
    file.operators[1].inputs = [0, 3]
    assert refusal(file) == f"operator 1 (ADD): {NOT}"


PROBABLE = {"scales": [PROBABILITY.scale], "zero_points": [PROBABILITY.zero_point]}


@pytest.mark.parametrize(
    ("name", "code", "fields"),
    [
        ("RELU", RELU, {}),
        ("RELU6", RELU6, {}),
        ("LOGISTIC", LOGISTIC, PROBABLE),
        ("QUANTIZE", QUANTIZE, {}),
        ("SOFTMAX", SOFTMAX, PROBABLE),
        ("DEQUANTIZE", DEQUANTIZE, {"type": FLOAT, "scales": None}),
    ],
)
def test_an_operator_before_the_first_layer(name: str, code: int, fields: dict[str, Any]) -> None:
    check(insert(0, code, "input", **fields), f"operator 0 ({name}): {NOT_HERE}")


def softmax(place: int, like: str) -> Change:
    options = softmax_options(1.0)
    return lambda file: file.insert(
        place, SOFTMAX, replace(file.tensor(like), name="new", **PROBABLE), **options
    )


def test_an_operator_after_the_end() -> None:
    end = softmax(2, "layer2")
    for name, code in [("RELU", RELU), ("LOGISTIC", LOGISTIC), ("QUANTIZE", QUANTIZE)]:
        change = both(end, insert(3, code, "layer2", **PROBABLE))
        check(change, f"operator 3 ({name}): {NOT_HERE}")
    check(both(end, softmax(3, "layer2")), f"operator 3 (SOFTMAX): {NOT_HERE}")
    check(both(File.float_output, insert(3, RELU, "layer2")), f"operator 3 (RELU): {NOT_HERE}")
    check(both(File.float_output, File.float_output), f"operator 3 (DEQUANTIZE): {NOT_HERE}")


def test_an_end_in_the_middle() -> None:
    check(softmax(1, "layer1"), f"operator 2 (FULLY_CONNECTED): {NOT_HERE}")
    real = insert(1, DEQUANTIZE, "layer1", type=FLOAT, scales=None)
    check(real, f"operator 2 (FULLY_CONNECTED): {NOT_HERE}")
    check(both(real, insert(2, QUANTIZE, "layer1")), f"operator 2 (QUANTIZE): {NOT_HERE}")


@pytest.mark.parametrize("number", [4, 5, 99, -1])
def test_a_fused_activation_that_is_not_supported(number: int) -> None:
    supported = "supported are NONE, RELU, RELU6 and RELU_N1_TO_1"
    check(
        operator(1, **fully_connected(number)),
        f"operator 1 (FULLY_CONNECTED): fused activation {number}: {supported}",
    )


# --- the chain ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("index", "fields"),
    [
        (1, {"inputs": [0, 4, 5]}),  # beside the first layer: it reads the same
        (1, {"inputs": []}),
        (1, {"inputs": [-1, 4, 5]}),
        (1, {"outputs": []}),
        (1, {"outputs": [6, 6]}),
        (1, {"outputs": [3]}),  # what it reads
        (1, {"outputs": [0]}),  # what has been read
        (0, {"inputs": [3, 1, 2]}),
    ],
)
def test_operators_that_are_no_chain(index: int, fields: dict[str, Any]) -> None:
    check(operator(index, **fields), f"operator {index} (FULLY_CONNECTED): {CHAIN}")


def test_a_layer_that_shares_its_input_with_another_operator() -> None:
    for place, source in [(1, "input"), (2, "layer1")]:
        file = two_layers()
        file.insert(place, FULLY_CONNECTED, replace(file.tensor("layer2"), name="beside"))
        file.operators[place].inputs = [file.index(source), 4, 5]
        assert refusal(file) == f"operator {place} (FULLY_CONNECTED): {CHAIN}"


def test_operators_in_a_circle_are_refused_at_once() -> None:
    file = two_layers()
    file.operators[0].outputs = [0]
    file.operators *= 500
    assert refusal(file) == f"operator 0 (FULLY_CONNECTED): {CHAIN}"


def test_an_operator_that_writes_a_constant() -> None:
    check(tensor("layer1", data=bytes(6)), "operator 0 (FULLY_CONNECTED): its output is a constant")
    file = two_layers()
    file.operators.insert(1, Operator(SHAPE, [3], [5]))  # the second bias
    assert refusal(file) == "operator 1 (SHAPE): its output is a constant"


def test_a_shape_that_is_no_shape() -> None:
    for name, code in [("SHAPE", SHAPE), ("STRIDED_SLICE", STRIDED_SLICE), ("PACK", PACK)]:
        check(insert(1, code, "layer1"), f"operator 1 ({name}): {NOT_HERE}")
        file = two_layers()
        file.tensors.append(Tensor("shape", (2,), INT32))
        file.operators.insert(1, Operator(code, [3], [7]))
        assert len(tflite.read(file.write()).operators) == 3
        file.operators.insert(2, Operator(code, [3], [7]))
        assert refusal(file) == f"operator 2 ({name}): {CHAIN}"


@pytest.mark.parametrize("inputs", [[0, 99, 2], [0, -1, 2], [0, 1, 99], [0, 1, -2]])
def test_an_operand_that_is_not_there(inputs: list[int]) -> None:
    absent = next(i for i in inputs if not 0 <= i < 7)
    check(
        operator(0, inputs=inputs),
        f"operator 0 (FULLY_CONNECTED): the .tflite file is damaged: it has no item {absent}",
    )


@pytest.mark.parametrize("inputs", [[0], [0, 1, 2, 2]])
def test_operands_of_another_number(inputs: list[int]) -> None:
    message = f"it has {len(inputs)} operands: an input, weights and a bias"
    check(operator(0, inputs=inputs), f"operator 0 (FULLY_CONNECTED): {message}")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"subgraphs": 0}, "the file has 0 subgraphs instead of 1"),
        ({"subgraphs": 2}, "the file has 2 subgraphs instead of 1"),
        (
            {"inputs": [0, 1]},
            "the model has 2 inputs and 1 outputs: one of each is supported",
        ),
        (
            {"outputs": [6, 3]},
            "the model has 1 inputs and 2 outputs: one of each is supported",
        ),
        ({"inputs": []}, "the model has 0 inputs and 1 outputs: one of each is supported"),
        ({"outputs": []}, "the model has 1 inputs and 0 outputs: one of each is supported"),
        ({"operators": []}, "the operators do not lead from the input to the output"),
        ({"outputs": [3]}, "the operators do not lead from the input to the output"),
        ({"outputs": [99]}, "the operators do not lead from the input to the output"),
        ({"inputs": [4]}, f"operator 0 (FULLY_CONNECTED): {CHAIN}"),
        ({"inputs": [99]}, f"operator 0 (FULLY_CONNECTED): {CHAIN}"),
    ],
)
def test_a_file_with_other_ends(fields: dict[str, Any], message: str) -> None:
    check(graph(**fields), message)


def test_only_edges_and_shapes_are_no_model() -> None:
    file = two_layers()
    file.operators, file.outputs = [], [0]
    file.insert(0, RESHAPE, replace(file.tensor("input"), name="row"))
    assert refusal(file) == "the operators do not lead from the input to the output"


def test_more_operators_than_any_such_model_has() -> None:
    file = two_layers()
    for place in range(2, 1024):
        file.insert(place, RELU, file.tensor("layer2"))
    assert len(tflite.read(file.write()).operators) == 1024
    file.insert(1024, RELU, file.tensor("layer2"))
    assert refusal(file) == "the file has 1025 operators: 1024 at most"


# --- tensors -----------------------------------------------------------------------------------


def of_int8(kind: str) -> str:
    return f"{kind} instead of INT8: {CONVERT}"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (activations(type=FLOAT, scales=None), of_int8("FLOAT32")),  # "dynamic range"
        (activations(type=INT16), of_int8("INT16")),  # 16 x 8 bits
        (activations(type=UINT8), of_int8("UINT8")),  # TensorFlow 1
        (tensor("layer1", type=FLOAT), of_int8("FLOAT32")),
        (tensor("layer1", type=99), of_int8("type 99")),
        (tensor("layer1", type=-1), of_int8("type -1")),
        (tensor("w1", type=FLOAT), "a constant is " + of_int8("FLOAT32")),
        (tensor("w1", type=UINT8), "a constant is " + of_int8("UINT8")),
        (tensor("w1", type=INT4), "a constant is " + of_int8("INT4")),
        (tensor("b1", type=INT64), f"a constant is INT64 instead of INT32: {CONVERT}"),
        (tensor("w1", sparse=True), "sparse tensors are not supported"),
        (tensor("input", sparse=True), "sparse tensors are not supported"),
        (tensor("layer1", shape=(1,) * 9), "a tensor has 9 dimensions"),
        (tensor("layer1", shape=(-1, -6)), "a tensor of shape (-1, -6)"),
        (tensor("w1", zero_points=[0, 0, 1, 0, 0, 0]), "a constant's zero point is not 0"),
        (tensor("w1", zero_points=[1]), "a constant's zero point is not 0"),
        (tensor("b1", zero_points=[1]), "a constant's zero point is not 0"),
        (operator(0, **fully_connected(0, 1)), "shuffled weights are not supported"),
    ],
)
def test_a_first_layer_of_other_numbers(change: Change, message: str) -> None:
    check(change, f"operator 0 (FULLY_CONNECTED): {message}")


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        ("w1", {"shape": (18,)}, "weights of shape (18,)"),
        ("w1", {"shape": (1, 6, 3)}, "weights of shape (1, 6, 3)"),
        ("w1", {"shape": (0, 3)}, "weights of shape (0, 3)"),
        ("w1", {"shape": (6, 65536)}, "weights of shape (6, 65536)"),
        ("w1", {"shape": (65536, 3)}, "weights of shape (65536, 3)"),
        ("w1", {"shape": (-6, -3)}, "a tensor of shape (-6, -3)"),
        ("w1", {"data": b"1" * 17}, "a constant's buffer has the wrong length"),
        ("w1", {"data": b"1" * 19}, "a constant's buffer has the wrong length"),
        ("w1", {"data": None}, "a constant's buffer has the wrong length"),
        ("b1", {"data": b"1" * 23}, "a constant's buffer has the wrong length"),
        ("b1", {"shape": (5,)}, "a constant of shape (5,) instead of 6 values"),
        ("b1", {"shape": (6, 0)}, "a constant of shape (6, 0) instead of 6 values"),
    ],
)
def test_constants_of_other_shapes(name: str, fields: dict[str, Any], message: str) -> None:
    check(tensor(name, **fields), f"operator 0 (FULLY_CONNECTED): {message}")


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ((4, 3), (4, 6)),  # a batch of 4
        ((1, 4), (1, 6)),
        ((1, 3), (1, 5)),
        ((1, 0), (1, 6)),
        ((1, 3), (6, 1)),  # TensorFlow Lite Micro takes this for six rows
        ((1, 3), ()),
    ],
)
def test_more_than_one_row(source: tuple[int, ...], target: tuple[int, ...]) -> None:
    check(
        both(tensor("input", shape=source), tensor("layer1", shape=target)),
        f"operator 0 (FULLY_CONNECTED): 3 inputs and 6 outputs in tensors of shape {source} and "
        f"{target}: {BATCH}",
    )


def test_an_output_without_dimensions() -> None:
    file = describe(layered([3, 1], [("linear", ())]))
    file.tensor("layer1").shape = ()
    assert refusal(file).endswith(f"of shape (1, 3) and (): {BATCH}")


def test_an_operator_that_changes_the_number_of_elements() -> None:
    for name, code in [("RELU", RELU), ("LOGISTIC", LOGISTIC), ("SOFTMAX", SOFTMAX)]:
        change = insert(2, code, "layer2", shape=(1, 5), **PROBABLE)
        check(change, f"operator 2 ({name}): from shape (1, 4) to (1, 5)")
    change = insert(1, RESHAPE, "layer1", shape=(1, 5))
    check(change, "operator 1 (RESHAPE): from shape (1, 6) to (1, 5)")
    change = both(File.float_input, tensor("codes", shape=(1, 2)))
    check(change, "operator 0 (QUANTIZE): from shape (1, 3) to (1, 2)")
    change = both(File.float_output, tensor("real", shape=(1, 2)))
    check(change, "operator 2 (DEQUANTIZE): from shape (1, 4) to (1, 2)")


@pytest.mark.parametrize("shape", [(4, 1), (2, 2), ()])
def test_a_softmax_that_does_not_run_along_the_row(shape: tuple[int, ...]) -> None:
    file = describe(layered([3, int(np.prod(shape))], [("linear", ())], softmax=True))
    logits = file.tensor("layer1")
    file.insert(1, RESHAPE, replace(logits, name="column", shape=shape))
    file.tensor("softmax").shape = shape
    message = f"of shape {shape}: one row at a time is supported"
    assert refusal(file) == f"operator 2 (SOFTMAX): {message}"


# --- quantization ------------------------------------------------------------------------------


def scales_needed(found: int) -> str:
    return f"the weights have {found} scales: 1 or 6 positive ones are needed"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"scales": None}, scales_needed(0)),
        ({"scales": []}, scales_needed(0)),
        ({"scales": [1] * 5}, scales_needed(5)),
        ({"scales": [1] * 7}, scales_needed(7)),
        *[
            ({"scales": [1, value, 1, 1, 1, 1]}, scales_needed(6))
            for value in (0, -1, np.nan, np.inf)
        ],
        ({"zero_points": []}, "the weights have 6 scales and 0 zero points"),
        ({"zero_points": [0] * 5}, "the weights have 6 scales and 5 zero points"),
        ({"zero_points": [0] * 7}, "the weights have 6 scales and 7 zero points"),
        ({"scales": [1], "zero_points": [0, 0]}, "the weights have 1 scales and 2 zero points"),
        ({"quantized_dimension": 1}, "the weights' scales do not run along the outputs"),
    ],
)
def test_weights_of_other_scales(fields: dict[str, Any], message: str) -> None:
    check(tensor("w1", **fields), f"operator 0 (FULLY_CONNECTED): {message}")


def found(scales: int, zero_points: int) -> str:
    return f"an activation has {scales} scales and {zero_points} zero points: one of each is needed"


@pytest.mark.parametrize("name", ["input", "layer1"])
@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"scales": None}, found(0, 0)),
        ({"scales": [1, 1]}, found(2, 1)),
        ({"zero_points": []}, found(1, 0)),
        ({"zero_points": [0, 0]}, found(1, 2)),
        ({"scales": [0], "zero_points": [5]}, "an activation has scale 0 and zero point 5"),
        ({"scales": [-1], "zero_points": [5]}, "an activation has scale -1 and zero point 5"),
        ({"scales": [np.nan], "zero_points": [5]}, "an activation has scale nan and zero point 5"),
        ({"scales": [np.inf], "zero_points": [5]}, "an activation has scale inf and zero point 5"),
        ({"scales": [2], "zero_points": [128]}, "an activation has scale 2 and zero point 128"),
        ({"scales": [2], "zero_points": [-129]}, "an activation has scale 2 and zero point -129"),
        (
            {"scales": [2], "zero_points": [-(2**63)]},
            "an activation has scale 2 and zero point -9223372036854775808",
        ),
    ],
)
def test_activations_of_other_quantizations(
    name: str, fields: dict[str, Any], message: str
) -> None:
    check(tensor(name, **fields), f"operator 0 (FULLY_CONNECTED): {message}")


@pytest.mark.parametrize("fields", [{"scales": [1 / 255]}, {"zero_points": [0]}])
def test_a_probability_of_another_quantization(fields: dict[str, Any]) -> None:
    fields = {**PROBABLE, **fields}
    message = "a LOGISTIC output must have scale 1/256 and zero point -128"
    check(insert(2, LOGISTIC, "layer2", **fields), f"operator 2 (LOGISTIC): {message}")
    message = "its output must have scale 1/256 and zero point -128"
    change = both(softmax(2, "layer2"), tensor("new", **fields))
    check(change, f"operator 2 (SOFTMAX): {message}")


@pytest.mark.parametrize("options", [{}, softmax_options(0.0), softmax_options(-1.0)])
def test_a_softmax_without_a_usable_beta(options: dict[str, Any]) -> None:
    file = two_layers()
    file.insert(2, SOFTMAX, replace(file.tensor("layer2"), **PROBABLE), **options)
    assert refusal(file).startswith("operator 2 (SOFTMAX): a softmax of beta ")


def test_a_softmax_of_more_classes_than_tflite_micros_arithmetic_holds_for() -> None:
    model = layered([1, 512], [("linear", ())])
    file = describe(model)
    file.insert(1, SOFTMAX, activation("softmax", 512, PROBABILITY), **softmax_options(1.0))
    message = "a softmax of 512 classes: TensorFlow Lite Micro's arithmetic holds for 511 at most"
    assert refusal(file) == message


def test_a_reshape_that_changes_what_codes_mean() -> None:
    message = "operator 1 (RESHAPE): its input and output have different types or quantizations"
    for fields in ({"scales": [3]}, {"zero_points": [7]}, {"scales": None}, {"type": UINT8}):
        check(insert(1, RESHAPE, "layer1", **fields), message)


def test_bytes_that_are_not_the_codes_plus_128() -> None:
    message = "its uint8 codes are not the int8 ones plus 128"
    for fields in ({"scales": [3]}, {"zero_points": [7]}):
        change = both(File.uint8_input, tensor("input", **fields))
        check(change, f"operator 0 (QUANTIZE): {message}")
        change = both(File.uint8_output, tensor("bytes", **fields))
        check(change, f"operator 2 (QUANTIZE): {message}")


def test_edges_of_other_types() -> None:
    change = both(File.float_input, tensor("codes", type=INT16))
    check(change, f"operator 0 (QUANTIZE): {of_int8('INT16')}")
    change = both(File.uint8_output, operator(2, code=DEQUANTIZE))
    check(change, f"operator 2 (DEQUANTIZE): {NOT_HERE}")
    change = both(File.float_output, operator(2, code=QUANTIZE))
    check(change, f"operator 2 (QUANTIZE): {of_int8('FLOAT32')}")


def one_scale() -> File:
    """Weights with one scale, for which TensorFlow Lite Micro looks at the bias's."""
    file = two_layers()
    weights, bias = file.tensor("w2"), file.tensor("b2")
    source, target = file.tensor("layer1").scales[0], file.tensor("layer2").scales[0]
    weights.scales, weights.zero_points = [target / source], [0]  # a factor of 1
    bias.scales, bias.zero_points = [target], [0]
    return file


REJECTED = [{"scales": [7.0]}, {"zero_points": []}, {"scales": None}]


@pytest.mark.parametrize("fields", REJECTED)
def test_a_bias_whose_scale_is_not_the_product_of_the_others(fields: dict[str, Any]) -> None:
    file = one_scale()
    tflite.from_bytes(file.write())
    vars(file.tensor("b2")).update(fields)
    message = "the bias's scale is not that of the input times that of the weights"
    assert refusal(file) == f"operator 1 (FULLY_CONNECTED): {message}"


def test_tflite_micro_rejects_that_bias_too(tmp_path: Path) -> None:
    require("tflite_micro")
    command = [sys.executable, "-c", JUDGE, tmp_path]
    for fields in [{}, *REJECTED]:
        file = one_scale()
        vars(file.tensor("b2")).update(fields)
        (tmp_path / "model.tflite").write_bytes(file.write())
        np.save(tmp_path / "model.npy", np.zeros((1, 1, 3), np.int8))
        done = subprocess.run(command, capture_output=True, text=True)
        assert (done.returncode != 0) == bool(fields)
        assert not fields or "scale_diff / output_scale <= 0.02" in done.stderr


def test_sums_beyond_32_bits() -> None:
    file = two_layers()
    file.tensor("b2").data = np.full(4, 2**31 - 1, "<i4").tobytes()
    assert refusal(file).startswith("layer 2, output 0: its accumulator can leave 32 bits")
