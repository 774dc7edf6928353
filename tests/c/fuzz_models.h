/* SPDX-License-Identifier: MIT
 *
 * fuzz_models.h: models made of the fuzzer's bytes. Every array is as long as its layer claims.
 *
 * Numbers are such as the exporter may write, which has proved that they cannot overflow. The words
 * of packed kernels are random but for padding, multipliers and shifts: any others are sums, too.
 */
#ifndef FUZZ_MODELS_H
#define FUZZ_MODELS_H

#include "fuzz_bytes.h"
#include "kernel.h"

#include <string.h>

#define MOST_LAYERS 4
#define MOST_UNITS 20
#define MOST_BYTES 20000 /* of an array; a layer that claims more is loaded only */

static sml_model model;
static sml_dense layers[MOST_LAYERS];
static sml_head head;
static int can_run; /* all arrays are there in full */

typedef void (*kernel)(const sml_dense *layer, const void *in, void *out);

static kernel choose_kernel(void)
{
#if SML_LAYOUT == SML_LAYOUT_CORTEX_M4
    static const kernel packed[] = {sml_dense_cortex_m4, sml_dense_cortex_m4_small};
#elif SML_LAYOUT == SML_LAYOUT_CORTEX_M0PLUS
    static const kernel packed[] = {sml_dense_cortex_m0plus, sml_dense_cortex_m0plus_small};
#else
    static const kernel packed[] = {sml_dense_portable, sml_dense_portable};
#endif
    const uint32_t choice = take(3);
    return choice < 2 ? packed[choice] : sml_dense_portable;
}

static int32_t multiplier(void)
{
    return (int32_t)(UINT32_C(0x40000000) | (noise() >> 2));
}

static uint32_t shift(void)
{
    return (uint32_t)between(1, 31);
}

/* n random words: returns where the next ones go. Without words to write to it only counts. */
static size_t put(uint32_t *words, size_t at, size_t n)
{
    for (size_t i = 0; words && i < n; i++) {
        words[at + i] = noise();
    }
    return at + n;
}

static size_t put_one(uint32_t *words, size_t at, uint32_t word)
{
    if (words) {
        words[at] = word;
    }
    return at + 1;
}

#if SML_LAYOUT == SML_LAYOUT_CORTEX_M4
/* Weights, two columns a word, zeros after the last column. */
static size_t put_columns(uint32_t *words, size_t at, size_t pairs, size_t inputs, size_t columns)
{
    const size_t end = put(words, at, pairs * columns / 2);
    for (size_t k = inputs / 2; words && k < columns / 2; k++) {
        for (size_t i = 0; i < pairs; i++) {
            words[at + k * pairs + i] &= inputs == 2 * k + 1 ? 0xFFFF : 0;
        }
    }
    return end;
}

/* The words of a packed layer, in the order that its kernel's file tells: how many they are. */
static size_t pack(uint32_t *words, const sml_dense *layer)
{
    const size_t inputs = layer->inputs;
    size_t at = 0, left = layer->outputs;
    for (size_t pairs = layer->run == sml_dense_cortex_m4 ? 3 : 1; pairs > 0; pairs = pairs > 1) {
        for (; left >= 2 * pairs; left -= 2 * pairs) {
            at = put(words, at, 2 * pairs);
            at = put_columns(words, at, pairs, inputs, (inputs + 1) / 2 * 2);
            for (size_t i = 0; i < pairs; i++) {
                at = put_one(words, at, (uint32_t)multiplier() << 1);
                at = put_one(words, at, (uint32_t)multiplier() << 1);
                at = put_one(words, at, shift() | shift() << 8);
            }
        }
    }
    if (left) {
        at = put(words, at, 1);
        at = put_columns(words, at, 1, inputs, (inputs + 3) / 4 * 4);
        at = put_one(words, at, (uint32_t)multiplier() << 1);
        at = put_one(words, at, shift());
    }
    return at;
}
#else
static size_t pack(uint32_t *words, const sml_dense *layer)
{
    size_t at = 0, left = layer->outputs;
    while (left > 0) {
        const size_t rows = left >= 4 ? 4 : 1;
        const size_t columns = rows == 4 ? (layer->inputs + 1U) / 2 * 2 : (layer->inputs + 3U) / 4;
        at = put(words, at, rows + columns);
        for (size_t i = 0; i < rows; i++) {
            const uint32_t q = (uint32_t)multiplier();
            at = put_one(words, at, q & 0xFFFF);
            at = put_one(words, at, (q & 0xFFFF0000) | shift());
        }
        left -= rows;
    }
    return at;
}
#endif

