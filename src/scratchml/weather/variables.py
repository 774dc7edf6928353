"""The variables that an hour of weather may have: units, limits and counts a unit.

Names and units are those of Open-Meteo, whatever the source: other sources are converted.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Variable:
    """A column of a table of hours.

    Attributes:
        unit: of its values.
        low, high: least and greatest value that can be meant: catches Kelvin, and Fahrenheit in a
            summer.
        resolution: counts a unit, where it is a feature of a network; what its sensors resolve.
    """

    name: str
    unit: str
    low: float
    high: float
    resolution: int


VARIABLES = {
    variable.name: variable
    for variable in (
        Variable("temperature_2m", "C", -90, 60, 100),
        Variable("relative_humidity_2m", "%", 0, 100, 100),
        Variable("snowfall", "cm", 0, 100, 100),  # of the hour that ends at its time
        Variable("dew_point_2m", "C", -100, 50, 100),
        Variable("surface_pressure", "hPa", 300, 1100, 100),
        Variable("pressure_msl", "hPa", 850, 1100, 100),
        Variable("precipitation", "mm", 0, 500, 100),  # of the hour
        Variable("rain", "mm", 0, 500, 100),  # of the hour
        Variable("snow_depth", "m", 0, 30, 100),
        Variable("cloud_cover", "%", 0, 100, 1),
        Variable("wind_speed_10m", "km/h", 0, 450, 10),
        Variable("wind_direction_10m", "degrees", 0, 360, 1),
        Variable("shortwave_radiation", "W/m2", 0, 1500, 1),
    )
}

#: What every table of hours has.
NEEDED = ("temperature_2m", "relative_humidity_2m", "snowfall")
