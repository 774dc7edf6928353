"""WorldWeatherOnline: since July 2008, with a key.

Its days are those of the place's clock, and every value is a string. Times in UTC come beside the
local ones when they are asked for; where they do not, the place's time zone converts. A request may
not leave its month.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, ClassVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd

from scratchml.errors import ScratchmlError
from scratchml.text import printable
from scratchml.weather.client import Answer
from scratchml.weather.json_answers import json_of, start_of, unexpected
from scratchml.weather.places import Place
from scratchml.weather.snow import SLEET_SHARE, Floats, fresh_snow
from scratchml.weather.sources.base import Chunk, Parsed, Source, by_month, decimal, floats

#: Condition codes of snow: patchy, blowing, blizzard, light to heavy, showers, with thunder.
SNOW = (179, 227, 230, 323, 326, 329, 332, 335, 338, 368, 371, 392, 395)
#: Sleet: patchy, light, moderate or heavy, and their showers.
SLEET = (182, 317, 320, 362, 365)

DAY_TOTAL = "total_snow_day_cm"
FORM = "values are not as documented"


class WorldWeatherOnline(Source):
    """Hours of a place from WorldWeatherOnline.

    Args:
        place: where.
        timezone: of the place, such as Europe/Rome; ``None`` for the one that ``place`` has.
    """

    name = "worldweatheronline"
    title = "WorldWeatherOnline"
    home = "https://api.worldweatheronline.com"
    url_variable = "SCRATCHML_WORLDWEATHERONLINE_URL"
    attribution = "Weather data by WorldWeatherOnline.com"
    licence = "terms of the key's subscription"
    licence_url = "https://www.worldweatheronline.com/weather-api/terms.aspx"
    first_day = date(2008, 7, 1)
    settles = 30
    fields: ClassVar[Mapping[str, str]] = {
        "temperature_2m": "tempC",
        "relative_humidity_2m": "humidity",
        "snowfall": "precipMM",
        "dew_point_2m": "DewPointC",
        "pressure_msl": "pressure",
        "precipitation": "precipMM",
        "cloud_cover": "cloudcover",
        "wind_speed_10m": "windspeedKmph",
        "wind_direction_10m": "winddirDegree",
    }
    clock = "the place's own"
    snowfall = (
        "0.7 cm for each mm of precipMM where weatherCode says snow, half of that where it says "
        f"sleet; {DAY_TOTAL} is the service's own total of the local day, the same in all its hours"
    )

    def __init__(
        self,
        place: Place,
        *,
        timezone: str | None = None,
        variables: Sequence[str] = (),
        url: str | None = None,
        allow_gaps: bool = False,
    ) -> None:
        super().__init__(variables=variables, url=url, allow_gaps=allow_gaps)
        parts = urlsplit(self.url)
        if parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
            raise ScratchmlError("the key would travel in the open: give --url with https")
        self._place = place
        if timezone is not None:
            _zone(timezone)  # a wrong one is told at once; the place's own may never be needed
        self._timezone = timezone or place.timezone

    @property
    def columns(self) -> dict[str, str]:
        return {**super().columns, DAY_TOTAL: "cm"}

    def place(self) -> dict[str, Any]:
        return self._place.facts()

    def query(self) -> dict[str, str]:
        return {"format": "json", "tp": "1", "extra": "utcDateTime"}

    def chunks(self, start: date, end: date) -> list[Chunk]:
        return by_month(start, end)

    def request(self, chunk: Chunk) -> tuple[str, dict[str, str]]:
        return "/premium/v1/past-weather.ashx", {
            "q": f"{decimal(self._place.latitude)},{decimal(self._place.longitude)}",
            "date": str(chunk.start),
            "enddate": str(chunk.end),
            **self.query(),
        }

    def read(self, answer: Answer, chunk: Chunk) -> Parsed:
        if answer.status in (401, 403):
            raise ScratchmlError(
                f"{self.title} refuses the key (HTTP {answer.status}): check "
                "WORLDWEATHERONLINE_KEY, and that its subscription has not ended"
            )
        answer.check(self.title, start_of(answer.body).strip("'\""))
        if answer.body[:1] == b"<":
            raise ScratchmlError(
                f"{self.title} answers with a page instead of JSON ({start_of(answer.body)}): "
                "check WORLDWEATHERONLINE_KEY; if this network has a login page, log in"
            )
        data = json_of(answer.body, self.title).get("data")
        try:
            return self._parsed(data, chunk)
        except (TypeError, KeyError, AttributeError, IndexError, ValueError) as error:
            if isinstance(error, ScratchmlError):
                raise
        raise unexpected(self.title, FORM)

    def span(self, start: date, end: date, hours: pd.DataFrame) -> pd.DatetimeIndex:
        """As many hours as the local days have, from the first that there is."""
        hourly = super().span(start, end, hours)
        if hours.empty:
            return hourly
        first, last = hours["time"].iloc[0], hours["time"].iloc[-1]
        return pd.date_range(first, max(last, first + (hourly[-1] - hourly[0])), freq="h")

    def _parsed(self, data: Any, chunk: Chunk) -> Parsed:
        if "error" in data:
            self._refuse(str(data["error"][0]["msg"]), chunk)
        days = data.get("weather") or []
        entries = [(day, hour) for day in days for hour in day["hourly"]]
        if not entries:
            raise ScratchmlError(f"{self.title} has no hours for {chunk.name}: choose other days")
        local = [f"{day['date']}T{_clock(hour['time'])}" for day, hour in entries]
        asked = pd.date_range(chunk.start, periods=24 * chunk.days, freq="h")
        wanted = list(asked.strftime("%Y-%m-%dT%H:%M"))
        if local != wanted:
            self.check_asked(local, wanted, chunk)
        hours = [hour for _, hour in entries]
        table = pd.DataFrame({"time": self._utc(local, hours)})
        for name in self.variables:
            table[name] = _column(hours, self.fields[name])
        codes = _column(hours, "weatherCode")
        share = np.select([np.isin(codes, SNOW), np.isin(codes, SLEET)], [1.0, SLEET_SHARE], 0.0)
        share[np.isnan(codes)] = np.nan
        table["snowfall"] = fresh_snow(_column(hours, "precipMM"), share)
        table[DAY_TOTAL] = floats([_number(day.get("totalSnow_cm")) for day, _ in entries])
        # clocks that are put forward or back: hours that the conversion cannot tell, or tells twice
        good = table["time"].notna() & ~table["time"].duplicated()
        table = table[good].sort_values("time", ignore_index=True)
        return Parsed(table, self._facts(data), {"hours_lost_to_clock_changes": int((~good).sum())})

    def _facts(self, data: dict[str, Any]) -> dict[str, Any]:
        matched = (data.get("request") or [{}])[0].get("query")
        return {"matched": printable(str(matched))} if matched else {}

    def _utc(self, local: list[str], hours: list[dict[str, Any]]) -> pd.Series:
        """Times in UTC; NaT for a local one that does not exist or exists twice."""
        if all("UTCdate" in hour and "UTCtime" in hour for hour in hours):
            times = [f"{hour['UTCdate']}T{_clock(hour['UTCtime'])}" for hour in hours]
            return pd.Series(pd.to_datetime(times, format="%Y-%m-%dT%H:%M"))
        if self._timezone is None:
            raise ScratchmlError(
                f"{self.title} answers in local time only: name the place's time zone, as in "
                "--timezone Europe/Rome"
            )
        clock = pd.to_datetime(local, format="%Y-%m-%dT%H:%M")
        zoned = clock.tz_localize(_zone(self._timezone), ambiguous="NaT", nonexistent="NaT")
        return pd.Series(zoned.tz_convert("UTC").tz_localize(None))

    def _refuse(self, message: str, chunk: Chunk) -> None:
        text = printable(message)[:200].strip()
        if "matching weather location" in text:
            todo = f"it knows no place at {self._place.coordinates}; choose another"
        elif "no weather data" in text:
            todo = (
                f"for {chunk.name}; it begins in July 2008, and not everywhere; choose other days"
            )
        elif "key" in text.lower():
            todo = "check WORLDWEATHERONLINE_KEY"
        else:
            todo = "check the place and the days"
        raise ScratchmlError(f"{self.title} refuses the request ({text}): {todo}")


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ScratchmlError(
            f"{printable(name)!r} is no known time zone such as Europe/Rome"
        ) from None


def _clock(text: str) -> str:
    """0 .. 2300 as 00:00 .. 23:00."""
    if not isinstance(text, str) or not text.isdecimal():
        raise TypeError
    return f"{int(text) // 100:02d}:{int(text) % 100:02d}"


def _number(text: Any) -> float | None:
    """The number in a string; None for a blank or absent one, ValueError for another text."""
    if text is None or not str(text).strip():
        return None
    value = float(text)
    if not math.isfinite(value):
        raise ValueError
    return value


def _column(hours: list[dict[str, Any]], name: str) -> Floats:
    try:
        return floats([_number(hour.get(name)) for hour in hours])
    except ValueError:
        raise unexpected("WorldWeatherOnline", f"{name} is not numbers") from None
