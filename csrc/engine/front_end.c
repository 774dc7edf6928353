/* SPDX-License-Identifier: MIT
 *
 * front_end.c: from a stream of raw counts to the features of its windows. Source:
 * docs/front_end.md, which proves that nothing overflows here, whatever the counts. */
#include "kernel.h"

/* All that is known; bits above it are refused. */
#define ALL_STATISTICS ((SML_MEAN_CROSSINGS << 1) - 1)

/* The statistics that need the sum of squares, 64 bits wide. */
#define OF_SQUARES (SML_STD | SML_RMS)

static uint32_t inputs_of(const sml_front_end *front_end)
{
    uint32_t statistics = 0;
    for (uint32_t mask = front_end->statistics; mask; mask >>= 1) {
        statistics += mask & 1;
    }
    return (statistics ? statistics : front_end->window) * (uint32_t)front_end->channels;
}

sml_status sml_stream_start(sml_stream *stream, const sml_front_end *front_end, void *memory,
                            size_t bytes)
{
    if (!stream) {
        return SML_ERR_ARGUMENT;
    }
    stream->front_end = NULL;
    if (!front_end || !memory) {
        return SML_ERR_ARGUMENT;
    }
    const uint32_t window = front_end->window;
    if (window == 0 || window > SML_MAX_WINDOW || front_end->channels == 0 ||
        front_end->step == 0 || front_end->statistics > ALL_STATISTICS ||
        inputs_of(front_end) > UINT16_MAX) {
        return SML_ERR_SHAPE;
    }
    if (bytes < 4 * window * front_end->channels) {
        return SML_ERR_MEMORY;
    }
    if ((uintptr_t)memory % 4) {
        return SML_ERR_ALIGNMENT;
    }
    stream->front_end = front_end;
    stream->memory = memory;
    stream->limit = (int32_t)(((UINT32_C(1) << 30) - 1) / window);
    stream->inputs = (uint16_t)inputs_of(front_end);
    return sml_stream_reset(stream);
}

sml_status sml_stream_reset(sml_stream *stream)
{
    if (!stream) {
        return SML_ERR_ARGUMENT;
    }
    if (!stream->front_end) {
        return SML_ERR_STATE;
    }
    stream->place = 0;
    stream->wait = stream->front_end->window;
    return SML_OK;
}

/* The floor of the square root, a bit of it at a time; `rest` is what it has not used up. */
static uint32_t integer_root(uint64_t rest)
{
    uint64_t root = 0;
    for (uint64_t bit = UINT64_C(1) << 62; bit; bit >>= 2) {
        const uint64_t trial = root + bit;
        root >>= 1;
        if (rest >= trial) {
            rest -= trial;
            root += bit;
        }
    }
    return (uint32_t)root;
}

/* sqrt(radicand) / (2 n) rounded to nearest, ties upwards. */
static int32_t rounded_root(uint64_t radicand, uint32_t n)
{
    return (int32_t)((integer_root(radicand) + n) / (2 * n));
}

static int32_t half_away(int32_t sum, uint32_t n)
{
    const uint32_t magnitude = sum < 0 ? (uint32_t)-sum : (uint32_t)sum;
    const int32_t quotient = (int32_t)((magnitude + n / 2) / n);
    return sum < 0 ? -quotient : quotient;
}

/* Where in the ring the sample after the one at `place` is. */
static size_t next_place(const sml_stream *stream, size_t place)
{
    return ++place == stream->front_end->window ? 0 : place;
}

/* A count of the ring, within the limit. */
static int32_t count_at(const sml_stream *stream, size_t place, size_t channel)
{
    const int32_t count = stream->memory[place * stream->front_end->channels + channel];
    return sml_clamp(count, -stream->limit, stream->limit);
}

