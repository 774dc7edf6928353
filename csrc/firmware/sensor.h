/* SPDX-License-Identifier: MIT
 *
 * sensor.h: what a sensor of temperature and humidity is to the station. Each file in sensors/ is
 * one of them; the build chooses which. */
#ifndef SENSOR_H
#define SENSOR_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The channels of a reading: temperature in 1/100 degrees Celsius, relative humidity in 1/100 %.
 * The model was trained on the same counts. */
enum { SENSOR_TEMPERATURE, SENSOR_HUMIDITY, SENSOR_CHANNELS };
enum { SENSOR_COUNTS_A_UNIT = 100 };

typedef enum {
    SENSOR_OK,
    SENSOR_ERROR,       /* it is not there, or does not answer */
    SENSOR_NOT_A_NUMBER /* a NaN, which Arduino's libraries give after a failed reading */
} sensor_status;

/* Called once, and again after an hour whose readings have all failed. */
void sensor_begin(void);

/* One reading; `counts` is written only if the result is SENSOR_OK. Takes at most a second, unless
 * the sensor vanishes while it is asked. */
sensor_status sensor_read(int32_t counts[SENSOR_CHANNELS]);

/* What sensor_read returns for two floats of a library, in units: rounds half away from zero, and
 * saturates. */
sensor_status sensor_counts(float temperature, float humidity, int32_t counts[SENSOR_CHANNELS]);

#ifdef __cplusplus
}
#endif

#endif
