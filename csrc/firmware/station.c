/* SPDX-License-Identifier: MIT
 *
 * station.c: readings to hours, hours to a window, and what is said and shown of it. */
#include "station.h"

#include <string.h>

/* What these sensors can measure; anything else is a fault. Humidity may come out a little beside
 * its scale, in fog for instance, and is brought back to it. */
static const int32_t lowest[SENSOR_CHANNELS] = {-4000, -200};
static const int32_t highest[SENSOR_CHANNELS] = {8500, 10500};
static const int32_t least[SENSOR_CHANNELS] = {-4000, 0};
static const int32_t most[SENSOR_CHANNELS] = {8500, 10000};

_Static_assert(STATION_MAX_READINGS <= INT32_MAX / 10500, "the sum of an hour fits");

static int32_t clamp(int32_t value, int32_t low, int32_t high)
{
    return value < low ? low : value > high ? high : value;
}

static uint32_t sooner(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t add(uint32_t count, uint32_t more)
{
    return more < UINT32_MAX - count ? count + more : UINT32_MAX;
}

/* Halves go away from zero, as everywhere in scratchml. */
static int32_t mean(int32_t sum, int32_t n)
{
    return sum < 0 ? -((-sum + n / 2) / n) : (sum + n / 2) / n;
}

static void begin_hour(station *s, uint32_t start)
{
    s->hour_start = start;
    s->next_slot = 0;
    s->valid = 0;
    s->fault = STATION_LATE; /* as long as no reading says otherwise */
    memset(s->sum, 0, sizeof s->sum);
}

static void open_window(station *s, station_fault why)
{
    s->hole = why;
    s->hours_needed = s->config.window;
    s->forecast = STATION_UNKNOWN;
}

void station_begin(station *s, const station_config *config, int32_t *window, uint32_t now)
{
    *s = (station){.config = *config, .window = window, .last_reading = now};
    begin_hour(s, now);
    open_window(s, STATION_STARTING);
}

/* An hour has a slot for each reading; the last one is longer by what the division leaves. */
static uint32_t slot_ms(const station *s)
{
    return s->config.hour_ms / s->config.readings;
}

static uint32_t slot_at(const station *s, uint32_t now)
{
    return sooner((now - s->hour_start) / slot_ms(s), s->config.readings - 1);
}

bool station_reading_due(const station *s, uint32_t now)
{
    return now - s->hour_start < s->config.hour_ms && slot_at(s, now) >= s->next_slot;
}

/* Counts how often the same reading has come; no weather is as steady as a broken sensor. */
static bool is_stuck(station *s, const int32_t counts[SENSOR_CHANNELS])
{
    const bool again = s->same && !memcmp(s->last, counts, sizeof s->last);
    s->same = again ? add(s->same, 1) : 1;
    memcpy(s->last, counts, sizeof s->last);
    return s->config.stuck_readings && s->same >= s->config.stuck_readings;
}

static bool is_in_range(const int32_t counts[SENSOR_CHANNELS])
{
    for (int c = 0; c < SENSOR_CHANNELS; c++) {
        if (counts[c] < lowest[c] || counts[c] > highest[c]) {
            return false;
        }
    }
    return true;
}

static station_fault check(station *s, sensor_status status, const int32_t counts[SENSOR_CHANNELS])
{
    if (status != SENSOR_OK) {
        return (station_fault)status;
    }
    const bool stuck = is_stuck(s, counts);
    return !is_in_range(counts) ? STATION_OUT_OF_RANGE : stuck ? STATION_STUCK : STATION_GOOD;
}

void station_add_reading(station *s, sensor_status status, const int32_t counts[SENSOR_CHANNELS],
                         uint32_t now)
{
    s->next_slot = slot_at(s, now) + 1;
    s->last_reading = now;
    const station_fault fault = check(s, status, counts);
    if (fault != STATION_GOOD) {
        s->fault = fault;
        return;
    }
    for (int c = 0; c < SENSOR_CHANNELS; c++) {
        s->sum[c] += clamp(counts[c], least[c], most[c]);
    }
    s->valid++;
}

/* The hour that is over becomes the newest of the window. */
static void append_hour(station *s)
{
    const size_t older = s->config.window - 1;
    int32_t *newest = s->window + older * SENSOR_CHANNELS;
    memmove(s->window, s->window + SENSOR_CHANNELS, older * SENSOR_CHANNELS * sizeof *s->window);
    for (int c = 0; c < SENSOR_CHANNELS; c++) {
        newest[c] = mean(s->sum[c], (int32_t)s->valid);
    }
    s->hours_needed -= s->hours_needed > 0;
    s->forecast = STATION_UNKNOWN; /* until the model is asked again */
}

static void append_holes(station *s, station_fault why, uint32_t hours)
{
    s->holes = add(s->holes, hours);
    open_window(s, why);
}

bool station_end_hour(station *s, uint32_t now)
{
    const uint32_t hours = (now - s->hour_start) / s->config.hour_ms;
    if (hours == 0) {
        return false;
    }
    s->has_hour = hours == 1 && s->valid > 0;
    s->hours = add(s->hours, hours);
    if (s->valid > 0) {
        append_hour(s);
    } else {
        append_holes(s, s->fault, 1);
    }
    if (hours > 1) {
        append_holes(s, STATION_LATE, hours - 1);
    }
    begin_hour(s, s->hour_start + hours * s->config.hour_ms);
    return true;
}

bool station_lost_its_sensor(const station *s)
{
    return s->hours > 0 && !s->has_hour && s->hole != STATION_LATE;
}

bool station_window_is_complete(const station *s)
{
    return s->hours_needed == 0;
}

uint32_t station_percent(int8_t code)
{
    const uint32_t probability = (uint32_t)(code + 128); /* of 256 */
    return (probability * 100 + 128) / 256;
}

void station_set_forecast(station *s, int8_t code, int8_t threshold)
{
    s->percent = station_percent(code);
    s->forecast = code >= threshold ? STATION_SNOW : STATION_NO_SNOW;
}

const char *station_fault_name(station_fault fault)
{
    static const char *const names[] = {
        "none", "sensor error", "not a number", "out of range", "stuck", "late", "starting",
    };
    return names[fault];
}

void station_describe(const station *s, text *line)
{
    if (s->has_hour) {
        const int32_t *newest = s->window + (s->config.window - 1) * SENSOR_CHANNELS;
        text_tenths(line, newest[SENSOR_TEMPERATURE]);
        text_add(line, " C ");
        text_tenths(line, newest[SENSOR_HUMIDITY]);
        text_add(line, " % -> ");
    } else {
        text_add(line, "no reading -> ");
    }
    if (s->forecast == STATION_UNKNOWN) {
        text_add(line, "no forecast, ");
        text_unsigned(line, s->hours_needed);
        text_add(line, s->hours_needed == 1 ? " more hour (" : " more hours (");
        text_add(line, station_fault_name(s->hole));
        text_add(line, ")");
    } else {
        text_add(line, "snow ");
        text_unsigned(line, s->percent);
        text_add(line, s->forecast == STATION_SNOW ? " % (yes)" : " % (no)");
    }
}

/* Since when the LED is where it is in its pattern; the pattern starts anew with the hour. */
static uint32_t flash_phase(const station *s, uint32_t now)
{
    return (now - s->hour_start) % STATION_FLASH_PERIOD_MS;
}

bool station_led(const station *s, uint32_t now)
{
    if (s->forecast == STATION_UNKNOWN) {
        return flash_phase(s, now) < STATION_FLASH_MS;
    }
    return s->forecast == STATION_SNOW;
}

uint32_t station_idle(const station *s, uint32_t now)
{
    const uint32_t elapsed = now - s->hour_start;
    const bool has_all = s->next_slot == s->config.readings;
    const uint32_t next = has_all ? s->config.hour_ms : s->next_slot * slot_ms(s);
    uint32_t idle = elapsed < next ? next - elapsed : 0;
    if (s->forecast == STATION_UNKNOWN) {
        const uint32_t phase = flash_phase(s, now);
        idle = sooner(
            idle, (phase < STATION_FLASH_MS ? STATION_FLASH_MS : STATION_FLASH_PERIOD_MS) - phase);
    }
    return sooner(idle, STATION_MAX_IDLE_MS);
}

bool station_is_alive(const station *s, uint32_t now)
{
    const uint32_t age = now - s->last_reading;
    const uint32_t slot = slot_ms(s);
    return age < slot || age - slot <= slot + STATION_MAX_IDLE_MS; /* 2 * slot might wrap */
}
