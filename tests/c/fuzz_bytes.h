/* SPDX-License-Identifier: MIT
 *
 * fuzz_bytes.h: choices and numbers made of the fuzzer's bytes, and memory for them. */
#ifndef FUZZ_BYTES_H
#define FUZZ_BYTES_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition) ((condition) ? (void)0 : complain(__FILE__, __LINE__, #condition))

static void complain(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
    abort();
}

static const uint8_t *input; /* what is left of the fuzzer's bytes; zeros follow the last */
static size_t input_left;

/* A choice, 0 to limit - 1 of at most 256. */
static uint32_t take(uint32_t limit)
{
    if (input_left == 0) {
        return 0;
    }
    input_left--;
    return *input++ % limit;
}

static int one_in_16(void)
{
    return take(16) == 15;
}

static void *or_null(void *pointer)
{
    return one_in_16() ? NULL : pointer;
}

static uint32_t state; /* of a generator that fills arrays */

static uint32_t noise(void)
{
    state = state * UINT32_C(1664525) + UINT32_C(1013904223);
    return state ^ (state >> 15);
}

static int32_t between(int32_t low, int32_t high)
{
    return low + (int32_t)(noise() % (uint32_t)(high - low + 1));
}

/* Memory: each block as long as it must be, for the sanitizers, and freed in the end. */
static struct {
    uint8_t *start;
    size_t bytes;
    uint32_t sum; /* of those that nobody may write to */
} blocks[256];
static size_t block_count, constant_count;

static uint8_t *block(size_t bytes)
{
    uint8_t *start = malloc(bytes);
    CHECK(start != NULL && block_count < sizeof blocks / sizeof *blocks);
    blocks[block_count].start = start;
    blocks[block_count++].bytes = bytes;
    return start;
}

static uint8_t *random_block(size_t bytes)
{
    uint8_t *start = block(bytes);
    for (size_t i = 0; i < bytes; i++) {
        start[i] = (uint8_t)noise();
    }
    return start;
}

static uint32_t sum_of_block(size_t i)
{
    uint32_t sum = 1;
    for (size_t k = 0; k < blocks[i].bytes; k++) {
        sum = sum * 31 + blocks[i].start[k];
    }
    return sum;
}

/* From here on the blocks that are there may not change. */
static void freeze_blocks(void)
{
    for (constant_count = 0; constant_count < block_count; constant_count++) {
        blocks[constant_count].sum = sum_of_block(constant_count);
    }
}

static void free_blocks(void)
{
    for (size_t i = 0; i < constant_count; i++) {
        CHECK(sum_of_block(i) == blocks[i].sum);
    }
    while (block_count > 0) {
        free(blocks[--block_count].start);
    }
    constant_count = 0;
}

#endif
