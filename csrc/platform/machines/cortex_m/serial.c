/* SPDX-License-Identifier: MIT
 *
 * serial.c: bytes that have come wait in a buffer, which the UART's interrupt fills.
 * The registers: ARMv7-M Architecture Reference Manual, B3.4; the same in ARMv6-M. */
#include "machine.h"

#define NVIC_ISER (*(volatile uint32_t *)0xE000E100)
#define NVIC_ICER (*(volatile uint32_t *)0xE000E180)

enum { BUFFER = 256 };

static uint8_t buffer[BUFFER];
static volatile uint32_t came, taken; /* how many bytes, modulo 2^32 */

static void let_in(void)
{
    NVIC_ISER = UINT32_C(1) << machine_uart_interrupt;
}

void serial_begin(void)
{
    machine_uart_begin();
    let_in();
}

uint32_t serial_available(void)
{
    return came - taken;
}

void serial_interrupt(void)
{
    while (serial_available() < BUFFER) {
        const int byte = machine_uart_take();
        if (byte < 0) {
            return;
        }
        buffer[came % BUFFER] = (uint8_t)byte;
        came = came + 1;
    }
    NVIC_ICER = UINT32_C(1) << machine_uart_interrupt; /* until there is room */
}

int serial_read(void)
{
    if (serial_available() == 0) {
        return -1;
    }
    const uint8_t byte = buffer[taken % BUFFER];
    taken = taken + 1;
    let_in();
    return byte;
}

void serial_write(const uint8_t *bytes, size_t n)
{
    while (n--) {
        machine_uart_put(*bytes++);
    }
}
