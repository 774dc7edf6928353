/* SPDX-License-Identifier: MIT
 *
 * batch.h: many rows at once in the portable layout, for Python on the host; not for firmware.
 *
 * The rows of a block stand side by side and go through the network together: where the engine has
 * one number, there is one for each row here, in a lane of its own. What is done to one lane does
 * not depend on another, so the compiler turns the loops over them into vector instructions. */
#ifndef SCRATCHML_BATCH_H
#define SCRATCHML_BATCH_H

#include "scratchml.h"

/* Rows of a block. Their 32-bit sums are eight registers of AVX2: half of what there is. */
#define SML_LANES 64

/* The same bytes and the same errors as sml_run_rows, for models whose layers are all for
 * sml_dense_portable. SML_ERR_MEMORY if there is none for a block. */
sml_status sml_run_batch(sml_context *context, const int32_t *counts, const int8_t *codes,
                         size_t inputs, int8_t *output, size_t outputs, size_t rows);

#endif
