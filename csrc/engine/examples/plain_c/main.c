/* SPDX-License-Identifier: MIT
 *
 * main.c: will it snow in the next hour? With the model of the other example, for any board. */
#include "snow_model.h"

#include <stdio.h>

int main(void)
{
    /* of three hours, the oldest first: hundredths of a degree C, hundredths of a percent */
    static const int32_t counts[SNOW_MODEL_INPUTS] = {-80, 9300, -130, 9600, -150, 9800};
    static uint32_t memory[SNOW_MODEL_MEMORY_BYTES / 4];
    int8_t output[SNOW_MODEL_OUTPUTS];
    sml_context snow;

    if (sml_load_model(&snow, &snow_model) != SML_OK ||
        sml_initialize_model_memory(&snow, memory, sizeof memory) != SML_OK ||
        sml_prepare_input(&snow, counts, SNOW_MODEL_INPUTS) != SML_OK ||
        sml_run_model(&snow, output, SNOW_MODEL_OUTPUTS) != SML_OK) {
        return 1;
    }
    puts(output[0] >= SNOW_MODEL_THRESHOLD ? "snow" : "no snow");
    return 0;
}
