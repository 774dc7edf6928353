"""Read a ``.tflite`` file; no offset, length or count in it is trusted."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from flatbuffers import number_types as N

from scratchml.affine import PROBABILITY, Quantization
from scratchml.errors import ScratchmlError
from scratchml.front_end import FrontEnd
from scratchml.layers import Elementwise, QuantizedDense, Softmax
from scratchml.mlp import MAX_UNITS
from scratchml.quantized import QuantizedMLP
from scratchml.rows import Scaler
from scratchml.target import Target
from scratchml.tflite.flatbuffer import Node, Tables
from scratchml.tflite.schema import (
    ACTIVATIONS,
    IDENTIFIER,
    MAX_OPERATORS,
    METADATA_NAME,
    OPERATOR_VERSIONS,
    operator_name,
)
from scratchml.tflite.tensor import Tensor

SUPPORTED = (
    "supported are FULLY_CONNECTED, RELU, RELU6, LOGISTIC and QUANTIZE after it, SOFTMAX at the "
    "end, RESHAPE, and QUANTIZE and DEQUANTIZE at the edges"
)
#: Converters compute the shape for a RESHAPE with these where the batch is dynamic. The shape of
#: its output is in the file all the same, so nobody needs their result.
OF_SHAPES = {"SHAPE", "STRIDED_SLICE", "PACK"}
READ = {*OPERATOR_VERSIONS, *OF_SHAPES, "RESHAPE", "DEQUANTIZE"}

#: Weights and biases may be one buffer in several layers, but a small file is not to become a huge
#: model: this many bytes of them may be there more than once.
MAX_SHARED_BYTES = 2**24

MAX_ENTRIES = 1024  # of metadata


@dataclass(frozen=True)
class File:
    """What is in a file: the model, and how the file's own edges differ from int8.

    Attributes:
        input_type, output_type: ``INT8``, ``UINT8`` or ``FLOAT32``. The model itself takes and
            gives int8 codes; other types are turned into them at the file's edges.
        operators: the names of all operators, in their order.
    """

    model: QuantizedMLP
    input_type: str
    output_type: str
    operators: tuple[str, ...]

    @property
    def notes(self) -> list[str]:
        """Where TensorFlow Lite Micro, and so scratchml, computes what the author hardly meant."""
        return [
            f"after {layer.name} stands a RELU6 whose input and output have different scales: "
            "TensorFlow Lite Micro clamps the codes and does not rescale them, LiteRT does"
            for layer in self.model.layers
            for function in layer.following
            if function.kind == "relu6" and function.source != function.target
        ]


def from_bytes(data: bytes) -> QuantizedMLP:
    """The model in a file's contents; see ``read``."""
    return read(data).model


def read(data: bytes) -> File:
    """Read a file's contents.

    Raises:
        ScratchmlError: the file is damaged, or holds something other than an int8 perceptron.
    """
    if data[4:8] != IDENTIFIER:
        raise ScratchmlError("this is not a .tflite file")
    root = Node(data, 0).follow(0)
    graphs = root.tables(2)
    if len(graphs) != 1:
        raise ScratchmlError(f"the file has {len(graphs)} subgraphs instead of 1")
    graph, buffers, codes = graphs[0], root.tables(4), root.tables(1)
    ends = graph.numbers(1, "<i4"), graph.numbers(2, "<i4")
    if len(ends[0]) != 1 or len(ends[1]) != 1:
        raise ScratchmlError(
            f"the model has {len(ends[0])} inputs and {len(ends[1])} outputs: one of each is "
            "supported"
        )
    operators = graph.tables(3)
    if len(operators) > MAX_OPERATORS:
        raise ScratchmlError(f"the file has {len(operators)} operators: {MAX_OPERATORS} at most")

    chain = _Chain(graph.tables(0), buffers, int(ends[0][0]), len(data) + MAX_SHARED_BYTES)
    names = []
    for index, node in enumerate(operators):
        name = operator_name(_code(codes[node.scalar(0, N.Uint32Flags)]))
        names.append(name)
        try:
            chain.append(name, node)
        except ScratchmlError as error:
            raise ScratchmlError(f"operator {index} ({name}): {error}") from None
    if not chain.layers or int(ends[1][0]) not in chain.places:
        raise ScratchmlError("the operators do not lead from the input to the output")
    model = _with_metadata(tuple(chain.layers), chain.softmax, _read_metadata(root, buffers))
    first, last = chain.tensor(int(ends[0][0])), chain.tensor(int(ends[1][0]))
    return File(model, first.type_name, last.type_name, tuple(names))


def _code(node: Node) -> int:
    """8 bits in old files; 32 in new ones, where the old field says 127 if they are needed."""
    return max(node.scalar(0, N.Int8Flags), node.scalar(3, N.Int32Flags))


