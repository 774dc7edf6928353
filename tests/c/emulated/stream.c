/* SPDX-License-Identifier: MIT
 *
 * stream.c: the front end on an emulated Cortex-M, or under a computer's sanitizers. For each case
 * of streams.h it prints, for instance,
 *
 *     stream 17/17
 *
 * the windows whose features are right, and exits with 0, or with the number of the check that
 * failed. */
#include "machine.h"
#include "scratchml.h"

typedef struct {
    sml_front_end front_end;
    const int32_t *samples; /* [n][channels] */
    uint32_t n;
    const int32_t *features; /* [rows][inputs], by numpy */
    uint32_t rows;
    uint32_t inputs;
} stream_case;

#include "streams.h"

enum { FAILED_REFUSAL = 1, FAILED_CALL = 2, FAILED_ROWS = 3, FAILED_CANARY = 4 };

enum { GUARD = 8 };
static int32_t ring[GUARD + MOST_WORDS + GUARD];
static int32_t features[GUARD + MOST_INPUTS + GUARD];
static sml_stream stream;

static int32_t canary(size_t i)
{
    return (int32_t)(UINT32_C(0x40DEC0DE) + (uint32_t)i * 0x10307);
}

static void set_canaries(int32_t *words, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        words[i] = canary(i);
    }
}

/* All but the `used` words after the first guard are as they were. */
static void check_canaries(const int32_t *words, size_t n, size_t used)
{
    for (size_t i = 0; i < n; i++) {
        if ((i < GUARD || i >= GUARD + used) && words[i] != canary(i)) {
            print("a word beside an array was overwritten\n");
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

/* Takes the whole stream; how many windows give what they must. */
static uint32_t good_windows(const stream_case *c)
{
    uint32_t row = 0, good = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        int32_t ready = -1;
        const size_t channels = c->front_end.channels;
        expect(sml_stream_add(&stream, c->samples + i * channels, channels, features + GUARD,
                              c->inputs, &ready),
               SML_OK, FAILED_CALL);
        if (!ready) {
            continue;
        }
        uint32_t same = ready == 1 && row < c->rows;
        for (size_t k = 0; same && k < c->inputs; k++) {
            same = features[GUARD + k] == c->features[row * c->inputs + k];
        }
        row++;
        good += same;
    }
    return row == c->rows ? good : 0;
}

static void start(const stream_case *c, size_t bytes)
{
    uint8_t *memory = (uint8_t *)(ring + GUARD);
    for (size_t i = 1; i < 4; i++) {
        expect(sml_stream_start(&stream, &c->front_end, memory + i, bytes), SML_ERR_ALIGNMENT,
               FAILED_REFUSAL);
    }
    expect(sml_stream_start(&stream, &c->front_end, memory, bytes - 1), SML_ERR_MEMORY,
           FAILED_REFUSAL);
    expect(sml_stream_reset(&stream), SML_ERR_STATE, FAILED_REFUSAL);
    expect(sml_stream_start(&stream, &c->front_end, memory, bytes), SML_OK, FAILED_CALL);
}

int main(void)
{
    uint32_t all_good = 1;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const stream_case *c = &cases[i];
        const size_t words = (size_t)c->front_end.window * c->front_end.channels;
        set_canaries(ring, sizeof ring / sizeof ring[0]);
        set_canaries(features, sizeof features / sizeof features[0]);
        start(c, 4 * words);
        const uint32_t good = good_windows(c);
        /* and again, wherever the ring is now */
        expect(sml_stream_reset(&stream), SML_OK, FAILED_CALL);
        const uint32_t again = good_windows(c);
        print("stream ");
        print_number(good < again ? good : again);
        print("/");
        print_number(c->rows);
        print("\n");
        all_good = all_good && good == c->rows && again == c->rows;
        check_canaries(ring, sizeof ring / sizeof ring[0], words);
        check_canaries(features, sizeof features / sizeof features[0], c->inputs);
    }
    return all_good ? EXIT_GOOD : FAILED_ROWS;
}
