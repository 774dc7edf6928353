/* SPDX-License-Identifier: MIT
 *
 * boot2.S: the first 256 bytes of flash. The chip's boot ROM reads them slowly, byte for byte, into
 * RAM, checks their last word, and jumps there; they have to make the flash readable as memory and
 * go on to the program. Any flash chip answers the serial read that is set up here, a bit at a time;
 * four bits at a time would be faster, but differ from chip to chip.
 *
 * Sources: RP2040 Datasheet, 2.8.1.3 (what the boot ROM wants) and 4.10 (SSI, the flash's port). */
    .syntax unified
    .cpu cortex-m0plus
    .thumb

    .equ SSI, 0x18000000
    .equ CTRLR0, 0x00
    .equ CTRLR1, 0x04
    .equ SSIENR, 0x08
    .equ BAUDR, 0x14
    .equ SPI_CTRLR0, 0xF4
    .equ VTOR, 0xE000ED08
    .equ VECTORS, 0x10000100 /* of the program, behind these bytes */

    .section .boot2, "ax"
    .global boot2
    .type boot2, %function
    .thumb_func
boot2: /* runs wherever it was copied to: no address in it may be absolute */
    ldr r0, ssi
    adr r1, settings
    adr r2, settings_end
1:  ldmia r1!, {r3, r4}
    str r4, [r0, r3]
    cmp r1, r2
    blo 1b

    ldr r0, vectors
    ldr r1, vtor
    str r0, [r1]
    ldmia r0!, {r1, r2} /* the stack, and where to start */
    msr msp, r1
    bx r2

    .balign 4
ssi:
    .word SSI
vectors:
    .word VECTORS
vtor:
    .word VTOR
settings: /* of SSI: a register and its value */
    .word SSIENR, 0 /* the others can only be written meanwhile */
    .word BAUDR, 4  /* flash's clock: clk_sys / 4, 31 MHz; this command may be read at up to 50 */
    .word CTRLR0, 31 << 16 | 3 << 8                   /* frames of 32 bits: send, then receive */
    .word SPI_CTRLR0, 0x03 << 24 | 2 << 8 | 6 << 2    /* command 03h (2 x 4 bits), address 6 x 4 */
    .word CTRLR1, 0                                   /* one frame a read */
    .word SSIENR, 1
settings_end:

    /* The CRC-32 of the 252 bytes before it, as the boot ROM computes it. tools/make_uf2.py checks
     * it, and says what to write here when it has changed. */
    .org boot2 + 252
    .word 0x336A1EEB
