/* SPDX-License-Identifier: MIT
 *
 * board.c: clock, serial port and LED of a Pico, from its registers. The port is UART0 on GP0 (to
 * the computer) and GP1; its watchdog and counter of cycles are in boards/rp2040.c. */
#include "board.h"

#include "machine.h"
#include "registers.h"

enum { GPIO_TX = 0, GPIO_RX = 1, GPIO_LED = 25 };

/* The divider of the UART's clock, in 1/64, rounded: 4.2.7.1. */
enum { BAUD = 115200, BAUD_DIVIDER = (MACHINE_CLOCK / 16 * 128 / BAUD + 1) / 2 };

enum { LONGEST_SLEEP_MS = 1000 };

static void begin_uart(void)
{
    end_reset(RESETS_UART0);
    UART_IBRD = BAUD_DIVIDER / 64;
    UART_FBRD = BAUD_DIVIDER % 64;
    UART_LCR_H = UART_8_BITS | UART_FIFOS; /* this write makes the divider count */
    UART_CR = UART_ENABLE | UART_TX_ENABLE | UART_RX_ENABLE;
    /* without a computer the wire is idle, which is high */
    TO_CLEAR(GPIO_PAD(GPIO_RX)) = PAD_PULL_DOWN;
    TO_SET(GPIO_PAD(GPIO_RX)) = PAD_PULL_UP;
    GPIO_CTRL(GPIO_TX) = GPIO_IS_UART;
    GPIO_CTRL(GPIO_RX) = GPIO_IS_UART;
}

static void begin_led(void)
{
    SIO_OUT_CLR = UINT32_C(1) << GPIO_LED;
    SIO_OE_SET = UINT32_C(1) << GPIO_LED;
    GPIO_CTRL(GPIO_LED) = GPIO_IS_SIO;
}

void board_begin(void)
{
    clocks_begin();
    end_reset(RESETS_IO_BANK0 | RESETS_PADS_BANK0);
    begin_uart();
    begin_led();
    TIMER_INTE = 1; /* alarm 0 */
    NVIC_ISER = UINT32_C(1) << TIMER_IRQ_0 | UINT32_C(1) << UART0_IRQ;
}

uint32_t board_millis(void)
{
    const uint32_t low = TIMER_TIMELR;
    const uint64_t microseconds = (uint64_t)TIMER_TIMEHR << 32 | low;
    return (uint32_t)(microseconds / 1000);
}

/* --- sleep: until an interrupt, whose end is an event, so that none comes between a look and wfe
 */

void timer_interrupt(void)
{
    TIMER_INTR = 1;
}

void uart_interrupt(void)
{
    UART_IMSC = 0; /* the byte stays where it is, for board_read */
}

static bool has_byte(void)
{
    return !(UART_FR & UART_RX_EMPTY);
}

/* The alarm goes off when the timer's lower half is equal to it: it has to be in the future, and a
 * millisecond at least is. */
static void set_alarm(uint32_t ms)
{
    const uint32_t next = ms < LONGEST_SLEEP_MS ? ms : LONGEST_SLEEP_MS;
    TIMER_ALARM0 = TIMER_TIMERAWL + 1000 * next;
}

void board_sleep(uint32_t ms)
{
    const uint32_t start = board_millis();
    for (uint32_t over = 0; over < ms; over = board_millis() - start) {
        set_alarm(ms - over);
        UART_IMSC = UART_RX_INTERRUPT | UART_RX_TIMEOUT_INTERRUPT;
        if (has_byte()) {
            return;
        }
        __asm__ volatile("wfe");
    }
}

/* --- serial port --- */

bool board_listening(void)
{
    return true; /* a plain UART cannot tell */
}

/* A byte that came damaged, or after others were lost, is 0, so that its line is refused. */
int board_read(void)
{
    if (!has_byte()) {
        return -1;
    }
    const uint32_t data = UART_DR;
    return data & UART_ERRORS ? 0 : (int)(data & 0xFF);
}

/* Without flow control the UART asks nobody: a byte is gone in 87 microseconds. */
void board_write(const char *bytes, size_t n)
{
    while (n--) {
        while (UART_FR & UART_TX_FULL) {
        }
        UART_DR = (uint8_t)*bytes++;
    }
}

void board_led(bool on)
{
    if (on) {
        SIO_OUT_SET = UINT32_C(1) << GPIO_LED;
    } else {
        SIO_OUT_CLR = UINT32_C(1) << GPIO_LED;
    }
}
