/* SPDX-License-Identifier: MIT
 *
 * fuzz_engine.c: models made of arbitrary bytes, healthy or corrupted, and calls in any order.
 *
 * What must come out is decided here once more, apart from the engine: a call succeeds if and only
 * if nothing is wrong, and its status names something that is. Every buffer is as long as its call
 * says, so that sanitizers see what is read or written beyond; what may not change is compared. A
 * healthy model gives the same output whatever was in its memory before.
 *
 * With libFuzzer, for any SML_LAYOUT:
 *
 *     clang -std=c11 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
 *         -DSML_LAYOUT=1 -I csrc/engine tests/c/fuzz_engine.c csrc/engine/[a-z]*.c -o fuzz
 *     ./fuzz -max_len=128 -max_total_time=600
 *
 * With -DREPLAY it is a program for any compiler: `fuzz 100000` takes that many inputs from a
 * generator and prints how often each status came. */
#include "fuzz_faults.h"

#define FILL 0xA5

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static sml_context context;
static sml_digest digest;
static int is_loaded, has_memory, has_input; /* what the context must know */
static const uint8_t *memory;                /* the last that was taken, and its bytes */
static size_t memory_bytes;
static unsigned long seen[8]; /* how often each status came */

/* Whether the call succeeded: if nothing was wrong; else its status is one of the set. */
static int check(sml_status status, unsigned wrong)
{
    CHECK(status <= 0 && status > -8);
    seen[-status]++;
    CHECK(wrong ? (BIT(status) & wrong) != 0 : status == SML_OK);
    return status == SML_OK;
}

static unsigned if_not(int is_right, sml_status status)
{
    return is_right ? 0 : BIT(status);
}

static void load(void)
{
    sml_context *c = or_null(&context);
    const sml_model *m = or_null(&model);
    const unsigned wrong = if_not(c && m, SML_ERR_ARGUMENT) | (m ? faults() : 0);
    const int succeeded = check(sml_load_model(c, m), wrong);
    if (c) {
        is_loaded = succeeded;
        has_memory = has_input = 0;
    }
}

static void give_memory(void)
{
    const size_t needed = model.memory_bytes < 400000 ? model.memory_bytes : 400000;
    const size_t less = one_in_16() ? 1 + take(8) : 0, offset = one_in_16() ? take(4) : 0;
    const size_t bytes = less > needed ? 0 : needed - less + (less ? 0 : take(9));
    uint8_t *whole = block(offset + bytes), *given = or_null(whole + offset);
    sml_context *c = or_null(&context);
    memset(whole, FILL, offset + bytes);
    unsigned wrong = if_not(c && given, SML_ERR_ARGUMENT) | if_not(is_loaded, SML_ERR_STATE);
    wrong |= if_not(bytes >= model.memory_bytes, SML_ERR_MEMORY);
    wrong |= if_not(offset % 4 == 0, SML_ERR_ALIGNMENT);
    if (check(sml_initialize_model_memory(c, given, bytes), wrong)) {
        has_memory = 1;
        has_input = 0;
        memory = given;
        memory_bytes = bytes;
    }
}

/* A length: nearly always the right one. */
static size_t length(size_t right)
{
    const size_t wrong[] = {0, right - 1, right + 1, right + 65536, SIZE_MAX};
    const uint32_t choice = take(32);
    return choice < sizeof wrong / sizeof *wrong ? wrong[choice] : right;
}

/* Of n numbers. A length that is out of the question needs none. */
static void *buffer(size_t n, size_t size)
{
    return or_null(random_block(n < MOST_BYTES ? n * size : 0));
}

static unsigned wrong_with(const void *c, const void *values, int is_in_order, size_t n,
                           size_t right)
{
    return if_not(c && values, SML_ERR_ARGUMENT) | if_not(is_in_order, SML_ERR_STATE) |
           if_not(n == right, SML_ERR_SHAPE);
}

static size_t inputs(void)
{
    return layers[0].inputs;
}

static size_t outputs(void)
{
    return is_loaded ? layers[model.layer_count - 1].outputs : 1;
}

static void set_input(void)
{
    const size_t n = length(inputs());
    sml_context *c = or_null(&context);
    const int8_t *codes = buffer(n, 1);
    const unsigned wrong = wrong_with(c, codes, has_memory, n, inputs());
    has_input |= check(sml_set_input(c, codes, n), wrong);
}

