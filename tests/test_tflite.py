"""The ``.tflite`` file: what is written comes back, and nothing else comes in.

Files are damaged at every length and at tens of thousands of places: each is either refused with
one clear error or is a model that runs, in C as in exact arithmetic. Files that hold something else
than an int8 perceptron are built with the writer, one deviation at a time.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import numpy.typing as npt
import pytest
from conftest import random_model, require
from flatbuffers import number_types as N
from hypothesis import given, settings
from hypothesis import strategies as st
from test_parity import judge
from test_quantize import exact_outputs, quantized

import scratchml as sml
from scratchml import oracle, tflite
from scratchml.dataset import Scaler
from scratchml.quantized import PROBABILITY, QuantizedMLP

Int8 = npt.NDArray[np.int8]


def assert_same(one: QuantizedMLP, other: QuantizedMLP) -> None:
    """Equal in every field that a file holds."""
    assert len(one.layers) == len(other.layers)
    for a, b in zip(one.layers, other.layers, strict=True):
        for name in ("weights", "weight_scales", "bias"):
            left, right = getattr(a, name), getattr(b, name)
            assert left.dtype == right.dtype and left.shape == right.shape
            assert (left == right).all()
        assert (a.source, a.target, a.relu) == (b.source, b.target, b.relu)
    assert one.logistic == other.logistic
    assert one.scaler == other.scaler
    assert one.threshold == other.threshold
    assert one.metadata == other.metadata


# --- a second writer -------------------------------------------------------------------------


@dataclass
class Tensor:
    """A tensor's fields; ``scales`` of ``None`` leaves its quantization out."""

    name: str
    shape: tuple[int, ...]
    type: int = 9  # int8
    data: bytes | None = None
    scales: Any = None
    zero_points: Any = ()
    quantized_dimension: int = 0


@dataclass
class Operator:
    code: int
    inputs: list[int]
    outputs: list[int]
    activation: int | None = None  # of a fully connected layer
    weights_format: int = 0


@dataclass
class File:
    """A file in parts that a test can change one by one, written without ``tflite.writer``."""

    tensors: list[Tensor]
    operators: list[Operator]
    inputs: list[int]
    outputs: list[int]
    metadata: list[tuple[str, bytes]]
    subgraphs: int = 1

    def index(self, name: str) -> int:
        return [tensor.name for tensor in self.tensors].index(name)

    def tensor(self, name: str) -> Tensor:
        return self.tensors[self.index(name)]

    def write(self) -> bytes:
        """The FlatBuffer; slots as in TensorFlow's schema.fbs."""
        builder = flatbuffers.Builder()

        def table(offsets: dict[int, int], **scalars: tuple[int, Any]) -> int:
            builder.StartObject(12)
            for slot, offset in offsets.items():
                builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
            for kind, (slot, value) in scalars.items():
                getattr(builder, f"Prepend{kind}Slot")(slot, value, 0)
            return int(builder.EndObject())

        def numbers(values: Any, dtype: str) -> int:
            return int(builder.CreateNumpyVector(np.array(values, dtype)))

        def tables(offsets: list[int]) -> int:
            builder.StartVector(4, len(offsets), 4)
            for offset in reversed(offsets):
                builder.PrependUOffsetTRelative(offset)
            return int(builder.EndVector())

        buffers = [table({})]
        tensors = []
        for t in self.tensors:
            offsets = {0: numbers(t.shape, "<i4"), 3: builder.CreateString(t.name)}
            if t.scales is not None:
                scales, zero_points = numbers(t.scales, "<f4"), numbers(t.zero_points, "<i8")
                offsets[4] = table({2: scales, 3: zero_points}, Int32=(6, t.quantized_dimension))
            if t.data is not None:
                buffers.append(table({0: builder.CreateByteVector(t.data)}))
            buffer = 0 if t.data is None else len(buffers) - 1
            tensors.append(table(offsets, Int8=(1, t.type), Uint32=(2, buffer)))

        codes = sorted({operator.code for operator in self.operators})
        operators = []
        for o in self.operators:
            offsets = {1: numbers(o.inputs, "<i4"), 2: numbers(o.outputs, "<i4")}
            kind = 0
            if o.activation is not None:
                kind, offsets[4] = 8, table({}, Int8=(0, o.activation), Uint8=(1, o.weights_format))
            operators.append(table(offsets, Uint32=(0, codes.index(o.code)), Uint8=(3, kind)))

        entries = []
        for name, text in self.metadata:
            buffers.append(table({0: builder.CreateByteVector(text)}))
            entries.append(table({0: builder.CreateString(name)}, Uint32=(1, len(buffers) - 1)))

        parts = [tables(tensors), numbers(self.inputs, "<i4"), numbers(self.outputs, "<i4")]
        graph = table(dict(enumerate([*parts, tables(operators)])))
        # 127 in the old field of 8 bits says: look at the new one
        code_tables = [table({}, Int8=(0, min(c, 127)), Int32=(3, c)) for c in codes]
        root = {1: tables(code_tables), 2: tables([graph] * self.subgraphs), 4: tables(buffers)}
        if self.metadata:
            root[6] = tables(entries)
        builder.Finish(table(root, Uint32=(0, 3)), file_identifier=b"TFL3")
        return bytes(builder.Output())


