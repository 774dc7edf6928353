/* SPDX-License-Identifier: MIT
 *
 * naive_engine.c: the yardstick. What one would write first: the engine's public functions without
 * a check, one loop for every layer, exact to the same integers. Compiled in the same run and with
 * the same options as the engine, it shows what a compiler and a CPU make of plain C. */
#include "scratchml.h"

sml_status sml_load_model(sml_context *context, const sml_model *model)
{
    context->model = model;
    return SML_OK;
}

sml_status sml_initialize_model_memory(sml_context *context, void *memory, size_t bytes)
{
    (void)bytes;
    context->memory = memory;
    return SML_OK;
}

sml_status sml_set_input(sml_context *context, const int8_t *input, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        ((int8_t *)context->memory)[i] = input[i];
    }
    return SML_OK;
}

static int32_t requantize(int32_t value, int32_t multiplier, int32_t shift)
{
    const int32_t left = shift > 0 ? shift : 0;
    const int32_t right = shift > 0 ? 0 : -shift;
    const int64_t product = (int64_t)(value * (1 << left)) * multiplier;
    const int32_t high = (int32_t)((product + (INT64_C(1) << 30)) >> 31);
    if (right == 0) {
        return high;
    }
    const int32_t half = 1 << (right - 1);
    return high >= 0 ? (high + half) >> right : -((-high + half) >> right);
}

/* The models' layers point to it as the portable kernel. */
void sml_dense_portable(const sml_dense *layer, const void *input, void *output)
{
    const int8_t *x = input;
    const int8_t *w = layer->weights;
    int8_t *y = output;
    for (size_t c = 0; c < layer->outputs; c++) {
        int32_t sum = layer->channels[c].bias;
        for (size_t k = 0; k < layer->inputs; k++) {
            sum += *w++ * x[k];
        }
        int32_t code = requantize(sum, layer->channels[c].multiplier, layer->channels[c].shift) +
                       layer->zero_point;
        code = code < layer->act_min ? layer->act_min : code;
        y[c] = (int8_t)(code > layer->act_max ? layer->act_max : code);
    }
}

sml_status sml_run_model(sml_context *context, int8_t *output, size_t n)
{
    const int8_t *source = (const int8_t *)context->memory;
    for (size_t i = 0; i < context->model->layer_count; i++) {
        const sml_dense *layer = &context->model->layers[i];
        int8_t *target = (int8_t *)(context->memory + layer->place);
        sml_dense_portable(layer, source, target);
        source = target;
    }
    for (size_t i = 0; i < n; i++) {
        output[i] = source[i];
    }
    return SML_OK;
}
