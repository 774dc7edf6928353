"""A second writer of ``.tflite`` files, which shares nothing with ``tflite.writer``.

It describes a file in parts that a test can change one by one, and writes whatever they say. Slots
and numbers are those of TensorFlow's ``schema.fbs``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import flatbuffers
import numpy as np

from scratchml.affine import PROBABILITY, Quantization
from scratchml.layers import Elementwise, QuantizedDense, Softmax
from scratchml.quantized import QuantizedMLP

#: TensorType
FLOAT, INT32, UINT8, INT64, INT16, INT8, INT4 = 0, 2, 3, 4, 7, 9, 17

#: BuiltinOperator
ADD, CONV_2D, DEQUANTIZE, FULLY_CONNECTED, LOGISTIC, RELU, RELU_N1_TO_1 = 0, 3, 6, 9, 14, 19, 20
RELU6, RESHAPE, SOFTMAX, TANH, CUSTOM, QUANTIZE = 21, 22, 25, 28, 32, 114
STRIDED_SLICE, SHAPE, PACK = 45, 77, 83

CODES = {"relu": RELU, "relu6": RELU6, "logistic": LOGISTIC, "quantize": QUANTIZE}
FUSED = {"linear": 0, "relu": 1, "relu_n1_to_1": 2, "relu6": 3, "tanh": 4}


@dataclass
class Tensor:
    """A tensor's fields; ``scales`` of ``None`` leaves its quantization out."""

    name: str
    shape: tuple[int, ...]
    type: int = INT8
    data: bytes | None = None
    scales: Any = None
    zero_points: Any = ()
    quantized_dimension: int = 0
    signature: tuple[int, ...] | None = None  # the shape, with -1 for what is dynamic
    sparse: bool = False


@dataclass
class Operator:
    """``options`` are the fields of its table of options, ``(type, value)`` from slot 0 on."""

    code: int
    inputs: list[int]
    outputs: list[int]
    options_type: int = 0
    options: list[tuple[str, Any]] | None = None


def fully_connected(activation: int, weights_format: int = 0) -> dict[str, Any]:
    """The fields of an ``Operator`` that hold a fully connected layer's options."""
    return {"options_type": 8, "options": [("Int8", activation), ("Int8", weights_format)]}


def softmax_options(beta: float) -> dict[str, Any]:
    return {"options_type": 9, "options": [("Float32", beta)]}


@dataclass
class File:
    """A file in parts.

    Attributes:
        code_fields: which fields hold an operator's code: ``old`` (8 bits), ``new`` (32) or both.
        signatures: how many signatures name the file's inputs and outputs.
    """

    tensors: list[Tensor]
    operators: list[Operator]
    inputs: list[int]
    outputs: list[int]
    metadata: list[tuple[str, bytes]] = field(default_factory=list)
    subgraphs: int = 1
    code_fields: str = "both"
    signatures: int = 0

    def index(self, name: str) -> int:
        return [tensor.name for tensor in self.tensors].index(name)

    def tensor(self, name: str) -> Tensor:
        return self.tensors[self.index(name)]

    def insert(self, place: int, code: int, tensor: Tensor, **options: Any) -> None:
        """Put an operator that writes ``tensor`` before the one at ``place``, or after the last."""
        number = len(self.tensors)
        self.tensors.append(tensor)
        if place < len(self.operators):
            inputs = self.operators[place].inputs
            source, inputs[0] = inputs[0], number
        else:
            source, self.outputs = self.outputs[0], [number]
        self.operators.insert(place, Operator(code, [source], [number], **options))

    def float_input(self) -> None:
        self.outer_input(FLOAT, None, ())

    def float_output(self) -> None:
        last = self.tensors[self.outputs[0]]
        self.insert(len(self.operators), DEQUANTIZE, Tensor("real", last.shape, FLOAT))

    def uint8_input(self) -> None:
        first = self.tensors[self.inputs[0]]
        self.outer_input(UINT8, first.scales, [first.zero_points[0] + 128])

    def uint8_output(self) -> None:
        last = self.tensors[self.outputs[0]]
        zero_points = [last.zero_points[0] + 128]
        outer = replace(last, name="bytes", type=UINT8, zero_points=zero_points)
        self.insert(len(self.operators), QUANTIZE, outer)

    def outer_input(self, kind: int, scales: Any, zero_points: Any) -> None:
        """Have the input be of another type, and a QUANTIZE behind it make int8 of it."""
        first = self.tensors[self.inputs[0]]
        self.insert(0, QUANTIZE, replace(first, name="codes"))
        first.type, first.scales, first.zero_points = kind, scales, zero_points

    def computed_shape(self, place: int) -> None:
        """Have operators before the RESHAPE at ``place`` compute the shape ``(batch, units)``, as
        converters do where the batch is dynamic."""
        reshape = self.operators[place]
        source, target = (self.tensors[t] for t in (reshape.inputs[0], reshape.outputs[0]))
        first = len(self.tensors)
        self.tensors.append(Tensor("shape", (len(source.shape),), INT32))
        for name, number in (("begin", 0), ("end", 1), ("stride", 1)):
            self.tensors.append(Tensor(name, (1,), INT32, int32(number)))
        self.tensors.append(Tensor("batch", (), INT32))
        self.tensors.append(Tensor("units", (), INT32, int32(target.shape[-1])))
        self.tensors.append(Tensor("new shape", (2,), INT32))
        shape, begin, end, stride, batch, units, new = range(first, first + 7)
        masks = [("Int32", 0)] * 4 + [("Int32", 1)]  # the last: a scalar comes out
        self.operators[place:place] = [
            Operator(SHAPE, reshape.inputs[:1], [shape], 55, [("Int8", INT32)]),
            Operator(STRIDED_SLICE, [shape, begin, end, stride], [batch], 32, masks),
            Operator(PACK, [batch, units], [new], 59, [("Int32", 2), ("Int32", 0)]),
        ]
        reshape.inputs.append(new)

    def write(self) -> bytes:
        return _Writer().write(self)


