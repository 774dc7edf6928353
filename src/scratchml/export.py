"""An int8 perceptron as C source: typed ``const`` structs for the engine in ``csrc/engine``.

The ``.c`` file holds numbers only; the ``.h`` file declares the model and its sizes. The same model
gives the same bytes: neither a date nor a path goes into them.
"""

from __future__ import annotations

import textwrap
import zlib
from os import PathLike
from pathlib import Path

import numpy as np
import numpy.typing as npt

from scratchml.c_arrays import array, array2d
from scratchml.c_layers import layers_text, memory_bytes_text
from scratchml.c_names import check_name
from scratchml.c_surroundings import (
    classes_array,
    classes_declaration,
    comment_safe,
    front_end_declaration,
    front_end_struct,
    inputs_comment,
    target_array,
    target_declaration,
)
from scratchml.features import Features
from scratchml.files import atomic_write
from scratchml.layers import Softmax
from scratchml.layouts import PORTABLE, Layout
from scratchml.quantized import QuantizedMLP
from scratchml.rows import Scaler

Int8 = npt.NDArray[np.int8]

GOLDEN_ROWS = 32

#: sizeof on a 32-bit CPU, by the structs of scratchml.h; checked against arm-none-eabi-gcc.
SIZEOF = {
    "sml_model": 24,
    "sml_dense": 28,
    "sml_feature": 20,
    "sml_head": 8,
    "sml_channel": 12,
    "sml_front_end": 8,
}


def export_c(model: QuantizedMLP, folder: str | PathLike[str], *, name: str) -> tuple[Path, Path]:
    """Write ``folder/name.c`` and ``folder/name.h``; returns their paths.

    Raises:
        ScratchmlError: ``name`` is not an identifier that C leaves free.
    """
    check_name(name)
    source, header = Path(folder) / f"{name}.c", Path(folder) / f"{name}.h"
    atomic_write(header, header_text(model, name))
    atomic_write(source, source_text(model, name))
    return source, header


def flash_bytes(model: QuantizedMLP, layout: Layout = PORTABLE) -> int:
    """Bytes of constant data that the model takes in flash on a 32-bit CPU, engine apart.

    Weights, 12 bytes an output for bias, multiplier and shift, the tables, and the structs; each
    array starts on a multiple of 4, as ARM's compilers place them. Names of classes come besides.
    """
    size = sum(layout.lay_out(layer).flash_bytes for layer in model.layers)
    size += SIZEOF["sml_dense"] * len(model.layers) + SIZEOF["sml_model"]
    if model.features is not None:
        size += SIZEOF["sml_feature"] * len(model.features.mean)
    size += SIZEOF["sml_front_end"] if model.front_end else 0
    size += 4 * 256 if model.target else 0
    return size + (4 * 256 + SIZEOF["sml_head"] if model.softmax else 0)


def fingerprint(model: QuantizedMLP) -> int:
    """CRC-32 of everything that the exported model computes with, whatever its name.

    A board tells its own, so that a computer knows which model runs there.
    """
    parts = [*_parts(model, "model"), str(model.decision_threshold)]
    return zlib.crc32("\n".join(parts).encode())


def golden_inputs(model: QuantizedMLP) -> Int8:
    """int8 rows ``[32, inputs]`` for the self-test on a board, the same every time.

    The extremes, then random rows, those first whose outputs are new: most random rows drive a
    sigmoid to its end and would prove little.
    """
    corners = np.array([[-128], [127], [0]], np.int8).repeat(model.inputs, axis=1)
    random = np.random.default_rng(0).integers(-128, 128, (1024, model.inputs), np.int8)
    _, first = np.unique(model.run(random), axis=0, return_index=True)
    is_new = np.isin(np.arange(len(random)), first)
    order = np.argsort(~is_new, kind="stable")
    return np.vstack([corners, random[order]])[:GOLDEN_ROWS]


def header_text(model: QuantizedMLP, name: str) -> str:
    """The header: sizes for the caller's arrays, and the declarations."""
    upper = name.upper()
    return f"""\
{_title(model, name)}
#ifndef {upper}_H
#define {upper}_H

#include "scratchml.h"

#ifdef __cplusplus
extern "C" {{
#endif

#define {upper}_INPUTS {model.inputs}
#define {upper}_OUTPUTS {model.outputs}
{memory_bytes_text(model, f"{upper}_MEMORY_BYTES")}
/* CRC-32 of all that the model computes with: tells it from every other. */
#define {upper}_FINGERPRINT UINT32_C(0x{fingerprint(model):08x})
{_output_defines(model, upper)}{_around(model, name)}
extern const sml_model {name};

#ifdef SML_SELF_TEST
#define {upper}_GOLDEN_ROWS {GOLDEN_ROWS}
extern const int8_t {name}_golden_input[{GOLDEN_ROWS}][{model.inputs}];
extern const int8_t {name}_golden_output[{GOLDEN_ROWS}][{model.outputs}];
#endif

#ifdef __cplusplus
}}
#endif

#endif
"""


def source_text(model: QuantizedMLP, name: str) -> str:
    """The source: arrays, then the structs that point to them, then the golden vectors."""
    title = f'{_title(model, name)}\n#include "{name}.h"\n'
    names = [classes_array(model.classes, name)] if names_classes(model) else []
    if model.target:
        names.append(target_array(model.target, model.output_quantization, name) + "\n")
    return "\n".join([title, *_parts(model, name), *names, _golden(model, name)])


