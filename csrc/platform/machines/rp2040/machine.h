/* SPDX-License-Identifier: MIT
 *
 * machine.h: a Raspberry Pi Pico without an Arduino core or an SDK, from its reset on. */
#ifndef MACHINE_H
#define MACHINE_H

#include <stdint.h>

/* What Arduino's core on Mbed OS runs the chip at, too; and its crystal. */
enum { MACHINE_CLOCK = 125000000, MACHINE_CRYSTAL = 12000000 };

/* From here on clk_sys and clk_peri run at MACHINE_CLOCK, and the timer counts microseconds. */
void clocks_begin(void);

/* Lets blocks of the chip out of reset, RESETS_.. of registers.h, and waits until they are. */
void end_reset(uint32_t blocks);

/* Of the vector table. */
void timer_interrupt(void);
void uart_interrupt(void);

#endif
