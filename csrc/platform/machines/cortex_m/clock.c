/* SPDX-License-Identifier: MIT
 *
 * clock.c: milliseconds, real or virtual, and a watchdog that looks at them.
 * The registers: ARMv7-M Architecture Reference Manual, B3.3; the same in ARMv6-M. */
#include "board.h"
#include "machine.h"

#define SYST_CSR (*(volatile uint32_t *)0xE000E010)
#define SYST_RVR (*(volatile uint32_t *)0xE000E014)
#define SYST_CVR (*(volatile uint32_t *)0xE000E018)
enum { ENABLE = 1 << 0, TICKINT = 1 << 1, OF_THE_CPU = 1 << 2 };

static volatile uint32_t now;      /* milliseconds */
static volatile uint32_t fed;      /* when the watchdog was */
static volatile uint32_t patience; /* of the watchdog; 0: it is not there */

static void pass(uint32_t ms)
{
    now += ms;
    if (patience && now - fed >= patience) {
        machine_stop("watchdog");
    }
}

void clock_tick(void)
{
    pass(1);
}

#ifdef VIRTUAL_TIME

static uint32_t looks; /* at the clock since the last wait */

void clock_begin(void)
{
}

/* Whoever looks and looks and never waits has time pass as well, for the watchdog to notice. */
uint32_t clock_millis(void)
{
    if (++looks > 10000) {
        pass(1);
    }
    return now;
}

/* A second at least, or looking at the port every millisecond would never come to a year's end. */
void clock_wait(uint32_t ms)
{
    looks = 0;
    pass(ms < 1000 ? 1000 : ms);
}

#else

void clock_begin(void)
{
    SYST_RVR = machine_clock / 1000 - 1;
    SYST_CVR = 0;
    SYST_CSR = ENABLE | TICKINT | OF_THE_CPU;
}

uint32_t clock_millis(void)
{
    return now;
}

void clock_wait(uint32_t ms)
{
    const uint32_t start = clock_millis();
    while (clock_millis() - start < ms) {
        __asm__ volatile("wfi");
    }
}

#endif

/* --- what board.h wants of a chip --- */

void board_watchdog_start(uint32_t ms)
{
    fed = now;
    patience = ms;
}

void board_watchdog_feed(void)
{
    fed = now;
}

uint32_t board_clock(void)
{
    return 0; /* an emulator counts no cycles */
}

uint32_t board_cycles(void)
{
    return 0;
}
