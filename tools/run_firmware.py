"""Build the weather station for both emulated CPUs with PlatformIO, run it, compare with Python.

What ``make firmware`` does. The firmware is the committed one, on a stand-in for each board; the
sensor replays recorded hours, and time passes as fast as the emulator computes::

    python tools/run_firmware.py
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import numpy as np
import numpy.typing as npt
from local_scons import install
from make_replay_hours import MISSING, NAME

from scratchml.dataset import CHANNELS
from scratchml.errors import ScratchmlError
from scratchml.firmware import committed_model
from scratchml.quantized import QuantizedMLP

ROOT = Path(__file__).resolve().parent.parent
PLATFORM = ROOT / "csrc" / "platform"
ENVIRONMENTS = ("qemu_cortex_m4", "qemu_cortex_m0plus")

#: Seconds until something is taken to hang.
BUILD_TIMEOUT, RUN_TIMEOUT = 300, 300

#: What the station says before its first hour: the self-test, and that there is no forecast yet.
GREETING = 2


# --- PlatformIO -------------------------------------------------------------------------------


def build(environments: Sequence[str], core: Path, workspace: Path) -> dict[str, Path]:
    """The ELF file of each environment of ``platformio.ini``, without PlatformIO's registry.

    Args:
        core: PlatformIO's own folder, made if need be; one for each checkout.
        workspace: where it builds, instead of the checkout.

    Raises:
        ScratchmlError: something is not installed, or the build fails; its output was printed.
        subprocess.TimeoutExpired: it hangs, as PlatformIO does over a package it cannot get.
    """
    need("arm-none-eabi-gcc")
    install(core)
    settings = {
        "PLATFORMIO_CORE_DIR": core,
        "PLATFORMIO_WORKSPACE_DIR": workspace,
        "PLATFORMIO_SETTING_ENABLE_TELEMETRY": "no",
        "PLATFORMIO_DISABLE_UPGRADE_CHECK": "true",
    }
    command = [sys.executable, "-m", "platformio", "run", "--project-dir", str(ROOT)]
    for name in environments:
        command += ["--environment", name]
    try:
        done = subprocess.run(
            command, env=os.environ | {name: str(value) for name, value in settings.items()},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=BUILD_TIMEOUT,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise ScratchmlError(f"pio run has not ended in {BUILD_TIMEOUT} s: try again") from None
    if done.returncode:
        print(done.stdout, end="", file=sys.stderr)
        raise ScratchmlError("pio run failed; its output stands above")
    return {name: workspace / "build" / name / "firmware.elf" for name in environments}


def need(tool: str) -> str:
    """The tool, or a ScratchmlError that says how to add it."""
    if not shutil.which(tool):
        raise ScratchmlError(f"{tool} is not here; add it with: make toolchain")
    return tool


# --- the emulator -----------------------------------------------------------------------------


def board(name: str) -> dict[str, object]:
    """What the JSON of a board says under ``build``."""
    text = (PLATFORM / "boards" / f"{name}.json").read_text("utf-8")
    return dict(json.loads(text)["build"])


def qemu(name: str, elf: Path, serial: str) -> list[str]:
    """The command that runs a firmware on the machine of a board."""
    return [
        need("qemu-system-arm"), "-machine", str(board(name)["qemu_machine"]), "-display", "none",
        "-monitor", "none", "-serial", serial,
        "-semihosting-config", "enable=on,target=native", "-kernel", str(elf),
    ]  # fmt: skip


def first_lines(name: str, elf: Path, n: int) -> list[str]:
    """The first ``n`` lines of a firmware, or fewer if it ends or hangs before.

    Each ends with a carriage return and a newline, which are left out; other ends are kept.
    """
    command = qemu(name, elf, "stdio")
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        said = process.stdout or ()  # a pipe, whatever the types say
        hangs = threading.Timer(RUN_TIMEOUT, process.kill)
        hangs.start()
        try:
            lines = [line for _, line in zip(range(n), said, strict=False)]
        finally:
            hangs.cancel()
            process.kill()
    return [line.decode("ascii", "backslashreplace").removesuffix("\r\n") for line in lines]


# --- Python's own -----------------------------------------------------------------------------


def replayed(folder: Path) -> npt.NDArray[np.int32]:
    """The hours ``int32[n, 2]`` of a ``replay_hours.h``."""
    text = (folder / NAME).read_text("utf-8").replace("INT16_MIN", str(MISSING))
    return np.array(re.findall(r"\{(-?\d+), (-?\d+)\}", text), np.int32)


def expected_lines(hours: npt.NDArray[np.int32], model: QuantizedMLP) -> list[str]:
    """What the station must say of each hour of ``int32[n, 2]``, built with STATION_REPORT_CODE."""
    window = model.inputs // len(CHANNELS)
    windows = np.lib.stride_tricks.sliding_window_view(hours, window, axis=0)  # [n, 2, window]
    rows = windows.transpose(0, 2, 1).reshape(-1, model.inputs)
    codes = model.run(model.prepare_input(rows))[:, 0].tolist()
    lines, good, reason = [], 0, "starting"
    for place, (temperature, humidity) in enumerate(hours.tolist()):
        if temperature == MISSING:
            good, reason, reading = 0, "sensor error", "no reading"
        else:
            good, reading = good + 1, f"{tenths(temperature)} C {tenths(humidity)} %"
        if good < window:
            more = "1 more hour" if window - good == 1 else f"{window - good} more hours"
            lines.append(f"{reading} -> no forecast, {more} ({reason})")
        else:
            code = codes[place - window + 1]
            answer = "yes" if code >= model.decision_threshold else "no"
            lines.append(f"{reading} -> snow {percent(code)} % ({answer}) code {code}")
    return lines


def tenths(hundredths: int) -> Decimal:
    """With one digit, rounded half away from zero; what is rounded to zero has no sign."""
    return Decimal(hundredths).scaleb(-2).quantize(Decimal("0.1"), ROUND_HALF_UP) + 0


def percent(code: int) -> Decimal:
    """Of a sigmoid's code, which stands for ``(code + 128) / 256``."""
    return (Decimal(code + 128) * 100 / 256).quantize(Decimal(1), ROUND_HALF_UP)


