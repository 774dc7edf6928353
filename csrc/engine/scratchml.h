/* SPDX-License-Identifier: MIT
 *
 * scratchml.h: run an int8 multilayer perceptron from flash, in integers only.
 *
 *     static uint32_t memory[SNOW_MODEL_MEMORY_BYTES / 4];
 *     sml_context snow;
 *
 *     sml_load_model(&snow, &snow_model);
 *     sml_initialize_model_memory(&snow, memory, sizeof memory);
 *     for (;;) {
 *         acquire_data(counts);                          // yours: sensors -> int32 counts
 *         sml_prepare_input(&snow, counts, SNOW_MODEL_INPUTS);
 *         sml_run_model(&snow, output, SNOW_MODEL_OUTPUTS);
 *     }
 *
 * What it does not do: allocate, print, use floating point, keep global state or recurse. A model
 * is constant data that `scratchml export` wrote; what is checked here are its version, its layout
 * and that its shapes fit each other. That its numbers cannot overflow has been proved at export.
 * The arithmetic is that of TensorFlow Lite Micro, bit for bit: see docs/arithmetic.md.
 */
#ifndef SCRATCHML_H
#define SCRATCHML_H

#include "layout.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SML_MODEL_VERSION 2 /* of the structs below; raised when their meaning changes */
#define SML_MAX_CLASSES 511 /* of a softmax: more could overflow its sum */

/* Stands before every array of weights: an attribute that moves them to RAM, for instance. */
#ifndef SML_WEIGHTS
#define SML_WEIGHTS
#endif

typedef enum {
    SML_OK = 0,
    SML_ERR_ARGUMENT = -1, /* a null pointer, or no layer */
    SML_ERR_VERSION = -2,  /* the model was exported for another version of this engine */
    SML_ERR_MEMORY = -3,   /* the memory given is smaller than model->memory_bytes */
    SML_ERR_SHAPE = -4,    /* a length, given or in the model, is not what the model needs */
    SML_ERR_STATE = -5,    /* called out of order: no model, no memory, or no new input */
    SML_ERR_LAYOUT = -6,   /* the weights are laid out for another CPU's kernel */
    SML_ERR_ALIGNMENT = -7 /* the memory given does not start at a multiple of 4 */
} sml_status;

/* What one output of the portable kernel needs besides its weights. The real factor of an output
 * is multiplier / 2^31 * 2^shift. */
typedef struct {
    int32_t bias;       /* the input's zero point is folded in */
    int32_t multiplier; /* 0 or 2^30 .. 2^31 - 1 */
    int32_t shift;      /* -31 .. 30 */
} sml_channel;

/* One fully connected layer: output = clamp(requantize(bias + weights . input) + zero_point).
 * Which function computes it stands in the layer, so that a linker drops the kernels not used. */
typedef struct sml_dense {
    void (*run)(const struct sml_dense *layer, const void *input, void *output);
    uint16_t inputs;
    uint16_t outputs;
    const void *weights;         /* int8_t [outputs][inputs], or the words of a packed kernel */
    const sml_channel *channels; /* [outputs]; NULL if packed: they are among the words */
    int16_t zero_point;          /* of the output */
    int16_t act_min;             /* the activation's bounds: a ReLU is a clamp. A packed kernel */
    int16_t act_max;             /* has those of int8: what is narrower stands in the table */
    uint16_t place; /* of the output in the activation memory, in words; the input is at the last */
    const int8_t *table; /* [256]: the code that follows code i - 128 (a sigmoid, say), or NULL */
} sml_dense;

/* The kernels; what a generated model puts into `run`. */
void sml_dense_portable(const sml_dense *layer, const void *input, void *output);
void sml_dense_cortex_m4(const sml_dense *layer, const void *input, void *output);
void sml_dense_cortex_m4_small(const sml_dense *layer, const void *input, void *output);
void sml_dense_cortex_m0plus(const sml_dense *layer, const void *input, void *output);
void sml_dense_cortex_m0plus_small(const sml_dense *layer, const void *input, void *output);

/* What follows the last layer and looks at all its outputs at once, in place. Reached through a
 * pointer, so that a linker drops what no model uses. */
typedef struct sml_head {
    void (*apply)(const struct sml_head *head, int8_t *values, size_t n);
    const int32_t *table; /* [256]: exp(-(i codes)) in Q0.31 */
} sml_head;

/* One sensor channel. A reading arrives in counts, hundredths of a degree for instance;
 * code = requantize(clamp(counts, min, max) - mean) + zero_point. */
typedef struct {
    int32_t mean;
    int32_t min;
    int32_t max;
    int32_t multiplier;
    int8_t shift;
} sml_feature;

typedef struct {
    uint16_t version;        /* SML_MODEL_VERSION */
    uint8_t layout;          /* SML_LAYOUT_..., the engine's own */
    int8_t input_zero_point; /* for sml_prepare_input */
    uint16_t layer_count;    /* 1 or more */
    uint16_t feature_count;  /* channels; input i belongs to channel i % feature_count; may be 0 */
    uint32_t memory_bytes;   /* activation memory: the widest layer's two sides, in whole words */
    const sml_dense *layers; /* [layer_count] */
    const sml_feature *features; /* [feature_count], or NULL: the model takes int8 only */
    const sml_head *head;        /* or NULL */
} sml_model;

