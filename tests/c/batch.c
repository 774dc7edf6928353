/* SPDX-License-Identifier: MIT
 *
 * batch.c: an exported model on 0 to 200 rows at once, codes and then counts, compared with one row
 * at a time; for the host under sanitizers. The arrays are as long as they must be, so that one
 * byte beyond is noticed. MODEL and MODEL_UPPER come from -D. */
#include "batch.h"
#include "rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
#define TEXT_(a) #a
#define TEXT(a) TEXT_(a)

#include TEXT(MODEL.h)

#define INPUTS PASTE(MODEL_UPPER, _INPUTS)
#define OUTPUTS PASTE(MODEL_UPPER, _OUTPUTS)
#define MOST_ROWS 200

static uint32_t state = 1;

static uint32_t random_word(void)
{
    state = state * UINT32_C(1664525) + UINT32_C(1013904223);
    return state >> 8 ^ state << 16;
}

/* Whether both ways give the same bytes for `rows` rows of counts or of codes. */
static int agree(sml_context *context, int with_counts, size_t rows)
{
    const size_t n = rows * INPUTS;
    int8_t *codes = malloc(n + (n == 0));
    int32_t *counts = malloc(n * sizeof *counts + (n == 0));
    int8_t *alone = malloc(rows * OUTPUTS + (n == 0));
    int8_t *together = malloc(rows * OUTPUTS + (n == 0));
    if (!codes || !counts || !alone || !together) {
        abort();
    }
    for (size_t i = 0; i < n; i++) {
        codes[i] = (int8_t)((int32_t)(random_word() & 255) - 128);
        counts[i] = (int32_t)(random_word() >> (random_word() & 31)) * (i % 3 ? 1 : -1);
    }
    memset(alone, 1, rows * OUTPUTS);
    memset(together, 2, rows * OUTPUTS);
    const int32_t *const readings = with_counts ? counts : NULL;
    const int same =
        sml_run_rows(context, readings, codes, INPUTS, alone, OUTPUTS, rows) == SML_OK &&
        sml_run_batch(context, readings, codes, INPUTS, together, OUTPUTS, rows) == SML_OK &&
        memcmp(alone, together, rows * OUTPUTS) == 0;
    free(codes);
    free(counts);
    free(alone);
    free(together);
    return same;
}

int main(void)
{
    static uint32_t memory[PASTE(MODEL_UPPER, _MEMORY_BYTES) / 4];
    sml_context context;
    if (sml_load_model(&context, &MODEL) != SML_OK ||
        sml_initialize_model_memory(&context, memory, sizeof memory) != SML_OK) {
        return 2;
    }
    for (int with_counts = 0; with_counts <= (MODEL.features != NULL); with_counts++) {
        int good = 0;
        for (size_t rows = 0; rows <= MOST_ROWS; rows++) {
            good += agree(&context, with_counts, rows);
        }
        printf("%s %d/%d\n", with_counts ? "counts" : "codes", good, MOST_ROWS + 1);
    }
    return 0;
}
