"""Write a ``.tflite`` file: the same model gives the same bytes."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import flatbuffers
import numpy as np
import numpy.typing as npt

from scratchml.quantized import PROBABILITY, Quantization, QuantizedDense, QuantizedMLP
from scratchml.tflite.schema import (
    ALIGNMENT,
    FULLY_CONNECTED,
    FULLY_CONNECTED_OPTIONS,
    IDENTIFIER,
    LOGISTIC,
    METADATA_NAME,
    OPERATOR_VERSIONS,
    TENSOR_TYPES,
)


def to_bytes(model: QuantizedMLP) -> bytes:
    """The file's contents; the same model gives the same bytes."""
    writer = _Writer()
    source = writer.activation("input", model.inputs, model.layers[0].source)
    operators, first = [], source
    codes = [FULLY_CONNECTED, LOGISTIC] if model.logistic else [FULLY_CONNECTED]
    for number, layer in enumerate(model.layers, start=1):
        inputs = [
            source,
            writer.constant(f"layer{number}/weights", layer.weights, layer.weight_scales),
            writer.constant(f"layer{number}/bias", layer.bias, _bias_scales(layer)),
        ]
        source = writer.activation(f"layer{number}", layer.weights.shape[0], layer.target)
        operators.append(writer.operator(0, inputs, source, relu=layer.relu))
    if model.logistic:
        logits, source = source, writer.activation("probability", model.outputs, PROBABILITY)
        operators.append(writer.operator(1, [logits], source))
    return writer.finish(codes, operators, first, source, _metadata_json(model))


def _bias_scales(layer: QuantizedDense) -> npt.NDArray[np.float32]:
    return np.float32(layer.source.scale) * layer.weight_scales


def _metadata_json(model: QuantizedMLP) -> bytes:
    features = asdict(model.scaler) if model.scaler else None
    values = {**model.metadata, "features": features, "threshold": model.threshold}
    return json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


class _Writer:
    """Collects tensors and buffers; FlatBuffers are built from the leaves to the root."""

    def __init__(self) -> None:
        self.builder = flatbuffers.Builder(1024)
        self.tensors: list[int] = []
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

    def operator(self, code: int, inputs: list[int], output: int, relu: bool | None = None) -> int:
        """An operator; ``relu`` is given for a fully connected one."""
        sources, targets = self.numbers(inputs, "<i4"), self.numbers([output], "<i4")
        fields = [
            (0, "Uint32", code),
            (1, "UOffsetTRelative", sources),
            (2, "UOffsetTRelative", targets),
        ]
        if relu is not None:
            options = self.table([(0, "Int8", int(relu))])
            fields += [(3, "Uint8", FULLY_CONNECTED_OPTIONS), (4, "UOffsetTRelative", options)]
        return self.table(fields)

    def finish(
        self, codes: list[int], operators: list[int], source: int, target: int, metadata: bytes
    ) -> bytes:
        """Metadata, operator codes, the one subgraph, the model."""
        metadata_buffer = self.buffer(metadata)
        name = self.builder.CreateString(METADATA_NAME)
        entry = self.table([(0, "UOffsetTRelative", name), (1, "Uint32", metadata_buffer)])
        operator_codes = [
            self.table(
                [(0, "Int8", code), (2, "Int32", OPERATOR_VERSIONS[code]), (3, "Int32", code)]
            )
            for code in codes
        ]
        vectors = [self.offsets(self.tensors), self.numbers([source], "<i4")]
        vectors += [self.numbers([target], "<i4"), self.offsets(operators)]
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