def describe(model: QuantizedMLP) -> File:
    """The parts of a model's file; its tensors are input, w1, b1, layer1, w2, ..., probability."""
    first = model.layers[0].source
    tensors = [Tensor("input", (1, model.inputs), 9, None, [first.scale], [first.zero_point])]
    operators = []
    for number, layer in enumerate(model.layers, start=1):
        source, outputs = len(tensors) - 1, len(layer.bias)
        bias_scales = np.float32(layer.source.scale) * layer.weight_scales
        zeros, target = [0] * len(layer.weight_scales), layer.target
        weights, bias = layer.weights.tobytes(), layer.bias.astype("<i4").tobytes()
        tensors += [
            Tensor(f"w{number}", layer.weights.shape, 9, weights, layer.weight_scales, zeros),
            Tensor(f"b{number}", (outputs,), 2, bias, bias_scales, zeros),
            Tensor(f"layer{number}", (1, outputs), 9, None, [target.scale], [target.zero_point]),
        ]
        inputs = [source, source + 1, source + 2]
        operators.append(Operator(9, inputs, [source + 3], int(layer.relu)))
    if model.logistic:
        last, shape = len(tensors) - 1, (1, model.outputs)
        scale, zero_point = PROBABILITY.scale, PROBABILITY.zero_point
        tensors.append(Tensor("probability", shape, 9, None, [scale], [zero_point]))
        operators.append(Operator(14, [last], [last + 1]))
    text = json.dumps({**model.metadata, "threshold": model.threshold}).encode()
    return File(tensors, operators, [0], [len(tensors) - 1], [("scratchml", text)])


# --- there and back --------------------------------------------------------------------------

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
means = st.floats(-1e4, 1e4)
scalers = st.integers(1, 3).flatmap(
    lambda n: st.builds(
        Scaler,
        *(st.tuples(*[of] * n) for of in (st.text(), st.text(), st.integers(1, 10_000), means)),
        st.tuples(*[st.floats(1e-3, 1e3)] * n),
    )
)


@given(
    sizes=st.lists(st.integers(1, 9), min_size=2, max_size=5),
    seed=st.integers(0, 10_000),
    logistic=st.booleans(),
    relus=st.lists(st.booleans(), min_size=4, max_size=4),
    windows=st.integers(1, 3),
    scaler=st.none() | scalers,
    threshold=st.floats(1 / 256, 255 / 256),
    metadata=st.dictionaries(st.text(min_size=1), json_values, max_size=3).filter(
        lambda values: not {"features", "threshold"} & set(values)
    ),
)
@settings(deadline=None, max_examples=150)
def test_a_model_comes_back_equal_in_every_field(
    sizes: list[int],
    seed: int,
    logistic: bool,
    relus: list[bool],
    windows: int,
    scaler: Scaler | None,
    threshold: float,
    metadata: Mapping[str, Any],
) -> None:
    if scaler is not None:
        sizes = [windows * len(scaler.names), *sizes[1:]]
    layers = tuple(
        replace(layer, relu=relu)
        for layer, relu in zip(quantized(sizes, seed).layers, relus, strict=False)
    )
    model = QuantizedMLP(layers, logistic, scaler, threshold, metadata)
    data = tflite.to_bytes(model)
    again = tflite.from_bytes(data)
    assert_same(model, again)
    assert tflite.to_bytes(again) == data