def int32(value: int) -> bytes:
    return np.array(value, "<i4").tobytes()


class _Writer:
    """The FlatBuffer, from the leaves to the root.

    A part that occurs several times, the same object, is written once and referred to: so small
    files can claim to be huge.
    """

    def __init__(self) -> None:
        self.builder = flatbuffers.Builder()
        self.buffers = [self.table({})]
        self.written: dict[int, int] = {}  # from an object's id

    def once(self, part: Any, write: Callable[..., int], *context: Any) -> int:
        if id(part) not in self.written:
            self.written[id(part)] = write(part, *context)
        return self.written[id(part)]

    def table(
        self, offsets: dict[int, int], scalars: dict[int, tuple[str, Any]] | None = None
    ) -> int:
        builder = self.builder
        builder.StartObject(12)
        for slot, offset in offsets.items():
            builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
        for slot, (kind, value) in (scalars or {}).items():
            getattr(builder, f"Prepend{kind}Slot")(slot, value, 0)
        return int(builder.EndObject())

    def numbers(self, values: Any, dtype: str) -> int:
        return int(self.builder.CreateNumpyVector(np.array(values, dtype)))

    def tables(self, offsets: list[int]) -> int:
        builder, count = self.builder, len(offsets)
        builder.StartVector(4, count, 4)
        # as PrependUOffsetTRelative would, one by one: positions count from the file's end
        places = builder.Offset() + 4 * np.arange(count, 0, -1)
        vector = (places - np.array(offsets, np.int64)).astype("<u4").tobytes()
        builder.head -= len(vector)
        builder.Bytes[builder.head : builder.head + len(vector)] = vector
        return int(builder.EndVector())

    def buffer(self, data: bytes) -> int:
        """Add a buffer; returns its number."""
        self.buffers.append(self.table({0: self.builder.CreateByteVector(data)}))
        return len(self.buffers) - 1

    def tensor(self, t: Tensor) -> int:
        offsets = {0: self.numbers(t.shape, "<i4"), 3: self.builder.CreateString(t.name)}
        if t.scales is not None:
            vectors = {2: self.numbers(t.scales, "<f4"), 3: self.numbers(t.zero_points, "<i8")}
            offsets[4] = self.table(vectors, {6: ("Int32", t.quantized_dimension)})
        if t.sparse:
            offsets[6] = self.table({0: self.numbers([0, 1], "<i4")})
        if t.signature is not None:
            offsets[7] = self.numbers(t.signature, "<i4")
        buffer = 0 if t.data is None else self.once(t.data, self.buffer)
        return self.table(offsets, {1: ("Int8", t.type), 2: ("Uint32", buffer)})

    def operator(self, o: Operator, codes: list[int]) -> int:
        offsets = {1: self.numbers(o.inputs, "<i4"), 2: self.numbers(o.outputs, "<i4")}
        if o.options is not None:
            offsets[4] = self.table({}, dict(enumerate(o.options)))
        numbers = {0: ("Uint32", codes.index(o.code)), 3: ("Uint8", o.options_type)}
        return self.table(offsets, numbers)

    def operator_code(self, code: int, fields: str) -> int:
        # 127 in the old field of 8 bits says: look at the new one
        old = {} if fields == "new" else {0: ("Int8", min(code, 127))}
        return self.table({}, old if fields == "old" else {**old, 3: ("Int32", code)})

    def entry(self, entry: tuple[str, bytes]) -> int:
        """Of metadata: a name and the contents of a buffer."""
        name, text = entry
        buffer = self.once(text, self.buffer)
        return self.table({0: self.builder.CreateString(name)}, {1: ("Uint32", buffer)})

    def signature(self, key: str, file: File) -> int:
        ends = []
        for name, numbers in (("x", file.inputs), ("y", file.outputs)):
            label = self.builder.CreateString(name)
            ends.append(self.tables([self.table({0: label}, {1: ("Uint32", numbers[0])})]))
        return self.table({**dict(enumerate(ends)), 2: self.builder.CreateString(key)})

    def write(self, file: File) -> bytes:
        tensors = [self.once(tensor, self.tensor) for tensor in file.tensors]
        codes = sorted({operator.code for operator in file.operators})
        operators = [self.once(o, self.operator, codes) for o in file.operators]
        entries = [self.once(entry, self.entry) for entry in file.metadata]
        signatures = [self.signature(f"number {i}", file) for i in range(file.signatures)]
        ends = [self.numbers(numbers, "<i4") for numbers in (file.inputs, file.outputs)]
        graph = self.table(dict(enumerate([self.tables(tensors), *ends, self.tables(operators)])))
        parts = {
            1: [self.operator_code(code, file.code_fields) for code in codes],
            2: [graph] * file.subgraphs,
            4: self.buffers,
            6: entries,
            7: signatures,
        }
        vectors = {slot: self.tables(part) for slot, part in parts.items() if part or slot < 6}
        root = self.table(vectors, {0: ("Uint32", 3)})  # the schema's version
        self.builder.Finish(root, file_identifier=b"TFL3")
        return bytes(self.builder.Output())


