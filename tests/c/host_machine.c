/* SPDX-License-Identifier: MIT
 *
 * host_machine.c: what machine.h offers, on a computer. */
#include "machine.h"

#include <stdio.h>
#include <stdlib.h>

void print(const char *text)
{
    fputs(text, stdout);
}

void print_number(uint32_t value)
{
    printf("%lu", (unsigned long)value);
}

_Noreturn void stop(uint32_t code)
{
    exit((int)code);
}