def test_the_snow_model_comes_back_from_a_file(model: QuantizedMLP, tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "snow.tflite"
    model.save(path)
    again = QuantizedMLP.load(path)
    assert_same(model, again)
    assert again.features is not None and model.features is not None
    for name, values in asdict(model.features).items():
        assert (getattr(again.features, name) == values).all()


def test_an_error_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "odd.tflite"
    path.write_bytes(b"not one")
    with pytest.raises(sml.ScratchmlError, match=r"odd\.tflite: this is not a \.tflite file"):
        QuantizedMLP.load(path)
    with pytest.raises(FileNotFoundError):
        QuantizedMLP.load(tmp_path / "nothing.tflite")


def test_the_same_model_gives_the_same_bytes() -> None:
    first, second = (random_model([5, 8, 2], 3) for _ in range(2))
    assert tflite.to_bytes(first) == tflite.to_bytes(second) == tflite.to_bytes(first)
    assert tflite.to_bytes(first) != tflite.to_bytes(random_model([5, 8, 2], 4))


def test_one_scale_for_all_rows_is_read_as_one_for_each() -> None:
    require("tflite_micro")
    layer = random_model([4, 3], 5).layers[0]
    scale = np.float32(0.01)
    file = describe(QuantizedMLP((layer,)))
    vars(file.tensor("w1")).update(scales=[scale], zero_points=[0])
    vars(file.tensor("b1")).update(scales=[np.float32(layer.source.scale) * scale], zero_points=[0])
    model = tflite.from_bytes(file.write())
    assert_same(model, QuantizedMLP((replace(layer, weight_scales=np.full(3, scale)),)))
    rows = np.random.default_rng(0).integers(-128, 128, (500, 4), np.int8)
    assert (judge([(file.write(), rows)])[0] == model.run(rows)).all()


# --- the format itself -----------------------------------------------------------------------


def test_the_file_says_what_it_is() -> None:
    data = tflite.to_bytes(random_model([2, 3, 1], 0))
    assert data[4:8] == b"TFL3"
    root = tflite.reader._Node(data, 0).follow(0)
    assert root.scalar(0, N.Uint32Flags) == 3  # the schema's version
    assert len(root.tables(2)) == 1
    assert [code.scalar(3, N.Int32Flags) for code in root.tables(1)] == [9, 14]
    assert [code.scalar(0, N.Int8Flags) for code in root.tables(1)] == [9, 14]  # for old readers


@pytest.mark.parametrize("sizes", [[1, 1], [2, 3, 1], [7, 13, 5], [6, 12, 1]])
def test_every_buffer_starts_at_a_multiple_of_16(sizes: list[int]) -> None:
    data = tflite.to_bytes(random_model(sizes, 0))
    root = tflite.reader._Node(data, 0).follow(0)
    buffers = root.tables(4)
    starts = [start for start, length in (node._vector(0, 1) for node in buffers) if length]
    assert len(starts) == 2 * (len(sizes) - 1) + 1  # weights and biases, metadata
    assert [start % 16 for start in starts] == [0] * len(starts)
    assert buffers[0]._vector(0, 1) == (0, 0)  # the one that stands for "no data"


def test_tflite_micro_loads_what_is_written(model: QuantizedMLP) -> None:
    require("tflite_micro")
    plain = random_model([3, 5, 4], 1)
    models = [model, plain, replace(plain, logistic=False), random_model([1, 1], 2)]
    rng = np.random.default_rng(0)
    rows = [rng.integers(-128, 128, (300, m.inputs), np.int8) for m in models]
    judged = judge(list(zip(models, rows, strict=True)))
    for m, x, expected in zip(models, rows, judged, strict=True):
        assert (m.run(x) == expected).all()
    assert (oracle.run(model, rows[0]) == judged[0]).all()


# --- damaged files ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def healthy() -> bytes:
    """A small file in which every kind of part occurs."""
    return tflite.to_bytes(with_everything())


def with_everything() -> QuantizedMLP:
    scaler = Scaler(("t", "h"), ("C", "%"), (100, 100), (1.5, 60.0), (8.0, 20.0))
    return replace(random_model([2, 3, 1], 0), scaler=scaler, metadata={"seed": 0})


def read_or_refuse(data: bytes, rows: Int8) -> bool:
    """Whether the file is a model; if so, it must run, the same everywhere."""
    try:
        model = tflite.from_bytes(data)
    except sml.ScratchmlError as error:
        assert str(error) and "\n" not in str(error)
        return False
    inputs = np.resize(rows, (len(rows), model.inputs))
    outputs = model.run(inputs)
    assert outputs.tolist() == exact_outputs(model, inputs)
    with sml.Engine(model) as engine:
        assert (engine.run(inputs) == outputs).all()
    assert tflite.from_bytes(tflite.to_bytes(model)).sizes == model.sizes
    return True


def test_a_file_that_ends_early_is_refused(healthy: bytes) -> None:
    for length in range(len(healthy)):
        with pytest.raises(sml.ScratchmlError):
            tflite.from_bytes(healthy[:length])


def test_bytes_after_the_end_do_no_harm(healthy: bytes) -> None:
    assert_same(tflite.from_bytes(healthy + b"\xff" * 100), with_everything())


@pytest.mark.parametrize("beyond", [1, 2, 3, 4, 5])
def test_a_vector_that_reaches_past_the_end_is_refused(healthy: bytes, beyond: int) -> None:
    start, _ = tflite.reader._Node(healthy, 0).follow(0).tables(4)[1]._vector(0, 1)
    damaged = bytearray(healthy)
    struct.pack_into("<I", damaged, start - 4, len(healthy) - start + beyond)
    with pytest.raises(sml.ScratchmlError, match="a vector reaches past its end"):
        tflite.from_bytes(bytes(damaged))


def damage(rng: np.random.Generator, data: bytes, times: int) -> tuple[int, int]:
    """Change one to four bytes, ``times`` times; how many were models still, and how many not."""
    rows = rng.integers(-128, 128, (2, 2)).astype(np.int8)
    special = np.array([0, 1, 2, 4, 127, 128, 254, 255])
    models = 0
    for _ in range(times):
        damaged = np.frombuffer(data, np.uint8).copy()
        places = rng.integers(0, len(data), rng.integers(1, 5))
        anything = rng.integers(0, 256, len(places))
        damaged[places] = np.where(
            rng.random(len(places)) < 0.5, rng.choice(special, len(places)), anything
        )
        models += read_or_refuse(damaged.tobytes(), rows)
    return models, times - models


def test_a_thousand_damaged_files(healthy: bytes) -> None:
    models, refused = damage(np.random.default_rng(0), healthy, 1000)
    assert models > 50 and refused > 500  # both ends of the road are travelled


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 5))
def test_twenty_thousand_damaged_files(healthy: bytes, seed: int) -> None:
    models, refused = damage(np.random.default_rng(seed), healthy, 5000)
    assert models > 250 and refused > 2500


