/* SPDX-License-Identifier: MIT
 *
 * machine.c: vectors, start-up and semihosting, for ARMv6-M and ARMv7-M alike, and the two memory
 * functions that compilers call by themselves. Compiled with -fno-tree-loop-distribute-patterns, or
 * the latter would call themselves. */
#include "machine.h"

extern uint32_t bss_start[], bss_end[], stack_top[]; /* the linker script's */

/* Semihosting: ARM's document "Semihosting for AArch32 and AArch64" numbers the operations. */
enum { SYS_WRITE0 = 0x04, SYS_EXIT_EXTENDED = 0x20 };
enum { APPLICATION_EXIT = 0x20026 };

static void semihosting(uint32_t operation, const void *argument)
{
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
}

void print(const char *text)
{
    semihosting(SYS_WRITE0, text);
}

void print_number(uint32_t value)
{
    char digits[11];
    char *first = &digits[10];
    *first = 0;
    do {
        *--first = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    print(first);
}

_Noreturn void stop(uint32_t code)
{
    const uint32_t arguments[2] = {APPLICATION_EXIT, code};
    semihosting(SYS_EXIT_EXTENDED, arguments);
    for (;;) {
    }
}

_Noreturn void reset(void);
_Noreturn void reset(void)
{
    for (uint32_t *word = bss_start; word < bss_end; word++) {
        *word = 0;
    }
    stop((uint32_t)main());
}

static _Noreturn void fault(void)
{
    print("fault\n");
    stop(EXIT_FAULT);
}

typedef struct {
    uint32_t *stack;
    void (*handlers[15])(void); /* of exceptions 1 to 15; interrupts stay off */
} vector_table;

extern const vector_table vectors;
__attribute__((section(".vectors"), used)) const vector_table vectors = {
    stack_top,
    {reset, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault,
     fault, fault},
};

void *memset(void *target, int value, size_t n);
void *memset(void *target, int value, size_t n)
{
    uint8_t *to = target;
    while (n--) {
        *to++ = (uint8_t)value;
    }
    return target;
}

void *memcpy(void *restrict target, const void *restrict source, size_t n);
void *memcpy(void *restrict target, const void *restrict source, size_t n)
{
    uint8_t *to = target;
    const uint8_t *from = source;
    while (n--) {
        *to++ = *from++;
    }
    return target;
}
