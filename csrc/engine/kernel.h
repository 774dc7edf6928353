/* SPDX-License-Identifier: MIT
 *
 * kernel.h: what the engine and its kernels share; not for callers. */
#ifndef SCRATCHML_KERNEL_H
#define SCRATCHML_KERNEL_H

#include "scratchml.h"

/* An activation in memory is its int8 code + SML_OFFSET. */
#if SML_LAYOUT == SML_LAYOUT_CORTEX_M4
typedef int16_t sml_activation; /* what SMLAD multiplies */
#define SML_OFFSET 0
#elif SML_LAYOUT == SML_LAYOUT_CORTEX_M0PLUS
typedef uint8_t sml_activation; /* what LDRB loads, which LDRSB does not from base + offset */
#define SML_OFFSET 128
#else
typedef int8_t sml_activation;
#define SML_OFFSET 0
#endif

/* value * multiplier / 2^31 * 2^shift, rounded to nearest twice, as gemmlowp does: once in the
 * high product, once (ties away from zero) in the right shift. Source: docs/arithmetic.md.
 * The exporter has proved that value << shift fits in 32 bits. */
int32_t sml_requantize(int32_t value, int32_t multiplier, int32_t shift);

/* value * factor / 2^31, rounded to nearest, ties upwards. */
static inline int32_t sml_high_multiply(int32_t value, int32_t factor)
{
    return (int32_t)(((int64_t)value * factor + (INT64_C(1) << 30)) >> 31);
}

/* value / 2^exponent for exponent 0 to 31, rounded to nearest, ties away from zero. */
static inline int32_t sml_shift_right(int32_t value, int32_t exponent)
{
    const int32_t mask = (int32_t)((UINT32_C(1) << exponent) - 1);
    const int32_t threshold = (mask >> 1) + (value < 0);
    /* `exponent` may be 31 (C's limit) and the mask 2^31 - 1: neither overflows */
    return (value >> exponent) + ((value & mask) > threshold);
}

static inline int32_t sml_clamp(int32_t value, int32_t low, int32_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* The 32-bit words that n activations take: those of a Cortex-M4 come in pairs of words. */
static inline uint32_t sml_words(size_t n)
{
    return (uint32_t)(n + 3) / 4 * (uint32_t)sizeof(sml_activation);
}

/* Where the engine's input goes: code i of the first layer. */
static inline void sml_store(const sml_context *context, size_t i, int32_t code)
{
    ((sml_activation *)context->memory)[i] = (sml_activation)(code + SML_OFFSET);
}

/* For those who want to see every integer: compiled with -DSML_WITH_TRACE the engine hands each
 * one to sml_trace(), which the program supplies. Without it the calls are not there at all. */
typedef enum {
    SML_TRACE_INPUT,       /* a code as it was given or prepared */
    SML_TRACE_ACCUMULATOR, /* of a layer's output: folded bias and products */
    SML_TRACE_REQUANTIZED, /* before the zero point */
    SML_TRACE_CLAMPED,     /* the layer's code */
    SML_TRACE_TABLE,       /* after the layer's table */
    SML_TRACE_EXPONENTIAL, /* of a softmax, Q0.31 */
    SML_TRACE_SUM,         /* of the exponentials, Q12.19 */
    SML_TRACE_RECIPROCAL,  /* of the sum, normalized to 1 .. 2; Q0.31 */
    SML_TRACE_OUTPUT       /* what the model puts out */
} sml_trace_step;

#ifdef SML_WITH_TRACE
void sml_trace(sml_trace_step step, size_t index, int32_t value); /* the program supplies it */
#define SML_TRACE(step, index, value) sml_trace(step, index, value)
#else
#define SML_TRACE(step, index, value) ((void)0)
#endif

#endif
