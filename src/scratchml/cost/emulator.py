"""Run a linked program in unicorn and keep the address of every instruction."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from scratchml.cost.cpus import Cpu
from scratchml.cost.instructions import Decoder, Instruction, Memory
from scratchml.cost.program import Program
from scratchml.errors import ScratchmlError

PAGE = 4096
#: By capstone's names.
REGISTERS = "r0 r1 r2 r3 r4 r5 r6 r7 r8 sb sl fp ip sp lr".split()
#: The variables that a program may read its input from.
INPUTS = {"meter_samples": np.int32, "meter_counts": np.int32, "meter_codes": np.int8}
#: Of which the free stack consists before it is used.
PAINT = b"\xa5\x5a\xc3\x3c"


@dataclass(frozen=True)
class Read:
    """``size`` bytes loaded from ``address`` by the instruction at ``step`` of the trace."""

    step: int
    address: int
    size: int

    def since(self, step: int) -> Read:
        """The same, in a trace that begins at ``step``."""
        return Read(self.step - step, self.address, self.size)


@dataclass(frozen=True)
class Run:
    """One run of ``main``.

    Attributes:
        trace: addresses of the instructions executed, in order. Those of an IT block whose
            condition fails are not among them: unicorn passes over them.
        output: of the model.
        stack: bytes below the stack pointer at the entry of the painted function that it and the
            functions it calls have overwritten.
        reads: every load, if they were asked for.
    """

    trace: npt.NDArray[np.uint32]
    output: npt.NDArray[np.int8]
    stack: int
    reads: list[Read] = field(default_factory=list)


class Emulator:
    """A program in the memory of a CPU, started once: variables are initialized, main has run.

    Only one hook is set, on code, before the first run: hooks on memory corrupt IT blocks (unicorn
    issue 2309). So what an instruction reads is computed from the registers before it executes.

    Args:
        painted: the function at whose entry the free stack is painted.
    """

    def __init__(self, program: Program, cpu: Cpu, painted: str = "sml_run_model") -> None:
        import unicorn  # an extra's, loaded only by those who measure
        from unicorn import arm_const

        self.program, self.cpu = program, cpu
        self.decoder, self._decoded = Decoder(), dict[int, Instruction]()
        self._registers = {
            name: getattr(arm_const, f"UC_ARM_REG_{name.upper()}") for name in REGISTERS
        }
        self._error = unicorn.UcError
        self._uc = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
        self._uc.ctl_set_cpu_model(getattr(arm_const, cpu.emulated_as))
        self._uc.mem_map(cpu.flash, -(-program.flash.size // PAGE) * PAGE + PAGE)
        self._uc.mem_map(cpu.ram, cpu.ram_bytes)
        for address, data in program.contents.items():
            self._uc.mem_write(address, data)
        self._addresses: list[int] = []
        self._reads: list[Read] = []
        self._loads: dict[int, Memory] = {}
        self._painted = program.functions[painted].start
        self._stack_pointer = 0
        self._uc.hook_add(unicorn.UC_HOOK_CODE, self._on_instruction)
        self._start("reset")

    def run(self, codes: npt.ArrayLike, *, reads: bool = False) -> Run:
        """Run ``main`` on an input: int8 codes, or int32 counts or samples if it takes those.

        ``reads`` asks for the loads too, in a second run: the first one shows where they are.
        """
        if reads:
            self.run(codes)
        variables = self.program.variables
        target = next(name for name in INPUTS if name in variables)
        self._uc.mem_write(variables[target].start, np.asarray(codes, INPUTS[target]).tobytes())
        if reads:
            self._loads = {a: i.reads for a, i in self._decoded.items() if i.reads}
        self._start("main")
        self._loads = {}
        output = variables["meter_output"]
        trace = np.array(self._addresses, np.uint32)
        for address in np.unique(trace).tolist():
            self.instruction(address)
        return Run(
            trace,
            np.frombuffer(bytes(self._uc.mem_read(output.start, output.size)), np.int8),
            self._used_stack(),
            self._reads,
        )

    def instruction(self, address: int) -> Instruction:
        """The one at ``address``, decoded once."""
        if address not in self._decoded:
            code = bytes(self._uc.mem_read(address, 4))
            self._decoded[address] = self.decoder.decode(code, address)
        return self._decoded[address]

    def _on_instruction(self, uc: object, address: int, size: int, data: object) -> None:
        self._addresses.append(address)
        if address == self._painted:
            self._paint()
        if address in self._loads:
            memory = self._loads[address]
            where = memory.address(self._register, address)
            self._reads.append(Read(len(self._addresses) - 1, where, memory.size))

    def _start(self, function: str) -> None:
        self._addresses, self._reads = [], []
        end = self.program.functions["meter_end"].start
        self._uc.reg_write(self._registers["sp"], self.program.symbols["stack_top"])
        self._uc.reg_write(self._registers["lr"], end | 1)
        try:
            self._uc.emu_start(self.program.functions[function].start | 1, end)
        except self._error as error:
            last = self._addresses[-1] if self._addresses else 0
            raise ScratchmlError(
                f"the emulated {self.cpu.title} stops at {last:#x}: {error}"
            ) from None

    def _register(self, name: str) -> int:
        return int(self._uc.reg_read(self._registers[name]))

    def _paint(self) -> None:
        self._stack_pointer = self._register("sp")
        start = self._free_stack()
        self._uc.mem_write(start, PAINT * ((self._stack_pointer - start) // len(PAINT)))

    def _free_stack(self) -> int:
        """The lowest address that the stack may reach."""
        return self.cpu.ram + self.program.ram

    def _used_stack(self) -> int:
        start = self._free_stack()
        words = np.frombuffer(bytes(self._uc.mem_read(start, self._stack_pointer - start)), "<u4")
        used = np.flatnonzero(words != np.frombuffer(PAINT, "<u4")[0])
        return 4 * (len(words) - int(used[0])) if len(used) else 0
