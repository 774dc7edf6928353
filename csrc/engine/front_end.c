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
    stream->words = window * front_end->channels;
    const int32_t limit = (int32_t)(((UINT32_C(1) << 30) - 1) / window);
    stream->low = front_end->statistics ? -limit : INT32_MIN;
    stream->high = front_end->statistics ? limit : INT32_MAX;
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

/* Where the count after the one at `i` is, of the same channel: a ring goes on at its start. */
static uint32_t following(const sml_stream *stream, uint32_t i)
{
    const uint32_t next = i + stream->front_end->channels;
    return next < stream->words ? next : next - stream->words;
}

/* How often factor * x goes from below the level to where it is not, or back. */
static int32_t crossings(const sml_stream *stream, uint32_t oldest, int32_t factor, int32_t level)
{
    uint32_t i = oldest;
    int32_t was_below = factor * stream->memory[i] < level;
    int32_t count = 0;
    for (uint32_t left = stream->front_end->window; left > 1; left--) {
        i = following(stream, i);
        const int32_t is_below = factor * stream->memory[i] < level;
        count += is_below != was_below;
        was_below = is_below;
    }
    return count;
}

/* The mean of the differences' magnitudes. */
static int32_t mean_abs_diff(const sml_stream *stream, uint32_t oldest)
{
    const uint32_t differences = stream->front_end->window - UINT32_C(1);
    uint32_t i = oldest;
    uint32_t sum = 0;
    int32_t before = stream->memory[i];
    for (uint32_t left = differences; left > 0; left--) {
        i = following(stream, i);
        const int32_t x = stream->memory[i];
        sum += (uint32_t)(x < before ? before - x : x - before);
        before = x;
    }
    return differences ? (int32_t)((sum + differences / 2) / differences) : 0;
}

static int64_t sum_of_squares(const sml_stream *stream, uint32_t channel)
{
    int64_t sum = 0;
    for (uint32_t i = channel; i < stream->words; i += stream->front_end->channels) {
        const int32_t x = stream->memory[i];
        sum += (int64_t)x * x;
    }
    return sum;
}

/* Writes the statistics of one channel; returns where the next ones belong. */
static int32_t *describe(const sml_stream *stream, uint32_t channel, int32_t *feature)
{
    const uint32_t wanted = stream->front_end->statistics;
    const uint32_t n = stream->front_end->window;
    const uint32_t oldest = stream->place + channel;
    int32_t sum = 0;
    int32_t low = INT32_MAX;
    int32_t high = INT32_MIN;
    for (uint32_t i = channel; i < stream->words; i += stream->front_end->channels) {
        const int32_t x = stream->memory[i];
        sum += x;
        low = x < low ? x : low;
        high = x > high ? x : high;
    }
    const int64_t squares = (wanted & OF_SQUARES) ? n * sum_of_squares(stream, channel) : 0;

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
        *feature++ = rounded_root(4 * (uint64_t)(squares - square), n);
    }
    if (wanted & SML_RMS) {
        *feature++ = rounded_root(4 * (uint64_t)squares, n);
    }
    if (wanted & SML_MEAN_ABS_DIFF) {
        *feature++ = mean_abs_diff(stream, oldest);
    }
    if (wanted & SML_ZERO_CROSSINGS) {
        *feature++ = crossings(stream, oldest, 1, 0);
    }
    if (wanted & SML_MEAN_CROSSINGS) {
        *feature++ = crossings(stream, oldest, (int32_t)n, sum);
    }
    return feature;
}

/* The window itself, oldest sample first. */
static void unroll(const sml_stream *stream, int32_t *feature)
{
    uint32_t i = stream->place;
    do {
        *feature++ = stream->memory[i];
        i = i + 1 < stream->words ? i + 1 : 0;
    } while (i != stream->place);
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
        stream->memory[stream->place + channel] =
            sml_clamp(sample[channel], stream->low, stream->high);
    }
    stream->place = following(stream, stream->place);
    if (--stream->wait > 0) {
        return SML_OK;
    }
    stream->wait = stream->front_end->step;
    *ready = 1;
    if (stream->front_end->statistics == 0) {
        unroll(stream, features);
        return SML_OK;
    }
    for (uint32_t channel = 0; channel < channels; channel++) {
        features = describe(stream, channel, features);
    }
    return SML_OK;
}