def test_every_offset_length_and_count_may_be_any_32_bits(healthy: bytes) -> None:
    rows = np.array([[5, -6]], np.int8)
    for place in range(0, len(healthy) - 3, 4):
        for value in (0, 0x7FFFFFFF, 0xFFFFFFFC, len(healthy)):
            damaged = bytearray(healthy)
            struct.pack_into("<I", damaged, place, value)
            read_or_refuse(bytes(damaged), rows)


@given(data=st.binary(max_size=200))
@settings(deadline=None, max_examples=300)
def test_any_bytes_behind_the_identifier_are_refused(data: bytes) -> None:
    with pytest.raises(sml.ScratchmlError):
        tflite.from_bytes(data)
    with pytest.raises(sml.ScratchmlError):
        tflite.from_bytes(data[:4] + b"TFL3" + data[4:])


# --- files that hold something else ----------------------------------------------------------


def test_the_description_that_the_next_tests_change_is_a_model() -> None:
    model = replace(random_model([2, 3, 2], 0), metadata={"seed": 0})
    assert_same(tflite.from_bytes(describe(model).write()), model)


def operator(index: int, **fields: Any) -> Callable[[File], None]:
    return lambda file: vars(file.operators[index]).update(fields)


def tensor(name: str, **fields: Any) -> Callable[[File], None]:
    return lambda file: vars(file.tensor(name)).update(fields)


def graph(**fields: Any) -> Callable[[File], None]:
    return lambda file: vars(file).update(fields)


def insert_logistic(file: File) -> None:
    """A sigmoid between the layers."""
    file.tensors.append(Tensor("middle", (1, 3), scales=[1 / 256], zero_points=[-128]))
    middle = len(file.tensors) - 1
    file.operators.insert(1, Operator(14, [file.index("layer1")], [middle]))
    file.operators[2].inputs[0] = middle


