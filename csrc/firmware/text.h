/* SPDX-License-Identifier: MIT
 *
 * text.h: one line of text, put together without printf. What does not fit is left out. */
#ifndef TEXT_H
#define TEXT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { TEXT_BYTES = 160 };

typedef struct {
    char bytes[TEXT_BYTES];
    size_t length;
} text;

void text_begin(text *line);
void text_add(text *line, const char *words);
void text_character(text *line, char character);
void text_unsigned(text *line, uint32_t value);
void text_signed(text *line, int32_t value);

/* Hundredths as a decimal with one digit, rounded half away from zero: -1250 is -12.5. */
void text_tenths(text *line, int32_t hundredths);

/* The last `digits` hexadecimal digits of a value, 1 to 8. */
void text_hex(text *line, uint32_t value, int digits);

#ifdef __cplusplus
}
#endif

#endif
