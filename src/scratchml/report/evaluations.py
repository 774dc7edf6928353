"""How good the networks are, beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group
from rich.table import Table

from scratchml import dataset
from scratchml.evaluate import AnyEvaluation, Evaluation
from scratchml.multiclass import ClassEvaluation
from scratchml.report.tables import plain, table_of

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

#: Metrics that may be of any size, a thousandth too.
IN_UNITS = ("mse", "rmse", "mae")

#: Letters of a class's name that a column has room for.
LONGEST_HEAD = 6


def evaluations_json(evaluations: Mapping[str, AnyEvaluation]) -> dict[str, Any]:
    """The same evaluations as JSON values."""
    return {name: e.as_json() for name, e in evaluations.items()}


def metrics_table(evaluations: Mapping[str, AnyEvaluation]) -> Table:
    """A column for each evaluation, a row for each metric."""
    table = table_of("On the test rows", *evaluations)
    for key in next(iter(evaluations.values())).metrics():
        figures = (_figure(key, e.metrics()[key]) for e in evaluations.values())
        table.add_row(LABELS.get(key, key.replace("_", " ")), *figures)
    return table


def _figure(key: str, value: float) -> str:
    return f"{value:.3g}" if key in IN_UNITS and value < 1 else f"{value:.3f}"


def confusion_tables(evaluations: Mapping[str, AnyEvaluation], classes: Sequence[str]) -> Group:
    """What was taken for what; of several classes a table for each evaluation."""
    binary = {name: e for name, e in evaluations.items() if isinstance(e, Evaluation)}
    tables = [_confusion_table(binary, classes)] if binary else []
    for name, e in evaluations.items():
        if isinstance(e, ClassEvaluation):
            tables.append(_class_table(name, e, classes))
    return Group(*tables)


def _class_table(name: str, e: ClassEvaluation, classes: Sequence[str]) -> Table:
    names, heads = list(map(plain, classes)), list(map(plain, classes))
    if max(map(len, classes)) > LONGEST_HEAD:  # numbers, which the rows explain
        heads = [str(number) for number in range(1, len(classes) + 1)]
        names = [f"{number} {text}" for number, text in zip(heads, names, strict=True)]
    table = table_of(f"{name}, taken for", *heads, "recall")
    for label, row in enumerate(e.confusion.tolist()):
        cells = [_cell(n, right=i == label) for i, n in enumerate(row)]
        table.add_row(names[label], *cells, f"{e.recall[label]:.1%}")
    return table


def _cell(count: int, *, right: bool) -> str:
    return f"[bold green]{count}[/]" if right else f"[red]{count}[/]" if count else "."


def _confusion_table(evaluations: Mapping[str, Evaluation], classes: Sequence[str]) -> Table:
    """The four cells of each yes-or-no evaluation."""
    table = table_of("Confusion matrix", *evaluations)
    table.add_row("at threshold", *(f"{e.threshold:.4g}" for e in evaluations.values()))
    no, yes = map(plain, classes)
    words = ("found", "missed", "false alarm", "none found")
    if tuple(classes) == dataset.CLASSES:
        words = ("forecast", "missed", "false alarm", "none forecast")
    for label, word, cell in zip((yes, yes, no, no), words, ("tp", "fn", "fp", "tn"), strict=True):
        counts = (f"{getattr(e.confusion, cell):,}" for e in evaluations.values())
        table.add_row(f"{label}, {word}", *counts)
    return table
