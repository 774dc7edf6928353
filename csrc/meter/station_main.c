/* SPDX-License-Identifier: MIT
 *
 * station_main.c: the weather station on a board that has nothing, for `scratchml cost`: its clock
 * goes on only while it sleeps, its sensor says what stands in meter_counts, and what it tells a
 * computer ends up in meter_output. It runs until the first forecast. */
#include "board.h"
#include "model.h"
#include "sensor.h"
#include "text.h"

enum { HOURS = MODEL_INPUTS / SENSOR_CHANNELS };

/* Of main.cpp. */
void setup(void);
void loop(void);

const char board_name[] = "meter";

int32_t meter_counts[MODEL_INPUTS]; /* what the sensor says, hour by hour */
char meter_output[TEXT_BYTES];      /* the last line */
static uint32_t meter_clock;
static uint32_t meter_lines;

void board_begin(void)
{
    meter_clock = 0;
    meter_lines = 0;
}

uint32_t board_millis(void)
{
    return meter_clock;
}

void board_sleep(uint32_t ms)
{
    meter_clock += ms;
}

bool board_listening(void)
{
    return false; /* nobody is to be greeted */
}

int board_read(void)
{
    return -1;
}

void board_write(const char *bytes, size_t n)
{
    if (bytes[0] == '\r') {
        meter_lines++;
        return;
    }
    for (size_t i = 0; i < sizeof meter_output; i++) {
        meter_output[i] = 0;
        if (i < n) {
            meter_output[i] = bytes[i];
        }
    }
}

void board_led(bool on)
{
    (void)on;
}

void board_watchdog_start(uint32_t ms)
{
    (void)ms;
}

void board_watchdog_feed(void)
{
}

uint32_t board_clock(void)
{
    return 0;
}

uint32_t board_cycles(void)
{
    return 0;
}

void sensor_begin(void)
{
}

sensor_status sensor_read(int32_t counts[SENSOR_CHANNELS])
{
    const uint32_t past = meter_clock / STATION_HOUR_MS;
    const uint32_t hour = past < HOURS ? past : HOURS - 1;
    for (uint32_t c = 0; c < SENSOR_CHANNELS; c++) {
        counts[c] = meter_counts[SENSOR_CHANNELS * hour + c];
    }
    return SENSOR_OK;
}

int main(void)
{
    setup();
    while (meter_lines < HOURS) {
        loop();
    }
    return 0;
}