/* How often a channel goes from below its mean to where it is not, or back. */
static int32_t mean_crossings(const sml_stream *stream, size_t channel, int32_t sum)
{
    const int32_t n = stream->front_end->window;
    size_t place = stream->place; /* of the oldest sample */
    int32_t was_below = n * count_at(stream, place, channel) < sum;
    int32_t crossings = 0;
    for (int32_t k = 1; k < n; k++) {
        place = next_place(stream, place);
        const int32_t is_below = n * count_at(stream, place, channel) < sum;
        crossings += is_below != was_below;
        was_below = is_below;
    }
    return crossings;
}

/* Writes the statistics of one channel; returns where the next ones belong. */
static int32_t *describe(const sml_stream *stream, size_t channel, int32_t *feature)
{
    const uint32_t wanted = stream->front_end->statistics;
    const uint32_t n = stream->front_end->window;
    size_t place = stream->place; /* of the oldest sample */
    int32_t before = count_at(stream, place, channel);
    int32_t low = before;
    int32_t high = before;
    int32_t sum = 0;
    int32_t crossings = 0;
    uint32_t travel = 0; /* the sum of the differences' magnitudes */
    int64_t squares = 0;
    for (uint32_t k = 0; k < n; k++) {
        const int32_t x = count_at(stream, place, channel);
        sum += x;
        low = x < low ? x : low;
        high = x > high ? x : high;
        travel += (uint32_t)(x < before ? before - x : x - before);
        crossings += (before < 0) != (x < 0);
        if (wanted & OF_SQUARES) {
            squares += (int64_t)x * x;
        }
        before = x;
        place = next_place(stream, place);
    }

    if (wanted & SML_MEAN) {
        *feature++ = half_away(sum, n);
    }
    if (wanted & SML_MINIMUM) {
        *feature++ = low;
    }
    if (wanted & SML_MAXIMUM) {
        *feature++ = high;
    }
    if (wanted & SML_RANGE) {
        *feature++ = high - low;
    }
    if (wanted & SML_STD) {
        const int64_t square = (int64_t)sum * sum;
        *feature++ = rounded_root(4 * (uint64_t)(n * squares - square), n);
    }
    if (wanted & SML_RMS) {
        *feature++ = rounded_root(4 * (uint64_t)(n * squares), n);
    }
    if (wanted & SML_MEAN_ABS_DIFF) {
        const uint32_t differences = n > 1 ? n - 1 : 1;
        *feature++ = (int32_t)((travel + differences / 2) / differences);
    }
    if (wanted & SML_ZERO_CROSSINGS) {
        *feature++ = crossings;
    }
    if (wanted & SML_MEAN_CROSSINGS) {
        *feature++ = mean_crossings(stream, channel, sum);
    }
    return feature;
}

/* The window itself, oldest sample first. */
static void unroll(const sml_stream *stream, int32_t *feature)
{
    const size_t channels = stream->front_end->channels;
    size_t place = stream->place;
    do {
        for (size_t channel = 0; channel < channels; channel++) {
            *feature++ = stream->memory[place * channels + channel];
        }
        place = next_place(stream, place);
    } while (place != stream->place);
}

sml_status sml_stream_add(sml_stream *stream, const int32_t *sample, size_t channels,
                          int32_t *features, size_t n, int32_t *ready)
{
    if (!stream || !sample || !features || !ready) {
        return SML_ERR_ARGUMENT;
    }
    *ready = 0;
    if (!stream->front_end) {
        return SML_ERR_STATE;
    }
    if (channels != stream->front_end->channels || n != stream->inputs) {
        return SML_ERR_SHAPE;
    }
    for (size_t channel = 0; channel < channels; channel++) {
        stream->memory[stream->place * channels + channel] = sample[channel];
    }
    stream->place = (uint16_t)next_place(stream, stream->place);
    if (--stream->wait > 0) {
        return SML_OK;
    }
    stream->wait = stream->front_end->step;
    *ready = 1;
    if (stream->front_end->statistics == 0) {
        unroll(stream, features);
        return SML_OK;
    }
    for (size_t channel = 0; channel < channels; channel++) {
        features = describe(stream, channel, features);
    }
    return SML_OK;
}
