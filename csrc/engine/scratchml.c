/* SPDX-License-Identifier: MIT
 *
 * scratchml.c: the engine's public functions. The order of a program's calls is the order here. */
#include "scratchml.h"
#include "kernel.h"

/* requantize() floors with >>; C leaves the shift of a negative number to the compiler. */
/* cppcheck-suppress shiftNegativeLHS */
_Static_assert((-1 >> 1) == -1, "scratchml needs an arithmetic right shift");

/* Whether each layer takes what the one before it gives, and the memory has room for it. */
static sml_status check_layers(const sml_model *model)
{
    const sml_dense *layer = model->layers;
    uint32_t units = layer->inputs;
    uint32_t place = 0;
    for (size_t left = model->layer_count;; left--, layer++) {
        if (units == 0 || place + sml_words(units) > model->memory_bytes / 4) {
            return SML_ERR_SHAPE;
        }
        if (left == 0) {
            return model->head && units > SML_MAX_CLASSES ? SML_ERR_SHAPE : SML_OK;
        }
        if (!layer->run || !layer->weights ||
            (SML_LAYOUT == SML_LAYOUT_PORTABLE && !layer->channels)) {
            return SML_ERR_ARGUMENT;
        }
        if (layer->inputs != units) {
            return SML_ERR_SHAPE;
        }
        units = layer->outputs;
        place = layer->place;
    }
}

sml_status sml_load_model(sml_context *context, const sml_model *model)
{
    if (!context) {
        return SML_ERR_ARGUMENT;
    }
    *context = (sml_context){NULL, NULL, 0};
    if (!model) {
        return SML_ERR_ARGUMENT;
    }
    if (model->version != SML_MODEL_VERSION) {
        return SML_ERR_VERSION;
    }
    if (model->layout != SML_LAYOUT) {
        return SML_ERR_LAYOUT;
    }
    if (model->layer_count == 0 || !model->layers ||
        (model->head && (!model->head->apply || !model->head->table))) {
        return SML_ERR_ARGUMENT;
    }
    const sml_status status = check_layers(model);
    if (status == SML_OK) {
        context->model = model;
    }
    return status;
}

sml_status sml_initialize_model_memory(sml_context *context, void *memory, size_t bytes)
{
    if (!context || !memory) {
        return SML_ERR_ARGUMENT;
    }
    if (!context->model) {
        return SML_ERR_STATE;
    }
    if (bytes < context->model->memory_bytes) {
        return SML_ERR_MEMORY;
    }
    if ((uintptr_t)memory % 4) {
        return SML_ERR_ALIGNMENT;
    }
    context->memory = memory;
    context->input_ready = 0;
    return SML_OK;
}

/* What sml_prepare_input and sml_set_input ask of their caller. */
static sml_status check_input(const sml_context *context, const void *values, size_t n)
{
    if (!context || !values) {
        return SML_ERR_ARGUMENT;
    }
    if (!context->memory) { /* nor, perhaps, a model */
        return SML_ERR_STATE;
    }
    return n == context->model->layers[0].inputs ? SML_OK : SML_ERR_SHAPE;
}

sml_status sml_prepare_input(sml_context *context, const int32_t *counts, size_t n)
{
    const sml_status status = check_input(context, counts, n);
    if (status != SML_OK) {
        return status;
    }
    const sml_model *model = context->model;
    if (!model->features || model->feature_count == 0) {
        return SML_ERR_STATE;
    }
    const sml_feature *f = model->features;
    for (size_t i = 0; i < n; i++) {
        const int32_t difference = sml_clamp(counts[i], f->min, f->max) - f->mean;
        const int32_t code =
            sml_requantize(difference, f->multiplier, f->shift) + model->input_zero_point;
        sml_store(context, i, sml_clamp(code, INT8_MIN, INT8_MAX));
        f = f == &model->features[model->feature_count - 1] ? model->features : f + 1;
    }
    context->input_ready = 1;
    return SML_OK;
}

sml_status sml_set_input(sml_context *context, const int8_t *input, size_t n)
{
    const sml_status status = check_input(context, input, n);
    if (status != SML_OK) {
        return status;
    }
    size_t i = 0;
    do {
        sml_store(context, i, input[i]);
    } while (++i != n);
    context->input_ready = 1;
    return SML_OK;
}

static void trace_input(const sml_context *context)
{
    for (size_t i = 0; i < context->model->layers[0].inputs; i++) {
        SML_TRACE(SML_TRACE_INPUT, i, ((const sml_activation *)context->memory)[i] - SML_OFFSET);
    }
}

static void look_up(const int8_t *table, sml_activation *codes, size_t n)
{
    size_t i = 0;
    do {
        codes[i] = (sml_activation)(table[codes[i] + 128 - SML_OFFSET] + SML_OFFSET);
        SML_TRACE(SML_TRACE_TABLE, i, codes[i] - SML_OFFSET);
    } while (++i != n);
}

sml_status sml_run_model(sml_context *context, int8_t *output, size_t n)
{
    if (!context || !output) {
        return SML_ERR_ARGUMENT;
    }
    if (!context->input_ready) { /* so there is no model or no memory, either */
        return SML_ERR_STATE;
    }
    const sml_model *model = context->model;
    const sml_dense *layer = model->layers;
    const sml_dense *end = layer + model->layer_count;
    if (n != end[-1].outputs) {
        return SML_ERR_SHAPE;
    }
    context->input_ready = 0;
    trace_input(context);

    uint32_t *const memory = context->memory;
    const sml_activation *source = (const sml_activation *)memory;
    do {
        sml_activation *target = (sml_activation *)(memory + layer->place);
        layer->run(layer, source, target);
        if (layer->table) {
            look_up(layer->table, target, layer->outputs);
        }
        source = target;
    } while (++layer != end);

    int8_t *code = output;
    do {
        *code++ = (int8_t)(*source++ - SML_OFFSET);
    } while (code != output + n);
    if (model->head) {
        model->head->apply(model->head, output, n);
    }
    for (size_t i = 0; i < n; i++) {
        SML_TRACE(SML_TRACE_OUTPUT, i, output[i]);
    }
    return SML_OK;
}

int32_t sml_requantize(int32_t value, int32_t multiplier, int32_t shift)
{
    const int32_t left = shift > 0 ? shift : 0;
    const int32_t right = shift > 0 ? 0 : -shift;
    /* the shift is made in uint32_t: C does not define it for negative numbers */
    const int32_t shifted = (int32_t)((uint32_t)value << left);
    return sml_shift_right(sml_high_multiply(shifted, multiplier), right);
}
