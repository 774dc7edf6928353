"""What a model is, what int8 costs, and whether all implementations agree on it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from rich.table import Table

from scratchml.export import flash_bytes
from scratchml.front_end import FrontEnd
from scratchml.layer_errors import LayerError
from scratchml.litert import Difference
from scratchml.quantized import QuantizedMLP
from scratchml.report.tables import plain, table_of
from scratchml.tflite import File
from scratchml.verify import REFERENCE, TFLITE_MICRO, Comparison


def size_json(model: QuantizedMLP) -> dict[str, Any]:
    """What the model needs on a board."""
    return {
        "sizes": list(model.sizes),
        "flash_bytes": flash_bytes(model),
        "ram_bytes": model.memory_bytes,
    }


def size_line(model: QuantizedMLP) -> str:
    """The same in words."""
    size, shape = size_json(model), "-".join(map(str, model.sizes))
    return (
        f"  {shape}: {size['flash_bytes']:,} bytes of flash for constants, "
        f"{size['ram_bytes']:,} bytes of RAM for activations"
    )


def verify_json(comparisons: Iterable[Comparison]) -> list[dict[str, Any]]:
    """Every comparison, with its first difference or ``null``."""
    return [asdict(c) for c in comparisons]


def errors_json(errors: Iterable[LayerError]) -> list[dict[str, Any]]:
    """Every tensor's; ``sqnr`` is ``null`` where there is no error at all."""
    return [{**asdict(e), "sqnr": e.sqnr if math.isfinite(e.sqnr) else None} for e in errors]


def differences_json(differences: Iterable[Difference]) -> list[dict[str, Any]]:
    """Of each kind of LiteRT's kernels."""
    return [asdict(d) for d in differences]


def file_json(file: File, size: int) -> dict[str, Any]:
    """All of a ``.tflite`` file but its weights."""
    model = file.model
    return {
        "file_bytes": size,
        "operators": list(file.operators),
        "input_type": file.input_type,
        "output_type": file.output_type,
        "output": model.output,
        **size_json(model),
        "input": asdict(model.layers[0].source),
        "layers": [
            {
                "shape": list(layer.weights.shape),
                "activation": layer.activation,
                "weight_scales": layer.weight_scales.tolist(),
                "output": asdict(layer.target),
                "following": [asdict(function) for function in layer.following],
            }
            for layer in model.layers
        ],
        "output_quantization": asdict(model.output_quantization),
        "features": asdict(model.scaler) if model.scaler else None,
        "front_end": model.front_end.to_dict() if model.front_end else None,
        "target": asdict(model.target) if model.target else None,
        "threshold": model.threshold if model.output == "sigmoid" else None,
        "metadata": dict(model.metadata),
        "notes": file.notes,
    }


def file_table(file: File, size: int) -> Table:
    """What the file holds, in words."""
    model = file.model
    table = table_of("File", f"{size:,} bytes")
    table.columns[1].justify = "left"
    table.add_row("operators", ", ".join(file.operators))
    table.add_row("input", f"{model.inputs} x {file.input_type}")
    table.add_row("output", f"{model.outputs} x {file.output_type}, {model.output}")
    if model.scaler:
        channels = zip(model.scaler.names, model.scaler.units, strict=True)
        table.add_row("features", plain(", ".join(_with_unit(*channel) for channel in channels)))
    if model.front_end:
        table.add_row("front end", plain(_front_end_line(model.front_end)))
    if model.classes:
        table.add_row("classes", plain(", ".join(model.classes)))
    if model.output == "sigmoid" and model.outputs == 1:
        table.add_row("threshold", f"{model.threshold:.4g}, code {model.decision_threshold}")
    if target := model.target:
        told = _with_unit(target.name, target.unit)
        table.add_row("target", plain(f"{told} = {target.std:.4g} * output + {target.mean:.4g}"))
    for key, value in model.metadata.items():
        if key != "classes":
            table.add_row(plain(key), plain(_value_text(value)))
    return table


def _with_unit(name: str, unit: str) -> str:
    return f"{name} ({unit})" if unit else name


def _front_end_line(front_end: FrontEnd) -> str:
    names = ", ".join(channel.name for channel in front_end.channels)
    given = ", ".join(front_end.statistics) or "all samples"
    return f"{front_end.window} samples of {names}, every {front_end.step}: {given} of each"


def _value_text(value: Any) -> str:
    """A recipe's choices without those that are empty; anything else as it is."""
    if not isinstance(value, Mapping):
        return str(value)
    return ", ".join(
        f"{name}: {choice}" for name, choice in value.items() if choice not in ("", [])
    )


def verify_table(comparisons: Iterable[Comparison], *, oracle: bool) -> Table:
    """Rows compared and rows differing, for every pair and kind of rows."""
    table = table_of(f"{REFERENCE} =", "on", "result")
    for c in comparisons:
        style = "bold red" if c.differing else "green"
        table.add_row(c.implementation, c.rows_name, f"[{style}]{c.result}[/]")
    if not oracle:
        table.add_row(TFLITE_MICRO, "", "not available here")
    return table


def layers_table(model: QuantizedMLP) -> Table:
    """Scales and zero points from the input to the last layer."""
    table = table_of("Layer", "shape", "weight scales", "output scale", "zero point")
    source = model.layers[0].source
    table.add_row("input", str(model.inputs), "", f"{source.scale:.6g}", str(source.zero_point))
    for number, layer in enumerate(model.layers, start=1):
        outputs, inputs = layer.weights.shape
        scales = sorted(
            {f"{s:.4g}" for s in (layer.weight_scales.min(), layer.weight_scales.max())}
        )
        target = layer.target
        table.add_row(
            f"{number}, {layer.activation}",
            f"{inputs} -> {outputs}",
            " .. ".join(scales),
            f"{target.scale:.6g}",
            str(target.zero_point),
        )
        for function in layer.following:
            target = function.target
            name = {"logistic": "sigmoid"}.get(function.kind, function.kind)
            table.add_row(name, str(outputs), "", f"{target.scale:.6g}", str(target.zero_point))
    if model.softmax:
        target = model.output_quantization
        row = (str(model.outputs), "", f"{target.scale:.6g}", str(target.zero_point))
        table.add_row("softmax", *row)
    return table


def errors_table(errors: Iterable[LayerError]) -> Table:
    """What int8 costs, tensor by tensor."""
    table = table_of("Error of int8", "SQNR", "saturated", "largest error", "decision flips")
    for e in errors:
        sqnr = "exact" if math.isinf(e.sqnr) else f"{e.sqnr:.1f} dB"
        flips = "" if e.flips is None else f"{e.flips:,} of {e.rows:,}"
        table.add_row(e.name, sqnr, f"{e.saturated:.2%}", f"{e.largest:.4g}", flips)
    return table


def differences_table(differences: Iterable[Difference]) -> Table:
    """How far LiteRT is from TensorFlow Lite Micro: reported, not judged."""
    table = table_of("LiteRT", "rows", "differ", "largest difference", "decisions differ")
    for d in differences:
        flips = "" if d.flips is None else f"{d.flips:,}"
        share = f"{d.differing:,} ({d.differing / d.rows:.2%})"
        largest = f"{d.largest} code{'' if d.largest == 1 else 's'}"
        table.add_row(d.kernels, f"{d.rows:,}", share, largest, flips)
    return table
