"""From a file to the rows of a CSV table: bytes, text, lines, cells, each with its line number.

Nothing here holds more of the file than a block of text and a chunk of rows. What cells mean is
not known here.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import numpy.typing as npt

from scratchml.errors import ScratchmlError
from scratchml.reading import Reading

#: Bytes read at a time, and the longest line: longer ones are no table, and must not fill memory.
BLOCK = 1 << 20

#: Cells of a chunk of rows: a megabyte of strings, which stays in a processor's cache.
CHUNK_CELLS = 1 << 14

#: Delimiters that are looked for in a header.
DELIMITERS = (",", ";", "\t", "|")

#: How files begin that are no text, and what to do with them.
NOT_TEXT = (
    (b"PK\x03\x04", "a ZIP or Excel file: unpack it, or export the sheet as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old Excel file: export the sheet as CSV"),
    (b"PAR1", "a Parquet file: export it as CSV"),
    (b"\x89HDF", "an HDF5 or NetCDF file: export it as CSV"),
    (b"CDF\x01", "a NetCDF file: export it as CSV"),
    (b"CDF\x02", "a NetCDF file: export it as CSV"),
    (b"SQLite format", "a database: export a table of it as CSV"),
    (b"%PDF", "a PDF: a table in CSV is needed"),
    (b"BZh", "packed with bzip2: unpack it, or pack it with gzip"),
    (b"\xfd7zXZ", "packed with xz: unpack it, or pack it with gzip"),
    (b"\x28\xb5\x2f\xfd", "packed with zstd: unpack it, or pack it with gzip"),
)

#: Longer marks first: that of UTF-32 begins like that of UTF-16.
MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


@dataclass(frozen=True)
class Chunk:
    """Rows as wide as the header, without blank ones, and the line that each begins in."""

    rows: list[list[str]]
    lines: npt.NDArray[np.int64]


@contextmanager
def open_bytes(path: Path) -> Iterator[BinaryIO]:
    """The file's bytes, unpacked if they are gzip, by what they are and not by their name."""
    if path.is_dir():
        raise ScratchmlError("this is a directory: name a CSV file")
    with path.open("rb") as file:
        if file.peek(2)[:2] != b"\x1f\x8b":
            yield file
            return
        with gzip.GzipFile(fileobj=file) as unpacked:
            yield cast(BinaryIO, unpacked)


