"""Hours of any place, by one function per source; ``scratchml fetch`` on the command line."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from scratchml.errors import ScratchmlError
from scratchml.text import printable
from scratchml.weather.cache import Cache
from scratchml.weather.client import Client
from scratchml.weather.fetch import Access, check_days, fetch, find_place
from scratchml.weather.fetched import Fetched
from scratchml.weather.places import SERVICE, Place
from scratchml.weather.secret import Secret
from scratchml.weather.sources import SOURCES, Meteostat, OpenMeteo, Source, WorldWeatherOnline
from scratchml.weather.sources.base import service_url

KEY_VARIABLE = "WORLDWEATHERONLINE_KEY"


def open_meteo(
    place: str | None = None,
    start: str | date = "",
    end: str | date = "",
    *,
    latitude: float | None = None,
    longitude: float | None = None,
    variables: Sequence[str] = (),
    model: str = "era5",
    url: str | None = None,
    allow_gaps: bool = False,
    offline: bool = False,
    refresh: bool = False,
) -> pd.DataFrame:
    """Hours of a place from Open-Meteo's archive, which needs no key.

    Args:
        place: its name, as in "Canazei" or "Canazei, Italy"; or else ``latitude`` and
            ``longitude`` in degrees.
        start, end: first and last day (UTC), such as 2011-01-01.
        variables: further columns, by the names in ``scratchml.weather.variables``.
        model: of Open-Meteo's archive.
        url: of a server of one's own.
        allow_gaps: take an answer with fewer hours than asked for as it is.
        offline: only what is in the cache.
        refresh: download again what is in the cache.

    Returns:
        A table of hours (UTC); ``attrs["provenance"]`` tells where they came from and what lacks.

    Raises:
        ScratchmlError: there is no such place, an option is wrong, or the download fails.
    """
    return _hours(
        "open-meteo", place, start, end, offline, refresh,
        latitude=latitude, longitude=longitude, variables=variables, model=model, url=url,
        allow_gaps=allow_gaps,
    )  # fmt: skip


def world_weather_online(
    place: str | None = None,
    start: str | date = "",
    end: str | date = "",
    *,
    latitude: float | None = None,
    longitude: float | None = None,
    key: str | None = None,
    timezone: str | None = None,
    variables: Sequence[str] = (),
    url: str | None = None,
    allow_gaps: bool = False,
    offline: bool = False,
    refresh: bool = False,
) -> pd.DataFrame:
    """Hours of a place from WorldWeatherOnline; the days are those of the place's clock.

    Args:
        key: ``None`` for the one in the variable WORLDWEATHERONLINE_KEY. It is in no message, log
            or file.
        timezone: of the place, as in Europe/Rome, where the answer is in local time only.

    The others are those of ``open_meteo``, as is what it returns and raises.
    """
    return _hours(
        "worldweatheronline", place, start, end, offline, refresh,
        latitude=latitude, longitude=longitude, variables=variables, timezone=timezone, url=url,
        allow_gaps=allow_gaps, key=key,
    )  # fmt: skip


def meteostat(
    station: str,
    start: str | date = "",
    end: str | date = "",
    *,
    variables: Sequence[str] = (),
    url: str | None = None,
    offline: bool = False,
    refresh: bool = False,
) -> pd.DataFrame:
    """Hours of a weather station from Meteostat, which needs no key.

    Args:
        station: its identifier, as in "16033".

    The others are those of ``open_meteo``, as is what it returns and raises.
    """
    options: dict[str, Any] = {"variables": variables, "station": station, "url": url}
    return _hours("meteostat", None, start, end, offline, refresh, **options)


def _hours(
    source: str,
    place: str | None,
    start: str | date,
    end: str | date,
    offline: bool,
    refresh: bool,
    **options: Any,
) -> pd.DataFrame:
    access = Access(Cache(), offline=offline, refresh=refresh)
    found = download(source, place, start, end, access, **options)
    found.hours.attrs["provenance"] = found.provenance
    return found.hours


def download(
    name: str,
    place: str | None,
    start: str | date,
    end: str | date,
    access: Access,
    *,
    latitude: float | None = None,
    longitude: float | None = None,
    station: str | None = None,
    variables: Sequence[str] = (),
    model: str | None = None,
    timezone: str | None = None,
    url: str | None = None,
    allow_gaps: bool = False,
    key: str | None = None,
) -> Fetched:
    """Hours from any source, by its name.

    Args:
        key: of WorldWeatherOnline; ``None`` for the environment's.

    Raises:
        ScratchmlError: an option is wrong or does not go with the source, or the download fails.
    """
    if name not in SOURCES:
        raise ScratchmlError(
            f"--source {printable(name)!r} is not known; known are {', '.join(SOURCES)}"
        )
    for option, value, owner in (
        ("--station", station, "meteostat"),
        ("--model", model, "open-meteo"),
        ("--timezone", timezone, "worldweatheronline"),
    ):
        if value is not None and name != owner:
            raise ScratchmlError(f"{option} goes with --source {owner}, not with {name}")
    first, last = day(start, "--start"), day(end, "--end")
    check_days(SOURCES[name], first, last, access.day)
    service_url(url, SOURCES[name].url_variable, SOURCES[name].home)  # before anything is asked
    common: dict[str, Any] = {"variables": variables, "url": url, "allow_gaps": allow_gaps}
    source: Source
    secret: tuple[str, Secret] | None = None
    if name == "meteostat":
        if station is None or latitude is not None or longitude is not None:
            raise ScratchmlError(
                "meteostat takes a station, as in --station 16033 (look it up at meteostat.net), "
                "and no coordinates"
            )
        source = Meteostat(station, label=place, **common)
    elif name == "open-meteo":
        OpenMeteo.check_variables(variables)  # before the place is looked up
        where = _place(place, latitude, longitude, access)
        source = OpenMeteo(where, model=model or "era5", **common)
    else:
        WorldWeatherOnline.check_variables(variables)
        if not access.offline:
            secret = "key", Secret(key_of_environment() if key is None else key)
        where = _place(place, latitude, longitude, access)
        source = WorldWeatherOnline(where, timezone=timezone, **common)
    with Client(source.title, key=secret, on_wait=access.note) as client:
        found = fetch(source, first, last, client, access)
        if client.calls_left is not None:
            access.note(f"{source.title}: {printable(client.calls_left)} calls left today")
    return found


def day(text: str | date, option: str) -> date:
    """A day such as 2011-01-01.

    Raises:
        ScratchmlError: it is none.
    """
    if isinstance(text, date):
        return text
    try:
        if len(text) != 10:  # 20110101 and 2011-W01-1 are days to Python
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise ScratchmlError(
            f"{option} {printable(text)!r} is not a day such as 2011-01-31"
        ) from None


def key_of_environment() -> str:
    """The key in WORLDWEATHERONLINE_KEY.

    Raises:
        ScratchmlError: there is none.
    """
    key = os.environ.get(KEY_VARIABLE, "")
    if not key.strip():
        raise ScratchmlError(
            f"WorldWeatherOnline needs a key: put it into the variable {KEY_VARIABLE}"
        )
    return key


def default_name(
    place: str | None, latitude: float | None, longitude: float | None, station: str | None
) -> Path:
    """canazei.csv, 46.4767_11.7706.csv, meteostat_16033.csv."""
    if place is not None:
        words = "".join(c if c.isalnum() else " " for c in place.lower()).split()
        text = "_".join(words)
    elif station is not None:
        text = "meteostat_" + "".join(c for c in station if c.isalnum())
    else:
        text = f"{latitude}_{longitude}"
    return Path(f"{text[:60] or 'hours'}.csv")


def _place(
    name: str | None, latitude: float | None, longitude: float | None, access: Access
) -> Place:
    if latitude is not None and longitude is not None:
        place = Place(latitude, longitude, name=name)
        access.note(f"place: {printable(place.label)}")
        return place
    if latitude is not None or longitude is not None:
        missing = "--longitude" if longitude is None else "--latitude"
        raise ScratchmlError(f"{missing} is missing: a place has --latitude and --longitude")
    if name is None:
        raise ScratchmlError("name a place, as in Canazei, or give --latitude and --longitude")
    with Client(SERVICE, on_wait=access.note) as client:
        return find_place(name, client, access)
