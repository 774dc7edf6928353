/* SPDX-License-Identifier: MIT
 *
 * dense_cortex_m4_asm.S: the functions that dense_cortex_m4.c explains, in the DSP instructions of
 * ARMv7E-M. The order of the words of weights and the arithmetic are the same there.
 *
 * A load takes two cycles, but one right after another load; a taken branch takes three, which is
 * why the long loop is unrolled. Time does not depend on data. */
#include "layout.h"

#if SML_LAYOUT == SML_LAYOUT_CORTEX_M4 && defined(SML_ASSEMBLY)

        .syntax unified
        .thumb

/* The accumulator \acc becomes a code, not yet clamped, in place of its multiplier \q. SMMLAR adds
 * the rounded high half of acc * (2 Q - 2^32) to acc: acc * Q / 2^31. One less, if it is negative,
 * makes ties go away from zero. ASRS, which looks at the lowest byte of \shift only, leaves the
 * last bit that fell out in the carry, and ADC adds it and the zero point. */
.macro  requantize q, acc, shift, zero
        smmlar  \q, \acc, \q, \acc
        add     \q, \q, \acc, asr #31
        asrs    \q, \q, \shift
        adcs    \q, \q, \zero
.endm

/* The sums h = 256 * A + B and l = B become two codes at \y. The next three words of weights are
 * the multipliers and, in one word, the shifts; they go to \qa, \qb and \shift, in that order. */
.macro  requantize_pair y, h, l, zero, qa, qb, shift
        ldmia   r0!, {\qa, \qb, \shift}
        subs    \h, \h, \l
        asrs    \h, \h, #8
        requantize \qa, \h, \shift, \zero
        lsrs    \shift, \shift, #8
        requantize \qb, \l, \shift, \zero
        pkhbt   \qa, \qa, \qb, lsl #16
        ssat16  \qa, #8, \qa
        str     \qa, [\y], #4
.endm

/* Four products: two columns of a pair of rows; \word is spent. */
.macro  multiply word, activations, h, l
        smlad   \h, \word, \activations, \h
        sxtb16  \word, \word
        smlad   \l, \word, \activations, \l
.endm

.macro  function name
        .section .text.\name, "ax", %progbits
        .global \name
        .type   \name, %function
        .thumb_func
\name:
.endm

/* In: r0 the layer. Out: r0 its weights, r3 the bytes of output, r6 the words of activations, r12
 * the zero point. */
