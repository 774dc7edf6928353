/* SPDX-License-Identifier: MIT
 *
 * machine.h: an emulated Cortex-M without a C library's start-up: a UART, a clock, and an end. The
 * upper half is given by each machine, the lower half by the files beside this one.
 *
 * Time is real, kept by the SysTick interrupt, or with -DVIRTUAL_TIME only as long as somebody
 * waits: then a year is over as soon as everything in it is computed. */
#ifndef MACHINE_H
#define MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- of each machine --- */

extern const uint32_t machine_clock;          /* of its CPU, in Hz */
extern const uint32_t machine_uart_interrupt; /* its number */

/* From here on a byte that has come raises the interrupt. */
void machine_uart_begin(void);

/* The next byte that has come, or -1. */
int machine_uart_take(void);

/* Waits until the UART has taken the byte. */
void machine_uart_put(uint8_t byte);

/* --- of all of them --- */

void clock_begin(void);

/* Milliseconds since clock_begin, modulo 2^32. */
uint32_t clock_millis(void);

/* In real time the CPU sleeps meanwhile; in virtual time they, up to the next whole second, are
 * over at once. */
void clock_wait(uint32_t ms);

/* Nothing that the computer sends is lost: while the buffer is full, it has to wait. */
void serial_begin(void);
uint32_t serial_available(void);
int serial_read(void); /* or -1 */
void serial_write(const uint8_t *bytes, size_t n);

/* Says why on the serial port, and ends the emulator with exit code 1. */
void machine_stop(const char *why) __attribute__((noreturn));

/* Of the vector table. */
void clock_tick(void);
void serial_interrupt(void);

#ifdef __cplusplus
}
#endif

#endif
