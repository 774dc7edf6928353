/* SPDX-License-Identifier: MIT
 *
 * motion.h: what stands between an accelerometer and the network: when to take a reading, which
 * counts it is, and what an output code says. Nothing of Arduino: a computer can test it. */
#ifndef MOTION_H
#define MOTION_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MOTION_PERIOD_MS 40 /* 25 readings a second, the rate of the training data */
/* Later by this, a reading stands behind a gap, as it does in training. */
#define MOTION_LATE_MS (MOTION_PERIOD_MS / 2)
#define MOTION_MOST 32767 /* thousandths of g; no sensor of this kind measures as much */

/* Milliseconds until `due`, 0 if it has come; right when the clock starts again at 0, too. */
uint32_t motion_wait(uint32_t due, uint32_t now);

/* For a reading that is taken now: sets *due to the next one. Returns 1 if this one comes too
 * late, so that it does not belong to those before it, else 0. */
int motion_take(uint32_t *due, uint32_t now);

/* A reading in g to thousandths of g, halves away from zero, none beyond MOTION_MOST:
 * counts[i] = 1000 * sign[i] * g[order[i]]. Returns 0 if one is no number, or infinite. */
int motion_counts(const float g[3], const int8_t order[3], const int8_t sign[3], int32_t counts[3]);

/* Which of n output codes is the greatest; of equal ones the first. */
size_t motion_likeliest(const int8_t *output, size_t n);

/* The code of a probability in percent: (code + 128) / 256, rounded. */
int motion_percent(int8_t code);

#ifdef __cplusplus
}
#endif

#endif
