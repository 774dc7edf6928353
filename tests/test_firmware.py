"""The weather station itself on both CPUs, emulated: built by PlatformIO, and a year of weather.

These are stand-ins for the boards: they run our own sources, flags and logic on the real
instruction sets, without an Arduino core. Every line that the station prints is compared with the
one that Python makes of the same hours and its own model.
"""

from __future__ import annotations

import configparser
import json
import re
import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import make_replay_hours as replay
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import run_firmware
from conftest import ROOT, require
from firmware_builds import FIRMWARE, PIO_FLAGS, build, wait_for_end
from run_firmware import ENVIRONMENTS, GREETING, expected_lines, first_lines, percent, tenths

import scratchml as sml
from scratchml.firmware import committed_model

Int32 = npt.NDArray[np.int32]

each_board = pytest.mark.parametrize("name", ENVIRONMENTS)

#: A virtual year is over several times as soon with functions that are inlined across files.
FAST = (*PIO_FLAGS, "-O2", "-flto")

YEAR, HOUR_MS = 8760, 3_600_000


@pytest.fixture(scope="module")
def snow() -> sml.QuantizedMLP:
    """The model that the firmware runs."""
    return sml.QuantizedMLP.load(committed_model())


@pytest.fixture(scope="module")
def golden() -> str:
    """What a good self-test says."""
    text = (FIRMWARE / "model" / "model.h").read_text("utf-8")
    (rows,) = re.findall(r"MODEL_GOLDEN_ROWS (\d+)", text)
    return f"self-test {rows}/{rows}"


@pytest.fixture(scope="module")
def year(hours: pd.DataFrame) -> Int32:
    """A year that the model was not trained on, ``int32[8760, 2]``, with holes of 1 to 30 hours."""
    rng = np.random.default_rng(5)
    places = {0, 2, YEAR - 1} | set(rng.choice(YEAR, 150, replace=False).tolist())
    for start, length in ((500, 2), (503, 2), (900, 3), (4000, 30)):
        places |= set(range(start, start + length))
    return replay.counts_of(hours, "2005-10-01T01:00", YEAR, places).astype(np.int32)


