"""Energy of an inference, and how long a battery lasts: E = P * T, with P = V * I.

Between inferences the chip sleeps. Sensors, radio, regulator and the battery's own losses are not
in it.
"""

from __future__ import annotations

from dataclasses import dataclass

from scratchml.errors import ScratchmlError

SECONDS_A_DAY = 24 * 3600

FORMULA = (
    "E = P * T = V * I * T; average current = sleep current + (I - sleep current) * T / interval; "
    "days = battery / average current / 24 h"
)


@dataclass(frozen=True)
class Power:
    """What a chip draws: ``current`` in mA while it computes, ``sleep_current`` in uA, at
    ``voltage`` in V; ``source`` says where from."""

    current: float
    sleep_current: float
    voltage: float
    source: str


POWER = {
    "cortex-m4": Power(
        current=3.3,
        sleep_current=3.16,
        voltage=3.0,
        source="nRF52840 Product Specification, Current consumption: 3.3 mA running CoreMark from "
        "flash at 64 MHz, DC/DC, 3 V; 3.16 uA in System ON with all RAM and the RTC",
    ),
    "cortex-m0plus": Power(
        current=25.0,
        sleep_current=390.0,
        voltage=3.3,
        source="assumed: about 25 mA, busy at 133 MHz; RP2040 datasheet, Power Consumption: "
        "0.39 mA in SLEEP mode",
    ),
}


@dataclass(frozen=True)
class Usage:
    """``battery`` in mAh, and one inference every ``interval`` seconds."""

    battery: float = 1000.0
    interval: float = 3600.0


@dataclass(frozen=True)
class Energy:
    """``microjoules`` an inference, ``average_current`` in uA, and the battery's ``days``."""

    microjoules: float
    average_current: float
    days: float


def energy(microseconds: float, power: Power, usage: Usage) -> Energy:
    """For inferences that take ``microseconds`` each.

    Raises:
        ScratchmlError: they take longer than the interval.
    """
    share = microseconds / 1e6 / usage.interval
    if share > 1:
        raise ScratchmlError(
            f"an interval of {usage.interval:g} s is shorter than the inference, which takes "
            f"{microseconds / 1e6:.3g} s"
        )
    average = power.sleep_current + (1000 * power.current - power.sleep_current) * share
    return Energy(
        microjoules=power.voltage * power.current * microseconds / 1000,
        average_current=average,
        days=usage.battery * 1000 / average * 3600 / SECONDS_A_DAY,
    )
