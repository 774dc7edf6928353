/* SPDX-License-Identifier: MIT
 *
 * dense_portable.c: the dense layer in plain C, the one to read first. Weights lie row by row,
 * weights[output][input], as in the .tflite file. */
#include "kernel.h"

void sml_dense_run(const sml_dense *layer, const int8_t *input, int8_t *output)
{
    const size_t inputs = layer->inputs;
    const int8_t *row = layer->weights;

    for (size_t c = 0; c < layer->outputs; c++, row += inputs) {
        int32_t accumulator = layer->bias[c];
        for (size_t k = 0; k < inputs; k++) {
            accumulator += (int32_t)row[k] * input[k];
        }
        const int32_t value = sml_requantize(accumulator, layer->multiplier[c], layer->shift[c]);
        output[c] = (int8_t)sml_clamp(value + layer->zero_point, layer->act_min, layer->act_max);
        SML_TRACE(SML_TRACE_ACCUMULATOR, c, accumulator);
        SML_TRACE(SML_TRACE_REQUANTIZED, c, value);
        SML_TRACE(SML_TRACE_CLAMPED, c, output[c]);
    }
}
