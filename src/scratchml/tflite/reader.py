"""Read a ``.tflite`` file; no offset, length or count in it is trusted."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from flatbuffers import number_types as N
from flatbuffers.table import Table

from scratchml.dataset import Scaler
from scratchml.errors import ScratchmlError
from scratchml.quantized import PROBABILITY, Quantization, QuantizedDense, QuantizedMLP
from scratchml.tflite.schema import (
    ACTIVATIONS,
    FULLY_CONNECTED,
    IDENTIFIER,
    LOGISTIC,
    MAX_RANK,
    METADATA_NAME,
    TENSOR_TYPES,
)


def from_bytes(data: bytes) -> QuantizedMLP:
    """Read a file's contents; no offset, length or count in it is trusted.

    Raises:
        ScratchmlError: the file is damaged, or holds something other than int8 fully connected
            layers (with or without ReLU) and a sigmoid at the end.
    """
    if data[4:8] != IDENTIFIER:
        raise ScratchmlError("this is not a .tflite file")
    root = _Node(data, 0).follow(0)
    graphs = root.tables(2)
    if len(graphs) != 1:
        raise ScratchmlError(f"the file has {len(graphs)} subgraphs instead of 1")
    graph, buffers = graphs[0], root.tables(4)
    codes = [max(c.scalar(0, N.Int8Flags), c.scalar(3, N.Int32Flags)) for c in root.tables(1)]
    tensors = [_Tensor.read(node, buffers) for node in graph.tables(0)]
    metadata = _read_metadata(root, buffers)
    ends = graph.numbers(1, "<i4"), graph.numbers(2, "<i4")
    if len(ends[0]) != 1 or len(ends[1]) != 1:
        raise ScratchmlError("the model must have one input and one output")

    source, layers, logistic = int(ends[0][0]), [], False
    written = {source}  # a tensor is written once: no circle, however many operators
    for index, node in enumerate(graph.tables(3)):
        code = _item(codes, node.scalar(0, N.Uint32Flags))
        inputs, outputs = node.numbers(1, "<i4"), node.numbers(2, "<i4")
        continues = len(outputs) == 1 and len(inputs) > 0 and inputs[0] == source
        if not continues or int(outputs[0]) in written or logistic:
            raise ScratchmlError(f"operator {index} does not continue one chain of layers")
        source = int(outputs[0])
        written.add(source)
        if code == FULLY_CONNECTED:
            if len(inputs) != 3 or inputs[2] < 0:
                raise ScratchmlError(f"operator {index}: FULLY_CONNECTED needs weights and a bias")
            operands = [_item(tensors, int(i)) for i in (*inputs, source)]
            layers.append(_read_dense(index, node, operands))
        elif code == LOGISTIC and layers:
            logistic = True
            if _item(tensors, source).quantization(index) != PROBABILITY:
                raise ScratchmlError(f"operator {index}: a LOGISTIC output must be 1/256 and -128")
        else:
            raise ScratchmlError(
                f"operator {index} (code {code}) is not supported: "
                "scratchml runs FULLY_CONNECTED layers and a LOGISTIC after the last"
            )
    if not layers or source != ends[1][0]:
        raise ScratchmlError("the operators do not lead from the input to the output")
    return _with_metadata(tuple(layers), logistic, metadata)


@dataclass(frozen=True)
class _Tensor:
    """A tensor as the file describes it; ``data`` is empty for an activation.

    Arrays are views of the file: thousands of tensors that name one large buffer cost nothing.
    """

    shape: tuple[int, ...]
    type: int
    data: npt.NDArray[np.uint8]
    scales: npt.NDArray[np.float32]
    zero_points: npt.NDArray[np.int64]
    quantized_dimension: int

    @classmethod
    def read(cls, node: _Node, buffers: list[_Node]) -> _Tensor:
        parameters = node.table(4)
        buffer = _item(buffers, node.scalar(2, N.Uint32Flags))
        dimensions = node.numbers(0, "<i4")
        if len(dimensions) > MAX_RANK:
            raise ScratchmlError(f"a tensor has {len(dimensions)} dimensions")
        return cls(
            tuple(dimensions.tolist()),
            node.scalar(1, N.Int8Flags),
            buffer.numbers(0, "u1"),
            parameters.numbers(2, "<f4") if parameters else np.zeros(0, np.float32),
            parameters.numbers(3, "<i8") if parameters else np.zeros(0, np.int64),
            parameters.scalar(6, N.Int32Flags) if parameters else 0,
        )

    def quantization(self, index: int) -> Quantization:
        """Of an int8 activation."""
        is_int8 = self.type == TENSOR_TYPES[np.dtype("i1")]
        if not is_int8 or len(self.scales) != 1 or len(self.zero_points) != 1:
            raise ScratchmlError(
                f"operator {index}: its input and output must be int8 tensors "
                "with one scale and one zero point"
            )
        scale, zero_point = float(self.scales[0]), int(self.zero_points[0])
        if not 0 < scale < np.inf or not -128 <= zero_point <= 127:
            raise ScratchmlError(f"operator {index}: scale {scale:g}, zero point {zero_point}")
        return Quantization(scale, zero_point)

    def values(self, index: int, dtype: str, shape: tuple[int, ...]) -> npt.NDArray[Any]:
        """Of a constant, which must be of this type and shape and symmetric."""
        kind = np.dtype(dtype)
        if self.type != TENSOR_TYPES[kind] or self.shape != shape:
            raise ScratchmlError(f"operator {index}: a constant is not {kind.name} {shape}")
        if len(self.data) != kind.itemsize * int(np.prod(shape, dtype=object)):
            raise ScratchmlError(f"operator {index}: a constant's buffer has the wrong length")
        if self.zero_points.any() or self.quantized_dimension != 0:
            raise ScratchmlError(
                f"operator {index}: a constant's zero point is not 0, "
                "or its scales do not run along the outputs"
            )
        return self.data.view(kind).reshape(shape)


def _read_dense(index: int, node: _Node, operands: list[_Tensor]) -> QuantizedDense:
    """A layer from its operator and its operands: input, weights, bias, output."""
    source, weights, bias, target = operands
    options = node.table(4)
    activation = options.scalar(0, N.Int8Flags) if options else 0
    if activation not in ACTIVATIONS:
        raise ScratchmlError(f"operator {index}: fused activation {activation} is not supported")
    if options and options.scalar(1, N.Int8Flags) != 0:
        raise ScratchmlError(f"operator {index}: shuffled weights are not supported")
    if len(weights.shape) != 2 or not 0 < min(weights.shape) <= max(weights.shape) < 2**16:
        raise ScratchmlError(f"operator {index}: weights of shape {weights.shape}")
    outputs, inputs = weights.shape
    if source.shape != (1, inputs) or target.shape != (1, outputs):
        raise ScratchmlError(
            f"operator {index}: {inputs} inputs and {outputs} outputs in tensors of shape "
            f"{source.shape} and {target.shape}"
        )
    scales = weights.scales
    if len(scales) not in (1, outputs) or not ((scales > 0) & np.isfinite(scales)).all():
        raise ScratchmlError(
            f"operator {index}: the weights' scales are not positive, one or {outputs}"
        )
    return QuantizedDense(
        weights.values(index, "i1", weights.shape),
        np.broadcast_to(scales, outputs).astype(np.float32),
        bias.values(index, "<i4", (outputs,)).astype(np.int32),
        source.quantization(index),
        target.quantization(index),
        ACTIVATIONS[activation],
        f"operator {index}",
    )


def _read_metadata(root: _Node, buffers: list[_Node]) -> dict[str, Any]:
    for entry in root.tables(6):
        if entry.numbers(0, "u1").tobytes() == METADATA_NAME.encode():
            text = _item(buffers, entry.scalar(1, N.Uint32Flags)).numbers(0, "u1").tobytes()
            try:
                values = json.loads(text, parse_constant=_refuse_constant)
            except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
                values = None
            if not isinstance(values, dict):
                raise ScratchmlError("the metadata named scratchml is not a JSON object")
            return values
    return {}


def _refuse_constant(name: str) -> None:
    """NaN and Infinity, which Python's parser takes although JSON does not have them."""
    raise ValueError(name)


