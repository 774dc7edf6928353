/* SPDX-License-Identifier: MIT
 *
 * rows.h: the engine over many rows at once, for Python on the host; not for firmware. */
#ifndef SCRATCHML_ROWS_H
#define SCRATCHML_ROWS_H

#include "scratchml.h"

/* Each row goes through the same public calls as on a board. `counts` or `codes` is NULL: the other
 * is [rows][inputs]. Stops at the first row that fails. */
sml_status sml_run_rows(sml_context *context, const int32_t *counts, const int8_t *codes,
                        size_t inputs, int8_t *output, size_t outputs, size_t rows);

/* Only the first half: counts[rows][inputs] to codes[rows][inputs]. */
sml_status sml_prepare_rows(sml_context *context, const int32_t *counts, int8_t *codes,
                            size_t inputs, size_t rows);

/* samples[n][channels] into a stream, one by one. Each complete window writes a row of `inputs`
 * features; the caller knows how many there will be. Stops at the first sample that fails. */
sml_status sml_stream_rows(sml_stream *stream, const int32_t *samples, size_t channels,
                           int32_t *features, size_t inputs, size_t n);

#endif