@pytest.fixture(scope="module")
def year_folder(year: Int32, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the year's ``replay_hours.h``."""
    folder = tmp_path_factory.mktemp("year")
    (folder / replay.NAME).write_text(replay.header(year.astype(np.int16), "a year"), "utf-8")
    return folder


# --- PlatformIO -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pio(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Path]]:
    """Where ``pio run`` built both environments of the checkout, and their ELF files."""
    for tool in ("platformio", "arm-none-eabi-gcc", "qemu-system-arm"):
        require(tool)
    before = sorted(ROOT.iterdir())
    folder = tmp_path_factory.mktemp("pio")
    elves = run_firmware.build(ENVIRONMENTS, folder / "core", folder / "workspace")
    assert sorted(ROOT.iterdir()) == before, "it left something in the checkout"
    return folder, elves


@each_board
def test_platformio_builds_the_firmware_and_its_week_is_python_s(
    name: str, pio: tuple[Path, dict[str, Path]], snow: sml.QuantizedMLP, golden: str
) -> None:
    expected = expected_lines(run_firmware.replayed(FIRMWARE / "replay"), snow)
    lines = first_lines(name, pio[1][name], GREETING + len(expected))
    assert lines[:GREETING] == [
        f"scratchml weather station; {golden}; for more: help",
        "no reading -> no forecast, 3 more hours (starting)",
    ]
    assert lines[GREETING:] == expected
    assert sum("(yes)" in line for line in expected) > 20 and "no reading" in str(expected)


def test_make_firmware_says_so_in_two_lines_each(
    pio: tuple[Path, dict[str, Path]], golden: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It goes on in the folder where everything is compiled already."""
    assert run_firmware.main(["--folder", str(pio[0])]) == 0
    week = "168 hours, 1 missing, 163 forecasts, 33 of snow: every line is Python's"
    expected = [line for name in ENVIRONMENTS for line in (f"{name}: {golden}", f"{name}: {week}")]
    assert capsys.readouterr().out.splitlines() == expected


def test_make_firmware_names_the_first_hour_that_differs(
    pio: tuple[Path, dict[str, Path]],
    snow: sml.QuantizedMLP,
    golden: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    name, elf = next(iter(pio[1].items()))
    expected = expected_lines(run_firmware.replayed(FIRMWARE / "replay"), snow)
    wrong = [*expected[:9], expected[9] + "0", *expected[10:]]
    assert not run_firmware.check(name, elf, wrong)
    assert capsys.readouterr().out.splitlines() == [
        f"{name}: {golden}",
        f"{name}: hour 9 is {expected[9]!r} instead of {wrong[9]!r}",
    ]


def test_stand_ins_are_named_as_such() -> None:
    """No environment, board or platform could be taken for the official one."""
    settings = configparser.ConfigParser(interpolation=None)
    settings.read_string((run_firmware.PLATFORM / "stand_ins.ini").read_text("utf-8"))
    names = {name.removeprefix("env:") for name in settings if name.startswith("env:")}
    assert {*ENVIRONMENTS} <= names
    assert all(name.startswith("qemu_") or name.endswith("_bare_metal") for name in names)
    for name in names:
        board = json.loads((run_firmware.PLATFORM / "boards" / f"{name}.json").read_text("utf-8"))
        assert "a stand-in for" in board["name"]


# --- a year -----------------------------------------------------------------------------------


def check_year(
    name: str, flags: tuple[str, ...], folder: Path, year: Int32, model: sml.QuantizedMLP
) -> None:
    """Every line, and four more from after the end of the recording."""
    over = np.array([[replay.MISSING, 0]] * 4, np.int32)
    expected = expected_lines(np.concatenate([year, over]), model)
    lines = first_lines(name, build(name, *flags, replay=folder), GREETING + len(expected))
    differing = [
        (place, said, line)
        for place, (said, line) in enumerate(zip(lines[GREETING:], expected, strict=False))
        if said != line
    ]
    assert differing[:3] == []
    assert len(lines) == GREETING + len(expected)


@each_board
def test_a_year_of_weather_is_python_s_to_the_letter(
    name: str, year: Int32, year_folder: Path, snow: sml.QuantizedMLP
) -> None:
    """millis() wraps seven times meanwhile."""
    assert YEAR * HOUR_MS // 2**32 == 7
    check_year(name, FAST, year_folder, year, snow)


@pytest.mark.sweep
@each_board
@pytest.mark.parametrize("flags", [("-Os",), ("-O3",)], ids=" ".join)
def test_a_year_without_inlining_across_files(
    name: str, flags: tuple[str, ...], year: Int32, year_folder: Path, snow: sml.QuantizedMLP
) -> None:
    check_year(name, (*PIO_FLAGS, *flags), year_folder, year, snow)


def test_the_year_has_everything_in_it(year: Int32, snow: sml.QuantizedMLP) -> None:
    """Or its comparison would prove less than it says."""
    lines = expected_lines(year, snow)
    assert sum("(yes)" in line for line in lines) > 200
    codes = {int(line.split(" code ")[1]) for line in lines if " code " in line}
    margins = np.array(sorted(codes)) - snow.decision_threshold
    assert len(codes) > 20 and (abs(margins) < 6).sum() >= 2 and margins.min() < 0 < margins.max()
    for words in ("3 more hours", "2 more hours", "1 more hour ", "(sensor error)", "-> snow 0 %"):
        assert any(words in line for line in lines)
    present = year[year[:, 0] != replay.MISSING]
    assert present[:, 1].max() == 10000 and present[:, 1].min() < 2000
    assert present[:, 0].min() < -1000 and present[:, 0].max() > 2000


@pytest.mark.parametrize("readings", [1, 2, 7, 60])
def test_the_mean_of_any_number_of_readings_is_what_was_recorded(
    readings: int, snow: sml.QuantizedMLP
) -> None:
    """The replayed readings of an hour differ from it, and yet the hour is exact."""
    hours = run_firmware.replayed(FIRMWARE / "replay")
    elf = build(ENVIRONMENTS[0], *PIO_FLAGS, f"-DSTATION_READINGS={readings}")
    expected = expected_lines(hours, snow)
    assert first_lines(ENVIRONMENTS[0], elf, GREETING + len(hours))[GREETING:] == expected


def test_a_line_is_what_is_written_by_hand(snow: sml.QuantizedMLP) -> None:
    """Of the expected lines' own parts: the documented example, and roundings."""
    assert [str(tenths(n)) for n in (-4, -5, 0, 4, 5, -1250, -1255, 10000)] == [
        "0.0", "-0.1", "0.0", "0.0", "0.1", "-12.5", "-12.6", "100.0"
    ]  # fmt: skip
    assert [percent(code) for code in (-128, -127, -126, 0, 127)] == [0, 0, 1, 50, 100]
    assert percent(-128 + 32) == Decimal(13)  # 12.5 %
    hours = np.array([[1200, 8500]] * 3 + [[replay.MISSING, 0], [-4, 9]], np.int32)
    code = int(snow.run(snow.prepare_input([[1200, 8500] * 3]))[0, 0])
    assert code < snow.decision_threshold
    assert expected_lines(hours, snow) == [
        "12.0 C 85.0 % -> no forecast, 2 more hours (starting)",
        "12.0 C 85.0 % -> no forecast, 1 more hour (starting)",
        f"12.0 C 85.0 % -> snow {percent(code)} % (no) code {code}",
        "no reading -> no forecast, 3 more hours (sensor error)",
        "0.0 C 0.1 % -> no forecast, 2 more hours (sensor error)",
    ]


# --- what the comparison notices --------------------------------------------------------------


@pytest.fixture
def changed(tmp_path: Path) -> Callable[[str, str, str], Path]:
    """Makes a copy of the firmware with one place of one file changed."""

    def change(file: str, old: str, new: str) -> Path:
        folder = tmp_path / "firmware"
        shutil.copytree(FIRMWARE, folder)
        text = (folder / file).read_text("utf-8")
        assert text.count(old) == 1
        (folder / file).write_text(text.replace(old, new), "utf-8")
        return folder

    return change


@pytest.mark.parametrize(
    ("old", "new", "n"),
    [
        ("s->hours_needed = s->config.window;", "s->hours_needed = s->config.window - 1;", 520),
        ("s->sum[c] += clamp", "s->sum[c] = (int32_t)s->config.readings * clamp", 520),
        ("(s->window, s->window + SENSOR_CHANNELS,", "(s->window, s->window,", 520),
        ("s->forecast = code >= threshold", "s->forecast = code >= threshold + 9", 520),
        (
            "hours = (now - s->hour_start)",
            "hours = now < s->hour_start ? 0 : (now - s->hour_start)",
            1300,  # millis() wraps after 1193
        ),
    ],
    ids=["window with a hole", "last reading only", "hours stand still", "threshold", "wrap"],
)
def test_the_year_notices_a_mistake_in_the_station(
    old: str,
    new: str,
    n: int,
    changed: Callable[[str, str, str], Path],
    year: Int32,
    year_folder: Path,
    snow: sml.QuantizedMLP,
) -> None:
    """In its first ``n`` hours."""
    name = ENVIRONMENTS[0]
    elf = build(name, *FAST, replay=year_folder, firmware=changed("station.c", old, new))
    lines = first_lines(name, elf, GREETING + n)[GREETING:]
    assert lines and lines != expected_lines(year[:n], snow)


@each_board
def test_a_station_that_feeds_no_watchdog_is_seen(
    name: str, changed: Callable[[str, str, str], Path]
) -> None:
    firmware = changed("main.cpp", "        board_watchdog_feed();", "        ;")
    code, lines = wait_for_end(name, build(name, *PIO_FLAGS, firmware=firmware))
    assert (code, lines[-1]) == (1, "watchdog")


@each_board
def test_a_fault_is_seen(name: str, changed: Callable[[str, str, str], Path]) -> None:
    firmware = changed("main.cpp", "    load_model();\n", '    __asm__ volatile("udf #0");\n')
    flags = (*PIO_FLAGS, "-Wno-unused-function")  # of load_model
    code, lines = wait_for_end(name, build(name, *flags, firmware=firmware))
    assert (code, lines) == (1, ["fault"])
