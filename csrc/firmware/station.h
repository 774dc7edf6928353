/* SPDX-License-Identifier: MIT
 *
 * station.h: the weather station without a board. It knows when a reading is due, which readings
 * are good, when an hour is over, which hours the model reads, and what to say and show; it reads
 * no clock and no sensor, and allocates nothing.
 *
 * Times are milliseconds modulo 2^32, as a board counts them: only their differences count, so the
 * wrap after 49.7 days is no event.
 */
#ifndef STATION_H
#define STATION_H

#include "sensor.h"
#include "text.h"

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    uint32_t hour_ms;        /* 3,600,000, or less for a demonstration; below 2^31 */
    uint32_t readings;       /* an hour, evenly spaced; 1 .. STATION_MAX_READINGS, <= hour_ms */
    uint32_t stuck_readings; /* equal ones in a row that are a broken sensor, from 2; 0: never */
    uint32_t window;         /* hours that the model reads, 1 or more */
} station_config;

enum { STATION_MAX_READINGS = 3600 };

/* Why an hour or a reading is missing. The first three are a sensor's own words. */
typedef enum {
    STATION_GOOD = SENSOR_OK,
    STATION_SENSOR_ERROR = SENSOR_ERROR,
    STATION_NOT_A_NUMBER = SENSOR_NOT_A_NUMBER,
    STATION_OUT_OF_RANGE, /* more or less than these sensors can measure */
    STATION_STUCK,        /* the same reading for ever */
    STATION_LATE,         /* nobody came to take it */
    STATION_STARTING      /* it was before the start */
} station_fault;

/* What is known of the next hour. */
typedef enum { STATION_UNKNOWN, STATION_NO_SNOW, STATION_SNOW } station_forecast;

typedef struct {
    station_config config;
    int32_t *window;               /* [config.window][SENSOR_CHANNELS], the oldest hour first */
    uint32_t hour_start;           /* when this hour began */
    uint32_t next_slot;            /* of this hour's readings, the first that is not over */
    uint32_t valid;                /* readings of this hour that are good ... */
    int32_t sum[SENSOR_CHANNELS];  /* ... and their sum */
    int32_t last[SENSOR_CHANNELS]; /* the last reading that was a number ... */
    uint32_t same;                 /* ... and how many times it has come in a row */
    station_fault fault;           /* of the last reading that was not good, in this hour */
    station_fault hole;            /* why the last hour that is missing is */
    bool has_hour;                 /* the newest hour is there, not a hole */
    uint32_t hours_needed;         /* good hours to come before there is a forecast */
    uint32_t hours, holes;         /* since the start; they stop at 2^32 - 1 */
    uint32_t last_reading;         /* when the last one was taken, good or not */
    station_forecast forecast;
    uint32_t percent; /* the probability of snow, if there is a forecast */
} station;

/* `window` has room for config->window hours and stays the station's. */
void station_begin(station *s, const station_config *config, int32_t *window, uint32_t now);

/* Whether to read the sensor now. A reading that was missed is not made up for. */
bool station_reading_due(const station *s, uint32_t now);

/* What the sensor said to a reading that was due; `counts` is looked at only if `status` is
 * SENSOR_OK. */
void station_add_reading(station *s, sensor_status status, const int32_t counts[SENSOR_CHANNELS],
                         uint32_t now);

/* True once an hour: the newest hour is in the window, or is a hole. When nobody came for longer,
 * the hours in between are holes, and it is true once for all of them. */
bool station_end_hour(station *s, uint32_t now);

/* Whether the newest hour had readings, and none of them was good. */
bool station_lost_its_sensor(const station *s);

/* Whether the window has no hole, so that the model can be asked. */
bool station_window_is_complete(const station *s);

/* A sigmoid's code, -128 .. 127 for 0 .. 255/256, in percent. */
uint32_t station_percent(int8_t code);

/* What the model said, and from which code on that is snow. */
void station_set_forecast(station *s, int8_t code, int8_t threshold);

/* The hour in words: 12.0 C 85.0 % -> snow 7 % (no) */
void station_describe(const station *s, text *line);
const char *station_fault_name(station_fault fault);

/* The LED: on is snow, off is no snow, a flash every four seconds is no forecast. */
bool station_led(const station *s, uint32_t now);

/* How long nothing is to be done: 0 if there is something now, at most STATION_MAX_IDLE_MS. */
uint32_t station_idle(const station *s, uint32_t now);

/* Whether readings are taken as they should be: if not, the watchdog is to have its way. */
bool station_is_alive(const station *s, uint32_t now);

enum { STATION_MAX_IDLE_MS = 4000, STATION_FLASH_PERIOD_MS = 4000, STATION_FLASH_MS = 50 };

#ifdef __cplusplus
}
#endif

#endif
