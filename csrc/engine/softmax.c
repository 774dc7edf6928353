/* SPDX-License-Identifier: MIT
 *
 * softmax.c: exp(x - max) from a table, a sum, a reciprocal. Qm.n is an int32 with m bits before
 * the point and n after it. Source: docs/arithmetic.md; the reciprocal is gemmlowp's. */
#include "kernel.h"

/* 1 / (1 + a) for 0 <= a < 1, Q0.31: three Newton steps from 48/17 - 32/17 d, d = (1 + a) / 2. */
static int32_t one_over_one_plus(int32_t a)
{
    const int32_t d = (int32_t)(((uint32_t)a + UINT32_C(0x80000000)) >> 1);
    int32_t x = 1515870810 + sml_high_multiply(d, -1010580540); /* 1 / d, Q2.29 */
    for (int i = 0; i < 3; i++) {
        const int32_t error = (INT32_C(1) << 29) - sml_high_multiply(d, x);
        x += sml_high_multiply(x, error) * 4;
    }
    return x < (INT32_C(1) << 30) ? x * 2 : INT32_MAX;
}

void sml_softmax(const sml_head *head, int8_t *values, size_t n)
{
    int8_t most = INT8_MIN;
    for (size_t i = 0; i < n; i++) {
        most = values[i] > most ? values[i] : most;
    }
    uint32_t sum = 0; /* Q12.19; below 2^28, since n <= SML_MAX_CLASSES */
    for (size_t i = 0; i < n; i++) {
        const int32_t exponential = head->table[most - values[i]];
        SML_TRACE(SML_TRACE_EXPONENTIAL, i, exponential);
        sum += (uint32_t)sml_shift_right(exponential, 12);
    }
    SML_TRACE(SML_TRACE_SUM, 0, (int32_t)sum);

    int32_t zeros = 0; /* 4 to 12 of them lead the sum, which is at least 1.0 = 2^19 */
    for (; sum < UINT32_C(0x80000000); sum <<= 1) {
        zeros++;
    }
    const int32_t reciprocal = one_over_one_plus((int32_t)(sum - UINT32_C(0x80000000)));
    SML_TRACE(SML_TRACE_RECIPROCAL, 0, reciprocal);
    for (size_t i = 0; i < n; i++) {
        const int32_t product = sml_high_multiply(reciprocal, head->table[most - values[i]]);
        const int32_t code = sml_shift_right(product, 35 - zeros) - 128;
        values[i] = (int8_t)(code < INT8_MAX ? code : INT8_MAX);
    }
}
