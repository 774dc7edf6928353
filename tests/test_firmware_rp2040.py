"""The weather station without an Arduino core on an RP2040, from reset on, in rp2040js.

What runs is the very image for the chip's flash: its second stage of booting, the start of clocks
and UART, interrupts, sleep and watchdog, the engine, the model and the station.

What it cannot show: rp2040js has no boot ROM, so nobody but make_uf2.py checks the second stage;
its crystal is stable, its PLL locked and every block out of reset at once; its UART sends a byte in
no time and receives without noise; flash and its cache take no time; it knows no faults.
"""

from __future__ import annotations

import json
import subprocess
import sys
from bisect import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import make_replay_hours as replay
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import run_firmware
from conftest import ROOT, require
from run_firmware import expected_lines, percent, replayed

import scratchml as sml
from scratchml.digest import digest
from scratchml.export import fingerprint
from scratchml.firmware import committed_model
from scratchml.resources import engine_assembly, engine_folder, engine_sources

FIRMWARE = ROOT / "csrc" / "firmware"
MACHINE = ROOT / "csrc" / "platform" / "machines" / "rp2040"

CPU = "-mcpu=cortex-m0plus -mthumb".split()
COMMON = (
    "-Os -funsigned-char -ffunction-sections -fdata-sections -Wall -Wextra -Werror "
    "-DSML_SELF_TEST -DSENSOR_REPLAY"
).split()
C = (
    "-std=c11 -Wconversion -Wshadow -Wpedantic -Wcast-qual -Wstrict-prototypes -Wmissing-prototypes"
).split()
CPP = "-std=gnu++14 -fno-exceptions -fno-rtti -fno-threadsafe-statics".split()
LINK = "-nostartfiles --specs=nano.specs -Wl,--gc-sections -Wl,--fatal-warnings".split()

#: An hour in 20 s, of four readings: longer than the watchdog waits, and soon over.
HOUR_MS = 20_000
SHORT_HOURS = (f"-DSTATION_HOUR_MS={HOUR_MS}", "-DSTATION_READINGS=4", "-DSTATION_REPORT_CODE")
GREETING = "scratchml weather station; self-test 32/32; for more: help"

Int16 = npt.NDArray[np.int16]
Boot = Callable[..., "Run"]


# --- build, and boot -------------------------------------------------------------------------


def tool(name: str, folder: Path, *arguments: str | Path) -> str:
    command = [require("arm-none-eabi-gcc").replace("-gcc", f"-{name}"), *map(str, arguments)]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def build(folder: Path, *flags: str, hours: Path, sensor: Path | None = None) -> Path:
    """The UF2 file, in ``folder``; ``hours`` has a ``replay_hours.h``."""
    require("elftools")
    places = [engine_folder(), FIRMWARE, FIRMWARE / "model", hours, MACHINE]
    common = [*CPU, *COMMON, *flags, *(f"-I{place}" for place in places)]
    sources = [
        *engine_sources(), *engine_assembly(), *sorted(FIRMWARE.glob("*.c")),
        FIRMWARE / "model" / "model.c", FIRMWARE / "boards" / "rp2040.c",
        sensor or FIRMWARE / "sensors" / "replay.c",
        *sorted(MACHINE.glob("*.c")), *sorted(MACHINE.glob("*.S")),
    ]  # fmt: skip
    tool("gcc", folder, *common, *C, "-c", *sources)
    tool("gcc", folder, *common, *CPP, "-c", FIRMWARE / "main.cpp", "-o", "main.cpp.o")
    objects = sorted(path.name for path in folder.glob("*.o"))
    assert len(objects) == len(sources) + 1
    tool("gcc", folder, *CPU, *LINK, "-T", MACHINE / "rp2040.ld", *objects, "-o", "firmware.elf")
    command = [sys.executable, ROOT / "tools" / "make_uf2.py", "firmware.elf", "firmware.uf2"]
    subprocess.run(list(map(str, command)), cwd=folder, check=True)
    return folder / "firmware.uf2"


@dataclass(frozen=True)
class Run:
    """What ``rp2040_boot.mjs`` printed."""

    said: dict[str, Any]

    @property
    def lines(self) -> list[str]:
        assert all(line.endswith("\r") for _, line in self.said["lines"])
        return [line[:-1] for _, line in self.said["lines"]]

    @property
    def times(self) -> list[float]:
        """When each line's end came, in milliseconds."""
        return [ms for ms, _ in self.said["lines"]]

    def led(self, ms: float) -> bool:
        """Whether it was on then."""
        changes = self.said["led"]
        return bool(changes[bisect(changes, [ms, True]) - 1][1])

    def changes_of_led(self, start: float, end: float) -> int:
        return sum(start < ms < end for ms, _ in self.said["led"])


