"""Hourly weather: one table of hours, whatever it came from.

A table of hours is a pandas ``DataFrame`` in the order of time with the columns ``time``
(``datetime64``), ``temperature_2m`` (degrees Celsius), ``relative_humidity_2m`` (percent) and
``snowfall`` (centimetres in the hour that ends at ``time``).

``load`` reads it from a file, the embedded one or any other; ``open_meteo``,
``world_weather_online`` and ``meteostat`` download it.
"""

from scratchml.weather.download import meteostat, open_meteo, world_weather_online
from scratchml.weather.table import COLUMNS, check_hours, fingerprint, load, whole_hours

__all__ = [
    "COLUMNS",
    "check_hours",
    "fingerprint",
    "load",
    "meteostat",
    "open_meteo",
    "whole_hours",
    "world_weather_online",
]