static const sml_channel *make_channels(size_t n, int32_t most_shift)
{
    sml_channel *channels = (sml_channel *)(void *)block(n * sizeof *channels);
    for (size_t i = 0; i < n; i++) {
        channels[i].bias = between(-1000000, 1000000);
        channels[i].multiplier = noise() % 8 ? multiplier() : 0;
        channels[i].shift = between(-31, most_shift);
    }
    return channels;
}

/* A layer's weights, and what else its kernel needs. */
static void make_weights(sml_dense *layer)
{
    const int is_packed = layer->run != sml_dense_portable;
    const size_t products = (size_t)layer->inputs * layer->outputs;
    const size_t bytes = is_packed ? 4 * pack(NULL, layer) : products;
    if (bytes > MOST_BYTES || layer->outputs > MOST_BYTES / sizeof(sml_channel)) {
        can_run = 0;
        layer->weights = layer->channels = (const sml_channel *)(const void *)&can_run;
    } else if (is_packed) {
        uint32_t *words = (uint32_t *)(void *)block(bytes);
        pack(words, layer);
        layer->weights = words;
    } else {
        layer->weights = random_block(bytes);
        layer->channels = make_channels(layer->outputs, layer->inputs > 64 ? -1 : 6);
    }
}

static const sml_feature *make_features(size_t n)
{
    sml_feature *features = (sml_feature *)(void *)block(n * sizeof *features);
    for (size_t i = 0; i < n; i++) {
        const int32_t mean = between(-100000, 100000);
        const int32_t min = mean - between(0, 100000), max = mean + between(0, 100000);
        features[i] = (sml_feature){mean, min, max, multiplier(), (int8_t)between(-31, 6)};
    }
    return features;
}

static const int32_t *make_exponentials(void)
{
    int32_t *table = (int32_t *)(void *)block(256 * sizeof *table);
    for (size_t i = 0; i < 256; i++) {
        table[i] = i ? (int32_t)(noise() >> 1) : INT32_MAX; /* exp(0) = 1 */
    }
    return table;
}

/* Layers that fit each other; the memory's two ends take turns, as the exporter has it. */
static void make_layers(void)
{
    uint32_t units = 1 + take(MOST_UNITS), most = 0;
    for (size_t i = 0; i < model.layer_count; i++) {
        sml_dense *layer = &layers[i];
        layer->run = choose_kernel();
        layer->inputs = (uint16_t)units;
        units = 1 + take(MOST_UNITS);
        layer->outputs = (uint16_t)units;
        layer->zero_point = (int16_t)(between(-128, 127) + SML_OFFSET);
        layer->act_min = (int16_t)(between(-128, 0) + SML_OFFSET);
        layer->act_max = (int16_t)(between(0, 127) + SML_OFFSET);
        layer->table = take(2) ? (int8_t *)random_block(256) : NULL;
        const uint32_t both = sml_words(layer->inputs) + sml_words(units);
        most = both > most ? both : most;
    }
    for (size_t i = 0; i < model.layer_count; i++) {
        layers[i].place = i % 2 ? 0 : (uint16_t)(most - sml_words(layers[i].outputs));
    }
    model.memory_bytes = 4 * most;
}

/* A healthy model, but for its weights: shapes are corrupted before they are made. */
static void make_model(void)
{
    memset(layers, 0, sizeof layers);
    model = (sml_model){.version = SML_MODEL_VERSION, .layout = SML_LAYOUT, .layers = layers};
    model.input_zero_point = (int8_t)between(-128, 127);
    model.layer_count = (uint16_t)(1 + take(MOST_LAYERS));
    make_layers();
    model.feature_count = (uint16_t)take(4);
    model.features = model.feature_count ? make_features(model.feature_count) : NULL;
    head = (sml_head){sml_softmax, make_exponentials()};
    model.head = take(2) ? &head : NULL;
}

static void make_arrays(void)
{
    can_run = 1;
    for (size_t i = 0; i < model.layer_count; i++) {
        make_weights(&layers[i]);
    }
}

#endif
