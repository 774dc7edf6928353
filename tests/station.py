"""The weather station on this computer: ``csrc/firmware`` in cffi, on a board made of Python.

The declarations are the firmware's own headers, and a ``char`` has no sign, as on ARM. A changed
source may take the place of one, for tests that make mistakes on purpose.
"""

from __future__ import annotations

import functools
import importlib.util
import re
import subprocess
import sysconfig
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cffi
import pytest
from conftest import ROOT, require

from scratchml.resources import engine_folder, engine_sources

FIRMWARE = ROOT / "csrc" / "firmware"
SOURCES = sorted(FIRMWARE.glob("*.c"))
INCLUDES = [engine_folder(), FIRMWARE, FIRMWARE / "model"]

#: What they are compiled with on every board.
DEFINED = ["-DSML_SELF_TEST", *(f"-I{folder}" for folder in INCLUDES)]

MODULE = "station_on_this_computer"
HEADERS = ["sensor", "text", "station", "self_test", "console"]
BOARD_NAME = "a-fake_board"

BOARD = """
extern "Python+C" {
    bool board_listening(void);
    int board_read(void);
    void board_write(const char *bytes, size_t n);
    uint32_t board_clock(void);
    uint32_t board_cycles(void);
}
const sml_model *station_model(void);
"""


@dataclass
class Board:
    """What board.h promises, as far as the console asks for it."""

    incoming: bytearray = field(default_factory=bytearray)
    outgoing: bytearray = field(default_factory=bytearray)
    listening: bool = True
    clock: int = 64_000_000
    cycles: int = 2**32 - 3000  # it wraps soon
    bytes_read: int = 0

    def board_listening(self) -> bool:
        return self.listening

    def board_read(self) -> int:
        if not self.incoming:
            return -1
        self.bytes_read += 1
        return self.incoming.pop(0)

    def board_clock(self) -> int:
        return self.clock

    def board_cycles(self) -> int:
        self.cycles = (self.cycles + 1000) % 2**32
        return self.cycles


class Firmware:
    """The compiled sources: ``lib`` has their functions, and ``board`` is what they run on."""

    def __init__(self, library: Path) -> None:
        spec = importlib.util.spec_from_file_location(MODULE, library)
        assert spec and spec.loader
        module: Any = importlib.util.module_from_spec(spec)
        self.ffi, self.lib = module.ffi, module.lib
        self.board = Board()
        for name in ("board_listening", "board_read", "board_clock", "board_cycles"):
            self.ffi.def_extern(name=name)(self._asks(name))
        self.ffi.def_extern(name="board_write")(self._write)

    def _asks(self, name: str) -> Callable[[], int]:
        return lambda: getattr(self.board, name)()

    def _write(self, characters: Any, n: int) -> None:
        self.board.outgoing += self.ffi.buffer(characters, n)[:]

    def text(self, add: Callable[..., Any], *arguments: Any) -> str:
        """What a function that adds to a line, its first argument, makes of an empty one."""
        line = self.ffi.new("text *")
        self.lib.text_begin(line)
        add(line, *arguments)
        return bytes(self.ffi.buffer(line.bytes)[0 : line.length]).decode("ascii")

    def described(self, station: Any) -> str:
        return self.text(lambda line: self.lib.station_describe(station, line))


def _declarations() -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)  # where it looks for the headers
        from scratchml._engine_build import declarations
    headers = [engine_folder() / "scratchml.h", *(FIRMWARE / f"{name}.h" for name in HEADERS)]
    model = declarations(FIRMWARE / "model" / "model.h").splitlines()
    numbers = {line.split()[1]: line for line in model if line.startswith("#define")}
    # of the memory's sizes the last is a computer's
    sizes = [numbers[f"MODEL_{name}"] for name in ("INPUTS", "OUTPUTS", "MEMORY_BYTES")]
    declared = "\n".join([*sizes, *map(declarations, headers), BOARD])
    return re.sub(r".* sensor_(begin|read)\(.*", "", declared)  # a sensor's; there is none


def _compile(*arguments: str | Path) -> None:
    flags = ["-std=c11", "-O1", "-g", "-fPIC", "-funsigned-char", *DEFINED]
    command = [require("gcc"), *flags, *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """Removed with this process."""
    return tempfile.TemporaryDirectory()


@functools.cache
def _objects() -> tuple[Path, dict[str, Path]]:
    """The folder, and the object files in it."""
    wrapping = Path(_folder().name) / f"{MODULE}.c"
    ffi = cffi.FFI()
    ffi.cdef(_declarations())
    ffi.set_source(
        MODULE,
        '#include "console.h"\n#include "self_test.h"\n'
        f'extern const char board_name[];\nconst char board_name[] = "{BOARD_NAME}";\n'
        "static const sml_model *station_model(void) { return &model; }\n",
    )
    ffi.emit_c_code(str(wrapping))
    objects = {}
    for source in (wrapping, *engine_sources(), FIRMWARE / "model" / "model.c", *SOURCES):
        objects[source.name] = wrapping.with_name(f"{source.stem}.o")
        python = f"-I{sysconfig.get_paths()['include']}"
        _compile("-c", source, python, "-o", objects[source.name])
    return wrapping.parent, objects


def compiled(changed: Mapping[str, str] | None = None) -> Firmware:
    """The firmware; ``changed`` has the text of sources that take others' places, by name."""
    folder, objects = _objects()
    folder = Path(tempfile.mkdtemp(dir=folder))
    for name, text in (changed or {}).items():
        source = folder / name
        source.write_text(text, "utf-8")
        _compile("-c", source, "-o", source.with_suffix(".o"))
        objects = objects | {name: source.with_suffix(".o")}
    _compile("-shared", *objects.values(), "-o", folder / f"{MODULE}.so")
    return Firmware(folder / f"{MODULE}.so")


@functools.cache
def firmware() -> Firmware:
    """The firmware as it is, compiled once."""
    return compiled()
