"""The weather station's sensors: each file of csrc/firmware/sensors, on a stand-in of its library.

The libraries themselves are compiled by PlatformIO alone; tests/c/arduino holds stand-ins, written
from how they behave. What counts a float becomes is checked with decimal arithmetic.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import numpy as np
import pytest
from c_builds import compiled
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st

FIRMWARE = ROOT / "csrc" / "firmware"
STAND_INS = ROOT / "tests" / "c" / "arduino"
WARNINGS = "-Wall -Wextra -Werror -funsigned-char".split()

OK, ERROR, NOT_A_NUMBER = range(3)
LEFT_ALONE = (123456, -654321)
PIN = 22

#: The file and the flags of every sensor that stands on a board.
SENSORS = {
    "hts221": ("hts221.cpp", ["-DSENSOR_HTS221"]),
    "hs3003": ("hs3003.cpp", ["-DSENSOR_HS3003"]),
    "dht22": ("dht.cpp", ["-DSENSOR_DHT22", f"-DDHT_PIN={PIN}"]),
    "dht11": ("dht.cpp", ["-DSENSOR_DHT11", f"-DDHT_PIN={PIN}"]),
}


class Device(ctypes.Structure):
    """``simulated_sensor`` of tests/c/arduino/simulated_sensor.h."""

    _fields_ = (
        *((name, ctypes.c_float) for name in ("temperature", "humidity")),
        *(
            (name, ctypes.c_int32)
            for name in ("is_there", "begun", "hangs", "samples", "pin", "type")
        ),
        ("now", ctypes.c_uint32),
    )


class Sensor:
    """One of them, compiled for this computer."""

    def __init__(self, name: str, library: Path) -> None:
        self.name = name
        self.library = ctypes.CDLL(str(library))
        self.device = Device.in_dll(self.library, "device")
        self.begin: Callable[[], None] = self.library.sensor_begin

    def read(self) -> tuple[int, tuple[int, ...]]:
        """The status, and the counts that are there afterwards; ``LEFT_ALONE`` before."""
        counts = (ctypes.c_int32 * 2)(*LEFT_ALONE)
        status = self.library.sensor_read(counts)
        return status, tuple(counts)

    def start(self, *, is_there: bool = True, temperature: float = 0, humidity: float = 0) -> None:
        """As after a reset."""
        ctypes.memset(ctypes.addressof(self.device), 0, ctypes.sizeof(self.device))
        self.device.is_there = is_there
        self.device.temperature, self.device.humidity = temperature, humidity
        self.begin()


@pytest.fixture(scope="module", params=SENSORS)
def sensor(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Sensor:
    folder = tmp_path_factory.mktemp(request.param)
    source, flags = SENSORS[request.param]
    (folder / "device.cpp").write_text('#include "simulated_sensor.h"\nsimulated_sensor device;\n')
    compiled(
        "gcc", "-std=c11", *WARNINGS, "-fPIC", "-c", FIRMWARE / "sensor.c",
        "-o", folder / "sensor.o",
    )  # fmt: skip
    compiled(
        "g++", "-std=gnu++14", *WARNINGS, *flags, "-fPIC", "-shared", f"-I{FIRMWARE}",
        f"-I{STAND_INS}", FIRMWARE / "sensors" / source, folder / "device.cpp",
        folder / "sensor.o", "-o", folder / "sensor.so",
    )  # fmt: skip
    return Sensor(request.param, folder / "sensor.so")


def counts_of(value: float) -> int:
    """Hundredths of a float32's product, as the firmware computes it, half away from zero."""
    product = np.float32(value) * np.float32(100)
    return int(Decimal(float(product)).quantize(Decimal(1), ROUND_HALF_UP))


def test_what_the_sensor_measures_is_what_is_read(sensor: Sensor) -> None:
    sensor.start(temperature=-12.34, humidity=85.67)
    assert sensor.read() == (OK, (-1234, 8567))
    assert sensor.device.begun == 1


@given(st.floats(-60, 130, width=32), st.floats(-5, 120, width=32))
def test_a_reading_is_in_hundredths(sensor: Sensor, temperature: float, humidity: float) -> None:
    sensor.start(temperature=temperature, humidity=humidity)
    status, counts = sensor.read()
    assert status == OK
    assert counts == (counts_of(temperature), counts_of(humidity))


@pytest.mark.parametrize("temperature, humidity", [(np.nan, 50), (10, np.nan), (np.nan, np.nan)])
def test_nan_is_reported_and_leaves_the_counts_alone(
    sensor: Sensor, temperature: float, humidity: float
) -> None:
    sensor.start(temperature=temperature, humidity=humidity)
    assert sensor.read() == (NOT_A_NUMBER, LEFT_ALONE)


def test_an_absent_sensor_neither_hangs_nor_answers(sensor: Sensor) -> None:
    sensor.start(is_there=False)
    for _ in range(3):
        status, counts = sensor.read()
        assert status in (ERROR, NOT_A_NUMBER)
        assert counts == LEFT_ALONE
        sensor.device.now += 300_000
    assert sensor.device.hangs == 0


def test_a_sensor_that_comes_back_is_read_after_it_is_begun_anew(sensor: Sensor) -> None:
    sensor.start(is_there=False)
    sensor.read()
    sensor.device.is_there = 1
    sensor.device.temperature, sensor.device.humidity = 1.5, 99
    sensor.device.now += 3_600_000
    sensor.begin()
    assert sensor.read() == (OK, (150, 9900))
    assert (sensor.device.begun, sensor.device.hangs) == (2, 0)


def test_each_reading_is_a_new_one_over_the_wrap_of_the_clock(sensor: Sensor) -> None:
    sensor.start()
    sensor.device.now = 2**32 - 450_000
    sensor.begin()
    for n in range(4):
        sensor.device.temperature, sensor.device.humidity = n, 10 * n
        assert sensor.read() == (OK, (100 * n, 1000 * n))
        sensor.device.now += 300_000


@pytest.mark.parametrize("sensor", ["dht22", "dht11"], indirect=True)
def test_a_reading_of_a_dht_is_one_sample_of_the_flags_pin_and_type(sensor: Sensor) -> None:
    sensor.start(temperature=20, humidity=40)
    sensor.read()
    assert (sensor.device.samples, sensor.device.pin) == (1, PIN)
    assert f"dht{sensor.device.type}" == sensor.name


@pytest.mark.parametrize("source", sorted(path.name for path in (FIRMWARE / "sensors").iterdir()))
def test_a_sensor_that_is_not_chosen_is_an_empty_file(source: str, tmp_path: Path) -> None:
    """No library is needed for it, and no symbol comes of it."""
    compiler, standard = ("gcc", "gnu11") if source.endswith(".c") else ("g++", "gnu++14")
    made = tmp_path / f"{source}.o"
    compiled(
        compiler, f"-std={standard}", *WARNINGS, f"-I{FIRMWARE}", "-c",
        FIRMWARE / "sensors" / source, "-o", made,
    )  # fmt: skip
    library = tmp_path / f"{source}.so"
    compiled(compiler, "-shared", "-nostdlib", made, "-o", library)
    assert not hasattr(ctypes.CDLL(str(library)), "sensor_read")
