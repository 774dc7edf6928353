"""A model's layers as C: one layout for each kind of CPU, of which the preprocessor takes one."""

from __future__ import annotations

import numpy as np

from scratchml.c_arrays import array
from scratchml.layers import QuantizedDense
from scratchml.layouts import LAYOUTS, PORTABLE, LaidOut, Layout
from scratchml.quantized import QuantizedMLP


def layers_text(model: QuantizedMLP) -> str:
    """The arrays and the structs of all layers, behind ``#if SML_LAYOUT == ...``."""
    packed = [layout for layout in LAYOUTS if layout != PORTABLE]
    text = "".join(
        f"#{'el' if i else ''}if SML_LAYOUT == {layout.macro}\n\n{_in_layout(model, layout)}\n"
        for i, layout in enumerate(packed)
    )
    return f"{text}#else\n\n{_in_layout(model, PORTABLE)}\n#endif\n"


def memory_bytes_text(model: QuantizedMLP, macro: str) -> str:
    """``#define macro n``: the activation memory in the layout that the engine has."""
    define = f"#define {macro} {PORTABLE.memory_bytes(model.sizes)}"
    other = {
        layout.macro: f"#define {macro} {layout.memory_bytes(model.sizes)}" for layout in LAYOUTS
    }
    for condition, mine in other.items():
        if mine != other[PORTABLE.macro]:
            define = f"#if SML_LAYOUT == {condition}\n{mine}\n#else\n{define}\n#endif"
    return define


def _in_layout(model: QuantizedMLP, layout: Layout) -> str:
    laid_out = [layout.lay_out(layer) for layer in model.layers]
    numbered = list(enumerate(zip(model.layers, laid_out, strict=True), start=1))
    arrays = [_arrays(number, layer, data) for number, (layer, data) in numbered]
    places = layout.places(model.sizes)
    structs = ",\n".join(
        _struct(number, layer, data, places[number - 1]) for number, (layer, data) in numbered
    )
    return (
        "\n".join(arrays)
        + f"\nstatic const sml_dense layers[{len(numbered)}] = {{\n{structs},\n}};\n"
    )


def _arrays(number: int, layer: QuantizedDense, data: LaidOut) -> str:
    outputs, inputs = layer.weights.shape
    source, target = layer.source, layer.target
    kind = "int8_t" if data.weights.dtype == np.int8 else "uint32_t"
    parts = [
        f"/* Layer {number}: {inputs} -> {outputs}, {layer.activation}. "
        f"Input = {source.scale:.6g} * (code - ({source.zero_point})), "
        f"output = {target.scale:.6g} * (code - ({target.zero_point})). */",
        f"SML_WEIGHTS {array(kind, f'layer{number}_weights', data.weights)}",
    ]
    if data.channels is not None:
        lines = "".join(f"    {{{bias}, {q}, {e}}},\n" for bias, q, e in data.channels.tolist())
        lines = lines.replace(str(-(2**31)), "INT32_MIN")
        parts.append(f"static const sml_channel layer{number}_channels[{outputs}] = {{\n{lines}}};")
    if data.table is not None:
        kinds = ", ".join(function.kind for function in layer.following) or layer.activation
        parts.append(f"/* What follows code i - 128: {kinds}. */")
        parts.append(array("int8_t", f"layer{number}_table", data.table))
    return "\n".join(parts) + "\n"


def _struct(number: int, layer: QuantizedDense, data: LaidOut, place: int) -> str:
    outputs, inputs = layer.weights.shape
    return f"""\
    {{
        .run = {data.kernel},
        .inputs = {inputs},
        .outputs = {outputs},
        .weights = layer{number}_weights,
        .channels = {"NULL" if data.channels is None else f"layer{number}_channels"},
        .zero_point = {data.zero_point},
        .act_min = {data.act_min},
        .act_max = {data.act_max},
        .place = {place},
        .table = {"NULL" if data.table is None else f"layer{number}_table"},
    }}"""
