/* SPDX-License-Identifier: MIT
 *
 * sensor.c: the floats of a sensor's library to counts. */
#include "sensor.h"

/* Half of what an int32_t holds: more than any sensor says, and nothing overflows. */
static const float LIMIT = 1073741824.0F;

static int32_t rounded(float counts)
{
    if (counts >= LIMIT) {
        return (int32_t)LIMIT;
    }
    if (counts <= -LIMIT) {
        return -(int32_t)LIMIT;
    }
    const int32_t whole = (int32_t)counts;
    const float rest = counts - (float)whole; /* exact, which counts + 0.5 is not */
    return whole + (rest >= 0.5F) - (rest <= -0.5F);
}

sensor_status sensor_counts(float temperature, float humidity, int32_t counts[SENSOR_CHANNELS])
{
    if (temperature != temperature || humidity != humidity) { /* only a NaN differs from itself */
        return SENSOR_NOT_A_NUMBER;
    }
    counts[SENSOR_TEMPERATURE] = rounded(temperature * SENSOR_COUNTS_A_UNIT);
    counts[SENSOR_HUMIDITY] = rounded(humidity * SENSOR_COUNTS_A_UNIT);
    return SENSOR_OK;
}
