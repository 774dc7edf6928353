"""Mistakes in the weather station, one line each, that the models must notice.

Apart from the catalogue in broken_on_purpose.py: a changed file is compiled and lives through a few
hundred hours and lines beside station_model.py and console_model.py, which must disagree with it.
"""

from __future__ import annotations

from dataclasses import dataclass

import console_model
import numpy as np
import pytest
import station_model
from station import FIRMWARE, Firmware, compiled, firmware
from station_model import OK, Config, Poll


@dataclass(frozen=True)
class Mutation:
    """The line of ``file`` that holds ``before``, and what somebody might have written.

    ``why`` says what is tempting about it and what goes wrong.
    """

    file: str
    before: str
    after: str
    why: str


MUTATIONS = {
    "absolute times": Mutation(
        "station.c", "    if (hours == 0) {", "    if (now < s->hour_start + s->config.hour_ms) {",
        "reads well, and no hour ends, or each does at once, where the clock wraps",
    ),
    "signed times": Mutation(
        "station.c", "(now - s->hour_start) / s->config.hour_ms",
        "((now - s->hour_start) & INT32_MAX) / s->config.hour_ms",
        "half of the clock is enough until a board was busy for 25 days",
    ),
    "an hour from now": Mutation(
        "station.c", "s->hour_start + hours * s->config.hour_ms", "now",
        "simpler, and every late hour delays all that follow",
    ),
    "a late hour is two": Mutation(
        "station.c", "hours * s->config.hour_ms);", "s->config.hour_ms);",
        "what was missed is made up for, an hour a turn",
    ),
    "a mean of all": Mutation(
        "station.c", "(int32_t)s->valid)", "(int32_t)s->config.readings)",
        "a reading that failed pulls the mean to zero",
    ),
    "a mean that floors": Mutation(
        "station.c", "return sum < 0 ? -((-sum + n / 2) / n) :", "return sum < 0 ? (sum - n) / n :",
        "shifts frost by a count",
    ),
    "no clamp": Mutation(
        "station.c", "clamp(counts[c], least[c], most[c])", "counts[c]",
        "fog of 100.5 % is more than the model was trained on",
    ),
    "a clamp for a fault": Mutation(
        "station.c", "counts[c] > highest[c]", "counts[c] > 100 * highest[c]",
        "a sensor that says 140 % would be believed",
    ),
    "equal to the last good one": Mutation(
        "station.c", "    memcpy(s->last, counts, sizeof s->last);", "    s->last[0] = counts[0];",
        "one channel is compared with what it was long ago",
    ),
    "stuck too late": Mutation(
        "station.c", "s->same >= s->config.stuck_readings", "s->same > s->config.stuck_readings",
        "one reading more than was asked for",
    ),
    "a hole is no matter": Mutation(
        "station.c", "    s->hours_needed = s->config.window;", "    s->hours_needed = 1;",
        "the hours before the hole would be taken for those before the last",
    ),
    "an old forecast": Mutation(
        "station.c", "s->forecast = STATION_UNKNOWN;\n}", "}",
        "a forecast is shown that nothing supports any more",
    ),
    "made up for": Mutation(
        "station.c", "s->next_slot = slot_at(s, now) + 1;", "s->next_slot++;",
        "after a pause all readings that were missed come at once",
    ),
    "the last slot ends early": Mutation(
        "station.c", "s->config.readings - 1);", "s->config.readings);",
        "what the division leaves has no reading, and the station never sleeps in it",
    ),
    "more than snow": Mutation(
        "station.c", "code >= threshold", "code > threshold",
        "Python's threshold is snow",
    ),
    "percent of 255": Mutation(
        "station.c", "(probability * 100 + 128) / 256", "(probability * 100 + 127) / 255",
        "a sigmoid's scale is 1/256",
    ),
    "minus zero": Mutation(
        "text.c", "hundredths <= -5;", "hundredths < 0;", "-0.0 degrees",
    ),
    "no smallest number": Mutation(
        "text.c", "(sign_and_magnitude(line, hundredths, shown) + 5) / 10",
        "(sign_and_magnitude(line, hundredths, shown) + 4) / 10", "halves go to zero",
    ),
    "char has a sign": Mutation(
        "console.c", "byte < ' ' || byte > '~'", "byte < ' ' || byte == 127",
        "right where char has one; elsewhere UTF-8 is text",
    ),
    "overflow": Mutation(
        "console.c", "number > (most - digit) / 10", "10 * number + digit > most",
        "the product has wrapped before it is compared",
    ),
    "half a code": Mutation(
        "console.c", "if (low < 0) {", "if (high < 0) {",
        "the second digit of a code may be anything",
    ),
    "an empty number": Mutation(
        "console.c", "return *at > first && ", "return ", "a minus alone would be a zero",
    ),
    "more words": Mutation(
        "console.c", "!take_codes(&at, codes) || !is_over(at)", "!take_codes(&at, codes)",
        "what is not understood is no matter",
    ),
}  # fmt: skip


def live_and_talk(firmware: Firmware) -> None:
    """AssertionError unless the firmware agrees with the models in all that they know."""
    rng = np.random.default_rng(0)
    for config in (Config(3_600_000, 3, 6, 3), Config(7199, 3600, 0, 1), Config(1000, 7, 2, 2)):
        start = int(rng.integers(2**32))
        hours = 600 if config.readings < 100 else 3
        polls = list(station_model.weather(rng, config, hours))
        station_model.check(firmware, config, start, polls)
    late = [Poll(t, t, t, OK, (-1 - i % 2, 10_400)) for i, t in enumerate((0, 1000, 2**31 + 1500))]
    station_model.check(firmware, Config(1000, 1, 0, 1), 2**32 - 500, late)
    later = [poll._replace(counts=(-4, -5)) for poll in late]
    station_model.check(firmware, Config(1000, 1, 0, 1), 2**32 - 500, later)
    console_model.check(firmware, [b"feed 1 2 3 4 5 -\ndigest 1 4294967296\nhelp 1\n"])
    console_model.check(firmware, [b"run 0001020304fg\nrun 000102030405 1\nhelp\xc3\xa9\n", b"run"])
    console_model.check(firmware, [b"run 00ff7f80010g\nfeed 1 2 3 4 5 6\ndigest 100 7\nstatus\n"])
    for code in range(-128, 128):
        assert firmware.lib.station_percent(code) == station_model.percent(code)
    check_threshold(firmware)


def check_threshold(firmware: Firmware) -> None:
    station = station_model.Station(firmware, Config(1000, 1, 0, 1), 0)
    for code in (-1, 0, 1):
        firmware.lib.station_set_forecast(station.s, code, 0)
        assert firmware.lib.station_led(station.s, 0) == (code >= 0)


def test_the_firmware_agrees() -> None:
    live_and_talk(firmware())


@pytest.mark.parametrize("mutation", MUTATIONS.values(), ids=MUTATIONS)
def test_a_mutation_is_noticed(mutation: Mutation) -> None:
    text = (FIRMWARE / mutation.file).read_text("utf-8")
    assert text.count(mutation.before) == 1
    broken = compiled({mutation.file: text.replace(mutation.before, mutation.after)})
    with pytest.raises(AssertionError):
        live_and_talk(broken)
