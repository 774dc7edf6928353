"""What the board answers: each line's pattern, and what it says with a type."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Any

STATUS = re.compile(r"status .*")
SELF_TEST = re.compile(r"self-test (\d+)/(\d+)(?:: (.*))?")
DIGEST = re.compile(r"digest ([0-9a-f]{8})")
FORECAST = re.compile(r"forecast (-?\d{1,3}) (\d{1,3}) (yes|no)")
BENCH = re.compile(r"bench cycles=(\d+) clock=(\d+)")


@dataclass(frozen=True)
class Status:
    """What is running on the board.

    Attributes:
        model: its fingerprint, see ``scratchml.export.fingerprint``.
        clock: of the CPU in Hz; 0 if the board has no counter of cycles.
        hours, holes: since the start; ``needed``: good hours to come before there is a forecast.
    """

    protocol: int
    engine: int
    model: int
    inputs: int
    outputs: int
    board: str
    clock: int
    hours: int
    holes: int
    needed: int

    @classmethod
    def parse(cls, line: str) -> Status:
        """From ``status name=value ...``, which may have more names than these.

        Raises:
            KeyError, ValueError: a name is missing, or its value is no number.
        """
        values = _values(line)
        numbers: dict[str, Any] = {
            field.name: int(values[field.name], 16 if field.name == "model" else 10)
            for field in fields(cls)
            if field.name != "board"
        }
        return cls(board=values["board"], **numbers)


@dataclass(frozen=True)
class SelfTest:
    """How many of the golden rows are right; ``first`` describes the first that is not."""

    good: int
    rows: int
    first: str | None

    @property
    def passed(self) -> bool:
        return self.good == self.rows


@dataclass(frozen=True)
class Forecast:
    """The output code, -128 .. 127, what it is in percent, and whether it counts as snow."""

    code: int
    percent: int
    snow: bool

    @classmethod
    def of(cls, code: int, threshold: int) -> Forecast:
        """As the station words it: percent of a probability of 256ths, halves rounded up."""
        return cls(code, ((code + 128) * 100 + 128) // 256, code >= threshold)


@dataclass(frozen=True)
class Bench:
    """Cycles of one inference, and the clock in Hz."""

    cycles: int
    clock: int

    @property
    def microseconds(self) -> float:
        return self.cycles / self.clock * 1e6


def protocol_of(line: str) -> int | None:
    """The version of the protocol in a status line, or ``None`` if there is none."""
    version = _values(line).get("protocol", "")
    return int(version) if re.fullmatch("[0-9]{1,9}", version) else None


def output_of(outputs: int) -> re.Pattern[str]:
    """The answer to ``run``: so many codes of two hexadecimal digits."""
    return re.compile(f"output ([0-9a-f]{{{2 * outputs}}})")


def _values(line: str) -> dict[str, str]:
    return dict(re.findall(r"(\w+)=(\S+)", line))
