"""Compile the engine, an exported model and the meter's ``main`` with GCC for ARM."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from scratchml.cost.cpus import Cpu
from scratchml.errors import ScratchmlError
from scratchml.export import export_c
from scratchml.quantized import QuantizedMLP
from scratchml.resources import engine_assembly, engine_folder, engine_sources, find

COMPILER = "arm-none-eabi-gcc"
INSTALL = "apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi (Debian, Ubuntu)"

#: Debugging information changes no instruction; it tells which of them were inlined from where.
FLAGS = "-std=c11 -g -gdwarf-4 -ffunction-sections -fdata-sections".split()
#: No libc but what the compiler itself asks for: memcpy, say.
LINK = "-nostartfiles --specs=nano.specs -Wl,--gc-sections -Wl,--fatal-warnings".split()

#: The variants of csrc/meter/main.c, with their macros.
VARIANTS = {
    "empty": [],
    "codes": ["-DMETER_CODES"],
    "counts": ["-DMETER_COUNTS"],
    "samples": ["-DMETER_SAMPLES"],
}


@dataclass(frozen=True)
class Build:
    """How the firmware is compiled: the CPU, GCC's -O level, the weights' layout and the engine.

    ``layout`` is the value of the macro SML_LAYOUT; by default the CPU's own. ``engine``: sources
    that stand in for the engine's, for a comparison.
    """

    cpu: Cpu
    optimize: str = "2"
    layout: int | None = None
    engine: tuple[Path, ...] = ()

    @property
    def options(self) -> list[str]:
        """Those of GCC's that make the code what it is."""
        chosen = [] if self.layout is None else [f"-DSML_LAYOUT={self.layout}"]
        return [*self.cpu.flags, f"-O{self.optimize}", *chosen]

    @property
    def flags(self) -> list[str]:
        """For every file."""
        return [*self.options, *FLAGS]


def build_firmware(model: QuantizedMLP, build: Build, folder: Path) -> dict[str, Path]:
    """Linked programs in ``folder``, by name: ``empty``, ``codes`` and others.

    With a scaler ``counts``, with a front end ``samples``.

    Raises:
        ScratchmlError: the cross compiler is missing, or it reports an error.
    """
    require_compiler()
    export_c(model, folder, name="model")
    meter = find("csrc") / "meter"
    engine = build.engine or (*engine_sources(), *engine_assembly())
    sources = [*engine, folder / "model.c", meter / "startup.s"]
    include = ["-I", str(engine_folder()), "-I", str(folder)]
    compiler = [COMPILER, *build.flags, *include, "-c"]
    objects = [f"{source.name}.o" for source in sources]  # C and assembly may share a stem
    for source, target in zip(sources, objects, strict=True):
        run([*compiler, str(source), "-o", target], folder)
    programs = {}
    for name, macros in VARIANTS.items():
        missing = {"counts": model.features is None, "samples": model.front_end is None}
        if missing.get(name):
            continue
        main, programs[name] = f"{name}_main.c.o", folder / f"{name}.elf"
        run([*compiler, *macros, str(meter / "main.c"), "-o", main], folder)
        link(build.cpu, [main, *objects], programs[name])
    return programs


def link(cpu: Cpu, objects: list[str], program: Path) -> None:
    """Link ``objects``, which lie beside ``program``, to the addresses of ``cpu``."""
    script = find("csrc") / "meter" / "meter.ld"
    places = {"FLASH": cpu.flash, "RAM": cpu.ram, "RAM_BYTES": cpu.ram_bytes}
    options = [f"-Wl,--defsym={name}={value:#x}" for name, value in places.items()]
    command = [COMPILER, *cpu.flags, *LINK, *options, "-T", str(script)]
    run([*command, *objects, "-o", str(program)], program.parent)


def require_compiler() -> None:
    """Raise ScratchmlError unless the cross compiler is on the path, and its C library there."""
    if not shutil.which(COMPILER):
        raise ScratchmlError(f"{COMPILER} is not here; install it with: {INSTALL}")
    # what it does not find, it repeats
    if run([COMPILER, "-print-file-name=nano.specs"], Path()).strip() == "nano.specs":
        raise ScratchmlError(f"newlib for {COMPILER} is not here; install it with: {INSTALL}")


def compiler_version() -> str:
    """Its name and number."""
    require_compiler()
    return f"{COMPILER} {run([COMPILER, '-dumpfullversion'], Path()).strip()}"


def run(command: list[str], folder: Path) -> str:
    """What a compiler's command in ``folder`` prints.

    Raises:
        ScratchmlError: it fails; the first line that names an error is given.
    """
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if result.returncode:
        lines = result.stderr.strip().splitlines() or ["no message"]
        first = next((line for line in lines if re.search("error:|undefined", line)), lines[0])
        raise ScratchmlError(f"{COMPILER} cannot compile the firmware: {first}")
    return result.stdout
