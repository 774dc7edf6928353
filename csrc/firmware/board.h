/* SPDX-License-Identifier: MIT
 *
 * board.h: what the station needs of a board. Each file in boards/ is one, and all that it knows of
 * its core or chip stays there. */
#ifndef BOARD_H
#define BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* For `status`: letters, digits, - and _. */
extern const char board_name[];

void board_begin(void);

/* Milliseconds since the start, modulo 2^32: it wraps after 49.7 days. */
uint32_t board_millis(void);

/* Returns after `ms` milliseconds, or as soon as a computer opens the port or has sent a byte. */
void board_sleep(uint32_t ms);

/* Whether a computer has opened the port. */
bool board_listening(void);

/* The next byte from the computer, or -1. */
int board_read(void);

/* Never waits for long: what a computer does not take within half a second is dropped. */
void board_write(const char *bytes, size_t n);

void board_led(bool on);

/* From its start on, the board is reset when it has not been fed for `ms` <= 8000; later, where an
 * upload needs the time. */
void board_watchdog_start(uint32_t ms);
void board_watchdog_feed(void);

/* The CPU's clock in Hz, and a counter of its cycles, modulo 2^24 at least; 0 Hz if the board has
 * no such counter. */
uint32_t board_clock(void);
uint32_t board_cycles(void);

#ifdef __cplusplus
}
#endif

#endif
