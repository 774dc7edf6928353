/* SPDX-License-Identifier: MIT
 *
 * dense_cortex_m0plus_asm.S: the functions that dense_cortex_m0plus.c explains, in ARMv6-M. The
 * order of the words of weights and the arithmetic are the same there.
 *
 * Every load takes two cycles, LDM one and one a word, a taken branch two. Arithmetic needs r0 to
 * r7; ADD and MOV reach the others. Time does not depend on data. */
#include "layout.h"

#if SML_LAYOUT == SML_LAYOUT_CORTEX_M0PLUS && defined(SML_ASSEMBLY)

        .syntax unified
        .thumb

/* r0: the next word of weights; r1: the next activation, later the next output; r2 .. r7: for
 * everything in between. Sums of four rows: */
t       .req r8         /* sum W * x */
u       .req r9         /* sum (256 * D + C) * x */
va      .req r10        /* sum A * x */
vc      .req r11        /* sum C * x */
zero    .req r12        /* the zero point */
y       .req lr         /* the next output; while codes are made, where they end */

/* Four products: \word, which is spent, and the activation at r1 + \k. */
.macro  column  word, k
        ldrb    r6, [r1, #\k]
        sxtb    r7, \word
        muls    r7, r6
        add     va, r7
        asrs    r7, \word, #16
        muls    \word, r6
        add     t, \word
        sxtb    \word, r7
        muls    r7, r6
        add     u, r7
        muls    \word, r6
        add     vc, \word
.endm

/* One product of a single row: the lowest byte of r3 and the activation at r1 + \k. */
.macro  product k
        ldrb    r4, [r1, #\k]
        sxtb    r5, r3
        muls    r5, r4
        adds    r2, r5
.endm

/* The accumulator r2 becomes the code r5. Its product with Q has more than 32 bits, so both are cut
 * into halves h and l, the accumulator's l signed: acc * Q / 2^31 = 2 * hh + (hl + lh + ll / 2^16)
 * / 2^15. A shift leaves the last bit that fell out in the carry, and ADC adds it: rounding. One
 * less, if it is negative, makes ties go away from zero. */
.macro  requantize
        ldmia   r0!, {r3, r4}           /* l of Q; its h, and the shift in the lowest byte */
        sxth    r5, r2
        subs    r6, r2, r5
        asrs    r6, #16
        lsrs    r7, r4, #16
        movs    r2, r6
        muls    r2, r7                  /* hh */
        muls    r7, r5                  /* lh */
        muls    r6, r3                  /* hl */
        muls    r5, r3                  /* ll */
        asrs    r5, #16
        adds    r5, r6
        adds    r5, r7
        adds    r2, r2
        asrs    r5, #15
        adcs    r5, r2
        asrs    r2, r5, #31
        adds    r5, r2
        mov     r3, zero
        asrs    r5, r4                  /* by the lowest byte of r4 */
        adcs    r5, r3
        asrs    r3, r5, #31             /* below 0 becomes 0 */
        bics    r5, r3
        movs    r3, #255                /* above 255 becomes 255 */
        subs    r3, r5
        asrs    r3, #31
        orrs    r5, r3
.endm

#define INPUT 0         /* on the stack */
#define OUTPUTS_END 4
#define INPUT_END 8
#define SUM 12          /* of the activations, times 2^15 */
#define ZERO 16         /* the zero point: the long loop has another use for r12 */
#define SAVED 16        /* r8 .. r11, on top of it while there are four rows at a time */

/* \unrolled: how many columns a round of the long loop takes; 2 for the small kernel. */
.macro  dense   name, unrolled
        .section .text.\name, "ax", %progbits
        .global \name
        .type   \name, %function
        .thumb_func
\name:
        push    {r4-r7, lr}
        mov     y, r2
        ldrh    r7, [r0, #6]            /* outputs */
        ldrh    r4, [r0, #4]            /* inputs */
        movs    r6, #16
        ldrsh   r6, [r0, r6]
        mov     zero, r6
        ldr     r0, [r0, #8]            /* weights */
        adds    r2, r7
        adds    r3, r4, #1              /* an odd last column has a partner of zeros */
        lsrs    r3, #1
        lsls    r3, #1
        adds    r3, r1
        .if \unrolled > 2
        .set    frame, 20
        push    {r1, r2, r3, r5, r6}
        .else
        .set    frame, 16
        push    {r1, r2, r3, r5}
        .endif
        cmp     r7, #4
        bhs     1f
        b       7f

1:      movs    r5, #0
        .if \unrolled > 2
        subs    r4, #\unrolled
2:      .set    k, 0
        .rept   \unrolled
        ldrb    r7, [r1, #k]
        adds    r5, r7
        .set    k, k + 1
        .endr
        adds    r1, #\unrolled
        subs    r4, #\unrolled
        bhs     2b
        adds    r4, #\unrolled
        .endif
        subs    r4, #1
        blo     3f
2:      ldrb    r7, [r1, r4]
        adds    r5, r7
        subs    r4, #1
        bhs     2b
3:      lsls    r5, #15
        str     r5, [sp, #SUM]
        mov     r4, r8
        mov     r5, r9
        mov     r6, r10
        mov     r7, r11
        push    {r4-r7}

1:      ldmia   r0!, {r2-r5}            /* four rows */
        mov     t, r2
        mov     u, r3
        mov     va, r4
        mov     vc, r5
        ldr     r1, [sp, #SAVED + INPUT]
        ldr     r5, [sp, #SAVED + INPUT_END]
        .if \unrolled > 2
        subs    r4, r5, r1              /* first what the long loop leaves */
        lsls    r4, #28
        beq     3f
        lsrs    r4, #28
        adds    r5, r1, r4
        .endif
2:      ldmia   r0!, {r2, r3}
        column  r2, 0
        column  r3, 1
        adds    r1, #2
        cmp     r1, r5
        bne     2b
        .if \unrolled > 2
3:      ldr     r5, [sp, #SAVED + INPUT_END]
        mov     r12, r5
4:      .set    k, 0
        .rept   \unrolled / 4
        ldmia   r0!, {r2-r5}
        column  r2, k
        column  r3, k + 1
        column  r4, k + 2
        column  r5, k + 3
        .set    k, k + 4
        .endr
        adds    r1, #\unrolled
        cmp     r1, r12
        beq     5f                      /* too far for a conditional branch */
        b       4b
5:      ldr     r6, [sp, #SAVED + ZERO]
        mov     zero, r6
        .endif
        mov     r3, t
        mov     r5, u
        mov     r2, va
        mov     r4, vc
        lsls    r6, r5, #16
        subs    r3, r6
        subs    r3, r2
        ldr     r6, [sp, #SAVED + SUM]
        subs    r3, r6
        asrs    r3, #8                  /* row B */
        subs    r5, r4
        asrs    r5, #8                  /* row D */
        push    {r2-r5}
        mov     r1, y
        adds    r6, r1, #4
        mov     y, r6
2:      pop     {r2}
        requantize
        strb    r5, [r1]
        adds    r1, #1
        cmp     r1, y
        bne     2b
        ldr     r7, [sp, #SAVED + OUTPUTS_END]
        subs    r7, r1
        cmp     r7, #4
        .if \unrolled > 2
        blo     4f
        b       1b
4:
        .else
        bhs     1b
        .endif
        pop     {r2-r5}
        mov     r8, r2
        mov     r9, r3
        mov     r10, r4
        mov     r11, r5
        cmp     r7, #0
        beq     8f

7:      ldmia   r0!, {r2}               /* a single row, four columns a word */
        ldr     r1, [sp, #INPUT]
        ldr     r6, [sp, #INPUT_END]
2:      ldmia   r0!, {r3}
        product 0
        lsrs    r3, #8
        product 1
        lsrs    r3, #8
        product 2
        lsrs    r3, #8
        product 3
        adds    r1, #4
        cmp     r1, r6
        blo     2b
        requantize
        mov     r1, y
        strb    r5, [r1]
        adds    r1, #1
        mov     y, r1
        ldr     r7, [sp, #OUTPUTS_END]
        cmp     r1, r7
        bne     7b

8:      add     sp, #frame
        pop     {r4-r7, pc}
        .size   \name, . - \name
.endm

        dense sml_dense_cortex_m0plus, 16
        dense sml_dense_cortex_m0plus_small, 2

#endif

#ifdef __linux__
        .section .note.GNU-stack, "", %progbits
#endif
