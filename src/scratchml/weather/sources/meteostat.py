"""Meteostat: hours of weather stations, one gzip CSV file a year and station; no key.

A year that a station does not have is HTTP 404. Times are UTC. Its file has no fresh snow of an
hour, so that follows from precipitation and from the condition code, which is often blank.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from scratchml.errors import ScratchmlError
from scratchml.text import printable
from scratchml.weather.client import Answer, gunzip
from scratchml.weather.json_answers import start_of, unexpected
from scratchml.weather.network import TransientError
from scratchml.weather.snow import SLEET_SHARE, Floats, dew_point, fresh_snow, snow_share
from scratchml.weather.sources.base import Chunk, Parsed, Source, by_year

#: Condition codes (dev.meteostat.net/formats): light to heavy snowfall, snow showers.
SNOW = (14, 15, 16, 21, 22)
SLEET = (12, 13, 19, 20)
#: Rain, freezing rain, rain showers, hail.
NO_SNOW = (7, 8, 9, 10, 11, 17, 18, 24)
#: Clear to fog: at the hour itself; with precipitation in the hour before, they tell nothing.
DRY = (1, 2, 3, 4, 5, 6)

TIME = ["year", "month", "day", "hour"]


class Meteostat(Source):
    """Hours of a station from Meteostat.

    Args:
        station: its identifier, as in 16033.
        label: what the user calls the place.
    """

    name = "meteostat"
    title = "Meteostat"
    home = "https://data.meteostat.net"
    url_variable = "SCRATCHML_METEOSTAT_URL"
    attribution = (
        "Weather data by Meteostat (meteostat.net), from the services that its columns name"
    )
    licence = "CC BY 4.0"
    licence_url = "https://dev.meteostat.net/terms"
    first_day = date(1890, 1, 1)
    settles = 180  # observations are added months later
    fields: ClassVar[Mapping[str, str]] = {
        "temperature_2m": "temp",
        "relative_humidity_2m": "rhum",
        "snowfall": "prcp",
        "pressure_msl": "pres",
        "precipitation": "prcp",
        "snow_depth": "snwd",
        "wind_speed_10m": "wspd",
        "wind_direction_10m": "wdir",
    }
    advice = "look the station and its years up at meteostat.net, or choose another --source"
    snowfall = (
        "0.7 cm for each mm of prcp where coco says snow, half of that where it says sleet, none "
        "where it says rain; where it says nothing of falling water, the share of snow follows "
        "from the dew point, as in the embedded hours"
    )

    def __init__(
        self,
        station: str,
        *,
        label: str | None = None,
        variables: Sequence[str] = (),
        url: str | None = None,
        allow_gaps: bool = False,
    ) -> None:
        super().__init__(variables=variables, url=url, allow_gaps=allow_gaps)
        if not re.fullmatch(r"[A-Za-z0-9]{3,10}", station):
            raise ScratchmlError(
                f"--station {printable(station)!r} is no identifier such as 16033; look it up at "
                "meteostat.net"
            )
        self.station = station.upper()
        self._label = label

    def place(self) -> dict[str, Any]:
        return {"station": self.station, **({"name": self._label} if self._label else {})}

    def chunks(self, start: date, end: date) -> list[Chunk]:
        return [replace(chunk, until=date(chunk.end.year, 12, 31)) for chunk in by_year(start, end)]

    def request(self, chunk: Chunk) -> tuple[str, dict[str, str]]:
        return f"/hourly/{chunk.start.year}/{self.station}.csv.gz", {}

    def read(self, answer: Answer, chunk: Chunk) -> Parsed:
        if answer.status == 404:
            nothing: dict[str, Any] = {name: np.array([], np.float64) for name in self.columns}
            return Parsed(pd.DataFrame({"time": pd.DatetimeIndex([]), **nothing}))
        answer.check(self.title)
        cells = self._cells(answer.body)
        times = self._times(cells, chunk.start.year)
        table = pd.DataFrame({"time": times})
        for name in self.variables:
            table[name] = self._numbers(cells, self.fields[name])
        if "snow_depth" in table:
            table["snow_depth"] /= 100  # it has centimetres
        table["snowfall"], guessed = self._snowfall(
            self._numbers(cells, "prcp"),
            self._numbers(cells, "coco"),
            dew_point(table["temperature_2m"].to_numpy(), table["relative_humidity_2m"].to_numpy()),
        )
        inside = (times.dt.date >= chunk.start) & (times.dt.date <= chunk.end)
        table = table[inside].sort_values("time", ignore_index=True)
        return Parsed(table, {}, {"hours_of_snow_by_dew_point": int(guessed[inside].sum())})

    def _cells(self, body: bytes) -> pd.DataFrame:
        text = gunzip(body, self.title) if body[:2] == b"\x1f\x8b" else body
        if not text:
            raise TransientError(f"the answer of {self.title} is empty")
        if not text.startswith(b"year,"):
            raise ScratchmlError(
                f"{self.title} answers with something else than its CSV ({start_of(text)}): if "
                "this network has a login page, log in; check --url"
            )
        try:
            cells = pd.read_csv(io.BytesIO(text), dtype=str)
        except (pd.errors.ParserError, UnicodeDecodeError):
            raise TransientError(f"the CSV answer of {self.title} is damaged") from None
        needed = [*TIME, "coco", *(self.fields[name] for name in self.variables)]
        missing = [name for name in dict.fromkeys(needed) if name not in cells.columns]
        if not isinstance(cells.index, pd.RangeIndex):
            raise unexpected(self.title, "more cells than the header has")
        if missing:
            raise unexpected(self.title, f"no column {', '.join(missing)}")
        return cells

    def _times(self, cells: pd.DataFrame, year: int) -> pd.Series:
        parts = {name: self._numbers(cells, name) for name in TIME}
        times = pd.Series(pd.to_datetime(pd.DataFrame(parts), errors="coerce"))
        if times.isna().any() or (times.dt.year != year).any():
            raise unexpected(self.title, f"a time that is not in {year}")
        doubled = times[times.duplicated()]
        if len(doubled):
            raise ScratchmlError(
                f"{self.title} answers the hour {doubled.iloc[0]:%Y-%m-%dT%H:%M} twice: repeat the "
                "command; if it does so again, tell the service"
            )
        return times

    def _numbers(self, cells: pd.DataFrame, name: str) -> Floats:
        try:
            return pd.to_numeric(cells[name]).to_numpy(np.float64)
        except (ValueError, TypeError):
            raise unexpected(self.title, f"{name} is not numbers") from None

    def _snowfall(
        self,
        water: Floats,
        code: Floats,
        dew: Floats,
    ) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """Fresh snow in cm, NaN where it cannot be told, and where the dew point told it."""
        rules = [np.isin(code, SNOW), np.isin(code, SLEET), np.isin(code, NO_SNOW)]
        share = np.select(rules, [1.0, SLEET_SHARE, 0.0], snow_share(dew))
        # dry at the hour, and nobody measured: most likely nothing fell
        water = np.where(np.isnan(water) & np.isin(code, DRY), 0.0, water)
        told = np.isin(code, (*SNOW, *SLEET, *NO_SNOW))
        # warm enough for rain only is no measurement of it
        unknown = np.isnan(water) & ~told
        snow = np.where(unknown, np.nan, fresh_snow(water, share))
        return snow, ~told & (water > 0) & ~np.isnan(snow)
