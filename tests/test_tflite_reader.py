"""Files as other people's converters write them run as TensorFlow Lite Micro runs them.

Every file is built part by part with ``tflite_files``. TensorFlow Lite Micro runs its very bytes,
and numpy and C, which run what was read from it, give the same outputs.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from conftest import require
from tflite_files import (
    FLOAT,
    INT64,
    RESHAPE,
    UINT8,
    File,
    Tensor,
    assert_same,
    describe,
    layered,
    softmax_options,
)

import scratchml as sml
from scratchml import tflite
from scratchml.affine import PROBABILITY

Rows = npt.NDArray[Any]

PLAIN = [("relu", ()), ("linear", ())]
TYPES = {"INT8": np.int8, "UINT8": np.uint8, "FLOAT32": np.float32}


def plain(*, softmax: bool = False) -> File:
    """Two layers; the operators are FULLY_CONNECTED, FULLY_CONNECTED and perhaps SOFTMAX."""
    return describe(layered([3, 6, 4], PLAIN, softmax=softmax))


# --- files that are read -----------------------------------------------------------------------


def fused() -> Iterator[tuple[str, File]]:
    for kind in ("linear", "relu", "relu6", "relu_n1_to_1"):
        yield f"{kind} in every layer", describe(layered([3, 6, 5, 4], [(kind, ())] * 3, 1))


def biases_and_scales() -> Iterator[tuple[str, File]]:
    file = plain()
    for operator in file.operators:
        del operator.inputs[2]
    yield "no bias among the inputs", file
    file = plain()
    for operator in file.operators:
        operator.inputs[2] = -1
    yield "a bias of -1", file

    def one_scale(file: File, number: int) -> None:
        weights, bias = file.tensor(f"w{number}"), file.tensor(f"b{number}")
        weights.scales, weights.zero_points = weights.scales[:1], [0]
        bias.scales, bias.zero_points = bias.scales[:1], [0]

    file = plain()
    one_scale(file, 1)
    one_scale(file, 2)
    yield "one scale a tensor", file
    file = plain()
    one_scale(file, 1)
    file.operators[0].inputs[2] = -1
    yield "one scale a tensor, without a bias", file
    file = plain()
    for name in ("w1", "b1", "w2", "b2"):
        file.tensor(name).zero_points = [0]
    yield "one zero point for all scales", file
    file = plain()
    file.tensor("b1").scales = None
    yield "biases without a scale", file
    file = describe(layered([3, 6, 1], PLAIN))
    file.tensor("b2").shape = ()
    yield "a bias that is a scalar", file
    file = plain()
    weights = file.tensor("w1")
    assert weights.data is not None
    weights.data = np.array(-128, np.int8).tobytes() * 3 + weights.data[3:]
    yield "weights of -128", file


def elementwise() -> Iterator[tuple[str, File]]:
    for kind in ("relu", "relu6", "logistic", "quantize"):
        kinds = [("linear", (kind,)), ("linear", ())]
        yield f"{kind} between layers", describe(layered([3, 6, 4], kinds, 2))
        kinds = [("linear", ()), ("linear", (kind,))]
        yield f"{kind} at the end", describe(layered([3, 6, 4], kinds, 3))
    several = ("relu", "quantize", "relu6", "quantize", "logistic", "quantize", "relu")
    yield "seven in a row", describe(layered([3, 6, 4], [("linear", several), ("linear", ())]))
    kinds = [("relu6", ("quantize", "relu")), ("relu", ("relu6",)), ("linear", ("relu6", "relu"))]
    yield "after fused ones", describe(layered([3, 6, 5, 4], kinds))
    kinds = [("linear", ("logistic",)), ("linear", ("logistic", "logistic"))]
    yield "sigmoids of sigmoids", describe(layered([3, 6, 4], kinds))


def heads() -> Iterator[tuple[str, File]]:
    for classes in (1, 2, 10, 100):
        model = layered([3, 6, classes], PLAIN, classes + 1, softmax=True)
        yield f"softmax of {classes}", describe(model)
    for beta in (0.25, 3.0):
        file = plain(softmax=True)
        vars(file.operators[2]).update(softmax_options(beta))
        yield f"softmax of beta {beta}", file
    kinds = [("relu", ()), ("linear", ("quantize", "logistic"))]
    yield "softmax after operators", describe(layered([3, 6, 4], kinds, softmax=True))


def shapes() -> Iterator[tuple[str, File]]:
    file = plain(softmax=True)
    for name, places in {"softmax": 3, "layer2": 2, "layer1": 1, "input": 0}.items():
        shape = file.tensor(name).shape
        # there and back, at each place; from the end on, so that places stay what they are
        file.insert(places, RESHAPE, replace(file.tensor(name), name="a", shape=(1, 1, *shape)))
        file.insert(places + 1, RESHAPE, replace(file.tensor(name), name="b"))
    yield "RESHAPE everywhere", file
    file = plain()
    file.insert(0, RESHAPE, replace(file.tensor("input"), name="row"))
    file.tensor("input").shape = (1, 3, 1, 1)
    yield "an image", file
    file = plain()
    file.insert(0, RESHAPE, replace(file.tensor("input"), name="row"))
    file.float_input()
    file.float_output()
    for name in ("input", "codes"):
        file.tensor(name).shape = (1, 1, 3)
    file.insert(5, RESHAPE, replace(file.tensor("real"), name="square", shape=(1, 2, 2)))
    yield "an image of floats", file
    for change in (File.float_input, None):
        file = plain()
        file.insert(0, RESHAPE, replace(file.tensor("input"), name="row"))
        if change:
            change(file)
        for name in ("input", "codes") if change else ("input",):
            file.tensor(name).shape = (1, 3, 1)
        file.insert(len(file.operators), RESHAPE, replace(file.tensor("layer2"), name="last"))
        for place in (len(file.operators) - 1, 1 if change else 0):
            file.computed_shape(place)
        yield "computed shapes" + (", floats" if change else ""), file
    file = plain()
    file.insert(1, RESHAPE, replace(file.tensor("layer1"), name="beside", shape=(2, 3)))
    file.operators[2].inputs[0] = file.index("layer1")
    yield "a RESHAPE that nobody reads", file
    file = plain(softmax=True)
    for tensor in file.tensors:
        if tensor.data is None:
            tensor.shape = (1, 1, *tensor.shape)
    yield "dimensions that are kept", file
    file = plain(softmax=True)
    for tensor in file.tensors:
        if tensor.data is None:
            tensor.shape = tensor.shape[1:]
    yield "rows of one dimension", file
    file = plain(softmax=True)
    for tensor in file.tensors:
        if tensor.data is None:
            tensor.signature = (-1, *tensor.shape[1:])
    yield "a dynamic batch", file


def edges() -> Iterator[tuple[str, File]]:
    changes: dict[str, tuple[Callable[[File], None], ...]] = {
        "floats": (File.float_input, File.float_output),
        "floats in": (File.float_input,),
        "floats out": (File.float_output,),
        "uint8": (File.uint8_input, File.uint8_output),
        "uint8 in": (File.uint8_input,),
        "uint8 out": (File.uint8_output,),
        "uint8 in, floats out": (File.uint8_input, File.float_output),
    }
    for name, steps in changes.items():
        for softmax in (False, True):
            file = plain(softmax=softmax)
            for step in steps:
                step(file)
            yield f"{name}, softmax" if softmax else name, file
    kinds = [("linear", ()), ("linear", ("relu", "quantize"))]
    file = describe(layered([3, 6, 4], kinds))
    file.float_input()
    file.float_output()
    yield "floats, after operators", file


def writers() -> Iterator[tuple[str, File]]:
    file = plain()
    for operator in file.operators:
        operator.options, operator.options_type = None, 0
    yield "no tables of options", replace(file, metadata=[])
    everything = [("linear", ("relu", "quantize")), ("linear", ("logistic",))]
    for fields in ("old", "new"):
        file = describe(layered([3, 6, 4], everything))
        file.float_input()
        file.float_output()
        file.code_fields = fields
        yield f"operator codes in the {fields} field", file
    tools = [("min_runtime_version", b"2.14.0".ljust(16, b"\0")), ("CONVERSION_METADATA", b"\x10")]
    yield "metadata of other tools", replace(plain(), metadata=tools)
    yield "several signatures", replace(plain(), signatures=3)
    file = plain()
    file.tensors += [Tensor("unused floats", (9, 9, 9), FLOAT), Tensor("unused", (2, 3), INT64)]
    yield "tensors that no operator names", file


FILES = {
    name: file
    for family in (fused, biases_and_scales, elementwise, heads, shapes, edges, writers)
    for name, file in family()
}

each_file = pytest.mark.parametrize("name", FILES)


def rows_for(file: File, n: int = 300) -> Rows:
    """Codes of all sizes; floats that are such codes, ties between two, their neighbours, and
    others far beyond the range, but within 2^31 steps: casting more to an integer is undefined."""
    first, rng = file.tensors[file.inputs[0]], np.random.default_rng(0)
    shape = n, *first.shape
    if first.type != FLOAT:
        low = 0 if first.type == UINT8 else -128
        return rng.integers(low, low + 256, shape).astype(np.uint8 if low == 0 else np.int8)
    codes = next(tensor for tensor in file.tensors if tensor.name == "codes")
    steps = (rng.integers(-300, 300, shape) - codes.zero_points[0]).astype(np.float32)
    values = (steps / np.float32(2)) * np.float32(codes.scales[0])
    nudged = np.nextafter(values, rng.choice([-np.inf, np.inf], shape).astype(np.float32))
    values = np.where(rng.random(shape) < 0.5, values, nudged)
    return np.where(rng.random(shape) < 0.02, values * np.float32(1e6), values)


def run(data: bytes, rows: Rows, engine: bool) -> Rows:
    """What was read from a file, on rows as the file's input has them; ``[n, outputs]`` as its
    output has them."""
    file = tflite.read(data)
    model, flat = file.model, rows.reshape(len(rows), -1)
    assert rows.dtype == TYPES[file.input_type]
    codes = flat
    if file.input_type == "FLOAT32":
        codes = model.layers[0].source.codes(flat)
    elif file.input_type == "UINT8":
        codes = (flat.astype(np.int16) - 128).astype(np.int8)
    if engine:
        with sml.Engine(model) as c:
            outputs = c.run(codes)
    else:
        outputs = model.run(codes)
    if file.output_type == "FLOAT32":
        return model.output_quantization.real(outputs)
    shift = 128 if file.output_type == "UINT8" else 0
    return (outputs.astype(np.int16) + shift).astype(TYPES[file.output_type])


#: What one process does with every model of a folder; rows and outputs in the file's own types.
JUDGE = """
import sys
from pathlib import Path