class RowReader:
    """The header and the rows below it.

    Attributes:
        header: the names of the columns, without spaces around them.
        header_line: where it stands; the first line of a file is 1.

    Raises:
        ScratchmlError: the file is empty, not text, or not of its encoding.
    """

    def __init__(self, file: BinaryIO, reading: Reading, wanted: Sequence[str]) -> None:
        """``wanted`` are names that the header should have: they tell which delimiter it is."""
        lines = _lines(_blocks(file, reading.encoding))
        self._skipped = sum(1 for _ in islice(lines, reading.skip_lines))
        if mark := reading.comment:
            # a blank line in its place keeps the numbers of those below
            lines = ("\n" if line.startswith(mark) else line for line in lines)
        above: list[str] = []
        for line in lines:
            above.append(line)
            if line.strip():
                break
        else:
            raise ScratchmlError("the file is empty")
        self.delimiter = reading.delimiter or _find_delimiter(above[-1], reading.decimal, wanted)
        self._csv = csv.reader(
            chain(above, lines), delimiter=self.delimiter, strict=True, skipinitialspace=True
        )
        self._begin = self._skipped + 1
        self.header_line, header = next((at, row) for at, row in self._rows() if any(row))
        self.header = [name.strip() for name in header]

    def chunks(self, size: int | None = None) -> Iterator[Chunk]:
        """The rows, ``size`` at a time; by default as many as have ``CHUNK_CELLS`` cells.

        Raises:
            ScratchmlError: a line has more or fewer cells than the header, or is longer than any
                table's; a quote is not closed; what is below is not text of its encoding.
        """
        size = size or max(1, CHUNK_CELLS // len(self.header))
        numbered = self._rows()
        while some := list(islice(numbered, size)):
            some = [(line, row) for line, row in some if any(row)]
            width = len(self.header)
            if any(len(row) != width for _, row in some):
                some = [(line, row) for line, row in some if "".join(row).strip()]
                self._check_widths(some)
            if some:
                lines, rows = zip(*some, strict=True)
                yield Chunk(list(rows), np.array(lines, np.int64))

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        reader = self._csv
        try:
            for row in reader:
                line, self._begin = self._begin, self._skipped + reader.line_num + 1
                yield line, row
        except csv.Error as error:
            line, said = self._begin, str(error)
            if "limit" in said or "unexpected end" in said:
                said = "a quote opens here that is never closed"
            elif "expected after" in said:
                said = f"a closing quote must be followed by {self.delimiter!r} or the line's end"
            raise ScratchmlError(f"line {line}: {said}") from None

    def _check_widths(self, rows: Iterable[tuple[int, list[str]]]) -> None:
        for line, row in rows:
            if len(row) > len(self.header):
                raise ScratchmlError(
                    f"line {line}: there are {len(row)} cells, and the header has "
                    f"{len(self.header)}: quote a cell that has {self.delimiter!r} in it, or name "
                    "every column"
                )
            if len(row) < len(self.header):
                raise ScratchmlError(
                    f"line {line}, column {self.header[len(row)]}: the value is missing: there are "
                    f"{len(row)} cells between {self.delimiter!r}, and the header has "
                    f"{len(self.header)}"
                )


def split_header(line: str, delimiter: str) -> list[str]:
    """The names of a header, if this is what stands between them."""
    try:
        rows = list(csv.reader([line], delimiter=delimiter, skipinitialspace=True))
    except csv.Error:
        return []
    return [name.strip() for name in rows[0]] if rows else []


def _find_delimiter(line: str, decimal: str, wanted: Sequence[str]) -> str:
    """That which gives the most of the wanted names, and then the most names at all."""

    def score(delimiter: str) -> tuple[int, int]:
        names = split_header(line, delimiter)
        return len(set(names) & set(wanted)), len(names)

    return max((d for d in DELIMITERS if d != decimal), key=score)  # the first of equals


def _lines(blocks: Iterator[str]) -> Iterator[str]:
    """The lines of a text that comes in pieces, with their line ends."""
    return chain.from_iterable(_whole_lines(blocks))


def _whole_lines(blocks: Iterator[str]) -> Iterator[Iterable[str]]:
    begun, done = "", 0
    for block in blocks:
        text = begun + block
        end = text.rfind("\n") + 1
        begun = text[end:]
        done += text.count("\n")
        if len(begun) > BLOCK:
            raise ScratchmlError(f"line {done + 1} has more than {BLOCK} characters: no table")
        yield io.StringIO(text[:end], newline="\n")  # str.splitlines ends lines at more than this
    if begun:
        yield [begun]


def _blocks(file: BinaryIO, encoding: str) -> Iterator[str]:
    """The text in pieces, whatever its line ends are with a plain newline."""
    data = _read(file)
    for start, what in NOT_TEXT:
        if data.startswith(start):
            raise ScratchmlError(f"this is {what}")
    codec = encoding or next((name for mark, name in MARKS if data.startswith(mark)), "utf-8")
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(codec)(), translate=True)
    line, begun = 1, False
    while True:
        try:
            text = decoder.decode(data, final=not data)
        except UnicodeError as error:
            raise ScratchmlError(_undecodable(error, line, codec, encoding)) from None
        if not begun and text:
            text, begun = text.removeprefix("\ufeff"), True
        if "\0" in text:
            line += text.count("\n", 0, text.index("\0"))
            raise ScratchmlError(
                f"line {line}: there is a zero byte: the file is damaged, or not text, or "
                "--encoding utf-16-le"
            )
        line += text.count("\n")
        yield text
        if not data:
            return
        data = _read(file)


def _read(file: BinaryIO) -> bytes:
    try:
        return file.read(BLOCK)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ScratchmlError(f"the gzip file is cut short or damaged ({error})") from None


def _undecodable(error: UnicodeError, line: int, codec: str, asked: str) -> str:
    hint = f"name the file's encoding, such as --encoding {'utf-8' if asked else 'cp1252'}"
    if not isinstance(error, UnicodeDecodeError):
        return f"line {line}: this is not {codec} ({error}): {hint}"
    before = error.object[: error.start].decode(codec, "replace")
    line += io.IncrementalNewlineDecoder(None, translate=True).decode(before).count("\n")
    return f"line {line}: the byte 0x{error.object[error.start]:02x} is not {codec}: {hint}"