def _with_metadata(
    layers: tuple[QuantizedDense, ...], logistic: bool, metadata: dict[str, Any]
) -> QuantizedMLP:
    features, threshold = metadata.pop("features", None), metadata.pop("threshold", 0.5)
    try:
        scaler = Scaler.from_dict(features) if features else None
        return QuantizedMLP(layers, logistic, scaler, float(threshold), metadata)
    except ScratchmlError:
        raise
    except (TypeError, ValueError, OverflowError) as error:
        raise ScratchmlError(f"the metadata named scratchml is not usable ({error})") from None


class _Node:
    """A table of the file, read with every offset checked against the file's length.

    A field that is absent reads as 0 or as empty, as the format says.
    """

    def __init__(self, data: bytes, position: int) -> None:
        self.data = data
        self.field = Table(data, position)

    def scalar(self, slot: int, kind: Any) -> int:
        place = self._place(slot)
        return int(self._get(kind, place)) if place else 0

    def table(self, slot: int) -> _Node | None:
        place = self._place(slot)
        return self.follow(place) if place else None

    def tables(self, slot: int) -> list[_Node]:
        start, length = self._vector(slot, 4)
        return [self.follow(start + 4 * i) for i in range(length)]

    def numbers(self, slot: int, dtype: str) -> npt.NDArray[Any]:
        kind = np.dtype(dtype)
        start, length = self._vector(slot, kind.itemsize)
        return np.frombuffer(self.data, kind, length, start)

    def follow(self, place: int) -> _Node:
        """The table that the offset at ``place`` points to."""
        target = place + int(self._get(N.UOffsetTFlags, place))
        self._get(N.SOffsetTFlags, target)  # every table begins with one, so it lies in the file
        return _Node(self.data, target)

    def _vector(self, slot: int, item_size: int) -> tuple[int, int]:
        """Start and length; the whole vector lies within the file."""
        place = self._place(slot)
        if not place:
            return 0, 0
        start = place + int(self._get(N.UOffsetTFlags, place))
        length = int(self._get(N.UOffsetTFlags, start))
        if start + 4 + length * item_size > len(self.data):
            raise ScratchmlError("the .tflite file is damaged: a vector reaches past its end")
        return start + 4, length

    def _place(self, slot: int) -> int:
        """Position of a field, or 0 where the table has none."""
        position = self.field.Pos
        vtable = position - int(self._get(N.SOffsetTFlags, position))
        entry = 4 + 2 * slot
        if entry + 2 > int(self._get(N.VOffsetTFlags, vtable)):
            return 0
        offset = int(self._get(N.VOffsetTFlags, vtable + entry))
        return position + offset if offset else 0

    def _get(self, kind: Any, place: int) -> Any:
        if not 0 <= place <= len(self.data) - kind.bytewidth:
            raise ScratchmlError("the .tflite file is damaged: an offset points outside of it")
        return self.field.Get(kind, place)


def _item(items: list[Any], index: int) -> Any:
    if not 0 <= index < len(items):
        raise ScratchmlError(f"the .tflite file is damaged: it has no item {index}")
    return items[index]