class _Chain:
    """The operators read so far: each reads what the one before it has written."""

    def __init__(self, tensors: Tables, buffers: Tables, place: int, max_bytes: int) -> None:
        self.tensors, self.buffers = tensors, buffers
        self.bytes_left = max_bytes  # that all weights and biases together may have
        self.places = {place}  # of tensors with the codes at the chain's end; RESHAPE adds to them
        self.written = {place}  # once each: no circle, however many operators
        self.layers: list[QuantizedDense] = []
        self.softmax: Softmax | None = None
        self.ended = False

    def tensor(self, index: int) -> Tensor:
        return Tensor.read(self.tensors[index], self.buffers)

    def append(self, name: str, node: Node) -> None:
        if name not in READ:
            raise ScratchmlError(f"it is not supported: {SUPPORTED}")
        inputs, outputs = node.numbers(1, "<i4"), node.numbers(2, "<i4")
        continues = len(inputs) > 0 and (int(inputs[0]) in self.places or name in OF_SHAPES)
        if not continues or len(outputs) != 1 or int(outputs[0]) in self.written:
            raise ScratchmlError(
                "it does not continue one chain of layers: supported are operators that each read "
                "what the one before has written"
            )
        source, target = self.tensor(int(inputs[0])), self.tensor(int(outputs[0]))
        if len(target.data):
            raise ScratchmlError("its output is a constant")
        self.written.add(int(outputs[0]))
        if name in OF_SHAPES and target.type_name == "INT32":
            return
        read = self._reader(name, source, target)
        if read is None:
            raise ScratchmlError(f"it is not supported here: {SUPPORTED}")
        if name != "FULLY_CONNECTED" and source.elements != target.elements:
            raise ScratchmlError(f"from shape {source.shape} to {target.shape}")
        read(node, source, target)
        self.places = (self.places if name == "RESHAPE" else set()) | {int(outputs[0])}

    def _reader(
        self, name: str, source: Tensor, target: Tensor
    ) -> Callable[[Node, Tensor, Tensor], None] | None:
        """What reads an operator of this name at this point of the chain, if anything does."""
        if name == "RESHAPE":
            return self._reshape
        if self.ended:
            return None
        if name == "QUANTIZE" and source.type_name in ("FLOAT32", "UINT8"):
            return None if self.layers else self._enter
        if name == "DEQUANTIZE" or (name == "QUANTIZE" and target.type_name == "UINT8"):
            fits = (name == "DEQUANTIZE") == (target.type_name == "FLOAT32")
            return self._leave if self.layers and fits else None
        if name == "FULLY_CONNECTED" and not self.softmax:
            return self._dense
        if name == "SOFTMAX" and self.layers and not self.softmax:
            return self._softmax
        if name in ("RELU", "RELU6", "LOGISTIC", "QUANTIZE") and self.layers and not self.softmax:
            return lambda node, source, target: self._elementwise(name.lower(), source, target)
        return None

    def _reshape(self, node: Node, source: Tensor, target: Tensor) -> None:
        """Nothing happens to the codes, whatever the shapes are, if there is one row of them."""
        if not source.same_codes(target):
            raise ScratchmlError("its input and output have different types or quantizations")

    def _enter(self, node: Node, source: Tensor, target: Tensor) -> None:
        """A row from outside becomes int8 codes; what a model is given is these."""
        if source.type_name == "UINT8":
            _check_shifted_by_128(source.quantization("UINT8"), target.quantization())
        target.quantization()

    def _leave(self, node: Node, source: Tensor, target: Tensor) -> None:
        """Codes are handed to the outside as real numbers or as uint8."""
        if target.type_name == "UINT8":
            _check_shifted_by_128(target.quantization("UINT8"), source.quantization())
        source.quantization()
        self.ended = True

    def _elementwise(self, kind: str, source: Tensor, target: Tensor) -> None:
        function = Elementwise(kind, source.quantization(), target.quantization())
        layer = self.layers[-1]
        self.layers[-1] = replace(layer, following=(*layer.following, function))

    def _softmax(self, node: Node, source: Tensor, target: Tensor) -> None:
        # a softmax runs along the last dimension: the others must be ones
        if source.shape[-1:] != (source.elements,):
            raise ScratchmlError(f"of shape {source.shape}: one row at a time is supported")
        if target.quantization() != PROBABILITY:
            raise ScratchmlError("its output must have scale 1/256 and zero point -128")
        options = node.table(4)
        self.softmax = Softmax(source.quantization(), options.real(0) if options else 0.0)

    def _dense(self, node: Node, source: Tensor, target: Tensor) -> None:
        options = node.table(4)
        code = options.scalar(0, N.Int8Flags) if options else 0
        activations = [name for name, number in ACTIVATIONS.items() if number == code]
        if not activations:
            raise ScratchmlError(
                f"fused activation {code}: supported are NONE, RELU, RELU6 and RELU_N1_TO_1"
            )
        if options and options.scalar(1, N.Int8Flags) != 0:
            raise ScratchmlError("shuffled weights are not supported")
        operands = node.numbers(1, "<i4")
        if len(operands) not in (2, 3):
            raise ScratchmlError(f"it has {len(operands)} operands: an input, weights and a bias")
        activation_in, activation_out = source.quantization(), target.quantization()
        weights = self.tensor(int(operands[1]))
        bias = self.tensor(int(operands[2])) if len(operands) > 2 and operands[2] != -1 else None
        if len(weights.shape) != 2 or not 0 < min(weights.shape) <= max(weights.shape) <= MAX_UNITS:
            raise ScratchmlError(f"weights of shape {weights.shape}")
        outputs, inputs = weights.shape
        # the kernel takes all dimensions of its output but the last for rows
        row = target.elements == outputs and target.shape[-1:] == (outputs,)
        if source.elements != inputs or not row:
            raise ScratchmlError(
                f"{inputs} inputs and {outputs} outputs in tensors of shape {source.shape} and "
                f"{target.shape}: one row at a time is supported (a batch of 1)"
            )
        self.bytes_left -= (inputs + 4) * outputs
        if self.bytes_left < 0:
            raise ScratchmlError("the layers share weights, and are too large together")
        scales = weights.weight_scales(outputs)
        layer = QuantizedDense(
            weights.values("i1", inputs * outputs).reshape(outputs, inputs),
            np.broadcast_to(scales, outputs).astype(np.float32),
            bias.values("<i4", outputs).astype(np.int32) if bias else np.zeros(outputs, np.int32),
            activation_in,
            activation_out,
            activations[0],
            name=f"layer {len(self.layers) + 1}",
        )
        if bias and len(scales) == 1:
            _check_bias_scale(layer, bias)
        self.layers.append(layer)


