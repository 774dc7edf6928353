"""Centimetres of fresh snow from millimetres of water, where a source does not tell the former."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: Fresh snow of 143 kg/m3, as in the embedded hours and at Open-Meteo.
CM_PER_MM = 0.7

#: Of precipitation that is reported as rain and snow mixed. A convention: nobody weighed it.
SLEET_SHARE = 0.5


def dew_point(temperature: Floats, humidity: Floats) -> Floats:
    """Dew point in degrees C by the Magnus formula (Alduchov and Eskridge 1996, eq. 25).

    Args:
        temperature: degrees C.
        humidity: percent; below 1 it counts as 1.
    """
    gamma = np.log(np.maximum(humidity, 1.0) / 100) + 17.625 * temperature / (243.04 + temperature)
    return np.asarray(243.04 * gamma / (17.625 - gamma))


def snow_share(dew: Floats) -> Floats:
    """Share of precipitation that is snow, by the dew point: the rule of the embedded hours."""
    rules = [dew < -0.5, dew < 0, dew < 0.5, dew >= 0.5]
    return np.asarray(np.select(rules, [1.0, 0.75, 0.25, 0.0], np.nan), np.float64)


def fresh_snow(water: Floats, share: Floats) -> Floats:
    """Centimetres from millimetres of water, in hundredths.

    Without water there is none, whatever the share; a share of 0 needs no water to be known.
    """
    known = np.where((water == 0) | (share == 0), 0.0, water * share * CM_PER_MM)
    return np.asarray(np.round(known, 2), np.float64)
