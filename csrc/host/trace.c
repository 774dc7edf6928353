/* SPDX-License-Identifier: MIT */
#include "trace.h"
#include "kernel.h"

static sml_trace_record *records_;
static size_t capacity_;
static size_t count_;

void sml_trace(sml_trace_step step, size_t index, int32_t value)
{
    if (count_ < capacity_) {
        records_[count_] = (sml_trace_record){(int32_t)step, (uint32_t)index, value};
    }
    count_++;
}

sml_status sml_run_traced(sml_context *context, int8_t *output, size_t n, sml_trace_record *records,
                          size_t capacity, size_t *count)
{
    records_ = records;
    capacity_ = capacity;
    count_ = 0;
    const sml_status status = sml_run_model(context, output, n);
    *count = count_;
    capacity_ = 0; /* the records are the caller's again */
    return status;
}
