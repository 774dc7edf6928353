/* SPDX-License-Identifier: MIT
 *
 * machine.c: QEMU's mps2-an386 and its first UART.
 * The registers: ARM's Cortex-M System Design Kit, APB UART; Application Note AN386. */
#include "machine.h"

#include "board.h"

typedef struct {
    volatile uint32_t data, state, control, interrupts, divider;
} cmsdk_uart;

enum { TX_FULL = 1 << 0, RX_FULL = 1 << 1 };                            /* of state */
enum { TX_ENABLE = 1 << 0, RX_ENABLE = 1 << 1, RX_INTERRUPT = 1 << 3 }; /* of control */
enum { RX_CAME = 1 << 1 };                                              /* of interrupts */

static cmsdk_uart *const uart = (cmsdk_uart *)0x40004000;

const char board_name[] = "qemu-cortex-m4";
const uint32_t machine_clock = 25000000;
const uint32_t machine_uart_interrupt = 0;

void machine_uart_begin(void)
{
    uart->divider = machine_clock / 115200;
    uart->control = TX_ENABLE | RX_ENABLE | RX_INTERRUPT;
}

int machine_uart_take(void)
{
    uart->interrupts = RX_CAME;
    return uart->state & RX_FULL ? (int)(uart->data & 0xFF) : -1;
}

void machine_uart_put(uint8_t byte)
{
    while (uart->state & TX_FULL) {
    }
    uart->data = byte;
}
