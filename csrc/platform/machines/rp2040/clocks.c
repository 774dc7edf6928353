/* SPDX-License-Identifier: MIT
 *
 * clocks.c: from the ring oscillator that the chip starts with, 6 MHz or so, to the crystal and the
 * PLL behind it. Each step waits until the hardware says that it is done. */
#include "machine.h"
#include "registers.h"

/* 12 MHz * 125 = 1500 MHz, between the 750 and 1600 that the PLL can do; / 6 / 2 = 125 MHz. */
enum { FEEDBACK = 125, POST_DIVIDER_1 = 6, POST_DIVIDER_2 = 2 };
_Static_assert(MACHINE_CRYSTAL / 1000 * FEEDBACK / POST_DIVIDER_1 / POST_DIVIDER_2 * 1000 ==
                   MACHINE_CLOCK,
               "these make the clock");

/* The crystal is given about 64 ms, in units of 256 of its cycles: some Picos' need more than the
 * usual 1 ms. */
enum { XOSC_DELAY = MACHINE_CRYSTAL / 1000 * 64 / 256 };

void end_reset(uint32_t blocks)
{
    TO_CLEAR(RESETS_RESET) = blocks;
    while ((RESETS_RESET_DONE & blocks) != blocks) {
    }
}

/* A debugger may start the program with the PLL running: nothing may hang on it while it changes.
 */
static void leave_pll(void)
{
    TO_CLEAR(CLK_SYS_CTRL) = CLK_SYS_FROM_AUX;
    while (CLK_SYS_SELECTED != 1 << CLK_SYS_FROM_REF) {
    }
    CLK_REF_CTRL = CLK_REF_FROM_ROSC;
    while (CLK_REF_SELECTED != 1 << CLK_REF_FROM_ROSC) {
    }
}

static void start_crystal(void)
{
    XOSC_CTRL = XOSC_1_15MHZ;
    XOSC_STARTUP = XOSC_DELAY;
    TO_SET(XOSC_CTRL) = XOSC_ENABLE;
    while (!(XOSC_STATUS & XOSC_STABLE)) {
    }
    CLK_REF_DIV = CLK_DIV_1;
    CLK_REF_CTRL = CLK_REF_FROM_XOSC;
    while (CLK_REF_SELECTED != 1 << CLK_REF_FROM_XOSC) {
    }
}

static void start_pll(void)
{
    TO_SET(RESETS_RESET) = RESETS_PLL_SYS;
    end_reset(RESETS_PLL_SYS);
    PLL_SYS_CS = 1; /* the crystal is not divided */
    PLL_SYS_FBDIV_INT = FEEDBACK;
    TO_CLEAR(PLL_SYS_PWR) = PLL_PD | PLL_VCOPD;
    while (!(PLL_SYS_CS & PLL_LOCK)) {
    }
    PLL_SYS_PRIM = POST_DIVIDER_1 << PLL_POSTDIV1_LSB | POST_DIVIDER_2 << PLL_POSTDIV2_LSB;
    TO_CLEAR(PLL_SYS_PWR) = PLL_POSTDIVPD;
    CLK_SYS_DIV = CLK_DIV_1;
    CLK_SYS_CTRL = CLK_SYS_FROM_REF; /* nothing else: aux is PLL_SYS */
    TO_SET(CLK_SYS_CTRL) = CLK_SYS_FROM_AUX;
    while (CLK_SYS_SELECTED != 1 << CLK_SYS_FROM_AUX) {
    }
}

void clocks_begin(void)
{
    leave_pll();
    start_crystal();
    start_pll();
    CLK_PERI_CTRL = CLK_PERI_ENABLE;
    WATCHDOG_TICK = WATCHDOG_TICK_ENABLE | MACHINE_CRYSTAL / 1000000; /* clk_ref: a microsecond */
    end_reset(RESETS_TIMER);
}
