"""What a run found, as tables for people and as one dictionary for machines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from rich import box
from rich.table import Table

from scratchml.baselines import baselines
from scratchml.dataset import Dataset
from scratchml.evaluate import Evaluation, evaluate_scores
from scratchml.export import flash_bytes
from scratchml.quantized import QuantizedMLP
from scratchml.verify import REFERENCE, TFLITE_MICRO, Comparison

#: What the six metrics are called in a table.
LABELS = {
    "accuracy": "accuracy",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "roc_auc": "ROC AUC",
    "pr_auc": "PR AUC",
}


def baseline_evaluations(data: Dataset) -> dict[str, Evaluation]:
    """Each baseline on the test rows; a yes-or-no answer is a score of 1 or 0."""
    answers = baselines(data, data.test)
    return {name: evaluate_scores(data.test.y, yes, 1) for name, yes in answers.items()}


def evaluations_json(evaluations: Mapping[str, Evaluation]) -> dict[str, Any]:
    """The same evaluations as JSON values."""
    return {
        name: {
            "rows": e.rows,
            "threshold": e.threshold,
            **e.metrics(),
            "confusion": asdict(e.confusion),
        }
        for name, e in evaluations.items()
    }


def data_json(data: Dataset) -> dict[str, Any]:
    """Rows and positive rows of each part, and the choices that made them."""
    parts = {"train": data.train, "validation": data.validation, "test": data.test}
    counts = {name: {"rows": len(p), "snow": int(p.y.sum())} for name, p in parts.items()}
    return {"recipe": asdict(data.recipe), **counts}


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


def data_table(data: Dataset) -> Table:
    """How many rows each part has, and the times of its first and last reading."""
    table = _table("Rows", "rows", "snow", "share", "from", "to")
    times = data.hours["time"]
    for name in ("train", "validation", "test"):
        part = getattr(data, name)
        snow = int(part.y.sum())
        first, last = (f"{times.iloc[part.index[i]]:%Y-%m-%d %H:%M}" for i in (0, -1))
        table.add_row(name, f"{len(part):,}", f"{snow:,}", f"{snow / len(part):.1%}", first, last)
    return table


def metrics_table(evaluations: Mapping[str, Evaluation]) -> Table:
    """A column for each evaluation, a row for each metric."""
    table = _table("On the test rows", *evaluations)
    for key, label in LABELS.items():
        table.add_row(label, *(f"{e.metrics()[key]:.3f}" for e in evaluations.values()))
    return table


def confusion_table(evaluations: Mapping[str, Evaluation]) -> Table:
    """The four cells of each evaluation."""
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
        scales = f"{layer.weight_scales.min():.4g} .. {layer.weight_scales.max():.4g}"
        target = layer.target
        table.add_row(
            f"{number}, {'ReLU' if layer.relu else 'linear'}",
            f"{inputs} -> {outputs}",
            scales,
            f"{target.scale:.6g}",
            str(target.zero_point),
        )
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, header_style="bold")
    table.add_column(title)
    for column in columns:
        table.add_column(column, justify="right")
    return table
