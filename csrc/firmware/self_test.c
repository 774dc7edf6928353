/* SPDX-License-Identifier: MIT
 *
 * self_test.c: the model's golden vectors, run on this board. */
#include "self_test.h"

#include "model.h"

#ifndef SML_SELF_TEST
#error "the golden vectors are compiled with -DSML_SELF_TEST"
#endif

/* How a golden row went wrong: the engine refused it, or an output is not Python's. */
typedef struct {
    size_t row, output;
    sml_status status;
    int8_t computed;
} difference;

static bool is_right(sml_context *context, size_t row, difference *found)
{
    static int8_t output[MODEL_OUTPUTS];
    found->row = row;
    found->status = sml_set_input(context, model_golden_input[row], MODEL_INPUTS);
    if (found->status == SML_OK) {
        found->status = sml_run_model(context, output, MODEL_OUTPUTS);
    }
    if (found->status != SML_OK) {
        return false;
    }
    for (size_t k = 0; k < MODEL_OUTPUTS; k++) {
        if (output[k] != model_golden_output[row][k]) {
            found->output = k;
            found->computed = output[k];
            return false;
        }
    }
    return true;
}

static void describe(text *line, const difference *found)
{
    text_add(line, ": row ");
    text_unsigned(line, (uint32_t)found->row);
    if (found->status != SML_OK) {
        text_add(line, " is refused with status ");
        text_signed(line, found->status);
        return;
    }
    text_add(line, ", output ");
    text_unsigned(line, (uint32_t)found->output);
    text_add(line, " is ");
    text_signed(line, found->computed);
    text_add(line, " instead of ");
    text_signed(line, model_golden_output[found->row][found->output]);
}

bool self_test(sml_context *context, text *line)
{
    difference first = {0, 0, SML_OK, 0};
    uint32_t good = 0;

    for (size_t row = 0; row < MODEL_GOLDEN_ROWS; row++) {
        difference found = {0, 0, SML_OK, 0};
        if (is_right(context, row, &found)) {
            good++;
        } else if (good == row) { /* all before it are right */
            first = found;
        }
    }
    text_add(line, "self-test ");
    text_unsigned(line, good);
    text_character(line, '/');
    text_unsigned(line, MODEL_GOLDEN_ROWS);
    if (good < MODEL_GOLDEN_ROWS) {
        describe(line, &first);
    }
    return good == MODEL_GOLDEN_ROWS;
}
