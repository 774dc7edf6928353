/* SPDX-License-Identifier: MIT
 *
 * program.c: what is asked of an exported model on an emulated Cortex-M. It prints, for instance,
 *
 *     golden 32/32
 *     chosen 5/5
 *     counts 40/40
 *     digest 305419896
 *
 * and exits with 0, or with the number of the first check that failed. The model is net.c; chosen.h
 * holds rows chosen for it and what they must give; DIGEST_ROWS and DIGEST_SEED come from -D. */
#include "machine.h"
#include "net.h"

#include "chosen.h"

enum {
    FAILED_REFUSAL = 1, /* memory that the engine must refuse was taken, or the reverse */
    FAILED_CALL = 2,    /* a call that must succeed did not */
    FAILED_ROWS = 3,    /* outputs differ */
    FAILED_CANARY = 4   /* something was written beside the activation memory or the output */
};

/* The memory starts at any of PLACES words in a row, with canaries all around it. */
enum { GUARD = 8, PLACES = 8, WORDS = NET_MEMORY_BYTES / 4, AREA = GUARD + WORDS + PLACES + GUARD };
_Static_assert(NET_MEMORY_BYTES % 4 == 0, "the memory is whole words");

static _Alignas(4 * PLACES) uint32_t area[AREA];
static int8_t outputs[GUARD + NET_OUTPUTS + GUARD];
static int8_t *const output = outputs + GUARD;
static sml_context context;

static uint32_t canary(size_t i)
{
    return UINT32_C(0xC0DEC0DE) + (uint32_t)i * UINT32_C(0x01030507);
}

static void set_canaries(void)
{
    for (size_t i = 0; i < AREA; i++) {
        area[i] = canary(i);
    }
    for (size_t i = 0; i < sizeof outputs; i++) {
        outputs[i] = (int8_t)(i + 1);
    }
}

/* All is as it was, but for the memory that starts `place` words after the first place. */
static void check_canaries(size_t place)
{
    const size_t start = GUARD + place;
    for (size_t i = 0; i < AREA; i++) {
        if ((i < start || i >= start + WORDS) && area[i] != canary(i)) {
            print("a word beside the memory was overwritten\n");
            stop(FAILED_CANARY);
        }
    }
    for (size_t i = 0; i < GUARD; i++) {
        const size_t behind = GUARD + NET_OUTPUTS + i;
        if (outputs[i] != (int8_t)(i + 1) || outputs[behind] != (int8_t)(behind + 1)) {
            print("a byte beside the output was overwritten\n");
            stop(FAILED_CANARY);
        }
    }
}

static void expect(sml_status status, sml_status expected, uint32_t code)
{
    if (status != expected) {
        print("status -");
        print_number((uint32_t)-status);
        print(" instead of -");
        print_number((uint32_t)-expected);
        print("\n");
        stop(code);
    }
}

static void start_at(size_t place)
{
    set_canaries();
    expect(sml_load_model(&context, &net), SML_OK, FAILED_CALL);
    expect(sml_initialize_model_memory(&context, area + GUARD + place, 4 * WORDS), SML_OK,
           FAILED_CALL);
}

static void check_refusals(void)
{
    uint8_t *memory = (uint8_t *)(area + GUARD);

    expect(sml_load_model(&context, &net), SML_OK, FAILED_REFUSAL);
    for (size_t i = 1; i < 4; i++) {
        expect(sml_initialize_model_memory(&context, memory + i, 4 * WORDS), SML_ERR_ALIGNMENT,
               FAILED_REFUSAL);
    }
    expect(sml_initialize_model_memory(&context, memory, 4 * WORDS - 1), SML_ERR_MEMORY,
           FAILED_REFUSAL);
    expect(sml_run_model(&context, output, NET_OUTPUTS), SML_ERR_STATE, FAILED_REFUSAL);
    expect(sml_initialize_model_memory(&context, memory, 4 * WORDS), SML_OK, FAILED_REFUSAL);
}

/* Runs the row that has been set; whether it gives what it must. */
static uint32_t gives(const int8_t *expected)
{
    uint32_t same = 1;
    expect(sml_run_model(&context, output, NET_OUTPUTS), SML_OK, FAILED_CALL);
    for (size_t k = 0; k < NET_OUTPUTS; k++) {
        same = same && output[k] == expected[k];
    }
    return same;
}

static uint32_t good_codes(const int8_t (*inputs)[NET_INPUTS],
                           const int8_t (*expected)[NET_OUTPUTS], size_t rows)
{
    uint32_t good = 0;
    for (size_t i = 0; i < rows; i++) {
        expect(sml_set_input(&context, inputs[i], NET_INPUTS), SML_OK, FAILED_CALL);
        good += gives(expected[i]);
    }
    return good;
}

#if COUNTS_ROWS
static uint32_t good_counts(void)
{
    uint32_t good = 0;
    for (size_t i = 0; i < COUNTS_ROWS; i++) {
        expect(sml_prepare_input(&context, counts_input[i], NET_INPUTS), SML_OK, FAILED_CALL);
        good += gives(counts_output[i]);
    }
    return good;
}
#endif

static uint32_t report(const char *name, uint32_t good, uint32_t rows)
{
    print(name);
    print_number(good);
    print("/");
    print_number(rows);
    print("\n");
    return good == rows;
}

/* Also called alone, by an emulator without semihosting: `rows` rows, their CRC in *crc. */
sml_status run_digest(uint32_t rows, uint32_t seed, uint32_t *crc);
__attribute__((noinline, used)) sml_status run_digest(uint32_t rows, uint32_t seed, uint32_t *crc)
{
    sml_digest digest;
    sml_status status = sml_load_model(&context, &net);
    if (status == SML_OK) {
        status = sml_initialize_model_memory(&context, area, 4 * WORDS);
    }
    if (status == SML_OK) {
        status = sml_digest_start(&digest, seed);
    }
    if (status == SML_OK) {
        status = sml_digest_rows(&digest, &context, rows, output, NET_OUTPUTS);
        *crc = digest.crc;
    }
    return status;
}

int main(void)
{
    uint32_t all_good = 1, crc = 0;

    check_refusals();
    for (size_t place = 0; place < PLACES; place++) {
        start_at(place);
        const uint32_t good = good_codes(net_golden_input, net_golden_output, NET_GOLDEN_ROWS);
        if (place == 0 || good != NET_GOLDEN_ROWS) {
            all_good &= report("golden ", good, NET_GOLDEN_ROWS);
        }
        check_canaries(place);
    }
    start_at(0);
#if CHOSEN_ROWS
    all_good &=
        report("chosen ", good_codes(chosen_input, chosen_output, CHOSEN_ROWS), CHOSEN_ROWS);
#endif
#if COUNTS_ROWS
    all_good &= report("counts ", good_counts(), COUNTS_ROWS);
#endif
    check_canaries(0);

    expect(run_digest(DIGEST_ROWS, DIGEST_SEED, &crc), SML_OK, FAILED_CALL);
    print("digest ");
    print_number(crc);
    print("\n");
    return all_good ? EXIT_GOOD : FAILED_ROWS;
}
