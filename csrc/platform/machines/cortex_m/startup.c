/* SPDX-License-Identifier: MIT
 *
 * startup.c: from reset to main, for ARMv6-M and ARMv7-M alike, and what ends a run. */
#include "machine.h"

#include <string.h>

extern uint32_t data_load[], data_start[], data_end[], bss_start[], bss_end[], stack_top[];

int main(void);

/* Semihosting: ARM's document "Semihosting for AArch32 and AArch64" numbers the operations. */
enum { SYS_EXIT_EXTENDED = 0x20, APPLICATION_EXIT = 0x20026 };

static void exit_emulator(void)
{
    const uint32_t arguments[2] = {APPLICATION_EXIT, 1};
    register uint32_t r0 __asm__("r0") = SYS_EXIT_EXTENDED;
    register const uint32_t *r1 __asm__("r1") = arguments;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
}

void machine_stop(const char *why)
{
    static const uint8_t end[] = {'\r', '\n'};
    serial_write((const uint8_t *)why, strlen(why));
    serial_write(end, sizeof end);
    for (;;) {
        exit_emulator();
    }
}

_Noreturn void reset(void);
_Noreturn void reset(void)
{
    const uint32_t *from = data_load; /* initial values lie in flash */
    for (uint32_t *word = data_start; word != data_end; word++) {
        *word = *from++;
    }
    for (uint32_t *word = bss_start; word != bss_end; word++) {
        *word = 0;
    }
    main();
    machine_stop("main is over");
}

static void fault(void)
{
    machine_stop("fault");
}

typedef struct {
    uint32_t *stack;
    void (*exceptions[15])(void);
    void (*interrupts[3])(void); /* one of them is the UART's, and the only one that is let in */
} vector_table;

extern const vector_table vectors;
__attribute__((section(".vectors"), used)) const vector_table vectors = {
    stack_top,
    {reset, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault,
     fault, clock_tick},
    {serial_interrupt, serial_interrupt, serial_interrupt},
};
