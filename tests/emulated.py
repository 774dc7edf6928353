"""Programs for emulated Cortex-M boards: compiled for one, and run in QEMU or in unicorn.

A program is the engine, an exported model and ``tests/c/emulated/program.c``, without a C library.
QEMU runs it whole, from the vector table to the exit code; unicorn, which knows no board, is given
the same file and calls one of its functions.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from conftest import ROOT, require

import scratchml as sml
from scratchml.export import SIZEOF
from scratchml.resources import engine_assembly, engine_folder, engine_sources

Int8 = npt.NDArray[np.int8]

SOURCES = ROOT / "tests" / "c" / "emulated"
WARNINGS = (
    "-Wall -Wextra -Wconversion -Wshadow -Wpedantic -Wcast-qual -Wstrict-prototypes "
    "-Wmissing-prototypes -Wundef -Wdouble-promotion -Werror"
).split()
COMPILER = "arm-none-eabi-gcc"
QEMU = "qemu-system-arm"
SEED = 7

#: Where both are on both boards.
FLASH, RAM = 0, 0x20000000


@dataclass(frozen=True)
class Board:
    """A Cortex-M that both emulators know.

    Attributes:
        machine: QEMU's name for the board, and the linker script's.
        unicorn: the name of unicorn's constant.
        dtype, offset: an activation in memory is its code plus the offset.
    """

    cpu: str
    machine: str
    unicorn: str
    dtype: str
    offset: int

    @property
    def kernel(self) -> str:
        """How the names of the engine's kernels for it begin."""
        return f"sml_dense_{self.cpu.replace('-', '_')}"


#: The second is a Cortex-M0 in both: the same instructions, ARMv6-M, as those of an M0+.
BOARDS = (
    Board("cortex-m4", "mps2-an386", "UC_CPU_ARM_CORTEX_M4", "<i2", 0),
    Board("cortex-m0plus", "microbit", "UC_CPU_ARM_CORTEX_M0", "u1", 128),
)


@dataclass(frozen=True)
class Target:
    """What a program is compiled for; ``flags`` are further ones, -DSML_LAYOUT=0 for instance."""

    board: Board
    optimization: str = "-O2"
    flags: tuple[str, ...] = ()

    @property
    def all_flags(self) -> list[str]:
        # what the Arduino cores pass, too: a char without a sign, a section for each function
        cores = "-mthumb -funsigned-char -ffunction-sections -fdata-sections".split()
        return [f"-mcpu={self.board.cpu}", *cores, self.optimization, *self.flags]


@dataclass(frozen=True, eq=False)
class Chosen:
    """Rows for a model besides the golden and the random ones: codes, and counts of a sensor."""

    codes: Int8 | None = None
    counts: npt.NDArray[np.int32] | None = None

    def header(self, model: sml.QuantizedMLP) -> str:
        """``chosen.h``: each kind of rows, and what numpy says that they give."""
        parts = []
        for name, kind, rows in (
            ("chosen", "int8_t", self.codes),
            ("counts", "int32_t", self.counts),
        ):
            n = 0 if rows is None else len(rows)
            parts.append(f"#define {name.upper()}_ROWS {n}\n")
            if rows is not None:
                codes = rows if name == "chosen" else model.prepare_input(rows)
                parts.append(c_rows(kind, f"{name}_input", rows))
                parts.append(c_rows("int8_t", f"{name}_output", model.run(codes)))
        return "".join(parts)

    def report(self) -> list[str]:
        """What the program prints of them if all are right."""
        kinds = {"chosen": self.codes, "counts": self.counts}
        return [
            f"{name} {len(rows)}/{len(rows)}" for name, rows in kinds.items() if rows is not None
        ]


def c_rows(kind: str, name: str, rows: npt.NDArray[Any]) -> str:
    """A C array of rows; the least int32 has no literal there."""
    text = [
        ", ".join("INT32_MIN" if v == -(2**31) else str(v) for v in row) for row in rows.tolist()
    ]
    body = ",\n".join(f"    {{{row}}}" for row in text)
    return f"static const {kind} {name}[{rows.shape[0]}][{rows.shape[1]}] = {{\n{body}\n}};\n"


class Workshop:
    """Compiles programs in a folder of its own; what they share is compiled once a target."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shared: dict[Target, list[Path]] = {}
        self.programs = 0

    def program(
        self, target: Target, model: sml.QuantizedMLP, rows: int, chosen: Chosen | None = None
    ) -> Path:
        """An ELF file that runs the golden rows, the chosen ones and ``rows`` random ones."""
        folder = self.new_folder()
        sml.export_c(model, folder, name="net")
        (folder / "chosen.h").write_text((chosen or Chosen()).header(model), "utf-8")
        return self.link(target, folder, rows)

    def new_folder(self) -> Path:
        self.programs += 1
        folder = self.folder / f"program{self.programs}"
        folder.mkdir()
        return folder

    def link(self, target: Target, folder: Path, rows: int) -> Path:
        """The same of ``folder``, which holds net.c, net.h and chosen.h."""
        if target not in self.shared:
            self.shared[target] = self.compile_shared(target)
        sources = [SOURCES / "program.c", folder / "net.c"]
        defines = ["-DSML_SELF_TEST", f"-DDIGEST_ROWS={rows}u", f"-DDIGEST_SEED={SEED}u"]
        script = ["-nostdlib", "-T", f"{target.board.machine}.ld", "-L", SOURCES]
        script += ["-Wl,--gc-sections", "-Wl,--fatal-warnings"]
        elf = folder / "program.elf"
        compile_c(
            *target.all_flags, *defines, "-I", folder, *script, *sources, *self.shared[target],
            "-lgcc", "-o", elf,
        )  # fmt: skip
        return elf

    def compile_shared(self, target: Target) -> list[Path]:
        """The engine, and the machine's file."""
        folder, objects = self.new_folder(), []
        for source in (*engine_sources(), *engine_assembly(), SOURCES / "machine.c"):
            # or memset, which stands there, would be compiled to a call of memset
            own = ["-fno-tree-loop-distribute-patterns"] if source.stem == "machine" else []
            objects.append(folder / f"{source.name}.o")
            compile_c(*target.all_flags, *own, "-c", source, "-o", objects[-1])
        return objects


