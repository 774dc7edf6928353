/* SPDX-License-Identifier: MIT
 *
 * startup.c: what boot2.S starts, and the vector table. */
#include "machine.h"
#include "registers.h"

#include <string.h>

/* Of the linker script: places, and as the addresses of two, numbers of bytes. */
extern uint32_t data_start[], data_load[], bss_start[], stack_top[];
extern char data_bytes[], bss_bytes[];

/* Of main.cpp. */
void setup(void);
void loop(void);

_Noreturn void reset(void);
_Noreturn void reset(void)
{
    memcpy(data_start, data_load, (size_t)data_bytes);
    memset(bss_start, 0, (size_t)bss_bytes);
    setup();
    for (;;) {
        loop();
    }
}

/* Nobody feeds the watchdog here, if it runs already. */
static void fault(void)
{
    for (;;) {
    }
}

typedef struct {
    uint32_t *stack;
    void (*exceptions[15])(void);
    void (*interrupts[INTERRUPTS])(void); /* those of the others are never let in */
} vector_table;

extern const vector_table vectors;
__attribute__((section(".vectors"), used)) const vector_table vectors = {
    stack_top,
    {reset, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault,
     fault, fault},
    {[TIMER_IRQ_0] = timer_interrupt, [UART0_IRQ] = uart_interrupt},
};
