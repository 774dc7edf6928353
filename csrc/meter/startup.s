@ SPDX-License-Identifier: MIT
@
@ startup.s: from reset to main and to the end, in instructions that every Cortex-M has.

    .syntax unified
    .thumb

    .section .vectors, "a"
    .word   stack_top
    .word   reset

    .section .text.reset, "ax"
    .global reset
    .type   reset, %function
    .thumb_func
reset:
    ldr     r0, =data_load          @ initial values lie in flash
    ldr     r1, =data_start
    ldr     r2, =data_end
    b       2f
1:  ldmia   r0!, {r3}
    stmia   r1!, {r3}
2:  cmp     r1, r2
    blo     1b
    ldr     r1, =bss_start          @ everything else starts as zero
    ldr     r2, =bss_end
    movs    r3, #0
    b       4f
3:  stmia   r1!, {r3}
4:  cmp     r1, r2
    blo     3b
    bl      main
    .size   reset, . - reset

@ Semihosting's exit, for the emulators that know it; the meter stops before it.
    .global meter_end
    .type   meter_end, %function
    .thumb_func
meter_end:
    movs    r0, #0x18               @ SYS_EXIT
    ldr     r1, =0x20026            @ ADP_Stopped_ApplicationExit
    bkpt    0xab
    b       meter_end
    .ltorg
    .size   meter_end, . - meter_end