.macro  unpack_layer
        ldrh    r6, [r0, #4]            /* inputs */
        ldrh    r3, [r0, #6]            /* outputs */
        ldrsh   r12, [r0, #16]
        ldr     r0, [r0, #8]
        adds    r6, #1
        lsrs    r6, #1
        lsls    r3, #1
.endm

/* For few short rows, and for five or six inputs: three words, which stay in registers. r0: weights, r1:
 * the input, r2: the next output. */
        function sml_dense_cortex_m4_small
        push    {r4-r7}
        unpack_layer
        subs    r3, #4
        blt     3f
        push    {r8-r11}
        add     r11, r2, r3             /* no pair begins after it */
        cmp     r6, #3
        bne     5f
        ldmia   r1, {r8, r9, r10}
1:      ldmia   r0!, {r3-r7}
        multiply r5, r8, r3, r4
        multiply r6, r9, r3, r4
        multiply r7, r10, r3, r4
        requantize_pair r2, r3, r4, r12, r5, r6, r7
        cmp     r2, r11
        bls     1b
        movs    r6, #3
2:      subs    r3, r11, r2
        pop     {r8-r11}

3:      adds    r3, #4                  /* is there a single row, in halfwords? */
        beq     4f
        ldr     r5, [r0], #4
1:      ldmia   r1!, {r3, r4}
        ldr     r7, [r0], #4
        smlad   r5, r3, r7, r5
        ldr     r7, [r0], #4
        smlad   r5, r4, r7, r5
        subs    r6, #2
        bgt     1b
        ldmia   r0!, {r3, r4}
        requantize r3, r5, r4, r12
        ssat    r3, #8, r3
        strh    r3, [r2]
4:      pop     {r4-r7}
        bx      lr

5:      ldmia   r0!, {r8, r9}           /* pairs with any number of inputs */
        mov     r10, r1
        mov     r3, r6
1:      ldr     r4, [r10], #4
        ldr     r5, [r0], #4
        multiply r5, r4, r8, r9
        subs    r3, #1
        bne     1b
        requantize_pair r2, r8, r9, r12, r4, r5, r7
        cmp     r2, r11
        bls     5b
        b       2b

/* For everything else. Six rows at a time: r8, r9, r10 are 256 * A + B of three pairs, r11, r12, lr
 * B alone; r0: weights, r1: activations, r2 .. r5: a word of these and three of those. */
.macro  multiply_six
        smlad   r8, r3, r2, r8
        sxtb16  r3, r3
        smlad   r9, r4, r2, r9
        sxtb16  r4, r4
        smlad   r10, r5, r2, r10
        sxtb16  r5, r5
        smlad   r11, r3, r2, r11
        smlad   r12, r4, r2, r12
        smlad   lr, r5, r2, lr
.endm

#define INPUT 0                         /* on the stack */
#define WORDS 4
#define ZERO 8
#define END 12
#define UNROLLED 16                     /* words of activations */

        function sml_dense_cortex_m4
        push    {r4-r11, lr}
        unpack_layer
        mov     r7, r2                  /* the next output */
        mov     r8, r12
        adds    r3, r3, r7
        mov     r9, r3
        push    {r1, r6, r8, r9}
        b       6f

1:      ldmia   r0!, {r8-r12, lr}
        ldrd    r1, r6, [sp, #INPUT]
        ands    r6, #UNROLLED - 1
        beq     3f
2:      ldr     r2, [r1], #4
        ldmia   r0!, {r3, r4, r5}
        multiply_six
        subs    r6, #1
        bne     2b
3:      ldr     r6, [sp, #WORDS]
        lsrs    r6, #4
        beq     5f
4:      .set    k, 0
        .rept   UNROLLED
        ldr     r2, [r1, #4 * k]
        ldr     r3, [r0, #12 * k]
        ldr     r4, [r0, #12 * k + 4]
        ldr     r5, [r0, #12 * k + 8]
        multiply_six
        .set    k, k + 1
        .endr
        adds    r1, #4 * UNROLLED
        adds    r0, #12 * UNROLLED
        subs    r6, #1
        bne     4b
5:      ldr     r6, [sp, #ZERO]
        requantize_pair r7, r8, r11, r6, r2, r3, r4
        requantize_pair r7, r9, r12, r6, r2, r3, r4
        requantize_pair r7, r10, lr, r6, r2, r3, r4
6:      ldr     r6, [sp, #END]
        subs    r6, r6, r7
        cmp     r6, #12
        bge     1b

        subs    r6, #4
        blt     5f
1:      ldmia   r0!, {r12, lr}          /* two rows, four words at a time */
        ldrd    r1, r6, [sp, #INPUT]
        ands    r6, #3
        beq     3f
2:      ldr     r2, [r1], #4
        ldr     r3, [r0], #4
        multiply r3, r2, r12, lr
        subs    r6, #1
        bne     2b
3:      ldr     r6, [sp, #WORDS]
        lsrs    r6, #2
        beq     4f
2:      ldmia   r1!, {r8-r11}
        ldmia   r0!, {r2-r5}
        multiply r2, r8, r12, lr
        multiply r3, r9, r12, lr
        multiply r4, r10, r12, lr
        multiply r5, r11, r12, lr
        subs    r6, #1
        bne     2b
4:      ldr     r6, [sp, #ZERO]
        requantize_pair r7, r12, lr, r6, r2, r3, r4
        ldr     r6, [sp, #END]
        subs    r6, r6, r7
        subs    r6, #4
        bge     1b

5:      adds    r6, #4
        beq     3f
        ldr     r12, [r0], #4           /* a single row, in halfwords */
        ldrd    r1, r6, [sp, #INPUT]
2:      ldmia   r1!, {r2, r3}
        ldmia   r0!, {r4, r5}
        smlad   r12, r2, r4, r12
        smlad   r12, r3, r5, r12
        subs    r6, #2
        bgt     2b
        ldr     r6, [sp, #ZERO]
        ldmia   r0!, {r2, r3}
        requantize r2, r12, r3, r6
        ssat    r2, #8, r2
        strh    r2, [r7]
3:      add     sp, #16
        pop     {r4-r11, pc}

#endif

#ifdef __linux__
        .section .note.GNU-stack, "", %progbits
#endif
