"""What the cells of a column say: numbers, texts or times, or which of them says no such thing.

Each class is a column that is filled chunk by chunk, so that only values are kept, not text.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from itertools import compress
from typing import NoReturn, cast
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from scratchml.errors import ScratchmlError
from scratchml.tables.chunks import MISSING
from scratchml.text import printable

NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
INFINITY = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)
DATE = re.compile(r"[0-9]{4}-[0-9][0-9]-[0-9][0-9]")

#: What pandas can hold in nanoseconds, in whole years.
EARLIEST, LATEST = pd.Timestamp("1678-01-01", tz="UTC"), pd.Timestamp("2262-01-01", tz="UTC")

Lines = npt.NDArray[np.int64]
Array = npt.NDArray[np.generic]


class Column(ABC):
    """A column of the file by its name there; ``lines`` says where the cells of a chunk stand."""

    def __init__(self, name: str) -> None:
        self.name = name
        # it grows in place, so that a large table is never there twice
        self._data = bytearray()
        self._type: np.dtype[np.generic] = np.dtype(np.float64)

    @abstractmethod
    def add(self, cells: list[str], lines: Lines) -> None:
        """Take the cells of the next chunk.

        Raises:
            ScratchmlError: a cell is not what the column is of; line, column and value are named.
        """

    def joined(self) -> Array:
        """The values of all chunks."""
        return np.frombuffer(self._data, self._type)

    def result(self) -> Array | pd.Categorical[str]:
        return self.joined()

    def _append(self, values: Array) -> None:
        self._type = values.dtype
        self._data += values.tobytes()

    def _refuse(self, cell: str, line: int, complaint: str) -> NoReturn:
        cell = cell.strip()
        shown = f" {cell if len(cell) <= 60 else cell[:57] + '...'!r}" if cell else ""
        raise ScratchmlError(
            f"line {line}, column {printable(self.name)}: the value{shown} {complaint}"
        )

    def _refuse_first(
        self, bad: npt.NDArray[np.bool_], cells: Callable[[], list[str]], lines: Lines, why: str
    ) -> None:
        if bad.any():
            at = int(bad.argmax())
            self._refuse(cells()[at], lines[at], why)


class Numbers(Column):
    """A column of float64.

    Args:
        decimal: the decimal sign.
        limits: least and greatest value, in degrees Celsius if the cells are Fahrenheit.
        missing: a missing cell is NaN; else it is refused.
        fahrenheit: the cells are degrees Fahrenheit, and the values become Celsius.
    """

    def __init__(
        self,
        name: str,
        *,
        decimal: str = ".",
        limits: tuple[float, float] | None = None,
        missing: bool = False,
        fahrenheit: bool = False,
    ) -> None:
        super().__init__(name)
        self.decimal, self._limits = decimal, limits
        self.missing, self._fahrenheit = missing, fahrenheit
        self._signs = b"0123456789+-eE " + decimal.encode()

    def takes(self, values: npt.NDArray[np.float64]) -> bool:
        """Whether these may be in the column as they are, but for its limits."""
        return not np.isinf(values).any() and (self.missing or not np.isnan(values).any())

    def add_numbers(
        self, values: npt.NDArray[np.float64], cells: Callable[[], list[str]], lines: Lines
    ) -> None:
        """Take the next chunk as numbers that the cells say; these are fetched only to be shown.

        Raises:
            ScratchmlError: as ``add``.
        """
        if self._fahrenheit:
            values = (values - 32) / 1.8
        if self._limits:
            low, high = self._limits
            celsius = " degrees Celsius" if self._fahrenheit else ""
            bad = (values < low) | (values > high)
            self._refuse_first(bad, cells, lines, f"is outside {low:g} .. {high:g}{celsius}")
        self._refuse_first(np.isinf(values), cells, lines, "is not a finite number")
        self._append(values)

    def add(self, cells: list[str], lines: Lines) -> None:
        values = self._plain(cells)
        if values is None and self.missing:
            values = self._plain_with_gaps(cells)
        if values is None:
            pairs = zip(cells, lines.tolist(), strict=True)
            values = np.array([self._number(cell, line) for cell, line in pairs])
        self.add_numbers(values, lambda: cells, lines)

    def _plain(self, cells: list[str]) -> npt.NDArray[np.float64] | None:
        """The fast way, if there is nothing but signs of numbers in them and all are numbers."""
        # float() would also take 1_000, nan, and the digits of other scripts
        if "".join(cells).encode(errors="replace").translate(None, self._signs):
            return None
        if self.decimal != ".":
            cells = [cell.replace(self.decimal, ".") for cell in cells]
        try:
            return np.array(list(map(float, cells)))
        except ValueError:
            return None

    def _plain_with_gaps(self, cells: list[str]) -> npt.NDArray[np.float64] | None:
        there = [cell.strip().lower() not in MISSING for cell in cells]
        numbers = self._plain(list(compress(cells, there)))
        if numbers is None:
            return None
        values = np.full(len(cells), np.nan)
        values[there] = numbers
        return values

    def _number(self, cell: str, line: int) -> float:
        text = cell.strip()
        if text.lower() in MISSING:
            if self.missing:
                return np.nan
            self._refuse(cell, line, "is missing: fill it or leave the whole line out")
        if self.decimal != ".":
            # a point would be one of thousands: 1.234 is not to become 1.234
            text = text.replace(".", "?").replace(self.decimal, ".")
        if NUMBER.fullmatch(text) or INFINITY.fullmatch(text):
            return float(text)
        other = "," if self.decimal == "." else "."
        decimal = re.fullmatch(rf"[+-]?[0-9]+\{other}[0-9]+", cell.strip())
        hint = f": --decimal {other} if that is its sign" if decimal else ""
        return self._refuse(cell, line, f"is not a number{hint}")


class Texts(Column):
    """A column of words, such as labels; only an empty cell is missing, and then ``None``."""

    def __init__(self, name: str, *, missing: bool = False) -> None:
        super().__init__(name)
        self._missing = missing
        self._codes = {"": -1}

    def add(self, cells: list[str], lines: Lines) -> None:
        self._append(self._values(cells, lines))

    def _values(self, cells: list[str], lines: Lines) -> Array:
        words = [cell.strip() for cell in cells]
        if not self._missing and "" in words:
            at = words.index("")
            self._refuse("", lines[at], "is missing: fill it or leave the whole line out")
        for word in set(words).difference(self._codes):
            self._codes[word] = len(self._codes) - 1
        return np.array([self._codes[word] for word in words], np.int32)

    def result(self) -> pd.Categorical[str]:
        """Categories in the order of the alphabet."""
        words = list(self._codes)[1:]
        order = sorted(range(len(words)), key=words.__getitem__)
        ranks = np.empty(len(words) + 1, np.int32)
        ranks[order], ranks[-1] = np.arange(len(words)), -1  # -1 is the code of a missing one
        codes = ranks[cast("npt.NDArray[np.int32]", self.joined())]
        return pd.Categorical.from_codes(codes, categories=pd.Index([words[i] for i in order]))


class Times(Column):
    """A column of datetime64[ns], in UTC but without a zone.

    Args:
        pattern: ``Reading.time_format``, other than ``seconds``.
        zone: name of the zone of times that have none; ``""`` for UTC.
    """

    def __init__(self, name: str, *, pattern: str = "", zone: str = "") -> None:
        super().__init__(name)
        self._pattern = pattern
        self._zone = ZoneInfo(zone) if zone else None
        self._unit = {"unix": 1.0, "unix_ms": 1e-3}.get(pattern)

    def add(self, cells: list[str], lines: Lines) -> None:
        self._append(self._values(cells, lines))

    def _values(self, cells: list[str], lines: Lines) -> Array:
        if self._unit:
            return self._since_1970(cells, lines, self._unit)
        if self._pattern:
            example = f"of the format {self._pattern!r}"
            # pandas takes these for times in any format
            dates = ["" if cell.strip().lower() in ("now", "today") else cell for cell in cells]
            times = pd.to_datetime(
                [cell.strip() for cell in dates],
                format=self._pattern,
                utc=True,
                errors="coerce",
                cache=False,
            )
        else:
            example = "such as 2020-01-31T23:00"
            # a date has to be there: pandas takes "now" and "2020" for times as well
            dates = list(map(str.strip, cells))
            if not all(map(DATE.match, dates)):
                dates = [cell if DATE.match(cell) else "" for cell in dates]
            times = pd.to_datetime(dates, format="ISO8601", utc=True, errors="coerce", cache=False)
        outside = np.asarray(times.isna() | (times < EARLIEST) | (times >= LATEST))
        if (
            not self._pattern
            and outside.any()
            and NUMBER.fullmatch(cells[outside.argmax()].strip())
        ):
            example += ": if it counts, --time-format seconds, unix or unix_ms"
        self._refuse_first(outside, lambda: cells, lines, f"is not a time {example}")
        moments = times.tz_localize(None)
        if self._zone:
            moments = self._from_zone(moments, cells, lines, self._zone)
        return moments.to_numpy().astype("datetime64[ns]")

    def _from_zone(
        self, times: pd.DatetimeIndex, cells: list[str], lines: Lines, zone: ZoneInfo
    ) -> pd.DatetimeIndex:
        """UTC of those that the clocks of a zone showed; those with an offset are UTC already."""
        if self._pattern:
            local = np.full(len(cells), "%z" not in self._pattern)
        else:
            local = np.array([not re.search("[Zz+-]", cell.strip()[10:]) for cell in cells])
        moments = times.tz_localize(zone, ambiguous="NaT", nonexistent="NaT")
        lost = moments.isna() & local
        if lost.any():
            at = int(lost.argmax())
            shifted = times[at : at + 1].tz_localize(
                zone, ambiguous="NaT", nonexistent="shift_forward"
            )
            self._refuse(
                cells[at],
                lines[at],
                f"stands for two moments in {zone.key}, whose clocks were put back: write the "
                "offset behind the time, or all times in UTC"
                if shifted.isna()[0]
                else f"is no time in {zone.key}, whose clocks were put forward over it",
            )
        return times.where(~local, moments.tz_convert(None))

    def _since_1970(self, cells: list[str], lines: Lines, unit: float) -> Array:
        limits = (EARLIEST.timestamp() / unit, LATEST.timestamp() / unit)
        reader = Numbers(self.name, limits=limits)
        reader.add(cells, lines)
        counts = cast("npt.NDArray[np.float64]", reader.joined())
        # a double has no nanoseconds of today, but all of its microseconds
        whole = np.floor(counts)
        micros = np.rint((counts - whole) * unit * 1e6).astype(np.int64)
        micros += whole.astype(np.int64) * round(unit * 1e6)
        return micros.astype("datetime64[us]").astype("datetime64[ns]")
