"""A recipe as a commented TOML file, for an example or for somebody's own table."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from scratchml.errors import ScratchmlError
from scratchml.recipe.run import EXAMPLES, Choices, run_of
from scratchml.tables.reading import Reading
from scratchml.tasks import recipe_json, task_of

#: What stands above each choice.
COMMENTS = {
    "data": "snow, digits, exercises, or a CSV file; a path begins at this file's folder",
    "seed": "of everything random: the same seed gives the same bytes",
    "features": "the columns that the network reads, in the order of its inputs",
    "label": "the column of classes to tell apart; or else",
    "target": "the column of a number to tell",
    "positive": "of two classes the one that is yes; empty: the second in order",
    "units": "units of the features, one for all or for each, and perhaps one more: the target's",
    "resolution": "counts a unit, as the sensor on the board has them; empty: the table's decimals",
    "window": "samples (or hours) in a row that are read together",
    "step": "samples from the start of one window to that of the next",
    "horizon": "samples (or hours) ahead of the newest that are asked about; 0: itself",
    "statistics": "of each channel of a window, computed in integers on the board as well; empty:\n"
    "the samples themselves. Known: mean, minimum, maximum, range, std, rms,\n"
    "mean_abs_diff, zero_crossings, mean_crossings",
    "group": "the column of what must not be in training and test at once, such as a person;\n"
    "no window reaches across",
    "session": "the column of recordings: no window reaches across these, either",
    "split": "group, time or random; empty: group if there is one, time if there is such a column",
    "test_groups": "the groups of the test; empty: random ones",
    "validation": "share of the rows that decide when to stop, and the threshold",
    "test": "share of the rows for the test",
    "balance": "none, or training: as many rows of each class there (weather also: all)",
    "scaling": "standard (mean and deviation) or robust (median and quartiles)",
    "missing": "cells without a value: refuse, drop (the sample or hour); of samples also\n"
    "previous (value), median",
    "snow_above": "snow is more than this many cm in the hour ...",
    "colder_than": "... at less than this many degrees C",
    "columns": "names in the file and what they are called here",
    "delimiter": "between cells; empty: found in the header",
    "decimal": "the decimal sign",
    "encoding": "empty: UTF-8, or UTF-16 with its mark",
    "time": "the column of time in the file; empty: time",
    "time_format": "empty: ISO 8601; or a strptime pattern, unix, unix_ms, seconds",
    "time_zone": "of times that come without one, such as Europe/Rome; empty: UTC",
    "fahrenheit": "temperatures are in degrees Fahrenheit: weather's, and columns whose unit is C",
    "skip_lines": "lines above the header",
    "comment": "what a line that is none of the table starts with",
    "hidden": "units of the hidden layers",
    "epochs": "at most",
    "batch_size": "rows a step",
    "learning_rate": "of Adam",
    "dropout": "share of hidden units left out of a step",
    "patience": "stop after this many epochs without a better validation loss",
    "threshold": "probability from which it is yes; left out: the best F1 on validation rows",
    "percentile": "where the range of an activation ends; 99.9 leaves outliers out",
    "name": "of the model in C; left out: after the data",
}


def recipe_text(choices: Choices, folder: Path = Path()) -> str:
    """All choices of the run that ``choices`` describe, each with its comment, as TOML.

    Args:
        folder: where the file will be, for the data's path from there.

    Raises:
        ScratchmlError: as ``run_of``.
    """
    run = run_of(choices)
    values = recipe_json(run.dataset)
    seed = values.pop("seed")
    data = run.data if run.path is None else _path_text(run.path, folder)
    reading = {**Reading().to_json(), **values.pop("reading", {})}
    parts = [
        "# A recipe, to be run with: scratchml run THIS_FILE\n"
        "# Every choice stands here; what is left out is as it is in the package.\n\n"
        + _lines({"data": data, "seed": seed})
    ]
    if run.path is not None:
        parts.append("[reading]\n" + _lines(reading))
    parts.append("[dataset]\n" + _lines(values))
    training = {**asdict(run.training), "threshold": run.threshold}
    if len(task_of(run.dataset).classes) > 2 or values.get("target"):
        del training["threshold"]  # which is of a yes or no
    parts.append("[training]\n" + _lines(training))
    parts.append("[quantization]\n" + _lines({"percentile": run.percentile}))
    parts.append("[export]\n" + _lines({"name": run.name}))
    return "\n".join(parts)


def _path_text(path: Path, folder: Path) -> str:
    """The data's path, as it is from the folder; a file that is named as an example is one."""
    text = Path(os.path.relpath(path, folder)).as_posix()
    return f"./{text}" if text in EXAMPLES or text.startswith("~") else text


def _lines(values: Mapping[str, Any]) -> str:
    """``key = value`` of each, below its comment; what is None is commented out."""
    lines = []
    for name, value in values.items():
        lines += [f"# {line}" for line in COMMENTS[name].splitlines()]
        lines.append(f"# {name} =" if value is None else f"{name} = {toml_value(value)}")
    return "\n".join(lines) + "\n"


def toml_value(value: Any) -> str:
    """A value of JSON's as TOML writes it, on one line.

    JSON's numbers, truths and lists are TOML's as well, and its texts but for one sign, DEL, that
    TOML wants escaped; a table needs another sign between key and value.

    Raises:
        ScratchmlError: a text holds half a character of UTF-16, which TOML has no way to write.
    """
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{toml_value(k)} = {toml_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ScratchmlError(f"{value!a} is not text that a recipe can hold") from None
    return text.replace("\x7f", "\\u007f")