def _check_shifted_by_128(outside: Quantization, inside: Quantization) -> None:
    """uint8 codes must be the int8 ones plus 128: then nothing is computed between them."""
    if outside.scale != inside.scale or outside.zero_point != inside.zero_point + 128:
        raise ScratchmlError("its uint8 codes are not the int8 ones plus 128")


def _check_bias_scale(layer: QuantizedDense, bias: Tensor) -> None:
    """TensorFlow Lite Micro refuses a layer with one scale whose bias has quite another."""
    # which ignores a scale without a zero point
    scale = float(bias.scales[0]) if len(bias.scales) and len(bias.zero_points) else 0.0
    difference = abs(layer.source.scale * float(layer.weight_scales[0]) - scale)
    if not difference / layer.target.scale <= 0.02:
        raise ScratchmlError("the bias's scale is not that of the input times that of the weights")


def _read_metadata(root: Node, buffers: Tables) -> dict[str, Any]:
    entries = root.tables(6)
    if len(entries) > MAX_ENTRIES:
        raise ScratchmlError(f"the file has {len(entries)} metadata entries: {MAX_ENTRIES} at most")
    for entry in entries:
        name = entry.numbers(0, "u1")
        if len(name) == len(METADATA_NAME) and name.tobytes() == METADATA_NAME.encode():
            text = buffers[entry.scalar(1, N.Uint32Flags)].numbers(0, "u1").tobytes()
            try:
                values = json.loads(text, parse_constant=_finite, parse_float=_finite)
            except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
                values = None
            if not isinstance(values, dict):
                raise ScratchmlError("the metadata named scratchml is not a JSON object")
            return values
    return {}


def _finite(text: str) -> float:
    """Without NaN and Infinity, which Python's parser takes although JSON does not have them."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _with_metadata(
    layers: tuple[QuantizedDense, ...], softmax: Softmax | None, metadata: dict[str, Any]
) -> QuantizedMLP:
    features, threshold = metadata.pop("features", None), metadata.pop("threshold", 0.5)
    stream, target = metadata.pop("front_end", None), metadata.pop("target", None)
    try:
        scaler = Scaler.from_dict(features) if features else None
        front_end = FrontEnd.from_dict(stream) if stream is not None else None
        return QuantizedMLP(
            layers,
            softmax,
            scaler,
            float(threshold),
            metadata,
            front_end,
            Target.from_dict(target) if target is not None else None,
        )
    except ScratchmlError:
        raise
    except (TypeError, ValueError, OverflowError) as error:
        raise ScratchmlError(f"the metadata named scratchml is not usable ({error})") from None