@pytest.fixture(scope="module")
def boot(rp2040js: Path) -> Boot:
    """Lets a UF2 file run for some milliseconds, while a computer sends lines."""
    node = require("node")

    def boot(uf2: Path, ms: float, send: Sequence[Any] = (), **more: Any) -> Run:
        job = {"uf2": str(uf2), "ms": ms, "send": list(send), **more}
        (rp2040js / "job.json").write_text(json.dumps(job))
        result = subprocess.run(
            [node, "rp2040_boot.mjs", "job.json"], cwd=rp2040js, capture_output=True, text=True,
            timeout=600,
        )  # fmt: skip
        assert (result.returncode, result.stderr) == (0, "")
        run = Run(json.loads(result.stdout))
        assert run.said["complaints"] == []  # no unknown register, no access off its boundary
        return run

    return boot


@pytest.fixture(scope="module")
def snow() -> sml.QuantizedMLP:
    """The model that the firmware runs."""
    return sml.QuantizedMLP.load(committed_model())


def with_hours(folder: Path, counts: Int16) -> Path:
    """The folder, with a ``replay_hours.h`` of the hours ``int16[n, 2]``."""
    (folder / replay.NAME).write_text(replay.header(counts, "an hour"), "utf-8")
    return folder


@pytest.fixture(scope="module")
def fortnight(hours: pd.DataFrame) -> Int16:
    """Two weeks of winter, ``int16[336, 2]``, with holes."""
    return replay.counts_of(hours, "2006-01-10T01:00", 336, {3, 50, 51, 334})


