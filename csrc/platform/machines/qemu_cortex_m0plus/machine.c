/* SPDX-License-Identifier: MIT
 *
 * machine.c: QEMU's microbit and the UART of its nRF51.
 * The registers: Nordic's nRF51 Series Reference Manual, chapter 29. */
#include "machine.h"

#include "board.h"

#define UART(offset) (*(volatile uint32_t *)(0x40002000 + (offset)))
#define START_RX UART(0x000)
#define START_TX UART(0x008)
#define RX_READY UART(0x108)
#define TX_READY UART(0x11C)
#define INTERRUPTS UART(0x304) /* the bits that are set are let in */
#define ENABLE UART(0x500)
#define RX_DATA UART(0x518)
#define TX_DATA UART(0x51C)
#define BAUD_RATE UART(0x524)
enum { RX_INTERRUPT = 1 << 2, ENABLED = 4, BAUD_115200 = 0x01D7E000 };

const char board_name[] = "qemu-cortex-m0plus";
const uint32_t machine_clock = 16000000;
const uint32_t machine_uart_interrupt = 2;

void machine_uart_begin(void)
{
    BAUD_RATE = BAUD_115200;
    ENABLE = ENABLED;
    START_RX = 1;
    START_TX = 1;
    INTERRUPTS = RX_INTERRUPT;
}

int machine_uart_take(void)
{
    if (!RX_READY) {
        return -1;
    }
    RX_READY = 0;
    return (int)(RX_DATA & 0xFF);
}

void machine_uart_put(uint8_t byte)
{
    TX_READY = 0;
    TX_DATA = byte;
    while (!TX_READY) {
    }
}