import numpy as np
from tflite_micro import runtime

for path in sorted(Path(sys.argv[1]).glob("*.tflite")):
    interpreter = runtime.Interpreter.from_file(str(path))
    outputs = []
    for row in np.load(path.with_suffix(".npy")):
        interpreter.set_input(row, 0)
        interpreter.invoke()
        outputs.append(interpreter.get_output(0).ravel().copy())
    np.save(path.with_suffix(".output.npy"), np.array(outputs))
"""


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Rows]:
    """What TensorFlow Lite Micro makes of every file; one process for all of them."""
    require("tflite_micro")
    folder = tmp_path_factory.mktemp("files")
    paths = {name: folder / f"{number:03}.tflite" for number, name in enumerate(FILES)}
    for name, path in paths.items():
        path.write_bytes(FILES[name].write())
        np.save(path.with_suffix(".npy"), rows_for(FILES[name]))
    done = subprocess.run([sys.executable, "-c", JUDGE, folder], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {name: np.load(path.with_suffix(".output.npy")) for name, path in paths.items()}


@each_file
def test_a_file_runs_as_tflite_micro_runs_it(name: str, judged: dict[str, Rows]) -> None:
    data, rows, expected = FILES[name].write(), rows_for(FILES[name]), judged[name]
    outputs = run(data, rows, engine=False)
    assert (outputs.dtype, outputs.shape) == (expected.dtype, expected.shape)
    assert outputs.tobytes() == expected.tobytes()
    assert run(data, rows, engine=True).tobytes() == expected.tobytes()


@each_file
def test_the_outputs_are_varied_enough_to_prove_something(name: str) -> None:
    outputs = run(FILES[name].write(), rows_for(FILES[name]), engine=False)
    assert len(np.unique(outputs, axis=0)) >= (1 if name == "softmax of 1" else 40)


@each_file
def test_what_was_read_is_written_and_read_again(name: str) -> None:
    model = tflite.from_bytes(FILES[name].write())
    data = tflite.to_bytes(model)
    assert_same(tflite.from_bytes(data), model)


def test_a_file_says_what_its_edges_and_operators_are() -> None:
    file = tflite.read(FILES["uint8 in, floats out, softmax"].write())
    assert (file.input_type, file.output_type) == ("UINT8", "FLOAT32")
    dense = "FULLY_CONNECTED"
    assert file.operators == ("QUANTIZE", dense, dense, "SOFTMAX", "DEQUANTIZE")
    assert tflite.read(plain().write()).operators == (dense, dense)


def test_the_edges_and_shapes_are_not_the_models() -> None:
    model = layered([3, 6, 4], PLAIN)
    for name in ("floats", "uint8", "an image", "an image of floats", "no tables of options"):
        again = tflite.from_bytes(FILES[name].write())
        same = replace(again.layers[0], activation="relu"), *again.layers[1:]
        assert_same(replace(again, layers=same), model)


def test_scales_and_biases_are_filled_in() -> None:
    model = layered([3, 6, 4], PLAIN)
    for name in ("no bias among the inputs", "a bias of -1"):
        for layer in tflite.from_bytes(FILES[name].write()).layers:
            assert layer.bias.dtype == np.int32 and layer.bias.shape == (len(layer.weights),)
            assert not layer.bias.any()
    for layer, given in zip(
        tflite.from_bytes(FILES["one scale a tensor"].write()).layers, model.layers, strict=True
    ):
        assert (layer.weight_scales == given.weight_scales[0]).all()
        assert layer.weight_scales.shape == given.weight_scales.shape
        assert (layer.weights == given.weights).all() and (layer.bias == given.bias).all()


def test_what_follows_a_layer_is_read_in_its_order() -> None:
    layer = tflite.from_bytes(FILES["seven in a row"].write()).layers[0]
    kinds = ["relu", "quantize", "relu6", "quantize", "logistic", "quantize", "relu"]
    assert [function.kind for function in layer.following] == kinds
    ends = [layer.target, *(function.target for function in layer.following)]
    assert [function.source for function in layer.following] == ends[:-1]
    assert ends[5] == PROBABILITY
