/* SPDX-License-Identifier: MIT
 *
 * dense_cortex_m4.c: what dense_cortex_m4_asm.S does, in C: to read, and to run where there is no
 * such CPU.
 *
 * The DSP instruction SMLAD multiplies two pairs of 16-bit numbers and adds both products in one
 * cycle, but int8 weights have to be widened for it. So two rows A and B share a halfword,
 * 256 * A + B, and a word holds it for two columns:
 *
 *     h = SMLAD(word, x, h)             h = 256 * sum A x + sum B x     modulo 2^32
 *     l = SMLAD(SXTB16(word), x, l)     l = sum B x
 *     sum A x = (h - l) >> 8            exact while |sum A x| < 2^23
 *
 * Four products take three instructions. The sums begin with the biases, and the exporter has
 * proved that no accumulator reaches 2^23; a layer outside of that takes the portable kernel, as
 * does one with a weight of -128, which would not fit.
 *
 * The words of a layer, in the order in which they are read: rows are taken six at a time, then
 * two, then one (by the small kernel two at a time, then one).
 *
 *     h of each pair, l of each pair                      where the sums begin
 *     for each two columns: a word of each pair           an odd last column has a partner of zeros
 *     for each pair: Q of A, Q of B, shifts A | B << 8    Q: twice the multiplier, modulo 2^32
 *
 * A single row is a halfword a column, four columns at a time: l, the words, Q, shift. */
#include "kernel.h"

#if SML_LAYOUT == SML_LAYOUT_CORTEX_M4 && !defined(SML_ASSEMBLY)

static uint32_t smlad(uint32_t word, const int16_t *x, uint32_t sum)
{
    const int32_t low = (int16_t)(word & 0xFFFF), high = (int16_t)(word >> 16);
    return sum + (uint32_t)(low * x[0]) + (uint32_t)(high * x[1]);
}

static uint32_t sxtb16(uint32_t word)
{
    const int32_t low = (int8_t)(word & 0xFF), high = (int8_t)((word >> 16) & 0xFF);
    return ((uint32_t)low & 0xFFFF) | (uint32_t)high << 16;
}

/* acc * Q / 2^31 = acc + acc * (2 Q - 2^32) / 2^32, then the rounding right shift. */
static int16_t requantize(int32_t accumulator, uint32_t twice_q, uint32_t shift, int32_t zero_point)
{
    const int64_t product = (int64_t)accumulator * (int32_t)twice_q + (INT64_C(1) << 31);
    const int32_t value = accumulator + (int32_t)(product >> 32);
    const int32_t code = sml_shift_right(value, (int32_t)shift & 31) + zero_point;
    return (int16_t)sml_clamp(code, INT8_MIN, INT8_MAX);
}

/* 2 * pairs rows; returns the words that follow theirs. */
static const uint32_t *run_pairs(const sml_dense *layer, const uint32_t *w, size_t pairs,
                                 const int16_t *x, int16_t *y)
{
    uint32_t h[3], l[3];
    for (size_t i = 0; i < pairs; i++) {
        h[i] = w[i];
        l[i] = w[pairs + i];
    }
    w += 2 * pairs;
    for (size_t k = 0; k < layer->inputs; k += 2) {
        for (size_t i = 0; i < pairs; i++, w++) {
            h[i] = smlad(*w, &x[k], h[i]);
            l[i] = smlad(sxtb16(*w), &x[k], l[i]);
        }
    }
    for (size_t i = 0; i < pairs; i++, w += 3) {
        const int32_t a = (int32_t)(h[i] - l[i]) >> 8;
        y[2 * i] = requantize(a, w[0], w[2] & 0xFF, layer->zero_point);
        y[2 * i + 1] = requantize((int32_t)l[i], w[1], w[2] >> 8, layer->zero_point);
    }
    return w;
}

static void run(const sml_dense *layer, const int16_t *x, int16_t *y, size_t most_pairs)
{
    const uint32_t *w = layer->weights;
    size_t left = layer->outputs;
    for (size_t pairs = most_pairs; pairs > 0; pairs = pairs > 1) {
        for (; left >= 2 * pairs; left -= 2 * pairs, y += 2 * pairs) {
            w = run_pairs(layer, w, pairs, x, y);
        }
    }
    if (left) {
        uint32_t l = *w++;
        for (size_t k = 0; k < (layer->inputs + 3U) / 4 * 4; k += 2) {
            l = smlad(*w++, &x[k], l);
        }
        *y = requantize((int32_t)l, w[0], w[1], layer->zero_point);
    }
}

void sml_dense_cortex_m4(const sml_dense *layer, const void *input, void *output)
{
    run(layer, input, output, 3);
}

void sml_dense_cortex_m4_small(const sml_dense *layer, const void *input, void *output)
{
    run(layer, input, output, 1);
}

#endif
