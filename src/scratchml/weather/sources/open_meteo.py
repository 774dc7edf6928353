"""Open-Meteo's archive: reanalysis of the whole Earth since 1940; no key.

Answers hold every hour that was asked for, with null where there is none. A request weighs its
days / 14 times its variables / 10 calls, of which 600 a minute are allowed: a year of all thirteen
variables weighs 34, of the needed three 8, so one year at a time is far from every limit, small
enough to be repeated when it breaks off, and of use for other spans.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from scratchml.errors import ScratchmlError
from scratchml.text import printable
from scratchml.weather.client import Answer
from scratchml.weather.json_answers import json_of, reason_of, unexpected
from scratchml.weather.network import TransientError
from scratchml.weather.places import Place
from scratchml.weather.snow import Floats
from scratchml.weather.sources.base import Chunk, Parsed, Source, by_year, decimal, floats
from scratchml.weather.variables import VARIABLES

#: Its names of our units, where they differ.
UNITS = {"C": "°C", "degrees": "°", "W/m2": "W/m²"}

#: Seconds to wait when the limit of a minute is used up.
MINUTE = 60.0


class OpenMeteo(Source):
    """Hours of a place from Open-Meteo's archive.

    Args:
        place: where.
        model: era5 is one model for all years; best_match changes its mix in 2017.
    """

    name = "open-meteo"
    title = "Open-Meteo"
    home = "https://archive-api.open-meteo.com"
    url_variable = "SCRATCHML_OPEN_METEO_URL"
    attribution = (
        "Weather data by Open-Meteo.com; contains modified Copernicus Climate Change Service "
        "information"
    )
    licence = "CC BY 4.0"
    licence_url = "https://open-meteo.com/en/licence"
    first_day = date(1940, 1, 1)
    settles = 100  # preliminary ERA5T becomes ERA5 after two to three months
    fields: ClassVar[Mapping[str, str]] = {name: name for name in VARIABLES}
    snowfall = "the sum of the preceding hour, as Open-Meteo has it"

    def __init__(
        self,
        place: Place,
        *,
        model: str = "era5",
        variables: Sequence[str] = (),
        url: str | None = None,
        allow_gaps: bool = False,
    ) -> None:
        super().__init__(variables=variables, url=url, allow_gaps=allow_gaps)
        if not model.replace("_", "").isalnum() or not model.isascii():
            raise ScratchmlError(f"--model {model!r} is no name such as era5 or best_match")
        self._place, self._model = place, model

    def place(self) -> dict[str, Any]:
        return self._place.facts()

    def query(self) -> dict[str, str]:
        return {"models": self._model, "timezone": "GMT", "hourly": ",".join(self.variables)}

    def chunks(self, start: date, end: date) -> list[Chunk]:
        return by_year(start, end)

    def request(self, chunk: Chunk) -> tuple[str, dict[str, str]]:
        return "/v1/archive", {
            "latitude": decimal(self._place.latitude),
            "longitude": decimal(self._place.longitude),
            "start_date": str(chunk.start),
            "end_date": str(chunk.end),
            **self.query(),
        }

    def read(self, answer: Answer, chunk: Chunk) -> Parsed:
        reason = reason_of(answer.body)
        if answer.status == 429:
            self._limit(reason)
        answer.check(self.title, reason)
        values = json_of(answer.body, self.title)
        if values.get("error"):
            raise ScratchmlError(
                f"{self.title} refuses the request ({reason or 'no reason given'})"
            )
        hourly, units = values.get("hourly"), values.get("hourly_units")
        if not isinstance(hourly, dict) or not isinstance(units, dict):
            raise unexpected(self.title, "no hourly values")
        if values.get("utc_offset_seconds") != 0:
            raise ScratchmlError(
                f"{self.title} answers in local time, though UTC was asked for: check --url"
            )
        self._check_units(units)
        table = pd.DataFrame({"time": self._times(hourly.get("time"), chunk)})
        for name in self.variables:
            column = hourly.get(name)
            if not isinstance(column, list) or len(column) != len(table):
                raise unexpected(self.title, f"no values of {name} for every hour")
            table[name] = self._numbers(column, name)
        cell = {key: values[key] for key in ("latitude", "longitude", "elevation") if key in values}
        return Parsed(table, {"cell": cell})

    def _limit(self, reason: str) -> None:
        """The limit of a minute is worth the wait; those of an hour or a day are the user's."""
        if "minute" in reason.lower():
            raise TransientError(f"{self.title} asks for fewer requests ({reason})", MINUTE)
        if any(word in reason.lower() for word in ("hour", "daily", "day", "month")):
            raise ScratchmlError(
                f"{self.title} allows no more requests for now ({reason}): repeat the command then"
            )

    def _check_units(self, units: dict[str, Any]) -> None:
        for name, unit in self.columns.items():
            expected, found = UNITS.get(unit, unit), units.get(name)
            if found != expected:
                raise ScratchmlError(
                    f"{self.title} answers {name} in {printable(str(found))!r} instead of "
                    f"{expected!r}: check --url"
                )

    def _numbers(self, column: list[Any], name: str) -> Floats:
        """Numbers and nulls; True and "1" are none."""
        if set(map(type, column)) <= {int, float, type(None)}:
            try:
                numbers = floats(column)
            except OverflowError:
                numbers = floats([np.inf])
            if not np.isinf(numbers).any():
                return numbers
        raise unexpected(self.title, f"{name} is not numbers")

    def _times(self, times: Any, chunk: Chunk) -> pd.Series:
        """The hours of the answer, which have to be those that were asked for."""
        if not isinstance(times, list) or not all(isinstance(time, str) for time in times):
            raise unexpected(self.title, "no times")
        if not times:
            raise ScratchmlError(
                f"{self.title} has no hours for {chunk.name}: choose other days or another --model"
            )
        asked = pd.date_range(chunk.start, periods=24 * chunk.days, freq="h")
        wanted = list(asked.strftime("%Y-%m-%dT%H:%M"))
        if times != wanted:
            self.check_asked(times, wanted, chunk)
            asked = pd.DatetimeIndex(times)
        return pd.Series(asked)
