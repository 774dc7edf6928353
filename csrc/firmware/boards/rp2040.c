/* SPDX-License-Identifier: MIT
 *
 * rp2040.c: the watchdog and the counter of cycles of a Raspberry Pi Pico. Registers by address, so
 * that it works with Arduino-mbed, with arduino-pico and with no core at all: each of them runs the
 * chip from PLL_SYS behind the Pico's crystal of 12 MHz, and has started the tick of a microsecond
 * that its timer and the watchdog count.
 *
 * Source: RP2040 Datasheet, in the sections given. */
#include "board.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))

/* A register's alias where a write sets, or clears, the bits that are 1 in it (2.1.2). */
#define TO_SET(register) REGISTER((uintptr_t)&(register) + 0x2000)
#define TO_CLEAR(register) REGISTER((uintptr_t)&(register) + 0x3000)

const char board_name[] = "pico";

/* --- 4.7 Watchdog --- */

#define WATCHDOG_CTRL REGISTER(0x40058000)
#define WATCHDOG_LOAD REGISTER(0x40058004)
#define WATCHDOG_SCRATCH4 REGISTER(0x4005801C)
#define PSM_WDSEL REGISTER(0x40010008) /* 2.13.5: what the watchdog resets */

enum {
    WATCHDOG_ENABLE = 1 << 30,
    COUNTS_A_MS = 2000,            /* two a microsecond: erratum RP2040-E1 */
    ALL_BUT_OSCILLATORS = 0x1FFFC, /* they go on, so that the start is quick */
};

static uint32_t watchdog_counts;

void board_watchdog_start(uint32_t ms)
{
    watchdog_counts = COUNTS_A_MS * ms; /* of 24 bits: 8.3 s at most */
    TO_CLEAR(WATCHDOG_CTRL) = WATCHDOG_ENABLE;
    PSM_WDSEL = ALL_BUT_OSCILLATORS;
    WATCHDOG_SCRATCH4 = 0; /* 2.8.1.1: the boot ROM shall start from flash, as after power-on */
    WATCHDOG_LOAD = watchdog_counts;
    TO_SET(WATCHDOG_CTRL) = WATCHDOG_ENABLE;
}

void board_watchdog_feed(void)
{
    WATCHDOG_LOAD = watchdog_counts;
}

/* --- 2.15 Clocks, 2.18 PLL --- */

#define CLK_SYS_CTRL REGISTER(0x4000803C)
#define CLK_SYS_DIV REGISTER(0x40008040)
#define PLL_SYS_CS REGISTER(0x40028000)
#define PLL_SYS_FBDIV_INT REGISTER(0x40028008)
#define PLL_SYS_PRIM REGISTER(0x4002800C)

enum { CRYSTAL_HZ = 12000000 };
enum { CLK_SYS_SOURCES = 0xE1, FROM_PLL_SYS = 1, UNDIVIDED = 1 << 8 };

/* What the core has set up. The macro F_CPU may say something else: PlatformIO's is 133 MHz, where
 * Arduino-mbed runs the chip at 125. */
uint32_t board_clock(void)
{
    if ((CLK_SYS_CTRL & CLK_SYS_SOURCES) != FROM_PLL_SYS || CLK_SYS_DIV != UNDIVIDED) {
        return 0; /* no core does this */
    }
    const uint32_t oscillator = CRYSTAL_HZ / (PLL_SYS_CS & 0x3F) * (PLL_SYS_FBDIV_INT & 0xFFF);
    const uint32_t dividers = PLL_SYS_PRIM;
    return oscillator / ((dividers >> 16 & 7) * (dividers >> 12 & 7));
}

/* --- 2.4.8 SysTick, 4.6 Timer --- */

#define SYST_CSR REGISTER(0xE000E010)
#define SYST_RVR REGISTER(0xE000E014)
#define SYST_CVR REGISTER(0xE000E018)
#define TIMER_TIMERAWL REGISTER(0x40054028) /* microseconds */

enum { SYST_ENABLE = 1 << 0, SYST_OF_THE_CPU = 1 << 2, SYST_LONGEST = 0xFFFFFF };

static void start_systick(void)
{
    SYST_RVR = SYST_LONGEST;
    SYST_CVR = 0;
    SYST_CSR = SYST_ENABLE | SYST_OF_THE_CPU;
}

/* SysTick counts the CPU's cycles, down, and starts anew after SYST_RVR + 1 of them. arduino-pico
 * lets it run over all its 24 bits; Arduino-mbed, whose RTOS has it for its own clock, and
 * arduino-pico with FreeRTOS over a millisecond only; without a core nobody has started it. So the
 * time since the last call decides: as long as SysTick cannot have started anew twice, it is exact;
 * else the timer's microseconds are near enough. What this function itself takes is not counted. */
uint32_t board_cycles(void)
{
    static uint32_t cycles, last_ticks, last_microseconds;

    if (!(SYST_CSR & SYST_ENABLE)) {
        start_systick();
    }
    const uint32_t ticks = SYST_CVR;
    const uint32_t microseconds = TIMER_TIMERAWL - last_microseconds;
    const uint32_t period = SYST_RVR + 1;
    const uint32_t about = microseconds * (board_clock() / 1000000);
    cycles += about < period / 2 ? (last_ticks + period - ticks) % period : about;
    last_microseconds = TIMER_TIMERAWL;
    last_ticks = SYST_CVR;
    return cycles;
}
