"""What every source of hours can say of itself."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from typing import Any, ClassVar
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
import pandas as pd

from scratchml.errors import ScratchmlError
from scratchml.text import printable
from scratchml.weather.client import Answer
from scratchml.weather.network import TransientError
from scratchml.weather.variables import NEEDED, VARIABLES


@dataclass(frozen=True)
class Chunk:
    """What one request brings.

    Attributes:
        start, end: the days that are wanted of it, both included.
        until: the last day that the answer tells of.
    """

    start: date
    end: date
    until: date

    @property
    def days(self) -> int:
        return (self.end - self.start).days + 1

    @property
    def name(self) -> str:
        return f"{self.start} to {self.end}"


@dataclass(frozen=True)
class Parsed:
    """What an answer says.

    Attributes:
        hours: ``time`` (UTC) and a column of floats per variable, NaN where there is no value; in
            order, each hour once, hours that the service left out left out.
        facts: for the side file, the same for every chunk.
        counts: for the side file, added up over the chunks.
    """

    hours: pd.DataFrame
    facts: dict[str, Any] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)


class Source(ABC):
    """A service that has hours of weather.

    Args:
        variables: columns beyond the needed ones, by the names in ``VARIABLES``.
        url: where the service is, if not where it usually is.
        allow_gaps: take an answer with fewer hours than asked for as it is.

    Raises:
        ScratchmlError: the service has no such variable, or the URL is none.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    home: ClassVar[str]
    #: Environment variable in place of ``home``.
    url_variable: ClassVar[str]
    attribution: ClassVar[str]
    licence: ClassVar[str]
    licence_url: ClassVar[str]
    first_day: ClassVar[date]
    #: Days after which the service does not change an hour any more.
    settles: ClassVar[int]
    #: Names here, and there.
    fields: ClassVar[Mapping[str, str]]
    snowfall: ClassVar[str]
    #: What to do where there are too few hours.
    advice: ClassVar[str] = "choose other days, another place or another --source"
    #: Whose days are asked for.
    clock: ClassVar[str] = "UTC"

    def __init__(
        self, *, variables: Sequence[str] = (), url: str | None = None, allow_gaps: bool = False
    ) -> None:
        self.check_variables(variables)
        self.variables = (
            *NEEDED,
            *(name for name in dict.fromkeys(variables) if name not in NEEDED),
        )
        self.url = service_url(url, self.url_variable, self.home)
        self.allow_gaps = allow_gaps

    @classmethod
    def check_variables(cls, variables: Sequence[str]) -> None:
        """Refuse variables that the service does not have."""
        for name in variables:
            if name not in cls.fields and name not in NEEDED:
                known = ", ".join(known for known in cls.fields if known not in NEEDED)
                raise ScratchmlError(
                    f"{cls.title} has no variable {printable(name)!r}; it has {known}"
                )

    @property
    def columns(self) -> dict[str, str]:
        """Columns beside the time, with their units."""
        return {name: VARIABLES[name].unit for name in self.variables}

    @abstractmethod
    def place(self) -> dict[str, Any]:
        """For the side file: where it is."""

    @abstractmethod
    def chunks(self, start: date, end: date) -> list[Chunk]:
        """The requests that days need, in order of time."""

    @abstractmethod
    def request(self, chunk: Chunk) -> tuple[str, dict[str, str]]:
        """Path and parameters, without a key."""

    @abstractmethod
    def read(self, answer: Answer, chunk: Chunk) -> Parsed:
        """The hours of a chunk.

        Raises:
            TransientError: the answer is broken, and another attempt may bring a whole one.
            ScratchmlError: it is a refusal, or not what was asked for.
        """

    def query(self) -> dict[str, str]:
        """For the side file: what is asked for, but for the days."""
        return {}

    def check_asked(self, times: Sequence[str], asked: Sequence[str], chunk: Chunk) -> None:
        """Refuse hours other than those of the chunk.

        Raises:
            TransientError: there are fewer, and gaps are not allowed.
            ScratchmlError: one is doubled, out of order, or was not asked for.
        """
        doubled = next((a for a, b in pairwise(sorted(times)) if a == b), None)
        if doubled is not None:
            raise ScratchmlError(
                f"{self.title} answers the hour {printable(doubled)} twice: repeat the command; "
                "if it does so again, tell the service"
            )
        strange = sorted(set(times) - set(asked))
        if strange:
            raise ScratchmlError(
                f"{self.title} answers the hour {printable(strange[0])}, which was not asked for: "
                "check --url"
            )
        if len(times) < len(asked) and not self.allow_gaps:
            raise TransientError(
                f"{self.title} answers {len(times):,} of the {len(asked):,} hours from "
                f"{chunk.name} (--allow-gaps takes them as they are)"
            )
        if list(times) != sorted(times):
            raise ScratchmlError(f"{self.title} answers hours out of order: check --url")

    def span(self, start: date, end: date, hours: pd.DataFrame) -> pd.DatetimeIndex:
        """The hours that days have: from 00:00 to 23:00 UTC."""
        return pd.date_range(start, periods=24 * ((end - start).days + 1), freq="h")


def by_year(start: date, end: date) -> list[Chunk]:
    """Days in chunks of calendar years, so that another span finds most of them in the cache."""
    chunks = []
    for year in range(start.year, end.year + 1):
        last = min(end, date(year, 12, 31))
        chunks.append(Chunk(max(start, date(year, 1, 1)), last, last))
    return chunks


def by_month(start: date, end: date) -> list[Chunk]:
    """Days in chunks of calendar months."""
    chunks = []
    while start <= end:
        following = (start.replace(day=1) + timedelta(days=32)).replace(day=1)
        last = min(end, following - timedelta(days=1))
        chunks.append(Chunk(start, last, last))
        start = following
    return chunks


def service_url(option: str | None, variable: str, home: str) -> str:
    """Where a service is: as the option says, or else the environment, or else where it always is.

    Raises:
        ScratchmlError: the first of these that is given is no address.
    """
    if option is not None:
        return checked_url(option, "--url")
    chosen = os.environ.get(variable)
    return checked_url(chosen, f"the variable {variable}") if chosen else home


def checked_url(url: str, name: str) -> str:
    """The beginning of a service's URLs, without a slash at the end.

    Args:
        name: of where it was written, for a message.

    Raises:
        ScratchmlError: it is no http or https URL, or has more than host, port and path.
    """
    try:
        parts = urlsplit(url.strip())
        good = parts.scheme in ("http", "https") and bool(parts.hostname)
        good = good and parts.port != 0 and url.strip().isprintable() and " " not in url.strip()
    except ValueError:
        good = False
    if not good:
        raise ScratchmlError(f"{name} takes a service's address such as http://localhost:8080")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ScratchmlError(
            f"{name} takes host, port and path only, without a password and without parameters"
        )
    return url.strip().rstrip("/")


def decimal(value: float) -> str:
    """A coordinate for a URL: 11 cm on the ground, and no exponent."""
    return f"{value:.6f}".rstrip("0").rstrip(".")


def floats(values: Sequence[float | None]) -> npt.NDArray[np.float64]:
    """Numbers, NaN for what is missing."""
    return np.array([np.nan if value is None else value for value in values], np.float64)
