/* SPDX-License-Identifier: MIT */
#include "motion.h"

#include <math.h>

uint32_t motion_wait(uint32_t due, uint32_t now)
{
    const uint32_t wait = due - now;
    return wait <= INT32_MAX ? wait : 0; /* a wait so long is a time that has passed */
}

int motion_take(uint32_t *due, uint32_t now)
{
    const int is_late = now - *due >= MOTION_LATE_MS;
    *due = (is_late ? now : *due) + MOTION_PERIOD_MS;
    return is_late;
}

int motion_counts(const float g[3], const int8_t order[3], const int8_t sign[3], int32_t counts[3])
{
    for (size_t i = 0; i < 3; i++) {
        const float reading = g[order[i]];
        if (!isfinite(reading)) {
            return 0;
        }
        /* what does not fit must not be converted */
        const float thousandths = 1000.0F * (float)sign[i] * reading;
        counts[i] = thousandths >= MOTION_MOST    ? MOTION_MOST
                    : thousandths <= -MOTION_MOST ? -MOTION_MOST
                                                  : (int32_t)lroundf(thousandths);
    }
    return 1;
}

size_t motion_likeliest(const int8_t *output, size_t n)
{
    size_t best = 0;
    for (size_t i = 1; i < n; i++) {
        best = output[i] > output[best] ? i : best;
    }
    return best;
}

int motion_percent(int8_t code)
{
    return ((code + 128) * 100 + 128) / 256;
}
