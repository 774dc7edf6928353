/* SPDX-License-Identifier: MIT
 *
 * trace.h: one inference with every integer written down, for Python on the host. The engine has
 * to be compiled with -DSML_WITH_TRACE. */
#ifndef SCRATCHML_TRACE_H
#define SCRATCHML_TRACE_H

#include "scratchml.h"

/* What sml_trace() was told: the step (see kernel.h), the place in its array, the value. */
typedef struct {
    int32_t step;
    uint32_t index;
    int32_t value;
} sml_trace_record;

/* Runs the model on its input and keeps the first `capacity` records; *count is how many there
 * were. Not for two threads at a time: the hook has no argument to tell them apart. */
sml_status sml_run_traced(sml_context *context, int8_t *output, size_t n, sml_trace_record *records,
                          size_t capacity, size_t *count);

#endif
