/* SPDX-License-Identifier: MIT
 *
 * text.c: one line of text, put together without printf. */
#include "text.h"

void text_begin(text *line)
{
    line->length = 0;
}

void text_character(text *line, char character)
{
    if (line->length < TEXT_BYTES) {
        line->bytes[line->length++] = character;
    }
}

void text_add(text *line, const char *words)
{
    while (*words) {
        text_character(line, *words++);
    }
}

void text_unsigned(text *line, uint32_t value)
{
    char digits[10]; /* of 2^32 - 1 */
    size_t n = 0;
    do {
        digits[n++] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    while (n) {
        text_character(line, digits[--n]);
    }
}

/* The sign; what follows is the magnitude, which an int32_t could not always hold. */
static uint32_t sign_and_magnitude(text *line, int32_t value, int shown)
{
    if (value < 0 && shown) {
        text_character(line, '-');
    }
    return value < 0 ? 0U - (uint32_t)value : (uint32_t)value;
}

void text_signed(text *line, int32_t value)
{
    text_unsigned(line, sign_and_magnitude(line, value, 1));
}

void text_tenths(text *line, int32_t hundredths)
{
    const int shown = hundredths <= -5; /* what rounds to zero has no sign */
    const uint32_t tenths = (sign_and_magnitude(line, hundredths, shown) + 5) / 10;
    text_unsigned(line, tenths / 10);
    text_character(line, '.');
    text_unsigned(line, tenths % 10);
}

void text_hex(text *line, uint32_t value, int digits)
{
    while (digits > 0) {
        digits--;
        text_character(line, "0123456789abcdef"[value >> (4 * digits) & 15]);
    }
}