def _parts(model: QuantizedMLP, name: str) -> list[str]:
    """All that the engine reads: layers, features, head, and the struct that points to them."""
    parts = [layers_text(model)]
    if model.features is not None and model.scaler is not None:
        parts.append(_features(model.features, model.scaler))
    if model.softmax:
        parts.append(_softmax(model.softmax))
    if model.front_end:
        parts.append(front_end_struct(model.front_end, name))
    return [*parts, _model_struct(model, name)]


def _title(model: QuantizedMLP, name: str) -> str:
    shape = "-".join(map(str, model.sizes)) + (
        "" if model.output == "linear" else f", {model.output}"
    )
    origin = [
        f"{label} {model.metadata[key]}"
        for key, label in (("data", "trained on data with SHA-256"), ("seed", "seed"))
        if key in model.metadata
    ]
    lines = [f"{name}: int8 perceptron {shape}. Generated by scratchml; do not edit."]
    if origin:
        lines.append(comment_safe("; ".join(origin) + "."))
    return "/* " + "\n * ".join(lines) + " */"


def _output_defines(model: QuantizedMLP, upper: str) -> str:
    """What the output codes mean, for the caller."""
    quantization = model.output_quantization
    meant = ""
    if model.target:  # what is learnt is standardized
        name = comment_safe(model.target.name)
        meant = f",\n * in standard deviations from the mean of {name} in the training rows"
    text = f"""
/* output[i] stands for OUTPUT_SCALE * (output[i] - OUTPUT_ZERO_POINT){meant}. */
#define {upper}_OUTPUT_SCALE {quantization.scale:.9g}f
#define {upper}_OUTPUT_ZERO_POINT ({quantization.zero_point})
"""
    if model.output == "sigmoid" and model.outputs == 1:
        yes = f" ({comment_safe(model.classes[1])})" if model.classes else ""
        text += f"""
/* Positive{yes} when output[0] >= this code, a probability of {model.threshold:g}. */
#define {upper}_THRESHOLD ({model.decision_threshold})
"""
    elif model.output == "softmax":
        names = comment_safe(", ".join(model.classes))
        listed = f" Classes, in order:\n{textwrap.fill(names, 96)}" if names else ""
        text += f"\n/* The greatest output is the most likely class.{listed} */\n"
    return text


def names_classes(model: QuantizedMLP) -> bool:
    """Whether the exported C has an array of names: a yes or no hardly needs one."""
    return bool(model.classes) and (model.front_end is not None or len(model.classes) > 2)


def _around(model: QuantizedMLP, name: str) -> str:
    """What stands between a sensor and the inputs, and between the outputs and a reader."""
    text = front_end_declaration(model.front_end, name) if model.front_end else ""
    if model.scaler and not model.front_end and len(model.scaler.names) == model.inputs:
        text += inputs_comment(model.scaler)
    if model.target:
        text += target_declaration(model.target, name)
    return text + (classes_declaration(model.classes, name) if names_classes(model) else "")


def _softmax(softmax: Softmax) -> str:
    return (
        "/* exp(-d) for logits d codes below the greatest, Q0.31. */\n"
        + array("int32_t", "softmax_table", softmax.table)
        + "\nstatic const sml_head softmax = {.apply = sml_softmax, .table = softmax_table};\n"
    )


def _features(features: Features, scaler: Scaler) -> str:
    lines = []
    for i, name in enumerate(scaler.names):
        unit = f"1/{scaler.resolution[i]} {scaler.units[i]}"
        comment = f"{name} in {unit}: mean {scaler.mean[i]:.6g}, deviation {scaler.std[i]:.6g}"
        lines.append(
            f"    /* {comment_safe(comment)} */\n"
            f"    {{.mean = {features.mean[i]}, .min = {features.low[i]}, "
            f".max = {features.high[i]}, .multiplier = {features.multiplier[i]}, "
            f".shift = {features.shift[i]}}},\n"
        )
    return f"static const sml_feature features[{len(lines)}] = {{\n{''.join(lines)}}};\n"


def _model_struct(model: QuantizedMLP, name: str) -> str:
    features = model.features
    count, pointer = (len(features.mean), "features") if features is not None else (0, "NULL")
    return f"""\
const sml_model {name} = {{
    .version = SML_MODEL_VERSION,
    .layout = SML_LAYOUT,
    .input_zero_point = {model.layers[0].source.zero_point},
    .layer_count = {len(model.layers)},
    .feature_count = {count},
    .memory_bytes = {name.upper()}_MEMORY_BYTES,
    .layers = layers,
    .features = {pointer},
    .head = {"&softmax" if model.softmax else "NULL"},
}};
"""


def _golden(model: QuantizedMLP, name: str) -> str:
    inputs = golden_inputs(model)
    arrays = [
        array2d("int8_t", f"{name}_golden_input", inputs),
        array2d("int8_t", f"{name}_golden_output", model.run(inputs)),
    ]
    return "#ifdef SML_SELF_TEST\n" + "\n".join(arrays) + "\n#endif\n"
