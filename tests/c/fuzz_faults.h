/* SPDX-License-Identifier: MIT
 *
 * fuzz_faults.h: what makes the model of fuzz_models.h a wrong one, and what is wrong with it. */
#ifndef FUZZ_FAULTS_H
#define FUZZ_FAULTS_H

#include "fuzz_models.h"

/* A set of statuses: bit s stands for status -s. */
#define BIT(status) (1U << -(status))

/* A neighbour of `healthy`, or a number where something changes. */
static uint16_t other(uint32_t healthy)
{
    static const uint16_t edges[] = {0, 1, 2, 4, 127, 128, 255, 256, 511, 512, 32767, 32768, 65535};
    const size_t choice = take(16), count = sizeof edges / sizeof *edges;
    return choice < count ? edges[choice] : (uint16_t)(healthy + choice - count - 1);
}

/* Before the arrays are made. */
static void corrupt_shape(void)
{
    sml_dense *layer = &layers[take(model.layer_count)];
    switch (take(5)) {
    case 0:
        layer->inputs = other(layer->inputs);
        break;
    case 1:
        layer->outputs = other(layer->outputs);
        break;
    case 2:
        layer->place = other(layer->place);
        break;
    case 3:
        model.memory_bytes = take(2) ? UINT32_MAX : 300000; /* enough for all that is above */
        break;
    default:
        model.memory_bytes += take(9) - 4;
    }
}

/* After they are made. */
static void corrupt_field(void)
{
    sml_dense *layer = &layers[take(model.layer_count)];
    switch (take(14)) {
    case 0:
        model.version = other(SML_MODEL_VERSION);
        break;
    case 1:
        model.layout = (uint8_t)other(SML_LAYOUT);
        break;
    case 2:
        model.layer_count = 0;
        break;
    case 3:
        model.layers = NULL;
        break;
    case 4:
        model.features = NULL;
        break;
    case 5:
        model.feature_count = 0;
        break;
    case 6:
        head.apply = NULL;
        break;
    case 7:
        head.table = NULL;
        break;
    case 8:
        layer->run = NULL;
        break;
    case 9:
        layer->weights = NULL;
        break;
    case 10: /* whether a layer needs them is known in this layout only */
        layer->channels = SML_LAYOUT == SML_LAYOUT_PORTABLE ? NULL : layer->channels;
        break;
    case 11:
        layer->act_min = (int16_t)other(0);
        break;
    case 12:
        layer->act_max = (int16_t)other(0);
        break;
    default:
        layer->zero_point = (int16_t)other(0);
    }
}

/* Where n activations end that begin at a place, in bytes. */
static uint64_t end_of(uint32_t place, uint32_t n)
{
    return 4 * (uint64_t)place + (n + 3) / 4 * 4 * (uint64_t)sizeof(sml_activation);
}

static unsigned faults_of_layers(void)
{
    uint32_t units = layers[0].inputs;
    int fits = units > 0 && end_of(0, units) <= model.memory_bytes, is_whole = 1;
    for (size_t i = 0; i < model.layer_count; i++) {
        const sml_dense *layer = &layers[i];
        fits &= layer->inputs == units && layer->outputs > 0;
        fits &= end_of(layer->place, layer->outputs) <= model.memory_bytes;
        is_whole &= layer->run && layer->weights;
        is_whole &= SML_LAYOUT != SML_LAYOUT_PORTABLE || layer->channels;
        units = layer->outputs;
    }
    fits &= !model.head || units <= SML_MAX_CLASSES;
    return (fits ? 0 : BIT(SML_ERR_SHAPE)) | (is_whole ? 0 : BIT(SML_ERR_ARGUMENT));
}

/* What is wrong with the model, as a set of statuses; as scratchml.h has it, not as the engine. */
static unsigned faults(void)
{
    unsigned found = model.version == SML_MODEL_VERSION ? 0 : BIT(SML_ERR_VERSION);
    found |= model.layout == SML_LAYOUT ? 0 : BIT(SML_ERR_LAYOUT);
    found |= model.head && (!head.apply || !head.table) ? BIT(SML_ERR_ARGUMENT) : 0;
    if (model.layer_count == 0 || !model.layers) {
        return found | BIT(SML_ERR_ARGUMENT);
    }
    return found | faults_of_layers();
}

#endif
