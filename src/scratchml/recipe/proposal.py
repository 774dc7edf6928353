"""What somebody's table looks like it is: a proposal of what is read and what is asked.

It goes by what cells hold, and by a few usual names of columns. It is to be looked at and changed,
which is why it is written into a recipe, and not taken by ``run``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from scratchml.errors import ScratchmlError
from scratchml.recipe.run import Choices
from scratchml.tables import column_names, read_table
from scratchml.tables.cells import DATE, NUMBER
from scratchml.tables.chunks import MISSING
from scratchml.tables.reading import Reading
from scratchml.text import printable
from scratchml.weather.table import COLUMNS

#: Values of a column that is still taken for one of classes.
MOST_CLASSES = 100

#: Groups that a split by group needs: one for each part.
LEAST_GROUPS = 3

#: Usual names of columns, in small letters.
NAMES = {
    "label": {"label", "class", "category", "activity", "gesture", "species"},
    "target": {"target", "output"},
    "group": {"group", "person", "subject", "subject_id", "participant", "patient", "user"},
    "session": {"session", "recording", "trial"},
    "time": {"time", "timestamp", "datetime", "date"},
}


def proposal(
    path: Path, reading: Reading | None = None, given: Mapping[str, Any] | None = None
) -> Choices:
    """Choices for a file of somebody's.

    Hours of weather are weather. Elsewhere columns of numbers are features, the last column of a
    few texts is the label, and without one the last column of numbers is the target.

    Args:
        reading: how the file is written.
        given: choices of the data set that are made already, and are not to be proposed.

    Raises:
        ScratchmlError: the file is no table, or has nothing to learn from.
        OSError: it cannot be read.
    """
    reading, given = reading or Reading(), given or {}
    names = [name for name in column_names(path, reading) if name]
    choices: Choices = {"": {"data": str(path)}}
    if set(COLUMNS) <= set(names) and not (given.get("label") or given.get("target")):
        return choices
    columns = _values(path, reading, names)
    reading = _with_decimal(reading, columns)
    roles = _named(columns, reading)
    if not reading.time and "time" in roles:
        reading = replace(reading, time="" if roles["time"] == "time" else roles["time"])
        if not reading.time_format and _are_numbers(columns[roles["time"]], reading.decimal):
            if reading.time_zone:
                raise ScratchmlError(
                    f"{path}: the column {printable(roles['time'])} holds numbers, taken for "
                    f"seconds from anywhere, which have no time zone: leave --time-zone out, or "
                    f"say what they are, such as --time-format %Y%m%d%H"
                )
            reading = replace(reading, time_format="seconds")  # from anywhere: no dates
    try:
        chosen = _asked(columns, reading, roles, given)
    except ScratchmlError as error:
        raise ScratchmlError(f"{path}: {error}") from None
    usual = Reading().to_json()
    found = {name: value for name, value in reading.to_json().items() if value != usual[name]}
    return {**choices, "reading": found, "dataset": chosen}


def looks_headless(choices: Choices) -> bool:
    """Whether the names of a proposal's features are numbers: perhaps values, and no names."""
    features = choices.get("dataset", {}).get("features", [])
    return bool(features) and all(NUMBER.fullmatch(name) for name in features)


def _values(path: Path, reading: Reading, names: Sequence[str]) -> dict[str, list[str]]:
    """Different texts of each column, without those that say that a value is missing.

    All of them where they may be names of classes or groups; of a column of many different values
    those at the head of the file.
    """
    reading = replace(reading, fahrenheit=False)

    def texts(names: Sequence[str], head: bool) -> dict[str, list[str]]:
        table = read_table(path, reading, numbers=(), texts=names, missing=True, head=head)
        found = {name: table[name].cat.categories for name in names}
        return {n: [t for t in words if t.lower() not in MISSING] for n, words in found.items()}

    values = texts(names, head=True)
    few = [name for name, found in values.items() if len(found) <= MOST_CLASSES]
    return {**values, **texts(few, head=False)} if few else values


def _with_decimal(reading: Reading, columns: Mapping[str, list[str]]) -> Reading:
    """A comma, if that makes more columns of numbers."""

    def numbers(decimal: str) -> int:
        return sum(_are_numbers(texts, decimal) for texts in columns.values())

    if reading.delimiter != "," and numbers(",") > numbers(reading.decimal):
        return replace(reading, decimal=",")
    return reading


def _named(columns: Mapping[str, list[str]], reading: Reading) -> dict[str, str]:
    """The columns that have a usual name, and values that fit: role -> column."""
    roles = {"time": reading.time or "time"}
    for name, texts in columns.items():
        for role, usual in NAMES.items():
            if name.lower() not in usual or roles.get(role) in columns:
                continue
            numbers = _are_numbers(texts, reading.decimal)
            fits = {
                "label": 2 <= len(texts) <= MOST_CLASSES,
                "target": numbers,
                "time": numbers or all(DATE.match(text) for text in texts),
            }
            if fits.get(role, True):
                roles[role] = name
    return {role: name for role, name in roles.items() if name in columns}


def _asked(
    columns: Mapping[str, list[str]],
    reading: Reading,
    roles: Mapping[str, str],
    given: Mapping[str, Any],
) -> dict[str, Any]:
    """What is read, what is asked, and the group and session; ``given`` wins."""
    said = {given[name] for name in ("label", "target", "group", "session") if given.get(name)}
    said |= set(given.get("features", ()))
    roles = {role: name for role, name in roles.items() if name not in said}
    taken = said | {roles[role] for role in ("group", "session", "time") if role in roles}
    free = {name: texts for name, texts in columns.items() if name not in taken}
    numbers = [name for name, texts in free.items() if _are_numbers(texts, reading.decimal)]
    few = [name for name in free if name not in numbers and 2 <= len(free[name]) <= MOST_CLASSES]
    chosen: dict[str, Any] = {}
    if not (given.get("label") or given.get("target")):
        if roles.get("label") in free:
            chosen["label"] = roles["label"]
        elif roles.get("target") in free:
            chosen["target"] = roles["target"]
        elif few:
            chosen["label"] = few[-1]
        elif len(numbers) > 1:
            chosen["target"] = numbers[-1]
    chosen["features"] = [name for name in numbers if name not in chosen.values()]
    if not (chosen["features"] or given.get("features")) or not (
        {"label", "target"} & {*chosen, *given}
    ):
        raise ScratchmlError(
            f"needed are columns of numbers to read, and one of classes or of a number to tell; "
            f"there are {', '.join([*columns][:20])}"
        )
    if "group" in roles and len(columns[roles["group"]]) >= LEAST_GROUPS:
        chosen["group"] = roles["group"]
    if "session" in roles:
        chosen["session"] = roles["session"]
    return {name: value for name, value in chosen.items() if name not in given}


def _are_numbers(texts: Sequence[str], decimal: str) -> bool:
    found = (NUMBER.fullmatch(text.strip().replace(decimal, ".")) for text in texts)
    return bool(texts) and all(found) and (decimal == "." or not any("." in text for text in texts))
