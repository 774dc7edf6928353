"""A ``QuantizedMLP`` as the structs of ``scratchml.h``, as the exporter writes them in C."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from scratchml.quantized import QuantizedMLP

#: What the engine's integers are in numpy.
DTYPES = {"int8_t": "i1", "int32_t": "i4"}


def model_struct(model: QuantizedMLP, ffi: Any, lib: Any) -> tuple[Any, list[Any]]:
    """An ``sml_model *`` of the cffi module that ``ffi`` and ``lib`` come from, and what it points
    to: cffi frees what nobody refers to."""
    owned: list[Any] = []

    def new(kind: str, initializer: Any = None) -> Any:
        owned.append(ffi.new(kind, initializer))
        return owned[-1]

    def array(kind: str, values: npt.NDArray[Any]) -> Any:
        target = new(f"{kind}[]", values.size)
        ffi.memmove(target, values.astype(DTYPES[kind]).tobytes(), values.size * ffi.sizeof(kind))
        return target

    layers = new("sml_dense[]", len(model.layers))
    for target, layer in zip(layers, model.layers, strict=True):
        target.outputs, target.inputs = layer.weights.shape
        target.weights = array("int8_t", layer.weights)
        target.bias = array("int32_t", layer.folded_bias)
        target.multiplier = array("int32_t", layer.multiplier)
        target.shift = array("int8_t", layer.shift)
        target.zero_point = layer.target.zero_point
        target.act_min, target.act_max = layer.act_min, layer.act_max
        if layer.table is not None:
            target.table = array("int8_t", layer.table)

    struct = new("sml_model *")
    struct.version, struct.layout = lib.SML_MODEL_VERSION, lib.SML_LAYOUT_PORTABLE
    struct.layer_count, struct.layers = len(model.layers), layers
    struct.memory_bytes = model.memory_bytes
    struct.input_zero_point = model.layers[0].source.zero_point
    if (f := model.features) is not None:
        columns = (f.mean, f.low, f.high, f.multiplier, f.shift)
        rows = [tuple(int(v) for v in row) for row in zip(*columns, strict=True)]
        struct.feature_count, struct.features = len(rows), new("sml_feature[]", rows)
    if model.softmax:
        head = new("sml_head *")
        head.apply = ffi.addressof(lib, "sml_softmax")
        head.table = array("int32_t", model.softmax.table)
        struct.head = head
    return struct, owned
