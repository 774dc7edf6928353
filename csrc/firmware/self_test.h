/* SPDX-License-Identifier: MIT
 *
 * self_test.h: the model's golden vectors, which Python computed, run on this board. */
#ifndef SELF_TEST_H
#define SELF_TEST_H

#include "scratchml.h"
#include "text.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Whether every byte is Python's; adds `self-test 32/32`, or also the first difference. */
bool self_test(sml_context *context, text *line);

#ifdef __cplusplus
}
#endif

#endif
