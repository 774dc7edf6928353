"""Hourly weather: one table of hours, whatever it came from.

A table of hours is a pandas ``DataFrame`` in the order of time with the columns ``time``
(``datetime64``), ``temperature_2m`` (degrees Celsius), ``relative_humidity_2m`` (percent) and
``snowfall`` (centimetres in the hour that ends at ``time``).
"""

from scratchml.weather.table import COLUMNS, check_hours, fingerprint, load

__all__ = ["COLUMNS", "check_hours", "fingerprint", "load"]
