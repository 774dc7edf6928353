"""Where hours of weather come from: one module per service, all with the same interface."""

from scratchml.weather.sources.base import Chunk, Parsed, Source
from scratchml.weather.sources.meteostat import Meteostat
from scratchml.weather.sources.open_meteo import OpenMeteo
from scratchml.weather.sources.world_weather_online import WorldWeatherOnline

SOURCES: dict[str, type[Source]] = {
    source.name: source for source in (OpenMeteo, WorldWeatherOnline, Meteostat)
}

__all__ = ["SOURCES", "Chunk", "Meteostat", "OpenMeteo", "Parsed", "Source", "WorldWeatherOnline"]
