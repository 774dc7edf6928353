/* SPDX-License-Identifier: MIT
 *
 * main.c: the program that `scratchml cost` measures: it loads an exported model, gives it memory,
 * sets the input and runs, once. What is linked beyond the same main without a body is the cost.
 *
 *     -DMETER_CODES    the input is int8 codes, which the emulator writes into meter_codes
 *     -DMETER_COUNTS   the input is sensor counts, in meter_counts
 *     -DMETER_SAMPLES  the input is a window of a stream, in meter_samples
 *     none of them     an empty main */
#if defined(METER_CODES) || defined(METER_COUNTS) || defined(METER_SAMPLES)
#include "model.h"

#define WORDS(bytes) (((bytes) + 3) / 4)

sml_context meter_context;
uint32_t meter_memory[WORDS(MODEL_MEMORY_BYTES)]; /* words: activations are aligned */
int8_t meter_output[MODEL_OUTPUTS];

#ifdef METER_CODES
int8_t meter_codes[MODEL_INPUTS];
#define SET_INPUT() sml_set_input(&meter_context, meter_codes, MODEL_INPUTS)
#elif defined(METER_SAMPLES)
int32_t meter_samples[MODEL_WINDOW][MODEL_CHANNELS];
int32_t meter_ring[MODEL_STREAM_BYTES / 4];
int32_t meter_features[MODEL_INPUTS];
int32_t meter_ready;
sml_stream meter_stream;

static void SET_INPUT(void)
{
    sml_stream_start(&meter_stream, &model_front_end, meter_ring, sizeof meter_ring);
    for (size_t i = 0; i < MODEL_WINDOW; i++) {
        sml_stream_add(&meter_stream, meter_samples[i], MODEL_CHANNELS, meter_features,
                       MODEL_INPUTS, &meter_ready);
    }
    sml_prepare_input(&meter_context, meter_features, MODEL_INPUTS);
}
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