static void prepare_input(void)
{
    const size_t n = length(inputs());
    sml_context *c = or_null(&context);
    const int32_t *counts = buffer(n, 4);
    const int is_possible = has_memory && model.features && model.feature_count;
    const unsigned wrong = wrong_with(c, counts, is_possible, n, inputs());
    has_input |= check(sml_prepare_input(c, counts, n), wrong);
}

static void run(void)
{
    const size_t n = length(outputs());
    sml_context *c = or_null(&context);
    int8_t *output = buffer(n, 1);
    const unsigned wrong = wrong_with(c, output, has_input, n, outputs());
    if (check(sml_run_model(c, output, n), wrong)) {
        has_input = 0;
    }
}

static void start_digest(void)
{
    sml_digest *d = or_null(&digest);
    check(sml_digest_start(d, state), if_not(d != NULL, SML_ERR_ARGUMENT));
}

static void run_digest(void)
{
    const size_t n = length(outputs());
    const uint32_t rows = 1 + take(3);
    sml_context *c = or_null(&context);
    sml_digest *d = or_null(&digest);
    int8_t *output = buffer(n, 1);
    const unsigned wrong =
        wrong_with(c, output, has_memory, n, outputs()) | if_not(d != NULL, SML_ERR_ARGUMENT);
    if (check(sml_digest_rows(d, c, rows, output, n), wrong)) {
        has_input = 0;
    } else if (wrong == BIT(SML_ERR_SHAPE)) {
        has_input = 1; /* the row that could not be run */
    }
}

/* Whatever its memory holds before, a healthy model gives the same output. */
static void run_healthy(void)
{
    const int8_t *codes = (const int8_t *)random_block(inputs());
    int8_t *output[2];
    for (int i = 0; i < 2; i++) {
        void *given = block(model.memory_bytes);
        memset(given, i ? 0xFF : 0x55, model.memory_bytes);
        output[i] = (int8_t *)block(layers[model.layer_count - 1].outputs);
        is_loaded = check(sml_load_model(&context, &model), 0);
        check(sml_initialize_model_memory(&context, given, model.memory_bytes), 0);
        check(sml_set_input(&context, codes, inputs()), 0);
        check(sml_run_model(&context, output[i], outputs()), 0);
    }
    CHECK(memcmp(output[0], output[1], outputs()) == 0);
    is_loaded = has_memory = has_input = 0;
    context = (sml_context){NULL, NULL, 0};
}

static void call_in_any_order(void)
{
    static void (*const calls[])(void) = {load, give_memory,  set_input,  prepare_input,
                                          run,  start_digest, run_digest, set_input};
    load();
    give_memory();
    for (int i = 0; i < 12 && input_left > 0; i++) {
        calls[can_run ? take(8) : take(2)](); /* what can only be loaded gets memory, no more */
        for (size_t k = model.memory_bytes; has_memory && k < memory_bytes; k++) {
            CHECK(memory[k] == FILL);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const uint8_t few[8] = {0, 0, 0, 0, 0, 1, 1, 2};
    input = bytes;
    input_left = size;
    state = take(256);
    is_loaded = has_memory = has_input = 0;
    context = (sml_context){NULL, NULL, 0};
    digest = (sml_digest){0, 0, 0, 0, 0};
    make_model();
    const uint32_t shapes = few[take(8)], fields = few[take(8)], is_healthy = shapes + fields == 0;
    for (uint32_t i = 0; i < shapes; i++) {
        corrupt_shape();
    }
    make_arrays();
    for (uint32_t i = 0; i < fields && model.layer_count > 0; i++) {
        corrupt_field();
    }
    freeze_blocks();
    if (is_healthy) {
        run_healthy();
    }
    call_in_any_order();
    free_blocks();
    return 0;
}

#ifdef REPLAY
int main(int count, char **words)
{
    uint32_t random = 1;
    for (long i = count > 1 ? atol(words[1]) : 0; i > 0; i--) {
        uint8_t bytes[128];
        for (size_t k = 0; k < sizeof bytes; k++) {
            random = random * UINT32_C(1664525) + UINT32_C(1013904223);
            bytes[k] = (uint8_t)(random >> 24);
        }
        LLVMFuzzerTestOneInput(bytes, random >> 8 & 127);
    }
    for (size_t i = 0; i < 8; i++) {
        printf("%lu%c", seen[i], i < 7 ? ' ' : '\n');
    }
    return 0;
}
#endif