INT4, UINT8, FLOAT, INT16, INT64 = 17, 3, 0, 7, 4

UNSUPPORTED: dict[str, tuple[Callable[[File], None], str]] = {
    "no subgraph": (graph(subgraphs=0), "the file has 0 subgraphs instead of 1"),
    "two subgraphs": (graph(subgraphs=2), "the file has 2 subgraphs instead of 1"),
    "two inputs": (graph(inputs=[0, 1]), "one input and one output"),
    "no input": (graph(inputs=[]), "one input and one output"),
    "two outputs": (graph(outputs=[0, 1]), "one input and one output"),
    "no operator": (graph(operators=[]), "do not lead from the input to the output"),
    "output in the middle": (graph(outputs=[3]), "do not lead from the input to the output"),
    "softmax": (operator(2, code=25), r"operator 2 \(code 25\) is not supported"),
    "custom operator": (operator(1, code=32), r"operator 1 \(code 32\) is not supported"),
    "operator beyond 127": (operator(0, code=150), r"operator 0 \(code 150\) is not supported"),
    "sigmoid first": (operator(0, code=14), r"operator 0 \(code 14\) is not supported"),
    "sigmoid in the middle": (insert_logistic, "operator 2 does not continue one chain"),
    "chain broken": (operator(1, inputs=[0, 4, 5]), "operator 1 does not continue one chain"),
    "operator without input": (operator(1, inputs=[]), "operator 1 does not continue one chain"),
    "operator with two outputs": (operator(1, outputs=[6, 7]), "operator 1 does not continue"),
    "no bias": (operator(0, inputs=[0, 1]), "operator 0: FULLY_CONNECTED needs .* a bias"),
    "a fourth input": (operator(0, inputs=[0, 1, 2, 2]), "operator 0: FULLY_CONNECTED needs"),
    "no such tensor": (operator(0, inputs=[0, 1, 99]), "no item 99"),
    "RELU_N1_TO_1": (operator(0, activation=2), "operator 0: fused activation 2"),
    "RELU6": (operator(1, activation=3), "operator 1: fused activation 3"),
    "TANH": (operator(1, activation=4), "operator 1: fused activation 4"),
    "weights of one dimension": (tensor("w1", shape=(6,)), "operator 0: weights of shape"),
    "weights of three": (tensor("w1", shape=(1, 3, 2)), "operator 0: weights of shape"),
    "no weights": (tensor("w1", shape=(0, 2)), "operator 0: weights of shape"),
    "negative shape": (tensor("w1", shape=(-3, -2)), "operator 0: weights of shape"),
    "too wide": (tensor("w1", shape=(3, 65536)), "operator 0: weights of shape"),
    "too many rows": (tensor("w1", shape=(65536, 1)), "operator 0: weights of shape"),
    "int4 weights": (tensor("w1", type=INT4), r"operator 0: a constant is not int8 \(3, 2\)"),
    "uint8 weights": (tensor("w2", type=UINT8), "operator 1: a constant is not int8"),
    "float weights": (tensor("w1", type=FLOAT), "operator 0: a constant is not int8"),
    "int64 bias": (tensor("b1", type=INT64), r"operator 0: a constant is not int32 \(3,\)"),
    "bias of another length": (tensor("b1", shape=(2,)), "operator 0: a constant is not int32"),
    "weights cut short": (tensor("w1", data=b"12345"), "operator 0: .* wrong length"),
    "weights too long": (tensor("w1", data=b"1234567"), "operator 0: .* wrong length"),
    "weights without data": (tensor("w1", data=b""), "operator 0: .* wrong length"),
    "bias cut short": (tensor("b2", data=b"1234567"), "operator 1: .* wrong length"),
    "asymmetric weights": (
        tensor("w1", zero_points=[0, 1, 0]),
        "operator 0: .* zero point is not 0",
    ),
    "weights scaled by inputs": (
        tensor("w2", quantized_dimension=1),
        "operator 1: .* do not run along the outputs",
    ),
    "shuffled weights": (operator(1, weights_format=1), "operator 1: shuffled weights"),
    "a batch of two": (tensor("input", shape=(2, 2)), "operator 0: 2 inputs and 3 outputs"),
    "an input of one dimension": (tensor("input", shape=(2,)), "operator 0: 2 inputs and 3"),
    "nine dimensions": (tensor("input", shape=(1,) * 9), "a tensor has 9 dimensions"),
    "weights without a scale": (tensor("w1", scales=[]), "operator 0: the weights' scales"),
    "two scales for three": (tensor("w1", scales=[1, 1]), "operator 0: the weights' scales"),
    "a scale of 0": (tensor("w1", scales=[1, 0, 1]), "operator 0: the weights' scales"),
    "a negative scale": (tensor("w1", scales=[1, -1, 1]), "operator 0: the weights' scales"),
    "a scale of NaN": (tensor("w1", scales=[1, np.nan, 1]), "operator 0: the weights' scales"),
    "an infinite scale": (tensor("w1", scales=[1, np.inf, 1]), "operator 0: the weights' scales"),
    "float activations": (tensor("layer1", type=FLOAT), "operator 0: .* must be int8 tensors"),
    "float input": (tensor("input", type=FLOAT), "operator 0: .* must be int8 tensors"),
    "int16 output": (tensor("layer2", type=INT16), "operator 1: .* must be int8 tensors"),
    "two activation scales": (
        tensor("layer1", scales=[1, 1]),
        "operator 0: .* must be int8 tensors",
    ),
    "not quantized": (tensor("layer1", scales=None), "operator 0: .* must be int8 tensors"),
    "no zero point": (tensor("layer1", zero_points=[]), "operator 0"),
    "a zero point of 128": (tensor("layer1", zero_points=[128]), "operator 0: .*zero point 128"),
    "a zero point of -2^63": (
        tensor("input", zero_points=[-(2**63)]),
        "operator 0: .*zero point -9",
    ),
    "activation scale 0": (tensor("input", scales=[0]), "operator 0: scale 0"),
    "activation scale -1": (tensor("input", scales=[-1]), "operator 0: scale -1"),
    "activation scale NaN": (tensor("input", scales=[np.nan]), "operator 0: scale nan"),
    "activation scale inf": (tensor("input", scales=[np.inf]), "operator 0: scale inf"),
    "probability of scale 1/128": (
        tensor("probability", scales=[1 / 128]),
        "must be 1/256 and -128",
    ),
    "probability from 0": (tensor("probability", zero_points=[0]), "must be 1/256 and -128"),
    "layers of different widths": (tensor("w2", shape=(3, 2)), "operator 1"),
    "sums beyond 32 bits": (
        tensor("b2", data=np.full(2, 2**31 - 1, "<i4").tobytes()),
        "operator 1, output 0: its accumulator",
    ),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_what_is_not_supported_is_refused_by_name(name: str) -> None:
    change, message = UNSUPPORTED[name]
    file = describe(random_model([2, 3, 2], 0))
    change(file)
    with pytest.raises(sml.ScratchmlError, match=message):
        tflite.from_bytes(file.write())


def test_operators_in_a_circle_are_refused_at_once() -> None:
    """Twenty thousand references to one operator that reads what it writes are a small file."""
    file = describe(random_model([2, 2], 0))
    file.operators[0].outputs = list(file.operators[0].inputs[:1])
    file.operators *= 20_000
    with pytest.raises(sml.ScratchmlError, match="operator 0 does not continue one chain"):
        tflite.from_bytes(file.write())


def test_a_bias_that_the_converter_left_out_is_missed_by_name() -> None:
    # TFLiteConverter drops a bias of zeros: its place among the inputs holds -1
    file = describe(random_model([2, 3, 2], 0))
    file.operators[0].inputs[2] = -1
    with pytest.raises(sml.ScratchmlError, match=r"operator 0: .*bias"):
        tflite.from_bytes(file.write())


# --- metadata --------------------------------------------------------------------------------

FEATURES: dict[str, Any] = {
    "names": ["t", "h"],
    "units": ["C", "%"],
    "resolution": [100, 100],
    "mean": [1, 2],
}
GOOD = {**FEATURES, "std": [8.5, 20]}


def with_metadata(*entries: tuple[str, bytes]) -> QuantizedMLP:
    file = describe(random_model([2, 3, 1], 0))
    file.metadata = list(entries)
    return tflite.from_bytes(file.write())


def test_a_file_without_metadata_has_no_scaler_and_the_usual_threshold() -> None:
    for model in (with_metadata(), with_metadata(("min_runtime_version", b"1.5.0"))):
        assert model.scaler is None and model.features is None
        assert model.threshold == 0.5
        assert model.metadata == {}


def test_the_entry_is_found_by_its_name_among_others() -> None:
    text = json.dumps({"features": GOOD, "threshold": 0.25, "seed": 3}).encode()
    model = with_metadata(("a", b"[]"), ("scratchml", text), ("min_runtime_version", b"2"))
    assert model.scaler == Scaler(("t", "h"), ("C", "%"), (100, 100), (1.0, 2.0), (8.5, 20.0))
    assert (model.threshold, model.metadata) == (0.25, {"seed": 3})


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"7",
        b"null",
        b'"features"',
        b"{",
        b"\xff\xfe\xfd",
        b"{'seed': 0}",
        b'{"threshold": ',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"9" * 10_000,
    ],
    ids=lambda text: text[:12].decode("latin-1"),
)
def test_metadata_that_is_no_json_object_is_refused(text: bytes) -> None:
    with pytest.raises(sml.ScratchmlError, match="the metadata named scratchml is not"):
        with_metadata(("scratchml", text))


