"""A ``QuantizedMLP`` as the structs of ``scratchml.h``, as the exporter writes them in C."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from scratchml.layouts import PORTABLE, Layout
from scratchml.quantized import QuantizedMLP

#: What the engine's integers are in numpy.
DTYPES = {"int8_t": "i1", "int32_t": "i4", "uint32_t": "u4"}


def model_struct(
    model: QuantizedMLP, ffi: Any, lib: Any, layout: Layout = PORTABLE
) -> tuple[Any, list[Any]]:
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
    places = layout.places(model.sizes)
    for target, layer, place in zip(layers, model.layers, places, strict=True):
        data = layout.lay_out(layer)
        target.run = ffi.addressof(lib, data.kernel)
        target.outputs, target.inputs = layer.weights.shape
        kind = "int8_t" if data.weights.dtype == np.int8 else "uint32_t"
        target.weights = array(kind, data.weights)
        if data.channels is not None:
            target.channels = new("sml_channel[]", [tuple(row) for row in data.channels.tolist()])
        target.zero_point = data.zero_point
        target.act_min, target.act_max = data.act_min, data.act_max
        target.place = place
        if data.table is not None:
            target.table = array("int8_t", data.table)

    struct = new("sml_model *")
    struct.version, struct.layout = lib.SML_MODEL_VERSION, layout.number
    struct.layer_count, struct.layers = len(model.layers), layers
    struct.memory_bytes = layout.memory_bytes(model.sizes)
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
