"""Some rows of a CSV table at a time: cells by column, and the line that each row begins in.

A chunk without quotes can be cut by the places of its delimiters alone, which numpy finds a few
times faster than a parser does; this one gives the same cells as a parser would.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

#: What an empty cell may also be written as where a number is expected, in any case.
MISSING = frozenset(("", "na", "n/a", "#n/a", "nan", "null", "none", "-"))

#: Those that are met most.
SPELLINGS = [*MISSING, *map(str.upper, MISSING), *map(str.title, MISSING), "NaN"]

#: Doubles are to be the nearest ones. Pandas does so by itself since it has an argument less.
PRECISE: dict[str, Any] = (
    {"float_precision": "round_trip"}
    if tuple(map(int, pd.__version__.split(".")[:2])) < (3, 1)
    else {}
)

Places = npt.NDArray[np.int64]


class Chunk:
    """Rows, each with a cell for every column of the header.

    Attributes:
        lines: the line of the file that each row begins in.
    """

    def __init__(self, lines: Places, rows: Sequence[Sequence[str]]) -> None:
        self.lines, self._rows = lines, rows

    def cells(self, column: int) -> list[str]:
        """The cells of a column, with the spaces around them."""
        return [row[column] for row in self._rows]

    def numbers(
        self, columns: Collection[int], decimal: str, *, gaps: bool
    ) -> dict[int, npt.NDArray[np.float64]]:
        """Numbers of those of the columns that there is a faster way to than by ``cells``, and
        that have none but numbers, some perhaps infinite; with ``gaps`` a missing one is NaN."""
        return {}


class PlainChunk(Chunk):
    """Whole lines of a text with neither quotes nor blank rows: a delimiter is a delimiter."""

    def __init__(self, lines: Places, text: str, delimiter: str, cuts: Places) -> None:
        """``cuts[rows, columns + 1]``: where each line begins, its delimiters, its end."""
        self.lines = lines
        self._text, self._delimiter, self._cuts = text, delimiter, cuts

    @classmethod
    def of(cls, text: str, delimiter: str, columns: int, line: int) -> PlainChunk | None:
        """The chunk of a text that begins in this line; ``None`` if it is not plain, or some line
        has more or fewer cells."""
        # a space may stand several times between two cells
        if '"' in text or delimiter == " " or not delimiter.isascii():
            return None
        data = np.frombuffer(text.encode(), np.uint8)
        ends = np.flatnonzero(data == ord("\n"))
        if not text.endswith("\n"):
            ends = np.append(ends, len(data))
        signs = data == ord(delimiter)
        marks = np.flatnonzero(signs)
        if len(marks) != len(ends) * (columns - 1):
            return None
        starts = np.append(0, ends[:-1] + 1)
        cuts = np.column_stack([starts - 1, marks.reshape(len(ends), columns - 1), ends])
        if (np.diff(cuts) <= 0).any():  # as many delimiters, but not in every line
            return None
        blank = np.add.reduceat((data > ord(" ")) & ~signs, starts, dtype=np.int32) == 0
        if blank.any():
            return None
        return cls(np.arange(line, line + len(ends)), text, delimiter, cuts)

    def cells(self, column: int) -> list[str]:
        pairs = zip(
            (self._cuts[:, column] + 1).tolist(), self._cuts[:, column + 1].tolist(), strict=True
        )
        if self._text.isascii():
            return [self._text[start:end] for start, end in pairs]
        data = self._text.encode()
        return [data[start:end].decode() for start, end in pairs]

    def numbers(
        self, columns: Collection[int], decimal: str, *, gaps: bool
    ) -> dict[int, npt.NDArray[np.float64]]:
        try:
            table = pd.read_csv(
                io.StringIO(self._text),
                sep=self._delimiter,
                header=None,
                index_col=False,
                usecols=sorted(columns),
                dtype=np.float64,
                decimal=decimal,
                quoting=csv.QUOTE_NONE,
                na_filter=gaps,
                na_values=SPELLINGS if gaps else None,
                keep_default_na=False,
                **PRECISE,
            )
        except ValueError:  # which it is, and whether it may be, is seen by the cells
            return {}
        numbers = {column: table[column].to_numpy() for column in columns}
        # pandas also takes a column of True and False for numbers
        return {c: v for c, v in numbers.items() if not (np.isnan(v) | (v == 0) | (v == 1)).all()}