/* The caller's; its fields are the engine's own. */
typedef struct {
    const sml_model *model;
    uint32_t *memory;
    int32_t input_ready;
} sml_context;

/* Keeps the pointer: the model stays where it is, in flash. */
sml_status sml_load_model(sml_context *context, const sml_model *model);

/* `memory` needs model->memory_bytes, starts at a multiple of 4 and must outlive the context. */
sml_status sml_initialize_model_memory(sml_context *context, void *memory, size_t bytes);

/* Sensor counts, n = the inputs of the first layer. SML_ERR_STATE if the model has no features. */
sml_status sml_prepare_input(sml_context *context, const int32_t *counts, size_t n);

/* int8 codes as they are, instead of sml_prepare_input. */
sml_status sml_set_input(sml_context *context, const int8_t *input, size_t n);

/* Runs every layer and the head. The input is consumed: its memory serves the later layers. */
sml_status sml_run_model(sml_context *context, int8_t *output, size_t n);

/* A head: logits to probabilities of scale 1/256 and zero point -128, for n <= SML_MAX_CLASSES.
 * Whoever needs the most likely class only does not need it: the order of the codes is kept. */
void sml_softmax(const sml_head *head, int8_t *values, size_t n);

/* The front end of a network that looks at a stream: from raw counts, sample by sample, to the
 * features of its windows, which are what sml_prepare_input takes.
 *
 *     static int32_t ring[GESTURE_STREAM_BYTES / 4];
 *     int32_t sample[GESTURE_CHANNELS], features[GESTURE_INPUTS], ready;
 *
 *     sml_stream_start(&stream, &gesture_front_end, ring, sizeof ring);
 *     for (;;) {
 *         acquire_data(sample);                          // yours, at the rate of the training data
 *         sml_stream_add(&stream, sample, GESTURE_CHANNELS, features, GESTURE_INPUTS, &ready);
 *         if (ready) {
 *             sml_prepare_input(&gesture, features, GESTURE_INPUTS); ...
 *
 * The definition of each statistic stands in docs/front_end.md. */
#define SML_MAX_WINDOW 4096

typedef enum {
    SML_MEAN = 1,
    SML_MINIMUM = 2,
    SML_MAXIMUM = 4,
    SML_RANGE = 8,
    SML_STD = 16,
    SML_RMS = 32,
    SML_MEAN_ABS_DIFF = 64,
    SML_ZERO_CROSSINGS = 128,
    SML_MEAN_CROSSINGS = 256
} sml_statistic;

typedef struct {
    uint16_t channels;   /* counts in a sample */
    uint16_t window;     /* samples, 1 .. SML_MAX_WINDOW */
    uint16_t step;       /* samples from the start of one window to that of the next, 1 or more */
    uint16_t statistics; /* of each channel, in the order of the bits; 0: the window itself */
} sml_front_end;

/* The caller's; its fields are the engine's own. */
typedef struct {
    const sml_front_end *front_end;
    int32_t *memory; /* [window][channels], a ring of so many words: */
    uint32_t words;
    uint32_t place;  /* of the next sample in it; of the oldest one, once it is full */
    int32_t low;     /* what a count is clamped to when it goes into the ring: */
    int32_t high;    /* keeps the sums of a window within their widths */
    uint16_t inputs; /* of the network behind it */
    uint16_t wait;   /* samples until a window is complete */
} sml_stream;

/* Keeps both pointers. `memory` needs 4 * window * channels bytes, starts at a multiple of 4 and
 * must outlive the stream. */
sml_status sml_stream_start(sml_stream *stream, const sml_front_end *front_end, void *memory,
                            size_t bytes);

/* One sample more. Is a window complete with it, *ready is 1 and the n features are written: of
 * channel 0 all, then of channel 1 ...; or the samples of the window, the oldest first. */
sml_status sml_stream_add(sml_stream *stream, const int32_t *sample, size_t channels,
                          int32_t *features, size_t n, int32_t *ready);

/* After a gap, so that no window reaches across: the next sample is the first one. */
sml_status sml_stream_reset(sml_stream *stream);

/* One number for many rows, to compare a board with a computer: the CRC-32 of all outputs for a
 * stream of random inputs that a seed decides. */
typedef struct {
    uint32_t crc; /* the digest so far */
    uint32_t seed;
    uint32_t words; /* of the input stream, taken so far */
    uint32_t word;  /* what is left of the last one ... */
    uint32_t left;  /* ... and how many bytes that is */
} sml_digest;

sml_status sml_digest_start(sml_digest *digest, uint32_t seed);

/* Runs `rows` more rows; `output` is room for n outputs, of which the last row's stay. */
sml_status sml_digest_rows(sml_digest *digest, sml_context *context, uint32_t rows, int8_t *output,
                           size_t n);

#ifdef __cplusplus
}
#endif

#endif
