/* SPDX-License-Identifier: MIT
 *
 * machine.h: what a program has on an emulated Cortex-M without a C library: a line of text and an
 * exit code, both through semihosting. */
#ifndef MACHINE_H
#define MACHINE_H

#include <stddef.h>
#include <stdint.h>

/* Exit codes of the emulator. The checks that fail are numbered by the program. */
enum { EXIT_GOOD = 0, EXIT_FAULT = 100 };

void print(const char *text);

/* Prints `value` in decimal. */
void print_number(uint32_t value);

_Noreturn void stop(uint32_t code);

/* The program's; its result is the emulator's exit code. */
int main(void);

#endif
