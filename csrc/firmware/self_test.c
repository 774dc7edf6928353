/* SPDX-License-Identifier: MIT
 *
 * self_test.c: the model's golden vectors, run on this board. */
#include "self_test.h"

#include "model.h"

#ifndef SML_SELF_TEST
#error "the golden vectors are compiled with -DSML_SELF_TEST"
#endif

enum { NO_OUTPUT = -1 };

/* The first output of a golden row that is not Python's, or NO_OUTPUT. */
static int32_t first_difference(sml_context *context, size_t row, int8_t output[MODEL_OUTPUTS])
{
    sml_status status = sml_set_input(context, model_golden_input[row], MODEL_INPUTS);
    if (status == SML_OK) {
        status = sml_run_model(context, output, MODEL_OUTPUTS);
    }
    if (status != SML_OK) {
        return 0;
    }
    for (int32_t k = 0; k < MODEL_OUTPUTS; k++) {
        if (output[k] != model_golden_output[row][k]) {
            return k;
        }
    }
    return NO_OUTPUT;
}

static void describe(text *line, size_t row, int32_t k, int8_t computed)
{
    text_add(line, ": row ");
    text_unsigned(line, (uint32_t)row);
    text_add(line, ", output ");
    text_signed(line, k);
    text_add(line, " is ");
    text_signed(line, computed);
    text_add(line, " instead of ");
    text_signed(line, model_golden_output[row][k]);
}

bool self_test(sml_context *context, text *line)
{
    static int8_t output[MODEL_OUTPUTS];
    uint32_t good = 0;
    size_t bad_row = 0;
    int32_t bad_output = NO_OUTPUT;
    int8_t computed = 0;

    for (size_t row = 0; row < MODEL_GOLDEN_ROWS; row++) {
        const int32_t k = first_difference(context, row, output);
        good += k == NO_OUTPUT;
        if (k != NO_OUTPUT && bad_output == NO_OUTPUT) {
            bad_row = row;
            bad_output = k;
            computed = output[k];
        }
    }
    text_add(line, "self-test ");
    text_unsigned(line, good);
    text_character(line, '/');
    text_unsigned(line, MODEL_GOLDEN_ROWS);
    if (bad_output != NO_OUTPUT) {
        describe(line, bad_row, bad_output, computed);
    }
    return bad_output == NO_OUTPUT;
}
