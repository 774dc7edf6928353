"""How a CSV file of somebody else's is to be read: its names, signs, times and units.

These are the choices that a file cannot tell by itself; ``scratchml.tables`` reads with them.
"""

from __future__ import annotations

import codecs
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from scratchml.errors import ScratchmlError

#: Time formats that are words and not patterns.
TIME_WORDS = ("unix", "unix_ms", "seconds")

#: Delimiters that are hard to type, by a name.
DELIMITER_NAMES = {"tab": "\t", "\\t": "\t", "space": " "}


@dataclass(frozen=True)
class Reading:
    """How a file is read; stored with the model that came of it. Every value is one of JSON's.

    Attributes:
        columns: name in the file -> name here. Columns that are not in it keep their name.
        delimiter: the character between cells; ``""`` to find it from the header: comma,
            semicolon, tab or ``|``.
        decimal: the decimal sign, ``.`` or ``,``.
        encoding: ``""`` for UTF-8, or UTF-16 and UTF-32 with their mark; else a codec of Python.
        time: the column of time in the file, if its name is not that of the table.
        time_format: ``""`` for ISO 8601, a pattern of ``strptime``, ``unix`` (seconds since 1970),
            ``unix_ms``, or ``seconds`` (numbers that count from any moment).
        time_zone: IANA name of the zone of times that come without one; ``""`` for UTC.
        fahrenheit: the temperatures are in degrees Fahrenheit.
        skip_lines: lines above the header.
        comment: what a line starts with that is none of the table; ``""`` if there are none.

    Raises:
        ScratchmlError: a choice is unknown, or two of them exclude each other.
    """

    columns: Mapping[str, str] = field(default_factory=dict, hash=False)
    delimiter: str = ""
    decimal: str = "."
    encoding: str = ""
    time: str = ""
    time_format: str = ""
    time_zone: str = ""
    fahrenheit: bool = False
    skip_lines: int = 0
    comment: str = ""

    def __post_init__(self) -> None:
        _check_types(self)
        object.__setattr__(self, "columns", dict(self.columns))
        object.__setattr__(self, "delimiter", DELIMITER_NAMES.get(self.delimiter, self.delimiter))
        _check_columns(self.columns)
        _check_delimiter(self.delimiter, self.decimal)
        _check_encoding(self.encoding)
        _check_time(self.time_format, self.time_zone)

    def name_in_file(self, here: str) -> str:
        """The column's name in the file, as ``columns`` has it; the same if it is not mapped."""
        return next((old for old, new in self.columns.items() if new == here), here)

    def to_json(self) -> dict[str, Any]:
        """Every choice by its name, in values that JSON has."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: object) -> Reading:
        """The reading that ``to_json`` wrote; what is absent is the default.

        Raises:
            ScratchmlError: the values are no such mapping.
        """
        known = [f.name for f in fields(cls)]
        if not isinstance(values, Mapping):
            raise ScratchmlError("the reading of a file must be a mapping of its choices")
        if unknown := [repr(name) for name in values if name not in known]:
            raise ScratchmlError(
                f"the reading of a file has no {', '.join(unknown)}; known are {', '.join(known)}"
            )
        return cls(**{str(name): value for name, value in values.items()})


def pairs(entries: Sequence[str]) -> dict[str, str]:
    """``old=new`` of each entry. The last ``=`` counts: a name in a file may have one."""
    pairs: dict[str, str] = {}
    for entry in entries:
        old, sign, new = (part.strip() for part in entry.rpartition("="))
        if not (old and sign and new):
            raise ScratchmlError(
                f"--map {entry!r}: write the name in the file = the name here, such as "
                "temp=temperature_2m"
            )
        if old in pairs:
            raise ScratchmlError(f"--map names the column {old!r} of the file twice")
        pairs[old] = new
    return pairs


def _check_types(reading: Reading) -> None:
    columns = reading.columns
    if not isinstance(columns, Mapping) or not all(
        isinstance(name, str) for pair in columns.items() for name in pair
    ):
        raise ScratchmlError("columns must map names in the file to names here")
    for f in fields(reading):
        value = getattr(reading, f.name)
        if f.type == "str" and not isinstance(value, str):
            raise ScratchmlError(f"{f.name} must be text, and is {value!r}")
    if not isinstance(reading.fahrenheit, bool):
        raise ScratchmlError(f"fahrenheit must be true or false, and is {reading.fahrenheit!r}")
    lines = reading.skip_lines
    if not isinstance(lines, int) or isinstance(lines, bool) or lines < 0:
        raise ScratchmlError(f"skip_lines must be a whole number from 0 on, and is {lines!r}")


def _check_columns(columns: Mapping[str, str]) -> None:
    here = list(columns.values())
    if not all([*columns, *here]):
        raise ScratchmlError("a column that is mapped must have a name in the file and one here")
    if doubled := sorted({name for name in here if here.count(name) > 1}):
        old = " and ".join(repr(old) for old, new in columns.items() if new == doubled[0])
        raise ScratchmlError(f"--map gives {old} the one name {doubled[0]!r}: drop all but one")


def _check_delimiter(delimiter: str, decimal: str) -> None:
    if decimal not in (".", ","):
        raise ScratchmlError(f"decimal {decimal!r}: known are . and ,")
    # what can be part of a number or of a quoted cell cannot stand between two
    if delimiter and (len(delimiter) > 1 or delimiter.isalnum() or delimiter in "\"\r\n\0+-.'"):
        raise ScratchmlError(
            f"delimiter {delimiter!r}: it is one character such as , ; | or the word tab"
        )
    if delimiter == decimal:
        raise ScratchmlError(f"{decimal!r} cannot be both the delimiter and the decimal sign")


def _check_encoding(encoding: str) -> None:
    if not encoding:
        return
    try:
        "a".encode(encoding)  # refuses codecs of something else than text, too
        codecs.getincrementaldecoder(encoding)
    except (LookupError, UnicodeError, ValueError):
        raise ScratchmlError(
            f"encoding {encoding!r} is not known: use a name such as utf-8, cp1252, latin-1, utf-16"
        ) from None


def _check_time(pattern: str, zone: str) -> None:
    if pattern and pattern not in TIME_WORDS:
        _check_pattern(pattern)
    if not zone:
        return
    if pattern in TIME_WORDS:
        raise ScratchmlError(f"times in {pattern} have no time zone: leave --time-zone out")
    try:
        ZoneInfo(zone)
    except (OSError, ValueError, KeyError):  # a folder of zones, a path, or no zone
        raise ScratchmlError(
            f"time zone {zone!r} is not known: use a name such as Europe/Berlin or UTC"
        ) from None


def _check_pattern(pattern: str) -> None:
    """A pattern of ``strptime`` that says which day it is."""
    if not any(year in pattern for year in ("%Y", "%y", "%G", "%c", "%x")):
        raise ScratchmlError(
            f"time format {pattern!r} has no year: write a pattern such as '%d.%m.%Y %H:%M', or "
            f"one of {', '.join(TIME_WORDS)}"
        )
    try:
        pd.to_datetime(["?"], format=pattern, errors="coerce")
    except ValueError as error:
        raise ScratchmlError(f"time format {pattern!r}: {str(error).splitlines()[0]}") from None
