"""Write a ``.tflite`` file: the same model gives the same bytes."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import flatbuffers
import numpy as np
import numpy.typing as npt

from scratchml.affine import PROBABILITY, Quantization
from scratchml.layers import QuantizedDense
from scratchml.quantized import QuantizedMLP
from scratchml.tflite.schema import (
    ACTIVATIONS,
    ALIGNMENT,
    FULLY_CONNECTED_OPTIONS,
    IDENTIFIER,
    METADATA_NAME,
    OPERATOR_VERSIONS,
    OPERATORS,
    SOFTMAX_OPTIONS,
    TENSOR_TYPES,
)


def to_bytes(model: QuantizedMLP) -> bytes:
    """The file's contents; the same model gives the same bytes."""
    writer = _Writer()
    first = tensor = writer.activation("input", model.inputs, model.layers[0].source)
    for number, layer in enumerate(model.layers, start=1):
        outputs = layer.weights.shape[0]
        operands = [
            tensor,
            writer.constant(f"layer{number}/weights", layer.weights, layer.weight_scales),
            writer.constant(f"layer{number}/bias", layer.bias, _bias_scales(layer)),
        ]
        tensor = writer.activation(f"layer{number}", outputs, layer.target)
        options = writer.table([(0, "Int8", ACTIVATIONS[layer.activation])])
        writer.operator("FULLY_CONNECTED", operands, tensor, FULLY_CONNECTED_OPTIONS, options)
        for function in layer.following:
            source, name = tensor, f"layer{number}/{function.kind}"
            tensor = writer.activation(name, outputs, function.target)
            writer.operator(function.kind.upper(), [source], tensor)
    if model.softmax:
        logits, tensor = tensor, writer.activation("probability", model.outputs, PROBABILITY)
        options = writer.table([(0, "Float32", model.softmax.beta)])
        writer.operator("SOFTMAX", [logits], tensor, SOFTMAX_OPTIONS, options)
    return writer.finish(first, tensor, _metadata_json(model))


def _bias_scales(layer: QuantizedDense) -> npt.NDArray[np.float32]:
    with np.errstate(over="ignore", under="ignore"):
        return np.float32(layer.source.scale) * layer.weight_scales


def _metadata_json(model: QuantizedMLP) -> bytes:
    features = asdict(model.scaler) if model.scaler else None
    values = {**model.metadata, "features": features, "threshold": model.threshold}
    if model.front_end:
        values["front_end"] = model.front_end.to_dict()
    if model.target:
        values["target"] = model.target.to_dict()
    return json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


class _Writer:
    """Collects tensors and buffers; FlatBuffers are built from the leaves to the root."""

    def __init__(self) -> None:
        self.builder = flatbuffers.Builder(1024)
        self.tensors: list[int] = []
        self.operators: list[int] = []
        self.names: list[str] = []  # of the kinds of operators, in order of appearance
        self.buffers = [self.table([])]  # buffer 0 stays empty: it stands for "no data"

    def table(self, fields: list[tuple[int, str, Any]]) -> int:
        """A table from ``(slot, type, value)``; ``type`` names a ``Prepend...Slot`` method."""
        self.builder.StartObject(max((slot for slot, _, _ in fields), default=-1) + 1)
        for slot, kind, value in fields:
            getattr(self.builder, f"Prepend{kind}Slot")(slot, value, 0)
        return int(self.builder.EndObject())

    def offsets(self, items: list[int]) -> int:
        self.builder.StartVector(4, len(items), 4)
        for item in reversed(items):
            self.builder.PrependUOffsetTRelative(item)
        return int(self.builder.EndVector())

    def numbers(self, values: Any, dtype: str) -> int:
        return int(self.builder.CreateNumpyVector(np.asarray(values, dtype)))

    def buffer(self, data: bytes) -> int:
        """Add a buffer, aligned; returns its number."""
        builder = self.builder
        builder.StartVector(1, len(data), ALIGNMENT)
        builder.head -= len(data)  # what CreateByteVector does, which cannot align
        builder.Bytes[builder.head : builder.head + len(data)] = data
        vector = builder.EndVector()
        self.buffers.append(self.table([(0, "UOffsetTRelative", vector)]))
        return len(self.buffers) - 1

    def activation(self, name: str, units: int, quantization: Quantization) -> int:
        return self._tensor(
            name, (1, units), np.dtype("i1"), 0, [quantization.scale], quantization.zero_point
        )

    def constant(self, name: str, values: npt.NDArray[Any], scales: npt.NDArray[np.float32]) -> int:
        values = values.astype(values.dtype.newbyteorder("<"))
        return self._tensor(
            name, values.shape, values.dtype, self.buffer(values.tobytes()), scales, 0
        )

    def _tensor(
        self,
        name: str,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        buffer: int,
        scales: Any,
        zero_point: int,
    ) -> int:
        """Add a tensor; returns its number. Scales run along dimension 0, the outputs."""
        label = self.builder.CreateString(name)
        dimensions = self.numbers(shape, "<i4")
        scale = self.numbers(scales, "<f4")
        zero_points = self.numbers([zero_point] * len(scales), "<i8")
        quantization = self.table(
            [(2, "UOffsetTRelative", scale), (3, "UOffsetTRelative", zero_points)]
        )
        self.tensors.append(
            self.table(
                [
                    (0, "UOffsetTRelative", dimensions),
                    (1, "Int8", TENSOR_TYPES[dtype]),
                    (2, "Uint32", buffer),
                    (3, "UOffsetTRelative", label),
                    (4, "UOffsetTRelative", quantization),
                ]
            )
        )
        return len(self.tensors) - 1

    def operator(
        self, name: str, inputs: list[int], output: int, options_type: int = 0, options: int = 0
    ) -> None:
        """Add an operator, with a table of options where it has one."""
        if name not in self.names:
            self.names.append(name)
        sources, targets = self.numbers(inputs, "<i4"), self.numbers([output], "<i4")
        fields = [
            (0, "Uint32", self.names.index(name)),
            (1, "UOffsetTRelative", sources),
            (2, "UOffsetTRelative", targets),
        ]
        if options:
            fields += [(3, "Uint8", options_type), (4, "UOffsetTRelative", options)]
        self.operators.append(self.table(fields))

    def finish(self, source: int, target: int, metadata: bytes) -> bytes:
        """Metadata, operator codes, the one subgraph, the model."""
        metadata_buffer = self.buffer(metadata)
        name = self.builder.CreateString(METADATA_NAME)
        entry = self.table([(0, "UOffsetTRelative", name), (1, "Uint32", metadata_buffer)])
        codes = [(OPERATORS.index(name), OPERATOR_VERSIONS[name]) for name in self.names]
        operator_codes = [
            self.table([(0, "Int8", code), (2, "Int32", version), (3, "Int32", code)])
            for code, version in codes
        ]
        vectors = [self.offsets(self.tensors), self.numbers([source], "<i4")]
        vectors += [self.numbers([target], "<i4"), self.offsets(self.operators)]
        graph = self.table([(i, "UOffsetTRelative", v) for i, v in enumerate(vectors)])
        description = self.builder.CreateString("scratchml")
        fields = {
            1: self.offsets(operator_codes),
            2: self.offsets([graph]),
            3: description,
            4: self.offsets(self.buffers),
            6: self.offsets([entry]),
        }
        root = self.table(
            [(0, "Uint32", 3)] + [(slot, "UOffsetTRelative", v) for slot, v in fields.items()]
        )
        self.builder.Finish(root, file_identifier=IDENTIFIER)
        return bytes(self.builder.Output())
