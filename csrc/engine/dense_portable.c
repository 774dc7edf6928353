/* SPDX-License-Identifier: MIT
 *
 * dense_portable.c: the dense layer in plain C, the one to read first. Weights lie row by row,
 * int8_t weights[output][input], as in the .tflite file. */
#include "kernel.h"

void sml_dense_portable(const sml_dense *layer, const void *input, void *output)
{
    const size_t inputs = layer->inputs;
    const sml_activation *x = input;
    sml_activation *y = output;
    const int8_t *row = layer->weights;

    for (size_t c = 0; c < layer->outputs; c++, row += inputs) {
        const sml_channel *channel = &layer->channels[c];
        uint32_t sum = (uint32_t)channel->bias; /* on its way it may leave 32 bits: it comes back */
        for (size_t k = 0; k < inputs; k++) {
            sum += (uint32_t)((int32_t)row[k] * x[k]);
        }
        const int32_t accumulator = (int32_t)sum;
        const int32_t value = sml_requantize(accumulator, channel->multiplier, channel->shift);
        const int32_t code = sml_clamp(value + layer->zero_point, layer->act_min, layer->act_max);
        y[c] = (sml_activation)((int8_t)(code - SML_OFFSET) + SML_OFFSET);
        SML_TRACE(SML_TRACE_ACCUMULATOR, c, accumulator);
        SML_TRACE(SML_TRACE_REQUANTIZED, c, value);
        SML_TRACE(SML_TRACE_CLAMPED, c, y[c] - SML_OFFSET);
    }
}
