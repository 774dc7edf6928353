"""Modelled cycles at zero wait states: what each kind of instruction takes on either CPU.

Sources: Arm's Technical Reference Manuals, "Instruction set summary", Cortex-M4 r0p1 (DDI 0439) and
Cortex-M0+ r0p1 (DDI 0484). Where a manual gives a range, the number here is the one that does not
flatter.

Not modelled, on either CPU: wait states of the memory, which ``memory`` estimates, and contention
for the bus. Not modelled on the M4: the folding of IT into the instruction before it, and the stall
of a load whose address the instruction before it has computed.
"""

from __future__ import annotations

from dataclasses import dataclass

from scratchml.cost.instructions import Instruction, Kind


@dataclass(frozen=True)
class Timing:
    """Cycles of one CPU.

    Attributes:
        cycles: by kind, of what does not change the program counter; multiple loads and stores
            take one more for each register.
        load_after_load: of a load right after another one, whose memory access overlaps.
        taken: of a branch with a condition that holds.
        into_pc: by kind, what it takes on top if it loads or computes the program counter.
        skipped: of an instruction in an IT block whose condition fails.
    """

    cycles: dict[Kind, int]
    load_after_load: int
    taken: int
    into_pc: dict[Kind, int]
    skipped: int


CORTEX_M4 = Timing(
    cycles={
        Kind.DATA: 1,
        Kind.MULTIPLY: 1,  # all of them: MUL, MLA, SMLAD, SMMULR, UMULL, SMLAL
        Kind.DIVIDE: 12,  # 2 to 12, by the operands
        Kind.LOAD: 2,
        Kind.LOAD_PAIR: 1 + 2,
        Kind.LOAD_MULTIPLE: 1,
        Kind.STORE: 1,  # 2, of which the write buffer hides one
        Kind.STORE_PAIR: 1 + 2,
        Kind.STORE_MULTIPLE: 1,
        Kind.BRANCH: 1,
        Kind.JUMP: 1 + 2,  # P, the refill of the pipeline, is 1 to 3: 2, if nothing waits
        Kind.CALL: 1 + 2,
        Kind.BRANCH_REGISTER: 1 + 2,
        Kind.TABLE_BRANCH: 2 + 2,
        Kind.IF_THEN: 1,
    },
    load_after_load=1,
    taken=1 + 2,
    into_pc={Kind.DATA: 2, Kind.LOAD: 2, Kind.LOAD_MULTIPLE: 2},
    skipped=1,
)

CORTEX_M0PLUS = Timing(
    cycles={
        Kind.DATA: 1,
        Kind.MULTIPLY: 1,  # 1 or 32, as the chip's maker chose: RP2040's datasheet says 1
        Kind.LOAD: 2,
        Kind.LOAD_MULTIPLE: 1,
        Kind.STORE: 2,
        Kind.STORE_MULTIPLE: 1,
        Kind.BRANCH: 1,
        Kind.JUMP: 2,
        Kind.CALL: 3,
        Kind.BRANCH_REGISTER: 2,
    },
    load_after_load=2,
    taken=2,
    into_pc={Kind.DATA: 1, Kind.LOAD_MULTIPLE: 2},  # MOV 2, POP of n with PC 3 + n
    skipped=0,  # there are no IT blocks
)

TIMINGS = {"cortex-m4": CORTEX_M4, "cortex-m0plus": CORTEX_M0PLUS}


def overlaps(previous: Instruction, load: Instruction) -> bool:
    """Whether a load's memory access overlaps with that of the instruction right before it.

    Both load one register, neither updates its base, and the first does not load a part of the
    second's address. Source: "Load/store timings" in the Cortex-M4 manual.
    """
    return (
        previous.kind is load.kind is Kind.LOAD
        and previous.following == load.address
        and not (previous.writes_back or load.writes_back)
        and not previous.targets & load.bases
        and not load.sets_pc
    )


def cycles(timing: Timing, instruction: Instruction, previous: Instruction, *, jumps: bool) -> int:
    """Of an ``instruction`` that is executed after ``previous``.

    ``jumps``: what is executed next is not what follows it in memory.
    """
    kind = instruction.kind
    if kind is Kind.BRANCH:
        return timing.taken if jumps else timing.cycles[kind]
    total = timing.cycles[kind] + instruction.registers
    if overlaps(previous, instruction):
        total = timing.load_after_load
    return total + (timing.into_pc.get(kind, 0) if instruction.sets_pc else 0)
