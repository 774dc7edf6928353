"""What a run found, as tables for people and as one dictionary for machines."""

from scratchml.report.data import baseline_evaluations, data_json, data_table
from scratchml.report.evaluations import (
    LABELS,
    confusion_tables,
    evaluations_json,
    metrics_table,
)
from scratchml.report.models import (
    differences_json,
    differences_table,
    errors_json,
    errors_table,
    file_json,
    file_table,
    layers_table,
    size_json,
    size_line,
    verify_json,
    verify_table,
)

__all__ = [
    "LABELS",
    "baseline_evaluations",
    "confusion_tables",
    "data_json",
    "data_table",
    "differences_json",
    "differences_table",
    "errors_json",
    "errors_table",
    "evaluations_json",
    "file_json",
    "file_table",
    "layers_table",
    "metrics_table",
    "size_json",
    "size_line",
    "verify_json",
    "verify_table",
]
