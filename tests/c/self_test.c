/* SPDX-License-Identifier: MIT
 *
 * self_test.c: run the golden vectors of an exported model and print "self-test 32/32". What a
 * board does at start-up, here for the host under sanitizers. MODEL and MODEL_UPPER come from -D.
 */
#include <stdio.h>

#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
#define TEXT_(a) #a
#define TEXT(a) TEXT_(a)

#include TEXT(MODEL.h)
#include TEXT(MODEL.h) /* headers must bear being included twice */

#define INPUTS PASTE(MODEL_UPPER, _INPUTS)
#define OUTPUTS PASTE(MODEL_UPPER, _OUTPUTS)
#define ROWS PASTE(MODEL_UPPER, _GOLDEN_ROWS)

int main(void)
{
    static uint32_t memory[PASTE(MODEL_UPPER, _MEMORY_BYTES) / 4];
    sml_context context;
    int8_t output[OUTPUTS];
    int good = 0;

    for (size_t i = 0; i < sizeof memory / sizeof memory[0]; i++) {
        memory[i] = UINT32_C(0x557F80AA); /* what no layer has written must not matter */
    }
    if (sml_load_model(&context, &MODEL) != SML_OK ||
        sml_initialize_model_memory(&context, memory, sizeof memory) != SML_OK) {
        puts("the engine refuses the model");
        return 2;
    }
    for (size_t i = 0; i < ROWS; i++) {
        if (sml_set_input(&context, PASTE(MODEL, _golden_input)[i], INPUTS) != SML_OK ||
            sml_run_model(&context, output, OUTPUTS) != SML_OK) {
            puts("a call failed");
            return 2;
        }
        int same = 1;
        for (size_t k = 0; k < OUTPUTS; k++) {
            same = same && output[k] == PASTE(MODEL, _golden_output)[i][k];
        }
        good += same;
    }
    printf("self-test %d/%d\n", good, ROWS);
    return good == ROWS ? 0 : 1;
}