@pytest.mark.parametrize(
    "values",
    [
        {"threshold": "high"},
        {"threshold": None},
        {"threshold": [0.5]},
        {"threshold": {}},
        {"threshold": 0},
        {"threshold": 1.5},
        {"threshold": float("nan")},
        {"threshold": float("inf")},
        {"threshold": 10**400},
        {"features": 7},
        {"features": "t"},
        {"features": [GOOD]},
        {"features": FEATURES},
        {"features": {**GOOD, "std": [8.5]}},
        {"features": {**GOOD, "std": [8.5, 0]}},
        {"features": {**GOOD, "std": [8.5, -1]}},
        {"features": {**GOOD, "std": [8.5, float("nan")]}},
        {"features": {**GOOD, "std": ["a", "b"]}},
        {"features": {**GOOD, "std": [8.5, None]}},
        {"features": {**GOOD, "std": 8.5}},
        {"features": {**GOOD, "std": [1e-300, 1]}},
        {"features": {**GOOD, "std": [1e-320, 1]}},
        {"features": {**GOOD, "mean": [float("inf"), 0]}},
        {"features": {**GOOD, "mean": [1e307, 0]}},
        {"features": {**GOOD, "mean": [10**400, 0]}},
        {"features": {**GOOD, "resolution": [0, 100]}},
        {"features": {**GOOD, "resolution": [float("inf"), 100]}},
        {"features": {**GOOD, "resolution": [float("nan"), 100]}},
        {"features": {**GOOD, "resolution": [10**400, 100]}},
        {"features": {**GOOD, "resolution": [10**9, 100]}},
        {"features": {name: values[:0] for name, values in GOOD.items()}},
        {"features": {name: values * 2 for name, values in GOOD.items()}},  # 4 channels, 2 inputs
    ],
    ids=lambda values: json.dumps(values).replace("0" * 400, "...")[:140],
)
def test_metadata_that_is_not_usable_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(sml.ScratchmlError):
        with_metadata(("scratchml", json.dumps(values).encode()))