@pytest.fixture(scope="module")
def uf2(fortnight: Int16, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The station that replays the fortnight."""
    folder = tmp_path_factory.mktemp("rp2040")
    return build(folder, *SHORT_HOURS, hours=with_hours(folder, fortnight))


@pytest.fixture(scope="module")
def weather(boot: Boot, uf2: Path, fortnight: Int16) -> Run:
    """The whole fortnight: 1.9 hours of the chip, so that its timer's lower half wraps."""
    ms = len(fortnight) * HOUR_MS + 1000
    assert ms * 1000 > 2**32
    return boot(uf2, ms)


# --- it starts -------------------------------------------------------------------------------


def test_it_boots_and_greets(weather: Run) -> None:
    assert weather.lines[:2] == [GREETING, "no reading -> no forecast, 3 more hours (starting)"]
    assert weather.times[0] < 10


def test_clocks_and_pins_are_set_up(weather: Run) -> None:
    said = weather.said
    assert (said["clk_sys"], said["clk_peri"]) == (125_000_000, 125_000_000)
    assert abs(said["baud"] / 115200 - 1) < 0.001  # a UART can do with 2 %
    assert said["word"] == 8
    assert said["functions"] == [2, 2, 5]  # GP0 and GP1 are UART0's, GP25 is software's
    assert said["flash_command"] == {"bits": 8, "address_bits": 24, "code": 0x03, "divider": 4}


# --- the weather -----------------------------------------------------------------------------


def test_every_hour_s_line_is_python_s(
    weather: Run, fortnight: Int16, snow: sml.QuantizedMLP
) -> None:
    expected = expected_lines(fortnight.astype(np.int32), snow)
    assert weather.lines[2:] == expected
    told = "\n".join(expected)
    assert told.count("(yes)") > 20 and told.count("(no)") > 20
    assert told.count("no reading") == 4
    off = np.array(weather.times[2:]) - HOUR_MS * np.arange(1, len(fortnight) + 1)
    assert (off > 0).all() and (off < 5).all()  # milliseconds, after two hours as at the start


def test_the_led_shows_the_forecast(weather: Run) -> None:
    """On is snow, off is none; without a forecast it flashes every four seconds."""
    shown = set()
    for time, line in zip(weather.times[2:-1], weather.lines[2:-1], strict=True):
        start, end = time + 1, time + HOUR_MS - 100
        if "no forecast" in line:
            assert weather.changes_of_led(start, end) == 9  # the first is with the line
            assert not weather.led(end)
        else:
            assert weather.changes_of_led(start, end) == 0
            assert weather.led(end) == ("(yes)" in line)
            shown.add(weather.led(end))
    assert shown == {False, True}


def test_it_sleeps_between_its_tasks(weather: Run) -> None:
    said = weather.said
    assert said["sleeps"]
    cycles = weather.times[-1] / 1000 * said["clk_sys"]
    assert said["instructions"] < 1e-4 * cycles


def test_the_watchdog_is_fed_in_time(weather: Run) -> None:
    said = weather.said
    assert (said["boots"], said["resets"]) == (1, [])
    assert said["feeds"] > weather.times[-1] / 4200
    assert 3900 < said["longest_without"] < 4200  # of 8000 ms


def test_there_is_stack_left(weather: Run) -> None:
    """The linker script keeps 4096 bytes free, which were never all needed."""
    assert 200 < weather.said["stack"] < 2048


@pytest.mark.sweep
def test_a_year_of_hours(
    boot: Boot, snow: sml.QuantizedMLP, hours: pd.DataFrame, tmp_path: Path
) -> None:
    rng = np.random.default_rng(6)
    missing = set(rng.choice(8760, 100, replace=False).tolist())
    year = replay.counts_of(hours, "2005-10-01T01:00", 8760, missing)
    made = build(tmp_path, *SHORT_HOURS, hours=with_hours(tmp_path, year))
    run = boot(made, len(year) * HOUR_MS + 1000)
    assert run.lines[2:] == expected_lines(year.astype(np.int32), snow)
    assert run.said["boots"] == 1


# --- the computer ----------------------------------------------------------------------------


def answers(boot: Boot, uf2: Path, lines: Sequence[str], every: float = 20) -> list[str]:
    """What follows the greeting; the first hour is not over yet."""
    send = [[100 + every * i, f"{line}\n"] for i, line in enumerate(lines)]
    assert send[-1][0] < HOUR_MS - 1000
    return boot(uf2, HOUR_MS - 1, send).lines[2:]


def test_it_answers_a_computer(boot: Boot, uf2: Path, snow: sml.QuantizedMLP) -> None:
    lines = ["selftest", "status", "digest 2000 7", "nonsense", "digest 1 4294967295"]
    model, clock = fingerprint(snow), "clock=125000000"
    about = f"model={model:08x} inputs=6 outputs=1 board=pico {clock} hours=0 holes=0 needed=3"
    assert answers(boot, uf2, lines, every=500) == [
        "self-test 32/32",
        f"status protocol=1 engine=2 {about}",
        f"digest {digest(snow, 2000, 7):08x}",
        "error unknown command; try: help",
        f"digest {digest(snow, 1, 2**32 - 1):08x}",
    ]


def test_run_and_feed_are_python_s(
    boot: Boot, uf2: Path, snow: sml.QuantizedMLP, hours: pd.DataFrame
) -> None:
    """Codes and counts: random ones, those of weather, and counts as far as they go."""
    rng = np.random.default_rng(8)
    winter = replay.counts_of(hours, "2006-01-10T01:00", 750).reshape(250, 6).astype(np.int32)
    usual = winter + rng.integers(-300, 301, (250, 6), np.int32)
    codes = np.concatenate([rng.integers(-128, 128, (100, 6), np.int8), snow.prepare_input(usual)])
    extreme = rng.choice(np.array([-(2**31), -(10**6), 10**6, 2**31 - 1], np.int32), (50, 6))
    counts = np.concatenate([usual, extreme])
    lines = [f"run {row.tobytes().hex()}" for row in codes]
    lines += [f"feed {' '.join(map(str, row))}" for row in counts.tolist()]
    expected = [f"output {row.tobytes().hex()}" for row in snow.run(codes)]
    for code in snow.run(snow.prepare_input(counts))[:, 0].tolist():
        answer = "yes" if code >= snow.decision_threshold else "no"
        expected.append(f"forecast {code} {percent(code)} {answer}")
    assert len(set(expected)) > 50
    assert answers(boot, uf2, lines) == expected


def test_a_byte_that_came_damaged_spoils_its_line(boot: Boot, uf2: Path) -> None:
    """So does one after which others were lost: the UART marks both."""
    framing, broken_off, overrun = 1 << 8, 1 << 10, 1 << 11
    send = []
    for i, error in enumerate([framing, broken_off, overrun, 0]):
        words = [*b"selftest\n"]
        words[3] |= error
        send.append([100 + 100 * i, words])
    expected = ["error this is no text"] * 3 + ["self-test 32/32"]
    assert boot(uf2, 1000, send).lines[2:] == expected


def test_a_byte_wakes_it(boot: Boot, uf2: Path) -> None:
    """It answers within the millisecond, not when its sleep is over."""
    run = boot(uf2, 1500, [[1000, "selftest\n"]])
    transfer = 9 * 10 / 115.2  # ms for its bytes
    assert run.lines[2] == "self-test 32/32"
    assert 1000 < run.times[2] - transfer < 1002


# --- cycles, and the watchdog ----------------------------------------------------------------


def address_of(function: str, uf2: Path) -> int:
    listed = tool("nm", uf2.parent, uf2.with_suffix(".elf"))
    (line,) = [line for line in listed.splitlines() if line.split()[-1] == function]
    return int(line.split()[0], 16) & ~1


@pytest.mark.parametrize("reload", [None, 0xFFFFFF, 125_000 - 1])
def test_bench_counts_the_cycles_of_an_inference(reload: int | None, boot: Boot, uf2: Path) -> None:
    """SysTick as it is without a core, with arduino-pico, and as the clock of an RTOS."""
    call = address_of("sml_run_model", uf2)
    run = boot(uf2, 300, [[100, "bench\n"]], measure=call, systick=reload)
    name, cycles, clock = run.lines[2].split()
    assert (name, clock) == ("bench", "clock=125000000")
    least = min(run.said["cycles"])
    assert len(run.said["cycles"]) >= 8 and least > 500
    assert 0 < int(cycles.removeprefix("cycles=")) - least < 100  # the calls around it


def test_a_systick_that_is_too_short_is_not_used(boot: Boot, uf2: Path) -> None:
    """With a period below an inference it is the timer, by the microsecond."""
    call = address_of("sml_run_model", uf2)
    run = boot(uf2, 300, [[100, "bench\n"]], measure=call, systick=999)
    cycles = int(run.lines[2].split()[1].removeprefix("cycles="))
    assert cycles % 125 == 0
    assert abs(cycles - min(run.said["cycles"])) < 3 * 125


HANGS = """
#include "sensor.h"
void sensor_begin(void) { }
sensor_status sensor_read(int32_t counts[SENSOR_CHANNELS])
{
    static int readings; /* a reset begins anew */
    if (++readings > 10) {
        for (;;) { __asm__ volatile("wfe"); } /* for what does not come */
    }
    counts[SENSOR_TEMPERATURE] = -100 + readings;
    counts[SENSOR_HUMIDITY] = 9000;
    return SENSOR_OK;
}
"""


def test_the_watchdog_resets_a_station_that_hangs(boot: Boot, tmp_path: Path) -> None:
    """Its sensor does not return from the reading at 50 s; the loop before was at 48 s or later."""
    (tmp_path / "hangs.c").write_text(HANGS)
    made = build(tmp_path, *SHORT_HOURS, hours=tmp_path, sensor=tmp_path / "hangs.c")
    run = boot(made, 62_000)
    ((ms, reason),) = run.said["resets"]
    assert 48_000 + 8000 <= ms <= 50_000 + 8000
    assert reason == 1  # the timer, as the chip tells
    assert run.said["boots"] == 2
    assert [line.split(" C ")[0] for line in run.lines] == [
        GREETING, "no reading -> no forecast, 3 more hours (starting)", "-1.0", "-0.9",
        GREETING, "no reading -> no forecast, 3 more hours (starting)",
    ]  # fmt: skip


# --- other builds ----------------------------------------------------------------------------


@pytest.mark.parametrize("compiler", ["arm-none-eabi-gcc", "clang"])
@pytest.mark.parametrize("characters", ["-fsigned-char", "-funsigned-char"])
def test_the_sources_are_clean(compiler: str, characters: str, tmp_path: Path) -> None:
    library = Path(tool("gcc", tmp_path, "-print-file-name=libc.a").strip())
    headers = library.resolve().parent.parent / "include"
    target = ["--target=arm-none-eabi", f"-isystem{headers}"] if compiler == "clang" else []
    sources = [*MACHINE.glob("*.c"), FIRMWARE / "boards" / "rp2040.c"]
    command = [
        require(compiler), *target, *CPU, *COMMON, *C, characters, "-O2", "-fsyntax-only",
        f"-I{FIRMWARE}", f"-I{MACHINE}", *sources,
    ]  # fmt: skip
    result = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.slow
def test_platformio_s_build_boots(boot: Boot, snow: sml.QuantizedMLP, tmp_path: Path) -> None:
    """With the committed replay, and hours of an hour."""
    require("platformio")
    name = "rp2040_bare_metal"
    elf = run_firmware.build([name], tmp_path / "core", tmp_path / "workspace")[name]
    run = boot(elf.with_suffix(".uf2"), 5.001 * 3_600_000)
    expected = expected_lines(replayed(FIRMWARE / "replay")[:5], snow)
    assert run.lines == [
        GREETING,
        "no reading -> no forecast, 3 more hours (starting)",
        *(line.split(" code ")[0] for line in expected),
    ]
    assert run.said["boots"] == 1
