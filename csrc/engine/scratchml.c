/* SPDX-License-Identifier: MIT
 *
 * scratchml.c: the engine's public functions. The order of a program's calls is the order here. */
#include "scratchml.h"
#include "kernel.h"

/* requantize() floors with >>; C leaves the shift of a negative number to the compiler. */
/* cppcheck-suppress shiftNegativeLHS */
_Static_assert((-1 >> 1) == -1, "scratchml needs an arithmetic right shift");

static sml_status check_layer(const sml_dense *layer)
{
    if (!layer->weights || !layer->bias || !layer->multiplier || !layer->shift) {
        return SML_ERR_ARGUMENT;
    }
    if (layer->inputs == 0 || layer->outputs == 0) {
        return SML_ERR_SHAPE;
    }
    for (size_t c = 0; c < layer->outputs; c++) {
        if (layer->multiplier[c] < 0 || layer->shift[c] < -31 || layer->shift[c] > 30) {
            return SML_ERR_RANGE;
        }
    }
    return layer->act_min <= layer->act_max ? SML_OK : SML_ERR_RANGE;
}

static sml_status check_features(const sml_model *model)
{
    if (model->feature_count == 0) {
        return SML_OK;
    }
    if (!model->features) {
        return SML_ERR_ARGUMENT;
    }
    for (size_t i = 0; i < model->feature_count; i++) {
        const sml_feature *f = &model->features[i];
        /* bounds on the differences that requantize() will see, without overflow in the check */
        if (f->multiplier < 0 || f->shift < -31 || f->shift > 30 || f->min > f->mean ||
            f->max < f->mean || (int64_t)f->mean - f->min > INT32_MAX ||
            (int64_t)f->max - f->mean > INT32_MAX) {
            return SML_ERR_RANGE;
        }
    }
    size_t whole_windows = 0; /* counted up: a remainder would link a division into an M0+ */
    while (whole_windows < model->layers[0].inputs) {
        whole_windows += model->feature_count;
    }
    return whole_windows == model->layers[0].inputs ? SML_OK : SML_ERR_SHAPE;
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
    if (model->layout != SML_LAYOUT_PORTABLE) {
        return SML_ERR_LAYOUT;
    }
    if (!model->layers || (model->head && (!model->head->apply || !model->head->table))) {
        return SML_ERR_ARGUMENT;
    }
    if (model->layer_count == 0) {
        return SML_ERR_SHAPE;
    }
    for (size_t i = 0; i < model->layer_count; i++) {
        const sml_dense *layer = &model->layers[i];
        const sml_status status = check_layer(layer);
        if (status != SML_OK) {
            return status;
        }
        if ((i > 0 && layer->inputs != model->layers[i - 1].outputs) ||
            (uint32_t)layer->inputs + layer->outputs > model->memory_bytes) {
            return SML_ERR_SHAPE;
        }
    }
    if (model->head && model->layers[model->layer_count - 1].outputs > SML_MAX_CLASSES) {
        return SML_ERR_SHAPE;
    }
    const sml_status status = check_features(model);
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
    if (!context->model || !context->memory) {
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
    if (model->feature_count == 0) {
        return SML_ERR_STATE;
    }
    for (size_t start = 0; start < n; start += model->feature_count) {
        for (size_t i = 0; i < model->feature_count; i++) {
            const sml_feature *f = &model->features[i];
            const int32_t difference = sml_clamp(counts[start + i], f->min, f->max) - f->mean;
            const int32_t code =
                sml_requantize(difference, f->multiplier, f->shift) + model->input_zero_point;
            context->memory[start + i] = (int8_t)sml_clamp(code, INT8_MIN, INT8_MAX);
        }
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
    for (size_t i = 0; i < n; i++) {
        context->memory[i] = input[i];
    }
    context->input_ready = 1;
    return SML_OK;
}

static void look_up(const int8_t *table, int8_t *codes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        codes[i] = table[codes[i] + 128];
        SML_TRACE(SML_TRACE_TABLE, i, codes[i]);
    }
}

sml_status sml_run_model(sml_context *context, int8_t *output, size_t n)
{
    if (!context || !output) {
        return SML_ERR_ARGUMENT;
    }
    const sml_model *model = context->model;
    if (!model || !context->memory || !context->input_ready) {
        return SML_ERR_STATE;
    }
    if (n != model->layers[model->layer_count - 1].outputs) {
        return SML_ERR_SHAPE;
    }
    context->input_ready = 0;
    for (size_t i = 0; i < model->layers[0].inputs; i++) {
        SML_TRACE(SML_TRACE_INPUT, i, context->memory[i]);
    }

    /* The two ends of the memory take turns: one holds a layer's input, the other its output. */
    int8_t *source = context->memory;
    for (size_t i = 0; i < model->layer_count; i++) {
        const sml_dense *layer = &model->layers[i];
        int8_t *end = context->memory + model->memory_bytes;
        int8_t *target = source == context->memory ? end - layer->outputs : context->memory;
        sml_dense_run(layer, source, target);
        if (layer->table) {
            look_up(layer->table, target, layer->outputs);
        }
        source = target;
    }
    for (size_t i = 0; i < n; i++) {
        output[i] = source[i];
    }
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
