/* SPDX-License-Identifier: MIT
 *
 * dense_cortex_m0plus.c: what dense_cortex_m0plus_asm.S does, in C: to read, and to run where there
 * is no such CPU.
 *
 * A Cortex-M0+ multiplies 32 by 32 bits in one cycle and keeps the low 32. So four rows A, B, C, D
 * share a word, and activations are kept as x = code + 128, 0 to 255:
 *
 *     word = (256 * D + C) << 16 | (256 * (B + 128) + A)      A and C modulo 2^8 .. 2^16
 *     t = sum word * x,  u = sum (word >> 16) * x,  a = sum A * x,  c = sum C * x, modulo 2^32
 *     sum D x = (u - c) >> 8
 *     sum B x = (t - (u << 16) - a - (sum x << 15)) >> 8
 *
 * B is offset so that no borrow crosses the middle of the word; the offset leaves with the sum of
 * the activations. Four products take four multiplications, four additions and three unpackings.
 * The sums begin with the biases, and the exporter has proved that no accumulator reaches 2^23; a
 * layer outside of that takes the portable kernel, as does one with a weight of -128.
 *
 * The words of a layer, in the order in which they are read: rows are taken four at a time, then
 * one.
 *
 *     t, u, a, c                              where the sums begin
 *     a word for each column                  an odd last column is followed by a word of zero
 *     for A, B, C, D: the multiplier's low half; its high half << 16 | shift
 *
 * A single row is four columns of int8 a word: the sum, the words, two for its multiplier.
 *
 * The small kernel computes the same, with a shorter loop. */
#include "kernel.h"

#if SML_LAYOUT == SML_LAYOUT_CORTEX_M0PLUS && !defined(SML_ASSEMBLY)

static uint8_t requantize(int32_t accumulator, const uint32_t *scale, int32_t zero_point)
{
    const int32_t multiplier = (int32_t)((scale[1] & 0xFFFF0000) | scale[0]);
    const int32_t value = sml_high_multiply(accumulator, multiplier);
    const int32_t code = sml_shift_right(value, (int32_t)(scale[1] & 31)) + zero_point;
    return (uint8_t)sml_clamp(code, 0, UINT8_MAX);
}

/* Byte i of a word, as a number of -128 .. 127. */
static int32_t weight(uint32_t word, unsigned i)
{
    return (int8_t)(word >> 8 * i & 0xFF);
}

/* Four rows; returns the words that follow theirs. */
static const uint32_t *run_four(const sml_dense *layer, const uint32_t *w, const uint8_t *x,
                                uint32_t sum, uint8_t *y)
{
    uint32_t t = w[0], u = w[1], a = w[2], c = w[3];
    w += 4;
    for (size_t k = 0; k < layer->inputs; k++, w++) {
        t += *w * x[k];
        u += (uint32_t)((int32_t)*w >> 16) * x[k];
        a += (uint32_t)(weight(*w, 0) * x[k]);
        c += (uint32_t)(weight(*w, 2) * x[k]);
    }
    w += layer->inputs & 1;
    const uint32_t b = t - (u << 16) - a - (sum << 15);
    y[0] = requantize((int32_t)a, w, layer->zero_point);
    y[1] = requantize((int32_t)b >> 8, w + 2, layer->zero_point);
    y[2] = requantize((int32_t)c, w + 4, layer->zero_point);
    y[3] = requantize((int32_t)(u - c) >> 8, w + 6, layer->zero_point);
    return w + 8;
}

void sml_dense_cortex_m0plus(const sml_dense *layer, const void *input, void *output)
{
    const uint32_t *w = layer->weights;
    const uint8_t *x = input;
    uint8_t *y = output;
    uint32_t sum = 0;
    for (size_t k = 0; k < layer->inputs; k++) {
        sum += x[k];
    }
    size_t left = layer->outputs;
    for (; left >= 4; left -= 4, y += 4) {
        w = run_four(layer, w, x, sum, y);
    }
    for (; left; left--, w += 2, y++) {
        uint32_t accumulator = *w++;
        for (size_t k = 0; k < layer->inputs; k++) {
            accumulator += (uint32_t)(weight(w[k / 4], k % 4) * x[k]);
        }
        w += (layer->inputs + 3U) / 4;
        *y = requantize((int32_t)accumulator, w, layer->zero_point);
    }
}

void sml_dense_cortex_m0plus_small(const sml_dense *layer, const void *input, void *output)
{
    sml_dense_cortex_m0plus(layer, input, output);
}

#endif
