"""A Thumb instruction as the meter sees it: what kind it is, and what of memory it reads."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from scratchml.errors import ScratchmlError


class Kind(Enum):
    """The classes of instructions that differ in time."""

    DATA = auto()  # moves, additions, logic, shifts, extensions, saturation, bit fields, no-ops
    MULTIPLY = auto()  # also multiply-add, 32 or 64 bits
    DIVIDE = auto()
    LOAD = auto()  # of one register
    LOAD_PAIR = auto()
    LOAD_MULTIPLE = auto()  # also POP
    STORE = auto()
    STORE_PAIR = auto()
    STORE_MULTIPLE = auto()  # also PUSH
    BRANCH = auto()  # B with a condition, CBZ and CBNZ
    JUMP = auto()  # B
    CALL = auto()  # BL
    BRANCH_REGISTER = auto()  # BX and BLX
    TABLE_BRANCH = auto()  # TBB and TBH
    IF_THEN = auto()  # IT


@dataclass(frozen=True)
class Memory:
    """An operand in memory: ``size`` bytes at ``base + (index << shift) + offset``.

    Registers are named as capstone does; ``base`` may be ``pc``.
    """

    base: str
    index: str | None
    shift: int
    offset: int
    size: int

    def address(self, register: Callable[[str], int], pc: int) -> int:
        """Where it is, for the instruction at ``pc``, by a function that reads registers."""
        if self.base == "pc":  # which reads as four bytes on; as a base it is aligned, but by TBB
            start = (pc + 4) & ~3 if self.index is None else pc + 4
        else:
            start = register(self.base)
        indexed = register(self.index) << self.shift if self.index else 0
        return (start + indexed + self.offset) & 0xFFFFFFFF


@dataclass(frozen=True)
class Instruction:
    """One instruction at its address.

    Attributes:
        text: as a disassembler writes it, without the condition that an IT block gives it.
        registers: how many a multiple load or store transfers.
        reads: its operand in memory, if it loads; stores are not looked at.
        targets: registers that it writes; ``bases``: those that make up its operand's address.
        writes_back: whether a load or store updates its base.
        block: how many instructions an IT block has.
    """

    address: int
    size: int
    text: str
    kind: Kind
    registers: int = 0
    reads: Memory | None = None
    targets: frozenset[str] = frozenset()
    bases: frozenset[str] = frozenset()
    writes_back: bool = False
    block: int = 0

    @property
    def following(self) -> int:
        """The address after it."""
        return self.address + self.size

    @property
    def calls(self) -> bool:
        """Whether it leaves its return address in LR."""
        return self.kind in (Kind.CALL, Kind.BRANCH_REGISTER) and "lr" in self.targets

    @property
    def sets_pc(self) -> bool:
        """Whether it loads or computes the program counter, as ``pop {pc}`` does."""
        return "pc" in self.targets


#: Mnemonics, without suffixes such as .w, by kind. What is not here has no timing: it is refused.
KINDS = {
    Kind.DATA: re.compile(
        r"movs?|movw|movt|mvns?|adds?|addw|adcs?|subs?|subw|sbcs?|rsbs?|ands?|orrs?|orns?|eors?|"
        r"bics?|tst|teq|cmp|cmn|lsls?|lsrs?|asrs?|rors?|rrxs?|clz|rbit|rev|rev16|revsh|adr|nop|"
        r"[su]xta?(b|h|b16)|bfi|bfc|[su]bfx|[su]sat(16)?|pkh(bt|tb)|sel|"
        r"qd?(add|sub)|([su]h?|u?q)(add|sub)(8|16)|([su]h?|u?q)(asx|sax)|usada?8"
    ),
    Kind.MULTIPLY: re.compile(r"muls?|mla|mls|[su]mull|[su]mlal|umaal|sm(la|ls|ul|us|ua|ml|mu)\w+"),
    Kind.DIVIDE: re.compile(r"[su]div"),
    Kind.LOAD: re.compile(r"ldr(b|h|sb|sh)?"),
    Kind.LOAD_PAIR: re.compile(r"ldrd"),
    Kind.LOAD_MULTIPLE: re.compile(r"ldm(db|ia)?|pop"),
    Kind.STORE: re.compile(r"str(b|h)?"),
    Kind.STORE_PAIR: re.compile(r"strd"),
    Kind.STORE_MULTIPLE: re.compile(r"stm(db|ia)?|push"),
    Kind.BRANCH: re.compile(r"b(eq|ne|hs|lo|cs|cc|mi|pl|vs|vc|hi|ls|ge|lt|gt|le)|cbn?z"),
    Kind.JUMP: re.compile(r"b"),
    Kind.CALL: re.compile(r"bl"),
    Kind.BRANCH_REGISTER: re.compile(r"blx|bx"),
    Kind.TABLE_BRANCH: re.compile(r"tbb|tbh"),
    Kind.IF_THEN: re.compile(r"it[te]{0,3}"),
}

MULTIPLE = (Kind.LOAD_MULTIPLE, Kind.STORE_MULTIPLE)
SIZES = {"ldrb": 1, "ldrsb": 1, "ldrh": 2, "ldrsh": 2, "ldr": 4, "ldrd": 8, "tbb": 1, "tbh": 2}


class Decoder:
    """Instructions of a Cortex-M, by capstone."""

    def __init__(self) -> None:
        import capstone  # an extra's, loaded only by those who measure

        self._arm = capstone.arm
        mode = capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS
        self._capstone = capstone.Cs(capstone.CS_ARCH_ARM, mode)
        self._capstone.detail = True

    def decode(self, code: bytes, address: int) -> Instruction:
        """The instruction that ``code`` begins with.

        Raises:
            ScratchmlError: there is none, or none that has a timing.
        """
        found = next(self._capstone.disasm(code, address, 1), None)
        if found is None:
            raise ScratchmlError(f"no instruction of a Cortex-M at 0x{address:08x}: {code.hex()}")
        mnemonic = found.mnemonic.split(".")[0]
        text = f"{found.mnemonic} {found.op_str}".strip()
        kind = next((kind for kind, name in KINDS.items() if name.fullmatch(mnemonic)), None)
        if kind is None:
            raise ScratchmlError(f"{text} at 0x{address:08x}: the meter has no timing for it")
        registers = self._transferred(found) if kind in MULTIPLE else 0
        memory = self._memory(found, mnemonic, kind, registers)
        reading = kind not in (Kind.STORE, Kind.STORE_PAIR, Kind.STORE_MULTIPLE)
        _, written = found.regs_access()
        return Instruction(
            address=address,
            size=found.size,
            text=text,
            kind=kind,
            registers=registers,
            reads=memory if reading else None,
            targets=frozenset(found.reg_name(register) for register in written),
            bases=frozenset(r for r in (memory.base, memory.index) if r) if memory else frozenset(),
            writes_back=bool(found.writeback),
            block=len(mnemonic) - 1 if kind is Kind.IF_THEN else 0,
        )

    def _transferred(self, found: Any) -> int:
        """Registers of a list; LDM and STM name their base before it."""
        named = len(found.operands)
        return named if found.mnemonic.startswith(("push", "pop")) else named - 1

    def _memory(self, found: Any, mnemonic: str, kind: Kind, registers: int) -> Memory | None:
        if kind in MULTIPLE:
            if mnemonic in ("push", "pop"):
                return Memory("sp", None, 0, 0, 4 * registers)
            down = -4 * registers if mnemonic.endswith("db") else 0
            return Memory(found.reg_name(found.operands[0].reg), None, 0, down, 4 * registers)
        for operand in found.operands:
            if operand.type == self._arm.ARM_OP_MEM:
                mem = operand.mem
                shift = operand.shift.value or int(mnemonic == "tbh")
                size = SIZES.get(mnemonic, 0)
                return Memory(
                    found.reg_name(mem.base), found.reg_name(mem.index), shift, mem.disp, size
                )
        return None
