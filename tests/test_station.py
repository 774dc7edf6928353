"""The weather station, against a model of other structure (station_model.py) and by hand.

Every clock here is simulated: it starts anywhere, wraps when it must, and runs for years.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import example, given, settings
from station import Firmware, firmware
from station_model import (
    ERROR,
    FAULTS,
    MAX_IDLE,
    NOT_A_NUMBER,
    OK,
    THRESHOLD,
    Config,
    Poll,
    Station,
    check,
    percent,
    rounded,
    some_code,
    weather,
)

HOUR = 3_600_000

#: The usual station, and one whose hour is over at once.
USUAL = Config(HOUR, 12, 288, 3)
QUICK = Config(1000, 4, 0, 3)


@pytest.fixture(scope="module")
def fw() -> Firmware:
    return firmware()


def at(time: int, status: int = OK, counts: tuple[int, int] = (2000, 5000)) -> Poll:
    return Poll(time, time, time, status, counts)


# --- against the model -----------------------------------------------------------------------

starts = st.one_of(st.integers(0, 2**32 - 1), st.integers(2**32 - 10_000, 2**32 - 1))


@st.composite
def configs(draw: st.DrawFn) -> Config:
    """Hours of any length, also of one that its readings do not divide."""
    hour = draw(st.sampled_from([1, 2, 7, 50, 1000, 4000, 7199, HOUR, 2**31 - 1]))
    most = min(hour, 3600)
    readings = draw(st.one_of(st.integers(1, min(most, 12)), st.integers(1, most), st.just(most)))
    return Config(hour, readings, draw(st.sampled_from([0, 2, 3, 5])), draw(st.integers(1, 5)))


#: Few, so that they repeat; at the edges of what can be measured and of 32 bits.
TEMPERATURES = [0, 1, -1, -4000, -4001, 8500, 8501, -(2**31), 2**31 - 1]
HUMIDITIES = [5000, 5001, 10000, 10050, 10500, 10501, 10600, 0, -1, -200, -201, 2**31 - 1]

readings = st.tuples(
    st.sampled_from([OK, OK, OK, OK, ERROR, NOT_A_NUMBER]),
    st.tuples(
        st.one_of(st.sampled_from(TEMPERATURES[:3]), st.sampled_from(TEMPERATURES)),
        st.one_of(st.sampled_from(HUMIDITIES[:2]), st.sampled_from(HUMIDITIES)),
    ),
)


@st.composite
def lives(draw: st.DrawFn) -> tuple[Config, int, list[Poll]]:
    """Polls of a station: at any time, at the edge of a slot or an hour, or very late."""
    config = draw(configs())
    edges = [1, config.slot, config.hour_ms, config.window * config.hour_ms]
    latest = 2**32 - 5000 - config.hour_ms  # an hour is seen to be over within 2^32 ms
    steps = st.one_of(
        st.integers(0, 2 * config.slot),
        st.builds(lambda edge, off: max(edge + off, 0), st.sampled_from(edges), st.integers(-2, 2)),
        st.just(None),  # to the next hour
        st.integers(-4, 4).map(lambda off: 2**31 + off),
        st.just(latest),
    )
    durations = st.sampled_from([0, 0, 0, 1, 1000, min(config.slot, 4000)])
    delays = st.sampled_from([0, 0, 0, 1, 2])
    time, polls = 0, []
    turns = st.tuples(steps, delays, durations, readings)
    for step, delay, duration, reading in draw(st.lists(turns, max_size=60)):
        to_hour = config.hour_ms - time % config.hour_ms
        time += to_hour if step is None else min(step, latest)
        polls.append(Poll(time, time + delay, time + delay + duration, *reading))
        time += delay + duration
    return config, draw(starts), polls


@given(lives())
def test_any_life_is_as_in_the_model(life: tuple[Config, int, list[Poll]]) -> None:
    check(firmware(), *life)


@pytest.mark.sweep
@settings(max_examples=2000)
@given(lives())
def test_many_lives_are_as_in_the_model(life: tuple[Config, int, list[Poll]]) -> None:
    check(firmware(), *life)


def years(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    config = Config(HOUR, 3, 24, 3)
    check(firmware(), config, 2**32 - 1000, list(weather(rng, config, n * 24 * 365)))


def test_two_years_are_as_in_the_model() -> None:
    """The clock wraps fifteen times."""
    years(1, 2)


@pytest.mark.sweep
@pytest.mark.parametrize("seed", range(2, 5))
def test_ten_more_years_are_as_in_the_model(seed: int) -> None:
    years(seed, 10)


# --- readings --------------------------------------------------------------------------------


def hour_of(
    fw: Firmware, polls: list[tuple[int, tuple[int, int]]], config: Config = QUICK
) -> Station:
    """A station whose first hour, of evenly spread readings, has just ended."""
    config = config._replace(readings=len(polls))
    station = Station(fw, config, 0)
    for i, (status, counts) in enumerate(polls):
        assert station.poll(at(i * config.slot, status, counts)).taken
    assert station.poll(at(config.hour_ms, ERROR)).hour_over
    return station


def newest(station: Station) -> tuple[int, int]:
    end = 2 * station.config.window
    return station.window[end - 2], station.window[end - 1]


@pytest.mark.parametrize(
    ("values", "mean"),
    [
        ([1, 2], 2), ([-1, -2], -2), ([1, 1, 2], 1), ([-1, -1, -2], -1), ([0, 1], 1), ([0, -1], -1),
        ([1, 2, 2], 2), ([-1, -2, -2], -2), ([8500] * 12, 8500), ([-4000] * 12, -4000),
        ([3, 3, 3, 4], 3), ([3, 3, 4, 4], 4), ([-3, -3, -4, -4], -4), ([-1, 1, 0], 0),
    ],
)  # fmt: skip
def test_an_hour_is_the_mean_half_away_from_zero(
    fw: Firmware, values: list[int], mean: int
) -> None:
    assert newest(hour_of(fw, [(OK, (value, 5000)) for value in values])) == (mean, 5000)


def test_only_good_readings_count(fw: Firmware) -> None:
    bad = [(ERROR, (1, 1)), (NOT_A_NUMBER, (1, 1)), (OK, (9000, 5000)), (OK, (1000, -300))]
    station = hour_of(fw, [(OK, (1000, 4000)), *bad, (OK, (2000, 6000))])
    assert newest(station) == (1500, 5000)
    assert (station.s.hours, station.s.holes, station.s.hours_needed) == (1, 0, 2)


@pytest.mark.parametrize(
    ("counts", "kept"),
    [
        ((2000, 10050), (2000, 10000)), ((2000, 10500), (2000, 10000)), ((2000, 10501), None),
        ((2000, 10600), None), ((2000, -1), (2000, 0)), ((2000, -200), (2000, 0)),
        ((2000, -201), None), ((-4000, 0), (-4000, 0)), ((-4001, 0), None),
        ((8500, 10000), (8500, 10000)), ((8501, 10000), None), ((2**31 - 1, 5000), None),
        ((-(2**31), 5000), None), ((0, 2**31 - 1), None), ((0, -(2**31)), None),
    ],
)  # fmt: skip
def test_what_cannot_be_is_no_reading(
    fw: Firmware, counts: tuple[int, int], kept: tuple[int, int] | None
) -> None:
    station = hour_of(fw, [(OK, counts)])
    if kept:
        assert newest(station) == kept
    else:
        assert fw.described(station.s).endswith("no forecast, 3 more hours (out of range)")


def test_the_largest_sums_do_not_wrap(fw: Firmware) -> None:
    for counts in [(8500, 10500), (-4000, 10500)]:
        station = hour_of(fw, [(OK, counts)] * 3600, QUICK._replace(hour_ms=HOUR))
        assert newest(station) == (counts[0], 10000)


def test_a_broken_sensor_is_stuck_until_it_says_something_else(fw: Firmware) -> None:
    """Across hours; errors in between do not help it, and a change of one channel is enough."""
    script = [(OK, (1, 5))] * 3 + [(ERROR, (0, 0)), (OK, (1, 5)), (OK, (1, 5)), (OK, (1, 6))]
    station = Station(fw, Config(1000, 2, 4, 1), 0)
    lines, valid = [], []
    for i, (status, counts) in enumerate(script):
        seen = station.poll(at(500 * i, status, counts))
        lines += [seen.line] * seen.hour_over
        valid.append(station.s.valid)
    assert valid == [1, 2, 1, 1, 0, 0, 1]
    assert lines[-1] == "no reading -> no forecast, 1 more hour (stuck)"
    assert station.poll(at(4000)).line.startswith("0.0 C 0.1 % -> snow")


def test_a_sensor_is_never_stuck_if_so_configured(fw: Firmware) -> None:
    station = Station(fw, QUICK, 0)
    for i in range(40):
        station.poll(at(250 * i))
    assert (station.s.holes, station.s.same) == (0, 40)
    station.s.same = 2**32 - 1
    station.poll(at(10_000))
    assert station.s.same == 2**32 - 1


def test_counters_stop_at_their_end(fw: Firmware) -> None:
    station = Station(fw, QUICK, 0)
    station.s.hours = station.s.holes = 2**32 - 2
    for i in range(1, 4):
        station.poll(at(1000 * i, ERROR))
        assert station.s.hours == station.s.holes == 2**32 - 1
    station.s.hours = station.s.holes = 2**32 - 10
    station.poll(at(103_000))
    assert station.s.hours == station.s.holes == 2**32 - 1


def test_every_fault_has_a_name(fw: Firmware) -> None:
    names = [fw.ffi.string(fw.lib.station_fault_name(i)).decode() for i in range(len(FAULTS))]
    assert names == FAULTS
    starting: int = fw.lib.STATION_STARTING
    assert starting == len(FAULTS) - 1


# --- floats ----------------------------------------------------------------------------------


def sensor_counts(fw: Firmware, temperature: float, humidity: float) -> Any:
    counts = fw.ffi.new("int32_t[2]", [77, 77])
    status = fw.lib.sensor_counts(temperature, humidity, counts)
    return (status, *counts)


def exactly(value: float) -> int:
    """A float of a library in counts: single precision times 100, then rounded and saturated."""
    with np.errstate(over="ignore"):
        counts = float(np.float32(value) * np.float32(100))
    limit = 2**30
    return rounded(Fraction(counts)) if abs(counts) < limit else int(math.copysign(limit, counts))


singles = st.one_of(
    st.floats(width=32, allow_nan=False),
    st.floats(-90, 200, width=32),
    st.integers(-9_000_000, 9_000_000).map(lambda n: float(np.float32(n / 200))),
)

#: The last single before a half of a count: a half added to it, in single precision, is a whole.
NEARLY = float(np.nextafter(np.float32(0.005), np.float32(0)))


@given(singles, singles)
@example(math.inf, -math.inf)
@example(NEARLY, -NEARLY)
@example(float(np.float32(83886.09)), -float(np.float32(83886.09)))  # counts have no halves there
@example(3e38, -3e38)
def test_floats_to_counts(temperature: float, humidity: float) -> None:
    found = sensor_counts(firmware(), temperature, humidity)
    assert found == (OK, exactly(temperature), exactly(humidity))


def test_what_has_two_decimals_arrives_as_it_was(fw: Firmware) -> None:
    for n in range(-4000, 10501):
        assert sensor_counts(fw, n / 100, n / 100) == (OK, n, n)


@pytest.mark.parametrize("pair", [(math.nan, 50), (20, math.nan), (math.nan, -math.nan)])
def test_nan_is_no_number(fw: Firmware, pair: tuple[float, float]) -> None:
    assert sensor_counts(fw, *pair) == (NOT_A_NUMBER, 77, 77)


@pytest.mark.parametrize("pair", [(math.inf, 50), (20, -math.inf), (3e38, 3e38)])
def test_infinities_are_out_of_range(fw: Firmware, pair: tuple[float, float]) -> None:
    status, temperature, humidity = sensor_counts(fw, *pair)
    station = hour_of(fw, [(status, (temperature, humidity))])
    assert fw.described(station.s).endswith("(out of range)")


# --- hours -----------------------------------------------------------------------------------


def test_from_the_start_to_a_forecast(fw: Firmware) -> None:
    station = Station(fw, USUAL, 2**32 - 1)
    lines = []
    for i in range(12 * 4 + 1):
        seen = station.poll(at(i * 300_000, OK, (1200 + i % 2, 8500)))
        lines += [seen.line] * seen.hour_over
    assert lines[:2] == [
        "12.0 C 85.0 % -> no forecast, 2 more hours (starting)",
        "12.0 C 85.0 % -> no forecast, 1 more hour (starting)",
    ]
    code = some_code([1201, 8500] * 3)
    words = f"12.0 C 85.0 % -> snow {percent(code)} % ({'yes' if code >= THRESHOLD else 'no'})"
    assert lines[2:] == [words, words]


def test_a_hole_takes_the_forecast_away(fw: Firmware) -> None:
    station = Station(fw, QUICK, 0)
    seen = []
    for i in range(4 * 8 + 1):
        is_hole = 16 <= i < 20  # the fifth hour
        seen.append(station.poll(at(250 * i, NOT_A_NUMBER if is_hole else OK, (i, 5000))))
    hours = [poll for poll in seen if poll.hour_over]
    assert [poll.needed for poll in hours] == [2, 1, 0, 0, 3, 2, 1, 0]
    assert [poll.lost for poll in hours] == [False] * 4 + [True] + [False] * 3
    assert hours[4].line == "no reading -> no forecast, 3 more hours (not a number)"
    assert hours[6].line == "0.3 C 50.0 % -> no forecast, 1 more hour (not a number)"
    assert "-> snow " in hours[3].line
    assert "-> snow " in hours[7].line


def test_no_sensor_is_lost_before_the_first_hour(fw: Firmware) -> None:
    station = Station(fw, QUICK, 0)
    seen = station.poll(at(0, ERROR))
    assert (seen.line, seen.lost) == ("no reading -> no forecast, 3 more hours (starting)", False)
    assert station.poll(at(1000, ERROR)).lost


def test_a_late_hour_is_one_line_and_holes(fw: Firmware) -> None:
    station = Station(fw, QUICK, 2**32 - 2500)
    for i in range(13):
        station.poll(at(250 * i))
    seen = station.poll(at(3000 + 7300))
    assert (seen.hour_over, seen.hours, seen.holes) == (True, 10, 6)  # the fourth was good
    assert seen.line == "no reading -> no forecast, 3 more hours (late)"
    assert not seen.lost
    seen = station.poll(at(10_999))
    assert (seen.hour_over, seen.hours) == (False, 10)  # and the next ends when it should
    assert station.poll(at(11_000)).hours == 11


@pytest.mark.parametrize("start", [0, 2**32 - 1000, 2**32 - 999, 2**31])
def test_an_hour_ends_when_it_is_over(fw: Firmware, start: int) -> None:
    station = Station(fw, QUICK, start)
    times = [999, 1000, 1000, 1999, 2001, 3000]
    over = [station.poll(at(time)).hour_over for time in times]
    assert over == [False, True, False, False, True, True]


def test_readings_missed_are_not_made_up_for(fw: Firmware) -> None:
    station = Station(fw, QUICK, 0)
    taken = [time for time in (600, 601, 749, 750, 751, 999) if station.poll(at(time)).taken]
    assert taken == [600, 750]  # in the third and fourth of four slots
    assert station.s.valid == 2


def test_a_reading_may_end_in_the_next_hour(fw: Firmware) -> None:
    station = Station(fw, QUICK, 0)
    assert station.poll(Poll(990, 990, 1400, OK, (100, 200))).taken
    seen = station.poll(at(1400))
    assert (seen.hour_over, seen.taken, seen.needed) == (True, True, 2)


# --- what is shown, and how long to sleep ----------------------------------------------------


def test_percent(fw: Firmware) -> None:
    codes = range(-128, 128)
    assert [fw.lib.station_percent(code) for code in codes] == [percent(code) for code in codes]


@pytest.mark.parametrize("threshold", [-128, -127, -89, 0, 126, 127])
def test_the_threshold_is_snow(fw: Firmware, threshold: int) -> None:
    station = Station(fw, QUICK._replace(window=1), 0)
    station.poll(at(0))
    station.poll(at(1000))
    for code in range(-128, 128):
        fw.lib.station_set_forecast(station.s, code, threshold)
        is_snow = code >= threshold
        assert fw.lib.station_led(station.s, 1005) == is_snow
        words = f"20.0 C 50.0 % -> snow {percent(code)} % ({'yes' if is_snow else 'no'})"
        assert fw.described(station.s) == words


def test_the_led_flashes_every_four_seconds_without_a_forecast(fw: Firmware) -> None:
    station = Station(fw, USUAL, 2**32 - 6000)
    lit = [ms for ms in range(20_000) if fw.lib.station_led(station.s, station.clock(ms))]
    assert lit == [ms for ms in range(20_000) if ms % 4000 < 50]


@given(configs(), starts, st.lists(st.integers(0, 60), max_size=6), st.data())
def test_sleep_ends_with_the_next_thing_to_do_and_not_before(
    config: Config, start: int, steps: list[int], data: st.DataObject
) -> None:
    """Millisecond by millisecond."""
    fw, time = firmware(), 0
    station = Station(fw, config, start)
    station.poll(at(0))
    for step in steps:
        units = [1, config.slot, max(config.slot // 7, 1)]
        gap = step * data.draw(st.sampled_from(units))
        time += min(gap, 2**32 - 5000 - config.hour_ms)
        station.poll(at(time, OK, (time % 100, 5000)))
    lit = fw.lib.station_led(station.s, station.clock(time))

    def is_due(ms: int) -> bool:
        now = station.clock(time + ms)
        is_over = (now - station.s.hour_start) % 2**32 >= config.hour_ms
        changes = fw.lib.station_led(station.s, now) != lit
        return is_over or changes or fw.lib.station_reading_due(station.s, now)

    idle = fw.lib.station_idle(station.s, station.clock(time))
    assert 0 < idle <= MAX_IDLE  # everything has been done
    assert [ms for ms in range(idle) if is_due(ms)] == []
    assert is_due(idle) or idle == MAX_IDLE


@pytest.mark.parametrize("hour", [3600, 7199, HOUR, 2**31 - 1])
@pytest.mark.parametrize("readings", [1, 7, 3600])
def test_a_station_that_sleeps_as_it_is_told_is_alive(
    fw: Firmware, hour: int, readings: int
) -> None:
    """With readings that take a while, and sleeps a little too long; several wraps of the clock."""
    rng = np.random.default_rng(readings)
    config = Config(hour, readings, 0, 2)
    station = Station(fw, config, 2**32 - 10)
    time = 0
    for turn in range(2000):
        done = time + int(rng.integers(0, 250))
        seen = station.poll(Poll(time, time, done, OK, (turn % 50, 5000)))
        assert seen.alive
        time = done + seen.idle + int(rng.integers(0, 100))
        if config.slot > 60_000:  # its middle, where nothing is due, is left out
            time = max(time, time - time % config.slot + config.slot - int(rng.integers(1, 9000)))
            assert fw.lib.station_is_alive(station.s, station.clock(time))


@pytest.mark.parametrize("config", [USUAL, QUICK, Config(2**31 - 1, 1, 0, 1)])
def test_a_station_without_readings_is_not_alive(fw: Firmware, config: Config) -> None:
    station = Station(fw, config, 2**32 - 100)
    station.poll(at(50))
    patience = min(2 * config.slot + MAX_IDLE, 2**32 - 1)  # no age is known beyond

    def is_alive(age: int) -> bool:
        return bool(fw.lib.station_is_alive(station.s, station.clock(50 + age)))

    assert is_alive(0)
    assert is_alive(config.slot)
    assert is_alive(patience)
    assert patience == 2**32 - 1 or not is_alive(patience + 1)
