"""The timing table, on assembly written by hand: what every instruction takes is known beforehand.

The expected cycles stand beside the instructions, from the tables "Instruction set summary" in
Arm's Technical Reference Manuals of the Cortex-M4 (r0p1) and the Cortex-M0+ (r0p1).
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from snippets import measured

from scratchml.cost.cpus import CORTEX_M0PLUS, CORTEX_M4, Cpu


def check(cpu: Cpu, listing: str, folder: Path) -> None:
    """Every line is an instruction, then ``@``, then the cycles that it takes; ``-`` stands for one
    that is not executed, ``0+1`` for one that is passed over in an IT block and takes 1."""
    lines = [line.strip() for line in listing.strip().splitlines()]
    wanted = [re.search(r"@ (\S+)", line) for line in lines]
    words = [found[1] for found in wanted if found and found[1] != "-"]
    steps: list[int] = []
    for word in words:  # what is passed over is counted with the step before it
        if word.startswith("0+"):
            steps[-1] += int(word[2:])
        else:
            steps.append(int(word))
    found = measured(cpu, "\n".join(lines), folder)
    assert found.steps == steps
    assert found.cycles == sum(steps)
    assert found.instructions == len(words)


M4 = {
    "data processing": """
        movs    r0, #1              @ 1
        movw    r1, #0x1234         @ 1
        movt    r1, #0x5678         @ 1
        add.w   r2, r0, r1, lsl #3  @ 1
        bfi     r2, r0, #4, #8      @ 1
        ubfx    r3, r2, #1, #5      @ 1
        clz     r3, r3              @ 1
        rbit    r3, r3              @ 1
        ssat    r3, #8, r1, asr #2  @ 1
        usat    r3, #8, r1          @ 1
        sxtb16  r3, r1, ror #8      @ 1
        sxtab   r3, r1, r0          @ 1
        pkhbt   r3, r1, r0, lsl #16 @ 1
        sadd16  r3, r1, r0          @ 1
        uqadd8  r3, r1, r0          @ 1
        qsub    r3, r1, r0          @ 1
        sel     r3, r1, r0          @ 1
        rsbs    r3, r3, #0          @ 1
        mvns    r3, r3              @ 1
        tst     r3, r1              @ 1
        nop                         @ 1
        nop.w                       @ 1
        bx      lr                  @ 3
    """,
    "multiplication": """
        movs    r0, #3              @ 1
        muls    r0, r0              @ 1
        mla     r1, r0, r0, r0      @ 1
        mls     r1, r0, r0, r1      @ 1
        smull   r2, r3, r0, r1      @ 1
        umull   r2, r3, r0, r1      @ 1
        smlal   r2, r3, r0, r1      @ 1
        umaal   r2, r3, r0, r1      @ 1
        smmul   r1, r0, r1          @ 1
        smmulr  r1, r0, r1          @ 1
        smmla   r1, r0, r1, r2      @ 1
        smlad   r1, r0, r1, r2      @ 1
        smuad   r1, r0, r1          @ 1
        smlsd   r1, r0, r1, r2      @ 1
        smlald  r2, r3, r0, r1      @ 1
        smlabb  r1, r0, r1, r2      @ 1
        smulbt  r1, r0, r1          @ 1
        smlawb  r1, r0, r1, r2      @ 1
        bx      lr                  @ 3
    """,
    "division": """
        movs    r0, #100            @ 1
        movs    r1, #7              @ 1
        udiv    r2, r0, r1          @ 12
        sdiv    r2, r0, r1          @ 12
        bx      lr                  @ 3
    """,
    "a load alone, and after others": """
        ldr     r0, =buffer         @ 2
        movs    r1, #0              @ 1
        ldr     r2, [r0]            @ 2
        ldr     r3, [r0, #4]        @ 1
        ldrb    r3, [r0, #1]        @ 1
        ldrsh.w r3, [r0, r1, lsl #1]@ 1
        ldr     r3, =0x12345678     @ 1
        str     r3, [r0]            @ 1
        ldr     r3, [r0]            @ 2
        nop                         @ 1
        ldrh    r3, [r0]            @ 2
        bx      lr                  @ 3
    """,
    "a load of what the load before it has fetched": """
        ldr     r0, =buffer         @ 2
        ldr     r2, [r0]            @ 2
        ldr     r1, =buffer         @ 1
        ldr     r2, [r0]            @ 1
        str     r1, [r1]            @ 1
        movs    r3, #0              @ 1
        ldr     r2, [r1]            @ 2
        ldr     r2, [r2, r3]        @ 2
        ldr     r3, [r1, #4]        @ 1
        ldr     r2, [r1, r3]        @ 2
        bx      lr                  @ 3
    """,
    "loads that move their base": """
        ldr     r0, =buffer         @ 2
        nop                         @ 1
        ldr     r1, [r0], #4        @ 2
        ldr     r2, [r0]            @ 2
        ldr     r3, [r0, #4]        @ 1
        ldrb    r1, [r0], #1        @ 2
        ldrb    r1, [r0, #3]!       @ 2
        ldr     r1, [r0]            @ 2
        bx      lr                  @ 3
    """,
    "pairs": """
        ldr     r0, =buffer         @ 2
        ldrd    r1, r2, [r0]        @ 3
        ldrd    r1, r2, [r0, #8]    @ 3
        ldr     r3, [r0]            @ 2
        strd    r1, r2, [r0, #8]    @ 3
        strd    r1, r2, [r0], #8    @ 3
        bx      lr                  @ 3
    """,
    "several registers at a time": """
        ldr     r0, =buffer         @ 2
        ldmia   r0, {r1, r2, r3}    @ 4
        ldmia   r0!, {r1}           @ 2
        stmia   r0!, {r1, r2}       @ 3
        ldmdb   r0!, {r1, r2}       @ 3
        stmdb   r0!, {r1, r2}       @ 3
        push    {r4, r5, r6}        @ 4
        push.w  {r8, r9}            @ 3
        pop.w   {r8, r9}            @ 3
        pop     {r4, r5, r6}        @ 4
        bx      lr                  @ 3
    """,
    "stores": """
        ldr     r0, =buffer         @ 2
        movs    r1, #4              @ 1
        str     r1, [r0]            @ 1
        strb    r1, [r0, r1]        @ 1
        strh    r1, [r0, #2]!       @ 1
        bx      lr                  @ 3
    """,
    "branches": """
        movs    r0, #2              @ 1
        cmp     r0, #2              @ 1
        bne     1f                  @ 1
        beq     1f                  @ 3
        nop                         @ -
    1:  cbz     r0, 1f              @ 1
        cbnz    r0, 1f              @ 3
        nop                         @ -
    1:  b       1f                  @ 3
        nop                         @ -
    1:  bne.w   1f                  @ 1
        beq.w   1f                  @ 3
        nop                         @ -
    1:  bx      lr                  @ 3
    """,
    "a call that returns by pop": """
        push    {r4, lr}            @ 3
        bl      1f                  @ 3
        b       2f                  @ -
    1:  push    {r5, r6, r7, lr}    @ 5
        pop     {r5, r6, r7, lr}    @ 5
        b       2f                  @ 3
        nop                         @ -
    2:  pop     {r4, pc}            @ 5
    """,
    "an if-then block, true and false": """
        movs    r0, #1              @ 1
        cmp     r0, #1              @ 1
        ite     eq                  @ 1
        moveq   r1, #1              @ 1
        movne   r1, #2              @ 0+1
        itt     ne                  @ 1
        movne   r1, #3              @ 0+1
        ldrne   r1, [r1]            @ 0+1
        add     r1, r1              @ 1
        itete   eq                  @ 1
        addeq   r1, #1              @ 1
        addne   r1, #1              @ 0+1
        addeq   r1, #1              @ 1
        addne   r1, #1              @ 0+1
        bx      lr                  @ 3
    """,
    "loads around one that is passed over": """
        ldr     r0, =buffer         @ 2
        cmp     r0, r0              @ 1
        itet    eq                  @ 1
        ldreq   r1, [r0]            @ 2
        ldrne   r1, [r0]            @ 0+1
        ldreq   r1, [r0]            @ 2
        itt     eq                  @ 1
        ldreq   r1, [r0]            @ 2
        ldreq   r1, [r0]            @ 1
        bx      lr                  @ 3
    """,
    "a return from an if-then block": """
        movs    r0, #1              @ 1
        cmp     r0, #2              @ 1
        it      eq                  @ 1
        bxeq    lr                  @ 0+1
        cmp     r0, #1              @ 1
        itt     eq                  @ 1
        moveq   r0, #2              @ 1
        bxeq    lr                  @ 3
        nop                         @ -
    """,
    "writing the program counter": """
        adr     r0, 1f              @ 1
        mov     pc, r0              @ 3
        nop                         @ -
        .balign 4
    1:  ldr     r1, =buffer         @ 2
        adr     r0, 1f              @ 1
        adds    r0, #1              @ 1
        str     r0, [r1]            @ 1
        ldr     pc, [r1]            @ 4
        nop                         @ -
        .balign 4
    1:  bx      lr                  @ 3
    """,
    "a table of branches": """
        movs    r0, #1              @ 1
        tbb     [pc, r0]            @ 4
    1:  .byte   (2f - 1b) / 2, (3f - 1b) / 2
    2:  nop                         @ -
    3:  bx      lr                  @ 3
    """,
}

M0PLUS = {
    "data processing": """
        movs    r0, #1              @ 1
        adds    r1, r0, #3          @ 1
        add     r1, r8              @ 1
        lsls    r1, r1, #4          @ 1
        lsrs    r1, r0              @ 1
        rsbs    r1, r1, #0          @ 1
        uxtb    r1, r1              @ 1
        sxth    r1, r1              @ 1
        rev     r1, r1              @ 1
        mov     r9, r1              @ 1
        sub     sp, #8              @ 1
        add     r1, sp, #4          @ 1
        add     sp, #8              @ 1
        nop                         @ 1
        bx      lr                  @ 2
    """,
    "multiplication": """
        movs    r0, #3              @ 1
        muls    r0, r0, r0          @ 1
        bx      lr                  @ 2
    """,
    "loads and stores": """
        ldr     r0, =buffer         @ 2
        movs    r1, #4              @ 1
        ldr     r2, [r0]            @ 2
        ldr     r2, [r0, r1]        @ 2
        ldrb    r2, [r0, #1]        @ 2
        ldrsh   r2, [r0, r1]        @ 2
        str     r2, [r0]            @ 2
        strh    r2, [r0, #2]        @ 2
        ldr     r2, [sp]            @ 2
        bx      lr                  @ 2
    """,
    "several registers at a time": """
        ldr     r0, =buffer         @ 2
        ldmia   r0!, {r1, r2, r3}   @ 4
        stmia   r0!, {r1, r2}       @ 3
        push    {r4}                @ 2
        push    {r4, r5, lr}        @ 4
        pop     {r4}                @ 2
        pop     {r4, r5}            @ 3
        pop     {r4}                @ 2
        bx      lr                  @ 2
    """,
    "branches": """
        movs    r0, #2              @ 1
        cmp     r0, #2              @ 1
        bne     1f                  @ 1
        beq     1f                  @ 2
        nop                         @ -
    1:  b       1f                  @ 2
        nop                         @ -
    1:  bx      lr                  @ 2
    """,
    "a call by a register, and the program counter": """
        push    {r4, lr}            @ 3
        ldr     r0, =1f + 1         @ 2
        blx     r0                  @ 2
        b       2f                  @ 2
    1:  mov     pc, lr              @ 2
        nop                         @ -
    2:  pop     {r4, pc}            @ 5
    """,
}


@pytest.mark.parametrize("name", M4)
def test_cortex_m4(name: str, tmp_path: Path) -> None:
    check(CORTEX_M4, M4[name], tmp_path)


@pytest.mark.parametrize("name", M0PLUS)
def test_cortex_m0plus(name: str, tmp_path: Path) -> None:
    check(CORTEX_M0PLUS, M0PLUS[name], tmp_path)


def test_a_loop_takes_its_rounds(tmp_path: Path) -> None:
    """100 rounds of a load after a subtraction; the branch is not taken once."""
    body = """
        ldr     r0, =buffer
        movs    r1, #100
    1:  ldr     r2, [r0]
        subs    r1, #1
        bne     1b
        bx      lr
    """
    m4 = measured(CORTEX_M4, body, tmp_path)
    assert (m4.instructions, m4.cycles) == (2 + 300 + 1, 2 + 1 + 100 * (2 + 1 + 3) - 2 + 3)
    m0plus = measured(CORTEX_M0PLUS, body, tmp_path)
    assert (m0plus.instructions, m0plus.cycles) == (303, 2 + 1 + 100 * (2 + 1 + 2) - 1 + 2)


def test_what_depends_on_the_input_is_counted_as_it_is_executed(tmp_path: Path) -> None:
    body = """
        ldr     r0, =meter_codes
        ldrsb   r1, [r0, #0]
        ldrsb   r2, [r0, #1]
        cmp     r1, r2
        itee    lt
        movlt   r3, #1
        movge   r3, #2
        addge   r3, #3
        ble     1f
        udiv    r3, r3, r3
    1:  bx      lr
    """
    less = measured(CORTEX_M4, body.replace("[r0, #0]", "[r0]"), tmp_path, (1, 2, 0, 0))
    assert (less.instructions, less.cycles) == (10, 2 + 2 + 1 + 1 + 1 + 3 + 3 + 3)
    more = measured(CORTEX_M4, body.replace("[r0, #0]", "[r0]"), tmp_path, (2, 1, 0, 0))
    assert (more.instructions, more.cycles) == (11, 2 + 2 + 1 + 1 + 1 + 3 + 1 + 12 + 3)
    assert len(less.run.trace) == len(more.run.trace) - 2
