"""The weather station's own firmware on this computer: main.cpp behind a pseudo-terminal.

``built`` compiles what a board gets, with tests/c/host_board.c for a board; ``running`` runs it and
yields the name of its serial port.
"""

from __future__ import annotations

import atexit
import os
import pty
import shutil
import subprocess
import tempfile
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from conftest import ROOT, require

from scratchml.firmware import NAME, committed_model
from scratchml.quantized import QuantizedMLP
from scratchml.resources import engine_folder, engine_sources

FIRMWARE = ROOT / "csrc" / "firmware"
BOARD = ROOT / "tests" / "c" / "host_board.c"

WARNINGS = "-Wall -Wextra -Wshadow -Werror".split()
C = ["gcc", "-std=c11", *"-Wconversion -Wpedantic -Wcast-qual -Wstrict-prototypes".split()]
CPP = ["g++", "-std=gnu++14"]

#: As on a board, plain char has no sign; a fault ends the program.
FLAGS = [
    *"-O1 -g -funsigned-char -DSML_SELF_TEST".split(),
    *"-fsanitize=address,undefined -fno-sanitize-recover=all".split(),
]

#: An hour that takes a second, of weather that does not change.
FAST = ("STATION_HOUR_MS=1000", "STATION_STUCK_READINGS=0")


def model() -> QuantizedMLP:
    """What the firmware runs."""
    return QuantizedMLP.load(committed_model())


@cache
def built(*defines: str, model_folder: Path = FIRMWARE / "model") -> Path:
    """The program, compiled without a warning; ``defines`` are main.cpp's: STATION_HOUR_MS=1000."""
    folder = Path(tempfile.mkdtemp(prefix="scratchml-"))
    atexit.register(shutil.rmtree, folder)
    sources = [
        *engine_sources(),
        *sorted(FIRMWARE.glob("*.c")),
        model_folder / f"{NAME}.c",
        BOARD,
        FIRMWARE / "main.cpp",
    ]
    places = [f"-I{place}" for place in (engine_folder(), FIRMWARE, model_folder)]
    objects = []
    for source in sources:
        compiler, *language = CPP if source.suffix == ".cpp" else C
        objects.append(folder / f"{source.stem}.o")
        words = [*language, *WARNINGS, *FLAGS, *places, *(f"-D{define}" for define in defines)]
        compile_(compiler, *words, "-c", source, "-o", objects[-1])
    compile_("g++", *FLAGS, *objects, "-o", folder / "host_board")
    return folder / "host_board"


def compile_(compiler: str, *words: str | Path) -> None:
    result = subprocess.run([require(compiler), *map(str, words)], capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")


@contextmanager
def running(program: Path, clock: str = "1000", readings: Path | None = None) -> Iterator[str]:
    """The program, started; the port that a computer opens. It must still run at the end.

    By default a second of the station's is a millisecond.
    """
    master, slave = pty.openpty()
    tty.setraw(slave)
    port = os.ttyname(slave)
    os.close(slave)  # nobody listens
    words = [str(program), str(master), clock, *([str(readings)] if readings else [])]
    process = subprocess.Popen(words, pass_fds=[master], stderr=subprocess.PIPE, text=True)
    os.close(master)
    try:
        yield port
        assert process.poll() is None, "the firmware has ended"
    finally:
        process.terminate()
        _, errors = process.communicate()
    assert errors == ""
