/* SPDX-License-Identifier: MIT
 *
 * replay.c: hours that were recorded elsewhere, for boards without a sensor and for emulators. The
 * readings of an hour differ, as a sensor's do, and their mean is what was recorded. */
#include "config.h"
#include "sensor.h"

#if defined(SENSOR_REPLAY)

#include "replay_hours.h"

enum { MISSING = INT16_MIN, MOST_STEPS = 20 };

/* What counts may be; beyond, the station would clamp them. */
static const int32_t least[SENSOR_CHANNELS] = {-4000, 0};
static const int32_t most[SENSOR_CHANNELS] = {8500, 10000};

static uint32_t hour, reading; /* the next one; it stays where it is when the sensor begins anew */

void sensor_begin(void)
{
}

/* Above and below in turn, so that they cancel; none where a channel has no room for it. */
static int32_t deviation(int32_t recorded, int channel)
{
    const int32_t steps = 1 + (int32_t)(reading / 2 % MOST_STEPS);
    const uint32_t without_partner = STATION_READINGS % 2 ? STATION_READINGS - 1 : STATION_READINGS;
    if (reading == without_partner || recorded - MOST_STEPS < least[channel] ||
        recorded + MOST_STEPS > most[channel]) {
        return 0;
    }
    return reading % 2 ? -steps : steps;
}

static void next_reading(void)
{
    if (++reading == STATION_READINGS) {
        reading = 0;
        hour++;
    }
}

sensor_status sensor_read(int32_t counts[SENSOR_CHANNELS])
{
    if (hour == REPLAY_HOURS) {
        return SENSOR_ERROR;
    }
    const int16_t *recorded = replay_hours[hour];
    const sensor_status status = recorded[SENSOR_TEMPERATURE] == MISSING ? SENSOR_ERROR : SENSOR_OK;
    for (int c = 0; status == SENSOR_OK && c < SENSOR_CHANNELS; c++) {
        counts[c] = recorded[c] + deviation(recorded[c], c);
    }
    next_reading();
    return status;
}

#endif
