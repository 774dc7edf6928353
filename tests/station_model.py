"""What the weather station must do, computed another way: all hours at once, in unbounded integers.

A ``Poll`` is one turn of main.cpp's loop: when it looked at the hour, when at the next reading, and
when that reading was there, in milliseconds since the start. ``expected`` knows from the whole list
what each of them must have seen; ``simulated`` lets station.c live through them.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from typing import NamedTuple

import numpy as np
from station import Firmware

OK, ERROR, NOT_A_NUMBER = range(3)
FAULTS = ["none", "sensor error", "not a number", "out of range", "stuck", "late", "starting"]
THRESHOLD = -89

#: Counts that a sensor may say, and those that a mean is made of.
MEASURABLE = (range(-4000, 8501), range(-200, 10501))
HUMIDITY = (0, 10000)

MAX_IDLE, FLASH = 4000, 50

Counts = tuple[int, int]


class Config(NamedTuple):
    hour_ms: int
    readings: int
    stuck_readings: int
    window: int

    @property
    def slot(self) -> int:
        return self.hour_ms // self.readings


class Poll(NamedTuple):
    """``end <= due <= done``; the last two differ only if a reading takes time."""

    end: int
    due: int
    done: int
    status: int
    counts: Counts


@dataclass(frozen=True)
class Seen:
    """After a poll: what it did, what the station says, and what it is to do next."""

    hour_over: bool
    taken: bool
    line: str
    hours: int
    holes: int
    needed: int
    lost: bool
    led: bool
    idle: int
    alive: bool


def rounded(value: Fraction) -> int:
    """Half away from zero."""
    magnitude = int(abs(value) + Fraction(1, 2))
    return magnitude if value >= 0 else -magnitude


def tenths(hundredths: int) -> str:
    value = rounded(Fraction(hundredths, 10))
    return f"{'-' if value < 0 else ''}{abs(value) // 10}.{abs(value) % 10}"


def percent(code: int) -> int:
    return rounded(Fraction(100 * (code + 128), 256))


def some_code(window: Sequence[int]) -> int:
    """Stands for the model: any function of the window, of which every number counts."""
    return sum((2 * i + 1) * value for i, value in enumerate(window)) * 31 % 256 - 128


# --- the model -------------------------------------------------------------------------------


def taken(config: Config, polls: Sequence[Poll]) -> dict[int, tuple[int, int]]:
    """Which polls take a reading: in which hour, and the slot in which it is there."""
    last = (-1, -1)
    found = {}
    for i, poll in enumerate(polls):
        hour = poll.end // config.hour_ms
        start = hour * config.hour_ms
        due, done = (min((t - start) // config.slot, config.readings - 1) for t in poll[1:3])
        if poll.due < start + config.hour_ms and (hour, due) > last:
            found[i] = last = (hour, done)
    return found


def faults(config: Config, readings: Sequence[tuple[int, Counts]]) -> list[str]:
    """Of each reading; "none" if it is good."""
    found = [FAULTS[status] for status, _ in readings]
    numbers = [i for i, (status, _) in enumerate(readings) if status == OK]
    for counts, same in groupby(numbers, lambda i: readings[i][1]):
        measurable = all(c in r for c, r in zip(counts, MEASURABLE, strict=True))
        for times, i in enumerate(same, 1):
            if not measurable:
                found[i] = "out of range"
            elif config.stuck_readings and times >= config.stuck_readings:
                found[i] = "stuck"
    return found


def hours(config: Config, polls: Sequence[Poll]) -> dict[int, Counts | str]:
    """The means of every hour that has readings, or why there are none."""
    when = taken(config, polls)
    what = faults(config, [(polls[i].status, polls[i].counts) for i in when])
    found: dict[int, Counts | str] = {}
    by_hour = zip(when.items(), what, strict=True)
    for hour, readings in groupby(by_hour, lambda reading: reading[0][1][0]):
        good, bad = [], ""
        for (i, _), fault in readings:
            if fault == "none":
                good.append(polls[i].counts)
            else:
                bad = fault
        if good:
            dry, wet = HUMIDITY
            temperature = Fraction(sum(t for t, _ in good), len(good))
            humidity = Fraction(sum(min(max(h, dry), wet) for _, h in good), len(good))
            found[hour] = (rounded(temperature), rounded(humidity))
        else:
            found[hour] = bad
    return found


def idle(config: Config, now: int, hour: int, slot: int, is_known: bool) -> int:
    """Until the next thing: the end of the hour, a reading in ``slot`` or later, the LED."""
    start = hour * config.hour_ms
    times = [start + config.hour_ms, now + MAX_IDLE]
    if slot < config.readings:
        times.append(start + slot * config.slot)
    if not is_known:
        flash = now - (now - start) % MAX_IDLE
        times += [time for time in (flash + FLASH, flash + MAX_IDLE) if time > now]
    return max(min(times) - now, 0)


def expected(config: Config, polls: Sequence[Poll]) -> Iterator[Seen]:
    when, what = taken(config, polls), hours(config, polls)
    good = sorted(hour for hour, mean in what.items() if not isinstance(mean, str))
    last, read, slot = 0, 0, (0, 0)
    for i, poll in enumerate(polls):
        now = poll.end // config.hour_ms
        run = 0  # of good hours up to now
        while run < config.window and isinstance(what.get(now - 1 - run), tuple):
            run += 1
        newest = what.get(now - 1, "late")
        why = what.get(now - 1 - run, "late") if now > run else "starting"
        words = "no reading -> "
        if now and not isinstance(newest, str):
            words = f"{tenths(newest[0])} C {tenths(newest[1])} % -> "
        needed = config.window - run
        if needed:
            words += f"no forecast, {needed} more hour{'s' * (needed != 1)} ({why})"
            led = (poll.done - now * config.hour_ms) % MAX_IDLE < FLASH
        else:
            mean = [c for hour in range(now - run, now) for c in what[hour]]
            code = some_code([int(c) for c in mean])
            led = code >= THRESHOLD
            words += f"snow {percent(code)} % ({'yes' if led else 'no'})"
        if i in when:
            slot, read = (when[i][0], when[i][1] + 1), poll.done
        yield Seen(
            hour_over=now > last,
            taken=i in when,
            line=words,
            hours=min(now, 2**32 - 1),
            holes=min(now - bisect.bisect_left(good, now), 2**32 - 1),
            needed=needed,
            lost=now > 0 and isinstance(newest, str) and newest != "late",
            led=led,
            idle=idle(config, poll.done, now, slot[1] if slot[0] == now else 0, not needed),
            # as a clock of 32 bits knows it
            alive=(poll.done - read) % 2**32 <= 2 * config.slot + MAX_IDLE,
        )
        last = now


def weather(rng: np.random.Generator, config: Config, hours: int) -> Iterator[Poll]:
    """Polls as main.cpp makes them, with storms of NaN, a stuck sensor, and nobody there at times.

    A kind of trouble, or none, lasts for fifty readings on average.
    """
    kinds = ["", "", "", "error", "nan", "stuck", "late", "range"]
    time, counts, trouble = 0, (0, 5000), ""
    while time < hours * config.hour_ms:
        if rng.random() < 0.02:
            trouble = str(rng.choice(kinds))
        if trouble != "stuck":
            warmer, wetter = map(int, rng.integers(-30, 31, 2))
            temperature = min(max(counts[0] + warmer, -4000), 4500)
            counts = (temperature, min(max(counts[1] + wetter, 0), 10050))
        status = {"error": ERROR, "nan": NOT_A_NUMBER}.get(trouble, OK)
        done = time + int(rng.integers(1, 1000))
        yield Poll(time, time, done, status, (20_000, 5000) if trouble == "range" else counts)
        gap = config.slot * (5 if trouble == "late" else 1)
        time = max(done, time - time % config.slot + gap + int(rng.integers(0, 3)))


# --- the station -----------------------------------------------------------------------------


class Station:
    """A station.c in memory that is watched: bytes beside it and its window must stay."""

    GUARD = 32

    def __init__(self, firmware: Firmware, config: Config, start: int) -> None:
        self.firmware, self.config, self.start = firmware, config, start
        ffi = firmware.ffi
        sizes = (ffi.sizeof("station"), config.window * 8)
        self._memory = [ffi.new("uint8_t[]", b"\xa5" * (n + 2 * self.GUARD)) for n in sizes]
        self._sizes = sizes
        self.s = ffi.cast("station *", self._memory[0] + self.GUARD)
        self.window = ffi.cast("int32_t *", self._memory[1] + self.GUARD)
        firmware.lib.station_begin(self.s, [config], self.window, start % 2**32)

    def check_guards(self) -> None:
        for memory, size in zip(self._memory, self._sizes, strict=True):
            around = bytes(self.firmware.ffi.buffer(memory))
            assert set(around[: self.GUARD] + around[self.GUARD + size : -1]) == {0xA5}

    def clock(self, time: int) -> int:
        """The board's milliseconds at a time since the start."""
        return (self.start + time) % 2**32

    def poll(self, poll: Poll) -> Seen:
        """main.cpp's turn, with ``some_code`` for the model."""
        lib, s = self.firmware.lib, self.s
        hour_over = lib.station_end_hour(s, self.clock(poll.end))
        is_due = lib.station_reading_due(s, self.clock(poll.due))
        if is_due:
            lib.station_add_reading(s, poll.status, poll.counts, self.clock(poll.done))
        if hour_over and lib.station_window_is_complete(s):
            window = self.firmware.ffi.unpack(self.window, 2 * self.config.window)
            lib.station_set_forecast(s, some_code(window), THRESHOLD)
        now = self.clock(poll.done)
        return Seen(
            hour_over=hour_over,
            taken=is_due,
            line=self.firmware.described(s),
            hours=s.hours,
            holes=s.holes,
            needed=s.hours_needed,
            lost=lib.station_lost_its_sensor(s),
            led=lib.station_led(s, now),
            idle=lib.station_idle(s, now),
            alive=lib.station_is_alive(s, now),
        )


def check(firmware: Firmware, config: Config, start: int, polls: Sequence[Poll]) -> None:
    """That station.c sees in every poll what it must."""
    station = Station(firmware, config, start)
    for i, (poll, wanted) in enumerate(zip(polls, expected(config, polls), strict=True)):
        seen = station.poll(poll)
        assert seen == wanted, f"poll {i}: {poll}, {config}, start {start}"
    station.check_guards()
