"""From a file to the rows of a CSV table: bytes, text, lines, cells, each with its line number.

Nothing here holds more of the file than a block of text and its rows. What cells mean is
not known here.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from scratchml.errors import ScratchmlError
from scratchml.tables.chunks import Chunk, PlainChunk
from scratchml.tables.reading import Reading
from scratchml.text import printable

#: Bytes read at a time: their cells stay in a processor's cache.
BLOCK = 1 << 18

#: Characters of a line; longer ones are no table's, and must not fill memory.
LONGEST_LINE = 1 << 20

#: What a row that is left out consists of.
BLANK = "".join(map(chr, range(33)))

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
        delimiter: what stands between the cells.
        header: the names of the columns, without spaces around them.
        header_line: where it stands; the first line of a file is 1.
    """

    def __init__(
        self, file: BinaryIO, reading: Reading, wanted: Collection[str], block: int = BLOCK
    ) -> None:
        """Read up to the header.

        Args:
            wanted: names that the header should have: they tell which delimiter it is.
            block: bytes that are read at a time.

        Raises:
            ScratchmlError: the file is empty, not text, or not of its encoding.
        """
        self._texts = _table_lines(_whole_lines(_blocks(file, reading.encoding, block)), reading)
        self._line = 1
        text = ""
        while not text.strip():
            more = next(self._texts, None)
            if more is None:
                raise ScratchmlError("the file is empty")
            text += more
        line = next(line for line in text.split("\n") if line.strip())
        self.delimiter = reading.delimiter or _find_delimiter(line, reading.decimal, wanted)
        above = ((at, row) for at, row in self._records(text) if any(row))
        self.header_line, header = next(above, (1, []))
        self.header = [name.strip() for name in header]
        if below := self._source.read():
            self._texts = chain([below], self._texts)

    def chunks(self) -> Iterator[Chunk]:
        """The rows without blank ones, some at a time.

        Raises:
            ScratchmlError: a line has more or fewer cells than the header, or is longer than any
                table's; a quote is not closed; what is below is not text of its encoding.
        """
        for text in self._texts:
            plain = PlainChunk.of(text, self.delimiter, len(self.header), self._line)
            if plain:
                self._line += len(plain.lines)
                yield plain
                continue
            some = [(line, row) for line, row in self._records(text) if "".join(row).strip(BLANK)]
            self._check_widths(some)
            if some:
                lines, rows = zip(*some, strict=True)
                yield Chunk(np.array(lines, np.int64), rows)

    def _records(self, text: str) -> Iterator[tuple[int, list[str]]]:
        """The line and the cells of each row of a text, and of the next texts up to the end of one
        with which a row ends."""
        above, self._source, self._end = self._line - 1, io.StringIO(text, newline="\n"), len(text)
        lines = chain.from_iterable(self._sources())
        reader = csv.reader(lines, delimiter=self.delimiter, strict=True, skipinitialspace=True)
        try:
            for row in reader:
                line, self._line = self._line, above + reader.line_num + 1
                yield line, row
                if self._source.tell() == self._end:
                    return
        except csv.Error as error:
            said = str(error)
            if "limit" in said or "unexpected end" in said:
                said = "a quote opens here that is never closed"
            elif "expected after" in said:
                said = f"a closing quote must be followed by {self.delimiter!r} or the line's end"
            raise ScratchmlError(f"line {self._line}: {said}") from None

    def _sources(self) -> Iterator[io.StringIO]:
        """This text, and the next ones as long as a row does not end."""
        yield self._source
        for text in self._texts:
            self._source, self._end = io.StringIO(text, newline="\n"), len(text)
            yield self._source

    def _check_widths(self, rows: Iterable[tuple[int, list[str]]]) -> None:
        names, sign = self.header, repr(self.delimiter)
        for line, row in rows:
            if len(row) > len(names):
                raise ScratchmlError(
                    f"line {line}: there are {len(row)} cells, and the header has {len(names)}: "
                    f"quote a cell that has {sign} in it, or name every column"
                )
            if len(row) < len(names):
                raise ScratchmlError(
                    f"line {line}, column {printable(names[len(row)])}: the value is missing: "
                    f"there are {len(row)} cells between {sign}, and the header has {len(names)}"
                )


def split_header(line: str, delimiter: str) -> list[str]:
    """The names of a header, if this is what stands between them."""
    try:
        rows = list(csv.reader([line], delimiter=delimiter, skipinitialspace=True))
    except csv.Error:
        return []
    return [name.strip() for name in rows[0]] if rows else []


def _find_delimiter(line: str, decimal: str, wanted: Collection[str]) -> str:
    """That which gives the most of the wanted names, and then the most names at all."""

    def score(delimiter: str) -> tuple[int, int]:
        names = split_header(line, delimiter)
        return len(set(names) & set(wanted)), len(names)

    return max((d for d in DELIMITERS if d != decimal), key=score)  # the first of equals


def _table_lines(texts: Iterable[str], reading: Reading) -> Iterator[str]:
    """Texts of whole lines, in which lines that are none of the table are blank."""
    skip, comment = reading.skip_lines, reading.comment
    for text in texts:
        if skip or comment:
            lines = io.StringIO(text, newline="\n").readlines()
            above = min(skip, len(lines))
            skip -= above
            rest = (
                "\n" if comment and line.startswith(comment) else line for line in lines[above:]
            )
            yield "\n" * above + "".join(rest)
        else:
            yield text


def _whole_lines(blocks: Iterable[str]) -> Iterator[str]:
    """The text that comes in pieces, in others that end with a line."""
    begun, done = "", 0
    for block in blocks:
        text = begun + block
        end = text.rfind("\n") + 1
        begun = text[end:]
        if end:
            done += text.count("\n")
            yield text[:end]
        if len(begun) > LONGEST_LINE:
            raise ScratchmlError(f"line {done + 1} has more than {LONGEST_LINE} characters")
    if begun:
        yield begun


def _blocks(file: BinaryIO, encoding: str, size: int) -> Iterator[str]:
    """The text in pieces, whatever its line ends are with a plain newline."""
    data = _read(file, max(size, 16))
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
        data = _read(file, size)


def _read(file: BinaryIO, size: int) -> bytes:
    try:
        return file.read(size)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ScratchmlError(f"the gzip file is cut short or damaged ({error})") from None


def _undecodable(error: UnicodeError, line: int, codec: str, asked: str) -> str:
    hint = f"name the file's encoding, such as --encoding {'utf-8' if asked else 'cp1252'}"
    if not isinstance(error, UnicodeDecodeError):
        return f"line {line}: this is not {codec} ({error}): {hint}"
    before = error.object[: error.start].decode(codec, "replace")
    line += io.IncrementalNewlineDecoder(None, translate=True).decode(before).count("\n")
    return f"line {line}: the byte 0x{error.object[error.start]:02x} is not {codec}: {hint}"