@given(
    values=st.dictionaries(
        st.sampled_from(["features", "threshold", "seed"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from([*GOOD, "x"]), inner, max_size=5)
            ),
            max_leaves=12,
        ),
    )
)
@settings(deadline=None, max_examples=300)
def test_metadata_of_any_kind_is_read_or_refused(values: dict[str, Any]) -> None:
    try:
        model = with_metadata(("scratchml", json.dumps(values).encode()))
    except sml.ScratchmlError:
        return
    if model.features is not None:
        model.prepare_input(np.array([[0, -(2**31)], [2**31 - 1, 5]]))


def test_metadata_with_a_number_that_is_none_is_refused_or_written_again() -> None:
    # Python's json reads NaN, which is not JSON
    try:
        model = with_metadata(("scratchml", b'{"note": NaN}'))
    except sml.ScratchmlError:
        return
    tflite.to_bytes(model)


@pytest.mark.parametrize("name", ["features", "threshold"])
def test_metadata_cannot_take_the_place_of_the_models_own(name: str) -> None:
    net, rows = sml.MLP([2, 1]), np.ones((3, 2), np.float32)
    net.threshold = 0.25
    try:
        model = sml.quantize(net, rows, metadata={name: "mine"})
    except sml.ScratchmlError:
        return
    assert tflite.from_bytes(tflite.to_bytes(model)).threshold == 0.25