def compile_c(*arguments: str | Path) -> None:
    """Run the cross compiler: C11, all warnings, which are errors."""
    folders = [f"-I{engine_folder()}", f"-I{SOURCES}"]
    command = [require(COMPILER), "-std=c11", *WARNINGS, *folders, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def kernels(elf: Path) -> set[str]:
    """The engine's kernels that the program holds, under their names in C."""
    nm = [require(COMPILER).replace("-gcc", "-nm"), str(elf)]
    symbols = subprocess.run(nm, capture_output=True, text=True, check=True).stdout
    return set(re.findall(r" T (sml_dense_\w+)$", symbols, re.MULTILINE))


@dataclass(frozen=True)
class Result:
    """The exit code and the lines of a program."""

    code: int
    lines: list[str]

    @property
    def digest(self) -> int:
        (number,) = [line.split()[1] for line in self.lines if line.startswith("digest ")]
        return int(number)


def run_in_qemu(board: Board, elf: Path) -> Result:
    """The whole program, from the vector table on."""
    command = [
        require(QEMU), "-machine", board.machine, "-nographic", "-monitor", "none",
        "-serial", "none", "-semihosting-config", "enable=on,target=native", "-kernel", str(elf),
    ]  # fmt: skip
    # QEMU's console for semihosting is its own standard error
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, timeout=600,
    )  # fmt: skip
    return Result(done.returncode, done.stdout.splitlines())


class Unicorn:
    """A program in unicorn's memory, whose functions can be called one by one."""

    def __init__(self, board: Board, elf: Path) -> None:
        require("unicorn")
        require("elftools")
        from elftools.elf.elffile import ELFFile
        from unicorn import UC_ARCH_ARM, UC_MODE_MCLASS, UC_MODE_THUMB, Uc, arm_const

        self.board = board
        self.core = Uc(UC_ARCH_ARM, UC_MODE_THUMB | UC_MODE_MCLASS)
        self.core.ctl_set_cpu_model(getattr(arm_const, board.unicorn))
        self.registers = {
            name: getattr(arm_const, f"UC_ARM_REG_{name}")
            for name in (*(f"R{i}" for i in range(13)), "SP", "LR", "PC")
        }
        self.core.mem_map(FLASH, 4 << 20)
        self.core.mem_map(RAM, 4 << 20)  # comes zeroed, as .bss must be
        with elf.open("rb") as stream:
            file = ELFFile(stream)
            for segment in file.iter_segments("PT_LOAD"):
                self.core.mem_write(segment["p_paddr"], segment.data())
            symbols = file.get_section_by_name(".symtab").iter_symbols()
            self.address = {symbol.name: symbol["st_value"] for symbol in symbols}
        # the stack's last words are left to the callers
        self.spare = self.address["stack_top"] - 8

    def call(self, function: int, *arguments: int) -> int:
        """What the function at an address returns; it must keep the registers that a call keeps.

        Source: ARM's Procedure Call Standard: R4 to R11 and SP.
        """
        end = self.address["stop"] & ~1  # where the call returns to; nothing is run there
        kept = {f"R{i}": 0x01020304 * i for i in range(4, 12)} | {"SP": self.spare}
        passed = {f"R{i}": value for i, value in enumerate(arguments)}
        for name, value in (kept | passed | {"LR": end | 1}).items():
            self.core.reg_write(self.registers[name], value)
        self.core.emu_start(function | 1, end)
        assert self.core.reg_read(self.registers["PC"]) & ~1 == end
        assert {name: self.core.reg_read(self.registers[name]) for name in kept} == kept
        return int(self.core.reg_read(self.registers["R0"]))

    def word(self, address: int) -> int:
        return int.from_bytes(self.core.mem_read(address, 4), "little")

    def run_layer(self, index: int, codes: Int8, outputs: int) -> Int8:
        """What the kernel of a layer puts out for the codes of its inputs.

        It must write to the words of its outputs only.
        """
        source, target, around = RAM + 0x1004, RAM + 0x2004, 64
        activations = (codes.astype(np.int16) + self.board.offset).astype(self.board.dtype)
        self.core.mem_write(source, activations.tobytes())
        bytes_ = outputs * activations.itemsize
        after = target + -(-bytes_ // 4) * 4
        blank = bytes(range(around))
        self.core.mem_write(target - around, blank)
        self.core.mem_write(after, blank)
        struct = self.address["layers"] + SIZEOF["sml_dense"] * index
        self.call(self.word(struct), struct, source, target)
        assert self.core.mem_read(target - around, around) == blank
        assert self.core.mem_read(after, around) == blank
        result = np.frombuffer(bytes(self.core.mem_read(target, bytes_)), self.board.dtype)
        return (result.astype(np.int16) - self.board.offset).astype(np.int8)

    def digest(self, rows: int) -> int:
        """Of the first ``rows`` rows of ``SEED``."""
        assert self.call(self.address["run_digest"], rows, SEED, self.spare) == 0  # SML_OK
        return self.word(self.spare)
