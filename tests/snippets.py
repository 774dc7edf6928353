"""Hand-written assembly in the meter: a function, called once, and what the meter says of it."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from conftest import require

from scratchml.cost.cpus import Cpu
from scratchml.cost.emulator import Emulator, Read, Run
from scratchml.cost.firmware import link
from scratchml.cost.program import Program, read_program
from scratchml.cost.timing import TIMINGS
from scratchml.cost.trace import Call, calls, spent
from scratchml.resources import find

#: What csrc/meter/startup.s calls, and the variables that the emulator asks for.
MAIN = """
    .syntax unified
    .thumb
    .text
    .global main, snippet
    .type   main, %function
    .thumb_func
main:
    push    {{r4-r7, lr}}
    bl      snippet
    pop     {{r4-r7, pc}}
    .word   meter_codes             @ and the linker keeps the variables
    .size   main, . - main

    .type   snippet, %function
    .thumb_func
snippet:
{body}
    .size   snippet, . - snippet
    .ltorg

    .bss
    .balign 4
    .global meter_codes, meter_output, buffer
    .type   meter_codes, %object
meter_codes: .space 4
    .size   meter_codes, 4
    .type   meter_output, %object
meter_output: .space 4
    .size   meter_output, 4
buffer: .space 64
"""


@dataclass(frozen=True)
class Measured:
    """What the meter says of a snippet, from its first instruction to its return.

    Attributes:
        steps: cycles of each of its steps, the return among them.
    """

    program: Program
    run: Run
    call: Call
    instructions: int
    cycles: int
    steps: list[int]

    @property
    def reads(self) -> list[Read]:
        """Its own loads."""
        return [r for r in self.run.reads if self.call.start <= r.step < self.call.end]


def assemble(cpu: Cpu, body: str, folder: Path) -> Path:
    """A linked program that calls ``body`` once."""
    require("arm-none-eabi-gcc")
    (folder / "snippet.s").write_text(MAIN.format(body=body))
    flags = [flag for flag in cpu.flags if not flag.startswith("-mfloat")]
    for source in (find("csrc") / "meter" / "startup.s", folder / "snippet.s"):
        command = ["arm-none-eabi-as", *flags, source, "-o", f"{source.name}.o"]
        subprocess.run(command, cwd=folder, check=True)
    link(cpu, ["startup.s.o", "snippet.s.o"], folder / "snippet.elf")
    return folder / "snippet.elf"


def measured(
    cpu: Cpu, body: str, folder: Path, codes: npt.ArrayLike = (0, 0, 0, 0), *, reads: bool = False
) -> Measured:
    """Assemble a function's ``body``, run it and count."""
    for module in ("unicorn", "capstone", "elftools"):
        require(module)
    program = read_program(assemble(cpu, body, folder))
    emulator = Emulator(program, cpu, painted="snippet")
    run = emulator.run(np.array(codes, np.int8), reads=reads)
    snippet = {"snippet": program.functions["snippet"]}
    (call,) = calls(run.trace, snippet, emulator.instruction)
    took = spent(run.trace, emulator.instruction, TIMINGS[cpu.name])
    return Measured(
        program, run, call, *took.over(call.steps), steps=took.cycles[call.steps].tolist()
    )
