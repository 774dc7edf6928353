/* SPDX-License-Identifier: MIT */
#include "rows.h"
#include "kernel.h"

sml_status sml_run_rows(sml_context *context, const int32_t *counts, const int8_t *codes,
                        size_t inputs, int8_t *output, size_t outputs, size_t rows)
{
    for (size_t i = 0; i < rows; i++) {
        sml_status status = counts ? sml_prepare_input(context, counts + i * inputs, inputs)
                                   : sml_set_input(context, codes + i * inputs, inputs);
        if (status == SML_OK) {
            status = sml_run_model(context, output + i * outputs, outputs);
        }
        if (status != SML_OK) {
            return status;
        }
    }
    return SML_OK;
}

sml_status sml_prepare_rows(sml_context *context, const int32_t *counts, int8_t *codes,
                            size_t inputs, size_t rows)
{
    for (size_t i = 0; i < rows; i++) {
        const sml_status status = sml_prepare_input(context, counts + i * inputs, inputs);
        if (status != SML_OK) {
            return status;
        }
        const sml_activation *x = (const sml_activation *)context->memory;
        for (size_t k = 0; k < inputs; k++) {
            codes[i * inputs + k] = (int8_t)(x[k] - SML_OFFSET); /* input lies at the start */
        }
    }
    return SML_OK;
}

sml_status sml_stream_rows(sml_stream *stream, const int32_t *samples, size_t channels,
                           int32_t *features, size_t inputs, size_t n)
{
    int32_t ready = 0;
    for (size_t i = 0; i < n; i++) {
        const sml_status status =
            sml_stream_add(stream, samples + i * channels, channels, features, inputs, &ready);
        if (status != SML_OK) {
            return status;
        }
        features += ready ? inputs : 0;
    }
    return SML_OK;
}
