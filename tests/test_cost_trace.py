"""What the meter sees of hand-written assembly besides cycles: loads, stack, calls, refusals."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import require
from snippets import measured

from scratchml.cost.cpus import CORTEX_M0PLUS, CORTEX_M4, Cpu
from scratchml.cost.emulator import Emulator
from scratchml.cost.instructions import Decoder, Kind
from scratchml.cost.trace import calls
from scratchml.errors import ScratchmlError


@pytest.mark.parametrize("cpu", [CORTEX_M4, CORTEX_M0PLUS], ids=lambda cpu: cpu.name)
def test_loads_are_seen_with_their_addresses(cpu: Cpu, tmp_path: Path) -> None:
    body = """
        push    {r4, r5}
        ldr     r0, =buffer
        movs    r1, #4
        ldrb    r2, [r0, #3]
        ldrh    r2, [r0, r1]
        mov     r3, r0
        ldmia   r3!, {r4, r5}
        ldr     r2, [r3]
        str     r2, [r0]
        pop     {r4, r5}
        bx      lr
    """
    found = measured(cpu, body, tmp_path, reads=True)
    buffer = found.program.symbols["buffer"]
    literal, *others = found.reads
    assert literal.size == 4
    assert literal.address in found.program.flash
    contents = found.program.contents[cpu.flash]
    offset = literal.address - cpu.flash
    assert int.from_bytes(contents[offset : offset + 4], "little") == buffer
    top = cpu.ram + cpu.ram_bytes - 5 * 4  # below what main has pushed
    assert [(read.address, read.size) for read in others] == [
        (buffer + 3, 1),
        (buffer + 4, 2),
        (buffer, 8),
        (buffer + 8, 4),
        (top - 8, 8),
    ]


def test_more_ways_to_say_where(tmp_path: Path) -> None:
    """Shifted indices, moving bases, pairs, downwards, tables: only the M4 has them."""
    body = """
        push    {r4, r5}
        ldr     r0, =buffer + 16
        movs    r1, #2
        ldr.w   r2, [r0, r1, lsl #2]
        ldr     r2, [r0], #4
        ldr     r2, [r0, #-4]!
        ldrsb   r2, [r0, #-1]
        ldrd    r2, r3, [r0, #8]
        ldmdb   r0, {r4, r5}
        ldrne   r2, [r0]
        pop     {r4, r5}
        bx      lr
    """
    body = body.replace("        ldrne", "        cmp r0, r0\n        it ne\n        ldrne")
    found = measured(CORTEX_M4, body, tmp_path, reads=True)
    start = found.program.symbols["buffer"] + 16
    offsets = [(read.address - start, read.size) for read in found.reads[1:-1]]
    assert offsets == [(8, 4), (0, 4), (0, 4), (-1, 1), (8, 8), (-8, 8)]


def test_stack_is_what_the_function_and_its_callees_overwrite(tmp_path: Path) -> None:
    body = """
        push    {r4, r5, lr}        @ 12 bytes
        sub     sp, #20             @ 32, of which only the lowest word is written
        str     r0, [sp]
        bl      1f
        add     sp, #20
        pop     {r4, r5, pc}
    1:  push    {r4, lr}            @ 40
        sub     sp, #100            @ never written, so never taken
        add     sp, #100
        pop     {r4, pc}
    """
    assert measured(CORTEX_M4, body, tmp_path).run.stack == 40
    assert measured(CORTEX_M0PLUS, body, tmp_path).run.stack == 40
    assert measured(CORTEX_M4, "bx lr", tmp_path).run.stack == 0


def test_a_function_that_is_jumped_to_returns_for_the_one_that_jumped(tmp_path: Path) -> None:
    body = """
        b       other               @ as at the end of a function that calls another one
        .type   other, %function
        .thumb_func
    other:
        nop
        bx      lr
        .size   other, . - other
    """
    found = measured(CORTEX_M4, body, tmp_path)
    assert found.cycles == 3 + 1 + 3
    functions = {name: found.program.functions[name] for name in ("snippet", "other")}
    fetch = Emulator(found.program, CORTEX_M4, painted="snippet").instruction
    first, second = calls(found.run.trace, functions, fetch)
    assert (first.function, first.called) == ("snippet", True)
    assert (second.function, second.called) == ("other", False)
    assert first.end == second.end
    assert second.start == first.start + 1
    assert second.steps_with_call == second.steps


def test_a_loop_to_the_first_instruction_is_no_call(tmp_path: Path) -> None:
    """``measured`` demands that there is one call. main has pushed 5 words from a round address."""
    body = """
    1:  sub     sp, #4
        mov     r0, sp
        lsls    r0, #27             @ until the address is a multiple of 32: three rounds
        bne     1b
        add     sp, #12
        bx      lr
    """
    found = measured(CORTEX_M0PLUS, body, tmp_path)
    assert (found.instructions, found.cycles) == (3 * 4 + 2, 3 * (1 + 1 + 1 + 2) - 1 + 1 + 2)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("00bf", None),
        ("80f30888", "msr"),
        ("30bf", "wfi"),
        ("abbe", "bkpt"),
        ("b7ee007a", "vmov"),
        ("ffffffff", "no instruction"),
    ],
)
def test_an_instruction_without_a_timing_is_refused(code: str, message: str | None) -> None:
    require("capstone")
    decoder = Decoder()
    if message is None:
        assert decoder.decode(bytes.fromhex(code), 0).kind is Kind.DATA
    else:
        with pytest.raises(ScratchmlError, match=message):
            decoder.decode(bytes.fromhex(code), 0)


def test_a_crash_in_the_emulator_says_where(tmp_path: Path) -> None:
    body = """
        ldr     r0, =0x80000000
        ldr     r0, [r0]
        bx      lr
    """
    with pytest.raises(ScratchmlError, match="the emulated Cortex-M4 stops at 0x"):
        measured(CORTEX_M4, body, tmp_path)
