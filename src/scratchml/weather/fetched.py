"""Hours that were downloaded, and the two files that keep them: CSV, and where it came from."""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from scratchml.errors import ScratchmlError
from scratchml.files import staging
from scratchml.text import printable

TIME_FORMAT = "%Y-%m-%dT%H:%M"

#: What every side file has, and hardly any other JSON.
MARK = "scratchml_weather"


@dataclass(frozen=True)
class Fetched:
    """Hours, and where they came from.

    Attributes:
        hours: a table of hours (UTC), without those that lack a value.
        provenance: what the side file says, but for the file's name and check sum.
    """

    hours: pd.DataFrame
    provenance: dict[str, Any]

    def save(self, path: Path) -> dict[str, Any]:
        """Write the table as CSV (gzip if the name ends in .gz), and the side file beside it.

        Both appear when both are written, or neither. The same hours give the same bytes.

        Returns:
            The contents of the side file.

        Raises:
            ScratchmlError: the name is no good for a CSV file, or files that are not those of an
                earlier ``save`` to it have it.
            OSError: the folder cannot be written to.
        """
        beside = side_file(path)
        with staging(path.parent) as folder:
            contents = self.hours.to_csv(index=False, date_format=TIME_FORMAT).encode()
            if path.suffix == ".gz":
                contents = gzip.compress(contents, mtime=0)
            digest = hashlib.sha256(contents).hexdigest()
            about = {MARK: 1, "csv": path.name, "sha256": digest, **self.provenance}
            (folder / path.name).write_bytes(contents)
            text = json.dumps(about, indent=2, ensure_ascii=False) + "\n"
            (folder / beside.name).write_text(text, "utf-8", newline="\n")
        return about


def side_file(path: Path) -> Path:
    """canazei.json for canazei.csv and canazei.csv.gz.

    Raises:
        ScratchmlError: the name is no good for a CSV file, or one of the two files is there and is
            not of an earlier fetch to this name.
    """
    name = path.name.removesuffix(".gz")
    stem = name.removesuffix(".csv")
    if stem == name or not stem:
        raise ScratchmlError(f"{path}: the file's name has to end in .csv or .csv.gz")
    beside = path.with_name(f"{stem}.json")
    for file in (path, beside):
        if file.exists() and not file.is_file():
            raise ScratchmlError(f"{file} is no ordinary file: choose another name with -o")
    owner = _csv_of(beside) if beside.exists() else None
    for file in (beside, path):
        if file.exists() and owner is None:
            raise ScratchmlError(
                f"{file} would be overwritten, and was not written by scratchml fetch: choose "
                "another name with -o"
            )
    if owner not in (None, path.name):  # canazei.csv and canazei.csv.gz have one side file
        raise ScratchmlError(
            f"{beside} belongs to {printable(str(owner))}: choose another name with -o"
        )
    return beside


def _csv_of(beside: Path) -> str | None:
    """The name of the CSV that a side file describes; ``None`` if it is no side file."""
    try:
        about = json.loads(beside.read_bytes())
    except (ValueError, RecursionError):
        return None
    return str(about.get("csv")) if isinstance(about, dict) and MARK in about else None
