/* SPDX-License-Identifier: MIT */
#include "batch.h"
#include "kernel.h"
#include "rows.h"

#include <stdlib.h>

/* Compiled twice on x86-64: for all of them, and for those with AVX2, which came in 2013; the
 * loader takes what the CPU has. It does so by ifunc: glibc has it; musl, macOS and Windows do not,
 * and get the first only. Other CPUs' compilers know what to count on. */
#ifndef SML_VECTORIZED
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__has_attribute)
#if __has_attribute(target_clones)
#define SML_VECTORIZED __attribute__((target_clones("avx2", "default")))
#endif
#endif
#endif
#ifndef SML_VECTORIZED
#define SML_VECTORIZED
#endif

/* So many single rows take about as long as a block. */
#define FEW_ROWS 16

/* One activation of each row. */
typedef struct {
    int16_t lane[SML_LANES];
} vector;

/* codes = clamp(requantize(values) + zero_point). The engine's sml_requantize is written out, as a
 * call would not become vector instructions. */
SML_VECTORIZED
static void requantize(const int32_t values[SML_LANES], int32_t multiplier, int32_t shift,
                       int32_t zero_point, int32_t low, int32_t high, vector *codes)
{
    const int32_t left = shift > 0 ? shift : 0;
    const int32_t right = shift > 0 ? 0 : -shift;
    for (size_t i = 0; i < SML_LANES; i++) {
        const int32_t shifted = (int32_t)((uint32_t)values[i] << left);
        const int32_t value = sml_shift_right(sml_high_multiply(shifted, multiplier), right);
        codes->lane[i] = (int8_t)sml_clamp(value + zero_point, low, high);
    }
}

/* sums = bias + weights . input. Products are added two at a time in 16 bits, where a vector has
 * twice the lanes, with the opposite sign: then the ends are -2 * 128 * 128 = -2^15, which 16 bits
 * hold, and 2 * 127 * 128. As a layer has less than 2^16 inputs, all of them stay below 2^30. */
SML_VECTORIZED
static void accumulate(const int8_t *weights, size_t inputs, int32_t bias, const vector *input,
                       int32_t sums[SML_LANES])
{
    int32_t sum[SML_LANES] = {0}; /* in registers: `sums` has to be in memory */
    size_t k = 0;
    for (; k + 1 < inputs; k += 2) {
        const int16_t a = (int16_t)-weights[k];
        const int16_t b = (int16_t)-weights[k + 1];
        for (size_t i = 0; i < SML_LANES; i++) {
            sum[i] -= (int16_t)(a * input[k].lane[i] + b * input[k + 1].lane[i]);
        }
    }
    for (size_t i = 0; k < inputs && i < SML_LANES; i++) {
        sum[i] += weights[k] * input[k].lane[i];
    }
    for (size_t i = 0; i < SML_LANES; i++) {
        sums[i] = (int32_t)((uint32_t)sum[i] + (uint32_t)bias);
    }
}

static void run_layer(const sml_dense *layer, const vector *input, vector *output)
{
    const int8_t *weights = layer->weights;
    for (size_t c = 0; c < layer->outputs; c++, weights += layer->inputs) {
        const sml_channel *channel = &layer->channels[c];
        int32_t sums[SML_LANES];
        accumulate(weights, layer->inputs, channel->bias, input, sums);
        requantize(sums, channel->multiplier, channel->shift, layer->zero_point, layer->act_min,
                   layer->act_max, &output[c]);
        for (size_t i = 0; layer->table && i < SML_LANES; i++) {
            output[c].lane[i] = layer->table[output[c].lane[i] + 128];
        }
    }
}

/* The rows of a block as lanes of the input; lanes without a row get a code that does no harm. */
static void set_block(const int8_t *codes, size_t inputs, size_t rows, vector *input)
{
    for (size_t k = 0; k < inputs; k++) {
        for (size_t i = 0; i < SML_LANES; i++) {
            input[k].lane[i] = i < rows ? codes[i * inputs + k] : 0;
        }
    }
}

/* The same from sensor counts. */
static void prepare_block(const sml_model *model, const int32_t *counts, size_t inputs, size_t rows,
                          vector *input)
{
    for (size_t k = 0; k < inputs; k++) {
        const sml_feature *f = &model->features[k % model->feature_count];
        int32_t differences[SML_LANES] = {0};
        for (size_t i = 0; i < rows; i++) {
            differences[i] = sml_clamp(counts[i * inputs + k], f->min, f->max) - f->mean;
        }
        requantize(differences, f->multiplier, f->shift, model->input_zero_point, INT8_MIN,
                   INT8_MAX, &input[k]);
    }
}

/* The model on a block whose input is in memory, which is used as the engine uses its own: a place
 * is given in words, of four activations each. */
static void run_block(const sml_model *model, vector *memory, int8_t *output, size_t outputs,
                      size_t rows)
{
    const vector *source = memory;
    for (size_t n = 0; n < model->layer_count; n++) {
        vector *target = memory + 4 * (size_t)model->layers[n].place;
        run_layer(&model->layers[n], source, target);
        source = target;
    }
    for (size_t i = 0; i < rows; i++, output += outputs) {
        for (size_t c = 0; c < outputs; c++) {
            output[c] = (int8_t)source[c].lane[i];
        }
        if (model->head) {
            model->head->apply(model->head, output, outputs);
        }
    }
}

sml_status sml_run_batch(sml_context *context, const int32_t *counts, const int8_t *codes,
                         size_t inputs, int8_t *output, size_t outputs, size_t rows)
{
    /* The first row goes the engine's own way, which has the arguments checked; with it those that
     * would leave most of a block empty. */
    const size_t over = rows % SML_LANES;
    const size_t single = over == 0 || over > FEW_ROWS ? rows > 0 : over;
    const sml_status status = sml_run_rows(context, counts, codes, inputs, output, outputs, single);
    if (status != SML_OK || single == rows) {
        return status;
    }
    const sml_model *model = context->model;
    vector *memory = malloc(model->memory_bytes * sizeof *memory); /* a vector for each byte */
    if (!memory) {
        return SML_ERR_MEMORY;
    }
    for (size_t row = single; row < rows; row += SML_LANES) {
        const size_t n = rows - row < SML_LANES ? rows - row : SML_LANES;
        if (counts) {
            prepare_block(model, counts + row * inputs, inputs, n, memory);
        } else {
            set_block(codes + row * inputs, inputs, n, memory);
        }
        run_block(model, memory, output + row * outputs, outputs, n);
    }
    free(memory);
    return SML_OK;
}
