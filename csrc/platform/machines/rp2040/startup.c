/* SPDX-License-Identifier: MIT
 *
 * startup.c: what boot2.S starts, and the vector table. */
#include "machine.h"
#include "registers.h"

#include <string.h>

extern uint32_t data_load[], data_start[], data_end[], bss_start[], bss_end[], stack_top[];

/* Of main.cpp. */
void setup(void);
void loop(void);

_Noreturn void reset(void);
_Noreturn void reset(void)
{
    memcpy(data_start, data_load, (size_t)((char *)data_end - (char *)data_start));
    memset(bss_start, 0, (size_t)((char *)bss_end - (char *)bss_start));
    setup();
    for (;;) {
        loop();
    }
}

/* Nobody feeds the watchdog here. */
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
