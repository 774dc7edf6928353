/* SPDX-License-Identifier: MIT
 *
 * registers.h: those of the RP2040 that this machine uses. Their names and bits are the RP2040
 * Datasheet's, in the section that is given with each group. */
#ifndef REGISTERS_H
#define REGISTERS_H

#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))

/* A register's alias where a write sets, or clears, the bits that are 1 in it (2.1.2). */
#define TO_SET(register) REGISTER((uintptr_t)&(register) + 0x2000)
#define TO_CLEAR(register) REGISTER((uintptr_t)&(register) + 0x3000)

/* 2.14 Subsystem Resets */
#define RESETS_RESET REGISTER(0x4000C000)
#define RESETS_RESET_DONE REGISTER(0x4000C008)
enum {
    RESETS_IO_BANK0 = 1 << 5,
    RESETS_PADS_BANK0 = 1 << 8,
    RESETS_PLL_SYS = 1 << 12,
    RESETS_TIMER = 1 << 21,
    RESETS_UART0 = 1 << 22
};

/* 2.15 Clocks */
#define CLK_REF_CTRL REGISTER(0x40008030)
#define CLK_REF_DIV REGISTER(0x40008034)
#define CLK_REF_SELECTED REGISTER(0x40008038)
#define CLK_SYS_CTRL REGISTER(0x4000803C)
#define CLK_SYS_DIV REGISTER(0x40008040)
#define CLK_SYS_SELECTED REGISTER(0x40008044)
#define CLK_PERI_CTRL REGISTER(0x40008048)
enum {
    CLK_REF_FROM_ROSC = 0,
    CLK_REF_FROM_XOSC = 2,
    CLK_SYS_FROM_REF = 0,
    CLK_SYS_FROM_AUX = 1,      /* which is PLL_SYS as long as no other bit is set */
    CLK_PERI_ENABLE = 1 << 11, /* from clk_sys, likewise */
    CLK_DIV_1 = 1 << 8
};

/* 2.16 Crystal Oscillator */
#define XOSC_CTRL REGISTER(0x40024000)
#define XOSC_STATUS REGISTER(0x40024004)
#define XOSC_STARTUP REGISTER(0x4002400C)
enum { XOSC_1_15MHZ = 0xAA0, XOSC_ENABLE = 0xFAB << 12 };
#define XOSC_STABLE (UINT32_C(1) << 31)

/* 2.18 PLL */
#define PLL_SYS_CS REGISTER(0x40028000)
#define PLL_SYS_PWR REGISTER(0x40028004)
#define PLL_SYS_FBDIV_INT REGISTER(0x40028008)
#define PLL_SYS_PRIM REGISTER(0x4002800C)
#define PLL_LOCK (UINT32_C(1) << 31)
enum {
    PLL_PD = 1 << 0,
    PLL_POSTDIVPD = 1 << 3,
    PLL_VCOPD = 1 << 5,
    PLL_POSTDIV1_LSB = 16,
    PLL_POSTDIV2_LSB = 12
};

/* 4.7 Watchdog: its tick is also the timer's */
#define WATCHDOG_TICK REGISTER(0x4005802C)
enum { WATCHDOG_TICK_ENABLE = 1 << 9 };

/* 4.6 Timer */
#define TIMER_TIMEHR REGISTER(0x40054008)
#define TIMER_TIMELR REGISTER(0x4005400C) /* read first: it keeps TIMEHR for the next read */
#define TIMER_ALARM0 REGISTER(0x40054010)
#define TIMER_TIMERAWL REGISTER(0x40054028)
#define TIMER_INTR REGISTER(0x40054034)
#define TIMER_INTE REGISTER(0x40054038)

/* 2.19 GPIO, and 2.3.1 SIO */
#define GPIO_CTRL(gpio) REGISTER(0x40014004 + 8 * (gpio))
#define GPIO_PAD(gpio) REGISTER(0x4001C004 + 4 * (gpio))
#define SIO_OUT_SET REGISTER(0xD0000014)
#define SIO_OUT_CLR REGISTER(0xD0000018)
#define SIO_OE_SET REGISTER(0xD0000024)
enum { GPIO_IS_UART = 2, GPIO_IS_SIO = 5, PAD_PULL_DOWN = 1 << 2, PAD_PULL_UP = 1 << 3 };

/* 4.2 UART */
#define UART_DR REGISTER(0x40034000)
#define UART_FR REGISTER(0x40034018)
#define UART_IBRD REGISTER(0x40034024)
#define UART_FBRD REGISTER(0x40034028)
#define UART_LCR_H REGISTER(0x4003402C)
#define UART_CR REGISTER(0x40034030)
#define UART_IMSC REGISTER(0x40034038)
enum {
    UART_ERRORS = 0xF << 8, /* of the byte in DR */
    UART_RX_EMPTY = 1 << 4,
    UART_TX_FULL = 1 << 5,
    UART_8_BITS = 3 << 5,
    UART_FIFOS = 1 << 4,
    UART_ENABLE = 1 << 0,
    UART_TX_ENABLE = 1 << 8,
    UART_RX_ENABLE = 1 << 9,
    UART_RX_INTERRUPT = 1 << 4,        /* some bytes have come */
    UART_RX_TIMEOUT_INTERRUPT = 1 << 6 /* and after fewer, no more */
};

/* 2.3.2 Interrupts, and 2.4.8 NVIC */
#define NVIC_ISER REGISTER(0xE000E100)
enum { TIMER_IRQ_0 = 0, UART0_IRQ = 20, INTERRUPTS = 26 };

#endif