# --- both -------------------------------------------------------------------------------------


def check(name: str, elf: Path, expected: Sequence[str]) -> bool:
    """Run one firmware; print its self-test, and whether its hours are Python's."""
    lines = first_lines(name, elf, GREETING + len(expected))
    greeting, hours = lines[:GREETING], lines[GREETING:]
    self_test = re.search(r"self-test (\d+)/(\d+)", greeting[0] if greeting else "")
    if not self_test:
        print(f"{name}: it says {greeting} instead of its self-test")
        return False
    print(f"{name}: {self_test[0]}")
    for place, line in enumerate(expected):
        said = hours[place] if place < len(hours) else "nothing"
        if said != line:
            print(f"{name}: hour {place} is {said!r} instead of {line!r}")
            return False
    forecasts = [line for line in hours if " code " in line]
    missing = sum(line.startswith("no reading") for line in hours)
    print(
        f"{name}: {len(hours)} hours, {missing} missing, {len(forecasts)} forecasts, "
        f"{sum('(yes)' in line for line in forecasts)} of snow: every line is Python's"
    )
    return self_test[1] == self_test[2]


def main(arguments: list[str] | None = None) -> int:
    """Build, run and compare on both CPUs."""
    parser = argparse.ArgumentParser(description="Build and run the firmware in emulators.")
    parser.add_argument(
        "--folder", type=Path, default=ROOT / "build" / "firmware", help="where to build"
    )
    folder = parser.parse_args(arguments).folder.resolve()
    try:
        need("qemu-system-arm")
        model = QuantizedMLP.load(committed_model())
        elves = build(ENVIRONMENTS, folder / "core", folder / "workspace")
    except ScratchmlError as error:
        print(error, file=sys.stderr)
        return 1
    expected = expected_lines(replayed(ROOT / "csrc" / "firmware" / "replay"), model)
    results = [check(name, elf, expected) for name, elf in elves.items()]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
