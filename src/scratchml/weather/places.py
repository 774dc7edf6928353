"""From a place's name to its coordinates, by Open-Meteo's geocoder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from scratchml.errors import ScratchmlError
from scratchml.text import printable
from scratchml.weather.client import Answer
from scratchml.weather.json_answers import json_of, number, reason_of

SERVICE = "Open-Meteo's geocoder"
HOME = "https://geocoding-api.open-meteo.com"
URL_VARIABLE = "SCRATCHML_GEOCODING_URL"
PATH = "/v1/search"
CANDIDATES = 10


@dataclass(frozen=True)
class Place:
    """Somewhere on Earth.

    Attributes:
        latitude, longitude: degrees, north and east positive (WGS84).
        elevation: metres, as the geocoder has it.
        timezone: such as Europe/Rome.
    """

    latitude: float
    longitude: float
    name: str | None = None
    region: str | None = None
    country: str | None = None
    elevation: float | None = None
    timezone: str | None = None

    def __post_init__(self) -> None:
        if not -90 <= self.latitude <= 90:
            raise ScratchmlError(f"the latitude {self.latitude:g} is outside -90 .. 90")
        if not -180 <= self.longitude <= 180:
            raise ScratchmlError(f"the longitude {self.longitude:g} is outside -180 .. 180")

    @property
    def coordinates(self) -> str:
        north, east = "NS"[self.latitude < 0], "EW"[self.longitude < 0]
        return f"{abs(self.latitude):.4f} {north}, {abs(self.longitude):.4f} {east}"

    @property
    def label(self) -> str:
        """As in: Canazei, Trentino-Alto Adige, Italy (46.4767 N, 11.7706 E)."""
        names = ", ".join(part for part in (self.name, self.region, self.country) if part)
        return f"{names} ({self.coordinates})" if names else self.coordinates

    def facts(self) -> dict[str, Any]:
        """What is known of it."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def search_params(name: str) -> dict[str, str]:
    """The query for a place; what follows a comma (a region, a country) is looked at afterwards.

    Raises:
        ScratchmlError: there is no name.
    """
    wanted = name.split(",")[0].strip()
    if len(wanted) < 2:  # the geocoder finds nothing for one letter
        raise ScratchmlError(
            f"{printable(name)!r} is no name of a place; write one such as Canazei, or give "
            "--latitude and --longitude"
        )
    return {"name": wanted, "count": str(CANDIDATES), "language": "en", "format": "json"}


def reader(name: str) -> Callable[[Answer], list[Place]]:
    """Reads the geocoder's answer: the places of that name, the likeliest first.

    Raises (when called):
        ScratchmlError: there is none, or the answer is not one.
    """

    def read(answer: Answer) -> list[Place]:
        answer.check(SERVICE, reason_of(answer.body))
        found = json_of(answer.body, SERVICE).get("results") or []
        try:
            places = [_place(entry) for entry in found]
        except (TypeError, KeyError, AttributeError):
            raise ScratchmlError(f"the answer of {SERVICE} has an unexpected form") from None
        wanted = [word.strip().casefold() for word in name.split(",")[1:] if word.strip()]
        fitting = [
            place
            for place, entry in zip(places, found, strict=True)
            if all(_is_in(word, entry) for word in wanted)
        ]
        if fitting:
            return fitting
        if places:
            known = "; ".join(place.label for place in places[:3])
            raise ScratchmlError(
                f"no place is called {printable(name)!r}, but there is {known}: write one of "
                "these, or give --latitude and --longitude"
            )
        raise ScratchmlError(
            f"no place is called {printable(name)!r}: check the spelling, or give --latitude and "
            "--longitude"
        )

    return read


def _place(entry: dict[str, Any]) -> Place:
    def text(key: str) -> str | None:
        value = entry.get(key)
        return printable(str(value)) if value else None

    return Place(
        number(entry["latitude"]),
        number(entry["longitude"]),
        name=text("name"),
        region=text("admin1"),
        country=text("country"),
        elevation=None if entry.get("elevation") is None else number(entry["elevation"]),
        timezone=text("timezone"),
    )


def _is_in(word: str, entry: dict[str, Any]) -> bool:
    keys = ("country", "country_code", "admin1", "admin2", "admin3", "admin4")
    return any(str(entry.get(key, "")).casefold() == word for key in keys)