# --- models ------------------------------------------------------------------------------------


def describe(model: QuantizedMLP) -> File:
    """The parts of a model's file: input, w1, b1, layer1, what follows it (relu1, ...), w2, ..."""
    layers = model.layers
    tensors = [activation("input", model.inputs, layers[0].source)]
    operators: list[Operator] = []

    def append(code: int, tensor: Tensor, constants: list[Tensor], **options: Any) -> None:
        inputs = [len(tensors) - 1, *range(len(tensors), len(tensors) + len(constants))]
        tensors.extend([*constants, tensor])
        operators.append(Operator(code, inputs, [len(tensors) - 1], **options))

    for number, layer in enumerate(layers, start=1):
        outputs = len(layer.bias)
        bias_scales = np.float32(layer.source.scale) * layer.weight_scales
        zeros = [0] * outputs
        weights, bias = layer.weights.tobytes(), layer.bias.astype("<i4").tobytes()
        shape, scales = layer.weights.shape, layer.weight_scales
        constants = [
            Tensor(f"w{number}", shape, INT8, weights, scales, zeros),
            Tensor(f"b{number}", (outputs,), INT32, bias, bias_scales, zeros),
        ]
        options = fully_connected(FUSED[layer.activation])
        target = activation(f"layer{number}", outputs, layer.target)
        append(FULLY_CONNECTED, target, constants, **options)
        for function in layer.following:
            target = activation(f"{function.kind}{number}", outputs, function.target)
            append(CODES[function.kind], target, [])
    if model.softmax:
        target = activation("softmax", model.outputs, PROBABILITY)
        append(SOFTMAX, target, [], **softmax_options(model.softmax.beta))
    text = json.dumps({**model.metadata, "threshold": model.threshold}).encode()
    return File(tensors, operators, [0], [len(tensors) - 1], [("scratchml", text)])


def activation(name: str, units: int, quantization: Quantization) -> Tensor:
    scales, zero_points = [quantization.scale], [quantization.zero_point]
    return Tensor(name, (1, units), INT8, None, scales, zero_points)


def layered(
    sizes: Sequence[int],
    kinds: Sequence[tuple[str, Sequence[str]]],
    seed: int = 0,
    *,
    softmax: bool = False,
) -> QuantizedMLP:
    """A model whose layers have these fused activations and are followed by operators of these
    kinds. Its activations span a few units, so that all that clamps has something to clamp."""
    rng = np.random.default_rng(seed)

    def quantization() -> Quantization:
        return Quantization(float(np.float32(rng.uniform(0.02, 0.08))), int(rng.integers(-99, 99)))

    layers: list[QuantizedDense] = []
    source = quantization()
    for (inputs, outputs), (activation, following) in zip(pairwise(sizes), kinds, strict=True):
        weights = rng.integers(-127, 128, (outputs, inputs)).astype(np.int8)
        size = 5000 * np.sqrt(inputs)  # of the sums, roughly
        target, functions = quantization(), []
        scales = target.scale * rng.uniform(50, 150, outputs) / (source.scale * size)
        bias = rng.normal(0, size / 2, outputs).astype(np.int32)
        last = target
        for kind in following:
            after = PROBABILITY if kind == "logistic" else quantization()
            functions.append(Elementwise(kind, last, after))
            last = after
        layers.append(
            QuantizedDense(
                weights,
                scales.astype(np.float32),
                bias,
                source,
                target,
                activation,
                tuple(functions),
                f"layer {len(layers) + 1}",
            )
        )
        source = last
    return QuantizedMLP(tuple(layers), Softmax(source) if softmax else None)


def assert_same(one: QuantizedMLP, other: QuantizedMLP) -> None:
    """Equal in every field that a file holds."""
    assert len(one.layers) == len(other.layers)
    for a, b in zip(one.layers, other.layers, strict=True):
        for name in ("weights", "weight_scales", "bias"):
            left, right = getattr(a, name), getattr(b, name)
            assert left.dtype == right.dtype and left.shape == right.shape
            assert (left == right).all()
        assert (a.source, a.target, a.activation) == (b.source, b.target, b.activation)
        assert a.following == b.following
    assert one.softmax == other.softmax
    assert one.scaler == other.scaler
    assert one.threshold == other.threshold
    assert one.metadata == other.metadata
