"""Some rows of a CSV table at a time: cells by column, and the line that each row begins in.

A chunk without quotes can be cut by the places of its delimiters alone, which numpy finds a few
times faster than a parser does; this one gives the same cells as a parser would.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

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

    def numbers(self, columns: Sequence[int]) -> npt.NDArray[np.float64] | None:
        """``[rows, columns]`` of cells that are all finite numbers, if there is a faster way to
        them than ``cells``; else ``None``."""
        return None


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

    def numbers(self, columns: Sequence[int]) -> npt.NDArray[np.float64] | None:
        try:
            values = np.loadtxt(
                io.StringIO(self._text),
                delimiter=self._delimiter,
                usecols=columns,
                comments=None,
                ndmin=2,
            )
        except ValueError:  # some cell is no number: which, and whether it may be, is seen later
            return None
        return values if np.isfinite(values).all() else None
