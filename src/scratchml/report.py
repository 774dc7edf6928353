"""What a run found, as tables for people and as one dictionary for machines."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from rich import box
from rich.console import Group
from rich.markup import escape
from rich.table import Table

from scratchml.baselines import baselines, nearest_mean
from scratchml.dataset import WeatherDataset
from scratchml.evaluate import AnyEvaluation, Evaluation, evaluate_scores
from scratchml.export import flash_bytes
from scratchml.layer_errors import LayerError
from scratchml.litert import Difference
from scratchml.multiclass import ClassEvaluation, evaluate_classes
from scratchml.quantized import QuantizedMLP
from scratchml.rows import Dataset, Rows
from scratchml.text import printable
from scratchml.tflite import File
from scratchml.verify import REFERENCE, TFLITE_MICRO, Comparison

#: What metrics are called in a table, where it is not their name.
LABELS = {
    "mse": "MSE",
    "rmse": "RMSE",
    "mae": "MAE",
    "r2": "R2",
    "macro_f1": "macro F1",
    "f1": "F1",
    "roc_auc": "ROC AUC",
    "pr_auc": "PR AUC",
}


def baseline_evaluations(data: Dataset) -> dict[str, AnyEvaluation]:
    """Each baseline on the test rows; a yes-or-no answer is a score of 1 or 0."""
    test = data.test
    if isinstance(data, WeatherDataset):
        answers = baselines(data, test)
        return {name: evaluate_scores(test.y, yes, 1) for name, yes in answers.items()}
    return {"nearest mean": evaluate_classes(test.y, nearest_mean(data, test))}


def evaluations_json(evaluations: Mapping[str, AnyEvaluation]) -> dict[str, Any]:
    """The same evaluations as JSON values."""
    return {name: e.as_json() for name, e in evaluations.items()}


def data_json(data: Dataset) -> dict[str, Any]:
    """Rows of each part, how many of each class, and the choices that made them."""
    return {
        "recipe": asdict(data.recipe),
        **{name: {"rows": len(part), **_class_counts(data, part)} for name, part in _parts(data)},
    }


def _parts(data: Dataset) -> list[tuple[str, Rows]]:
    return [("train", data.train), ("validation", data.validation), ("test", data.test)]


def _class_counts(data: Dataset, part: Rows) -> dict[str, int]:
    """How many rows of each class; of a yes-or-no question, how many of the yes."""
    counts = np.bincount(part.y.astype(np.int64), minlength=len(data.classes)).tolist()
    named = dict(zip(data.classes, counts, strict=True))
    return named if len(named) > 2 else {data.classes[1]: counts[1]}


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
        "threshold": model.threshold if model.output == "sigmoid" else None,
        "metadata": dict(model.metadata),
        "notes": file.notes,
    }


def file_table(file: File, size: int) -> Table:
    """What the file holds, in words."""
    model = file.model
    table = _table("File", f"{size:,} bytes")
    table.columns[1].justify = "left"
    table.add_row("operators", ", ".join(file.operators))
    table.add_row("input", f"{model.inputs} x {file.input_type}")
    table.add_row("output", f"{model.outputs} x {file.output_type}, {model.output}")
    if model.front_end:
        one = model.front_end
        names = ", ".join(channel.name for channel in one.channels)
        made = ", ".join(one.statistics) or "as it is"
        text = f"a window of {one.window} samples ({names}), {one.step} after the last: {made}"
        table.add_row("front end", _plain(text))
    if model.scaler:
        channels = zip(model.scaler.names, model.scaler.units, strict=True)
        table.add_row("features", _plain(", ".join(f"{name} ({unit})" for name, unit in channels)))
    if model.classes:
        table.add_row("classes", _plain(", ".join(model.classes)))
    if model.output == "sigmoid" and model.outputs == 1:
        table.add_row("threshold", f"{model.threshold:.4g}, code {model.decision_threshold}")
    for key, value in model.metadata.items():
        if key != "classes":
            table.add_row(_plain(key), _plain(str(value)))
    return table


def data_table(data: Dataset) -> Table:
    """How many rows each part has; of weather also the times of its first and last reading."""
    if isinstance(data, WeatherDataset):
        return _hours_table(data)
    table = _table("Rows", "rows", *data.classes)
    for name, part in _parts(data):
        counts = _class_counts(data, part).values()
        table.add_row(name, f"{len(part):,}", *(f"{count:,}" for count in counts))
    return table


def _hours_table(data: WeatherDataset) -> Table:
    table = _table("Rows", "rows", "snow", "share", "from", "to")
    times = data.hours["time"]
    for name, part in _parts(data):
        snow = int(part.y.sum())
        first, last = (f"{times.iloc[part.index[i]]:%Y-%m-%d %H:%M}" for i in (0, -1))
        table.add_row(name, f"{len(part):,}", f"{snow:,}", f"{snow / len(part):.1%}", first, last)
    return table


def metrics_table(evaluations: Mapping[str, AnyEvaluation]) -> Table:
    """A column for each evaluation, a row for each metric."""
    table = _table("On the test rows", *evaluations)
    for key in next(iter(evaluations.values())).metrics():
        figures = (f"{e.metrics()[key]:.3f}" for e in evaluations.values())
        table.add_row(LABELS.get(key, key.replace("_", " ")), *figures)
    return table


def confusion_tables(evaluations: Mapping[str, AnyEvaluation], classes: Sequence[str]) -> Group:
    """What was taken for what; of several classes a table for each evaluation."""
    binary = {name: e for name, e in evaluations.items() if isinstance(e, Evaluation)}
    tables = [_confusion_table(binary)] if binary else []
    for name, e in evaluations.items():
        if isinstance(e, ClassEvaluation):
            tables.append(_class_table(name, e, classes))
    return Group(*tables)


def _class_table(name: str, e: ClassEvaluation, classes: Sequence[str]) -> Table:
    table = _table(f"{name}, taken for", *classes, "recall")
    for label, row, recall in zip(classes, e.confusion.tolist(), e.recall, strict=True):
        cells = [_cell(n, right=classes[i] == label) for i, n in enumerate(row)]
        table.add_row(label, *cells, f"{recall:.1%}")
    return table


def _cell(count: int, *, right: bool) -> str:
    return f"[bold green]{count}[/]" if right else f"[red]{count}[/]" if count else "."


def _confusion_table(evaluations: Mapping[str, Evaluation]) -> Table:
    """The four cells of each yes-or-no evaluation."""
    table = _table("Confusion matrix", *evaluations)
    table.add_row("at threshold", *(f"{e.threshold:.4g}" for e in evaluations.values()))
    rows = {
        "snow, forecast": "tp",
        "snow, missed": "fn",
        "no snow, false alarm": "fp",
        "no snow, none forecast": "tn",
    }
    for label, cell in rows.items():
        table.add_row(label, *(f"{getattr(e.confusion, cell):,}" for e in evaluations.values()))
    return table


def verify_table(comparisons: Iterable[Comparison], *, oracle: bool) -> Table:
    """Rows compared and rows differing, for every pair and kind of rows."""
    table = _table(f"{REFERENCE} =", "on", "result")
    for c in comparisons:
        style = "bold red" if c.differing else "green"
        table.add_row(c.implementation, c.rows_name, f"[{style}]{c.result}[/]")
    if not oracle:
        table.add_row(TFLITE_MICRO, "", "not available here")
    return table


def layers_table(model: QuantizedMLP) -> Table:
    """Scales and zero points from the input to the last layer."""
    table = _table("Layer", "shape", "weight scales", "output scale", "zero point")
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
    table = _table("Error of int8", "SQNR", "saturated", "largest error", "decision flips")
    for e in errors:
        sqnr = "exact" if math.isinf(e.sqnr) else f"{e.sqnr:.1f} dB"
        flips = "" if e.flips is None else f"{e.flips:,} of {e.rows:,}"
        table.add_row(e.name, sqnr, f"{e.saturated:.2%}", f"{e.largest:.4g}", flips)
    return table


def differences_table(differences: Iterable[Difference]) -> Table:
    """How far LiteRT is from TensorFlow Lite Micro: reported, not judged."""
    table = _table("LiteRT", "rows", "differ", "largest difference", "decisions differ")
    for d in differences:
        flips = "" if d.flips is None else f"{d.flips:,}"
        share = f"{d.differing:,} ({d.differing / d.rows:.2%})"
        largest = f"{d.largest} code{'' if d.largest == 1 else 's'}"
        table.add_row(d.kernels, f"{d.rows:,}", share, largest, flips)
    return table


def _plain(text: str) -> str:
    """Text from a file, which is neither markup nor anything that a terminal obeys."""
    return escape(printable(text))


def _table(title: str, *columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, header_style="bold")
    table.add_column(title)
    for column in columns:
        table.add_column(column, justify="right")
    return table
