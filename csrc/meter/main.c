/* SPDX-License-Identifier: MIT
 *
 * main.c: the program that `scratchml cost` measures: it loads an exported model, gives it memory,
 * sets the input and runs, once. What is linked beyond the same main without a body is the cost.
 *
 *     -DMETER_CODES    the input is int8 codes, which the emulator writes into meter_codes
 *     -DMETER_COUNTS   the input is sensor counts, in meter_counts
 *     neither          an empty main */
#if defined(METER_CODES) || defined(METER_COUNTS)
#include "model.h"

#define WORDS(bytes) (((bytes) + 3) / 4)

sml_context meter_context;
uint32_t meter_memory[WORDS(MODEL_MEMORY_BYTES)]; /* words: activations are aligned */
int8_t meter_output[MODEL_OUTPUTS];

#ifdef METER_CODES
int8_t meter_codes[MODEL_INPUTS];
#define SET_INPUT() sml_set_input(&meter_context, meter_codes, MODEL_INPUTS)
#else
int32_t meter_counts[MODEL_INPUTS];
#define SET_INPUT() sml_prepare_input(&meter_context, meter_counts, MODEL_INPUTS)
#endif

/* The statuses go unused: an error shows in the output, which is compared with Python's. */
int main(void)
{
    sml_load_model(&meter_context, &model);
    sml_initialize_model_memory(&meter_context, meter_memory, sizeof meter_memory);
    SET_INPUT();
    sml_run_model(&meter_context, meter_output, MODEL_OUTPUTS);
    return 0; /* which also keeps the last call from becoming a jump */
}

#else

int main(void)
{
    return 0;
}

#endif
