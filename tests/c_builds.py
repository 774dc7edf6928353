"""C programs as users build them: with a compiler or CMake, for this computer or for a board."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from conftest import require

WARNINGS = "-std=c11 -Wall -Wextra -Wconversion -Wpedantic -Werror".split()

#: A program for a board whose output goes to a debugger: no board's start-up code is needed.
CPUS = {cpu: [f"-mcpu={cpu}", "-mthumb"] for cpu in ("cortex-m4", "cortex-m0plus")}
BOARD = ["--specs=rdimon.specs", "-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections"]


def compiled(*command: str | Path) -> None:
    """A compiler's command that must end well, without a warning."""
    words = [require(str(command[0])), *map(str, command[1:])]
    result = subprocess.run(words, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")


def printed(*command: str | Path) -> str:
    result = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def with_cmake(source: Path, build: Path, *options: str) -> None:
    generate = ["-S", source, "-B", build, "-G", "Unix Makefiles", "-Werror=dev", *options]
    compiled("cmake", *generate)
    compiled("cmake", "--build", build)


def toolchain(folder: Path, cpu: str) -> str:
    """The option of CMake that names the cross compiler for a CPU."""
    require("arm-none-eabi-gcc")
    flags = " ".join(CPUS[cpu])
    path = folder / "toolchain.cmake"
    path.write_text(f"""\
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_C_COMPILER arm-none-eabi-gcc)
set(CMAKE_ASM_COMPILER arm-none-eabi-gcc)
set(CMAKE_C_FLAGS_INIT "{flags} -ffunction-sections -Werror")
set(CMAKE_ASM_FLAGS_INIT "{flags}")
set(CMAKE_EXE_LINKER_FLAGS_INIT "{" ".join(BOARD)}")
""")
    return f"-DCMAKE_TOOLCHAIN_FILE={path}"


def kernels_in(program: Path) -> set[str]:
    nm = require("arm-none-eabi-gcc").replace("-gcc", "-nm")
    return set(re.findall(r" T (sml_dense_\w+)", printed(nm, program)))


def packed_kernel(cpu: str) -> str:
    """That of a small layer."""
    return f"sml_dense_{cpu.replace('-', '_')}_small"
