/* SPDX-License-Identifier: MIT
 *
 * kernel.h: what the engine and its kernels share; not for callers. */
#ifndef SCRATCHML_KERNEL_H
#define SCRATCHML_KERNEL_H

#include "scratchml.h"

/* value * multiplier / 2^31 * 2^shift, rounded to nearest twice, as gemmlowp does: once in the
 * high product, once (ties away from zero) in the right shift. Source: docs/arithmetic.md.
 * The exporter has proved that value << shift fits in 32 bits. */
int32_t sml_requantize(int32_t value, int32_t multiplier, int32_t shift);

static inline int32_t sml_clamp(int32_t value, int32_t low, int32_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* input[layer->inputs] -> output[layer->outputs]; the two must not overlap. */
void sml_dense_run(const sml_dense *layer, const int8_t *input, int8_t *output);

#endif
