/* SPDX-License-Identifier: MIT
 *
 * nrf52840.c: the watchdog and the counter of cycles of the Nano 33 BLE's chip. Registers are those
 * of Nordic's nRF52840 Product Specification, chapter WDT, and of Arm's Armv7-M Architecture
 * Reference Manual, chapter C1. */
#include "board.h"

#define WDT UINT32_C(0x40010000)
#define WDT_TASKS_START (WDT + 0x000)
#define WDT_CRV (WDT + 0x504)
#define WDT_RREN (WDT + 0x508)
#define WDT_CONFIG (WDT + 0x50C)
#define WDT_RR0 (WDT + 0x600)
#define DWT_CTRL UINT32_C(0xE0001000)
#define DWT_CYCCNT UINT32_C(0xE0001004)
#define DEMCR UINT32_C(0xE000EDFC)

#define WDT_RELOAD UINT32_C(0x6E524635)
#define WDT_RUN_WHILE_SLEEPING UINT32_C(1) /* and pause while a debugger holds the CPU */
#define DEMCR_TRCENA (UINT32_C(1) << 24)
#define DWT_CYCCNTENA UINT32_C(1)

/* Once started, this watchdog can be neither stopped nor set anew, and it runs on through the soft
 * reset into the boot loader, which does not feed it. An upload must be over before it bites, so it
 * waits for two minutes more than it was asked to. */
#define UPLOAD_MS UINT32_C(120000)

const char board_name[] = "nano33ble";

static volatile uint32_t *at(uint32_t address)
{
    return (volatile uint32_t *)address;
}

void board_watchdog_start(uint32_t ms)
{
    const uint32_t ticks = (ms + UPLOAD_MS) * 4096 / 125; /* at 32,768 Hz */
    *at(WDT_CONFIG) = WDT_RUN_WHILE_SLEEPING;
    *at(WDT_RREN) = 1; /* it is fed by register 0 alone */
    *at(WDT_CRV) = ticks - 1;
    *at(WDT_TASKS_START) = 1;
    board_watchdog_feed(); /* it may have been running since before a reset */
}

void board_watchdog_feed(void)
{
    *at(WDT_RR0) = WDT_RELOAD;
}

uint32_t board_clock(void)
{
    return 64000000;
}

uint32_t board_cycles(void)
{
    if (!(*at(DWT_CTRL) & DWT_CYCCNTENA)) {
        *at(DEMCR) |= DEMCR_TRCENA;
        *at(DWT_CTRL) |= DWT_CYCCNTENA;
    }
    return *at(DWT_CYCCNT);
}
