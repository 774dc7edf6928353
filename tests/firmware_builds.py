"""The weather station's firmware for emulated boards: compiled, and run in QEMU.

``build`` compiles it with the cross compiler alone, quickly and with any flags; that PlatformIO
builds the same is ``test_firmware.py``'s business. A name is that of a board in
``csrc/platform/boards``: ``qemu_cortex_m4`` or ``qemu_cortex_m0plus``. Time is real unless
``-DVIRTUAL_TIME`` is among the flags.
"""

from __future__ import annotations

import os
import re
import select
import subprocess
import tempfile
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from conftest import ROOT, require
from run_firmware import PLATFORM, board, qemu

from scratchml.resources import engine_assembly, engine_folder, engine_sources

FIRMWARE = ROOT / "csrc" / "firmware"
COMPILER = "arm-none-eabi-gcc"
QEMU = "qemu-system-arm"

#: What ``csrc/platform/stand_ins.ini`` defines for an emulated board.
PIO_FLAGS = ("-DVIRTUAL_TIME", "-DSTATION_REPORT_CODE")

COMMON = (
    "-mthumb -Os -funsigned-char -ffunction-sections -fdata-sections -Wall -Wextra -Werror "
    "-DSML_SELF_TEST -DSENSOR_REPLAY"
).split()
C = (
    "-std=c11 -Wconversion -Wshadow -Wpedantic -Wcast-qual -Wstrict-prototypes -Wmissing-prototypes"
).split()
CPP = "-std=gnu++14 -fno-exceptions -fno-rtti -fno-threadsafe-statics".split()
LINK = "-nostartfiles --specs=nano.specs -Wl,--gc-sections".split()

#: Seconds until a firmware that says nothing is taken to hang.
PATIENCE = 60

#: Everything that this run of the tests builds; deleted with the last reference.
_built = tempfile.TemporaryDirectory(prefix="firmware-")


@cache
def build(
    name: str, *flags: str, replay: Path = FIRMWARE / "replay", firmware: Path = FIRMWARE
) -> Path:
    """The ELF file of the firmware for a board; the same arguments are compiled once.

    Args:
        flags: for the compiler, ``-DSTATION_HOUR_MS=60000`` for instance.
        replay: the folder whose ``replay_hours.h`` the sensor replays.
        firmware: a changed copy of ``csrc/firmware``.
    """
    made = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=_built.name))
    build_of = board(name)
    folders = [PLATFORM / folder for folder in build_of["folders"]]
    places = [engine_folder(), firmware, firmware / "model", replay, *folders]
    common = [f"-mcpu={build_of['cpu']}", *COMMON, *flags, *(f"-I{place}" for place in places)]
    sources = [
        *engine_sources(), *engine_assembly(), *sorted(firmware.glob("*.c")),
        firmware / "model" / "model.c", firmware / "sensors" / "replay.c",
        *(path for folder in folders for path in sorted(folder.glob("*.c"))),
    ]  # fmt: skip
    run([*common, *C, "-c", *map(str, sources)], made)
    programs = [
        firmware / "main.cpp", firmware / "boards" / "arduino.cpp",
        *(path for folder in folders for path in sorted(folder.glob("*.cpp"))),
    ]  # fmt: skip
    script = ["-T", str(PLATFORM / str(build_of["linker_script"])), *(f"-L{f}" for f in folders)]
    objects = sorted(path.name for path in made.glob("*.o"))
    assert len(objects) == len(sources)
    run([*common, *CPP, *map(str, programs), *objects, *LINK, *script, "-o", "firmware.elf"], made)
    return made / "firmware.elf"


def run(arguments: list[str], folder: Path) -> None:
    """The cross compiler, which must not say anything."""
    done = subprocess.run(
        [require(COMPILER), *arguments], cwd=folder, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


@contextmanager
def on_a_port(name: str, elf: Path) -> Iterator[str]:
    """Run a firmware, built for real time, in QEMU; yields the port to open, ``/dev/pts/3`` say.

    It has answered once, so a client need not wait for it, and has nothing more to say by itself
    before its first hour is over. When the block is left the port is gone.
    """
    require(QEMU)
    with subprocess.Popen(
        qemu(name, elf, "pty"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        # held open here as well: QEMU looks but once a second for somebody who opens it
        held = None
        try:
            said = process.stdout.readline()
            port = re.search(r"redirected to (\S+)", said)
            assert port, said
            held = os.open(port[1], os.O_RDWR | os.O_NOCTTY)
            tty.setraw(held)
            os.write(held, b"selftest\n")
            while not re.fullmatch(rb"self-test (\d+)/\1", next_line(held)):
                pass  # it was its greeting
            yield port[1]
        finally:
            process.kill()
            if held is not None:
                os.close(held)


def next_line(port: int) -> bytes:
    """The next line, without its end; fails when nothing comes for ``PATIENCE`` seconds."""
    line = b""
    while not line.endswith(b"\r\n"):
        ready, _, _ = select.select([port], [], [], PATIENCE)
        assert ready, f"nothing more came after {line!r}"
        line += os.read(port, 1)
    return line.removesuffix(b"\r\n")


def ask(port: int, line: bytes) -> bytes:
    """The line that answers a line, through the file descriptor of a port."""
    os.write(port, line)
    return next_line(port)


def wait_for_end(name: str, elf: Path) -> tuple[int, list[str]]:
    """Exit code and lines of a firmware that ends by itself."""
    require(QEMU)
    done = subprocess.run(
        qemu(name, elf, "stdio"), stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE
    )
    return done.returncode, done.stdout.decode("ascii").splitlines()
