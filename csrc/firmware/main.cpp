// SPDX-License-Identifier: MIT
//
// main.cpp: a weather station that forecasts snow. setup() and loop() are called by the board's
// core; everything they do is one of these five steps, or talks to a computer if there is one.
#include "board.h"
#include "config.h"
#include "console.h"
#include "model.h"
#include "self_test.h"
#include "sensor.h"
#include "station.h"

static_assert(MODEL_INPUTS % SENSOR_CHANNELS == 0, "the model reads whole hours");
static_assert(MODEL_OUTPUTS == 1, "the model answers yes or no");

static const uint32_t WATCHDOG_MS = 8000;
static const station_config CONFIG = {STATION_HOUR_MS, STATION_READINGS, STATION_STUCK_READINGS,
                                      MODEL_INPUTS / SENSOR_CHANNELS};
static_assert(STATION_READINGS > 0 && STATION_READINGS <= STATION_MAX_READINGS, "see station.h");
static_assert(STATION_READINGS <= STATION_HOUR_MS && STATION_HOUR_MS <= INT32_MAX, "see station.h");
static_assert(STATION_STUCK_READINGS >= 0 && STATION_STUCK_READINGS != 1, "see station.h");

static uint32_t memory[MODEL_MEMORY_BYTES / 4];
static int32_t window[MODEL_INPUTS];
static int8_t output[MODEL_OUTPUTS];
static sml_context context;
static station weather;
static console computer;

// Says what is wrong, to whoever listens, and flashes: for ever, or until the watchdog, if it runs
// already, starts the board anew.
static void halt(const text &why)
{
    for (;;) {
        console_write(&why);
        for (int i = 0; i < 20; i++) {
            board_led(i % 2 != 0);
            while (board_read() >= 0) { // nobody answers, and what is unread would end the sleep
            }
            board_sleep(100);
        }
    }
}

static void require(sml_status status)
{
    if (status != SML_OK) {
        text why;
        text_begin(&why);
        text_add(&why, "halted: the engine refuses the model with status ");
        text_signed(&why, status);
        halt(why);
    }
}

static void load_model()
{
    require(sml_load_model(&context, &model));
}

static void initialize_model_memory()
{
    require(sml_initialize_model_memory(&context, memory, sizeof memory));
}

static void test_model()
{
    text result;
    text_begin(&result);
    if (!self_test(&context, &result)) {
        text_add(&result, "; halted");
        halt(result);
    }
}

// A reading, when one is due; whether an hour is over.
static bool acquire_data()
{
    const bool hour_over = station_end_hour(&weather, board_millis());
    if (hour_over && station_lost_its_sensor(&weather)) {
        sensor_begin(); // it may have been unplugged
    }
    if (station_reading_due(&weather, board_millis())) {
        int32_t counts[SENSOR_CHANNELS] = {0, 0};
        const sensor_status status = sensor_read(counts);
        station_add_reading(&weather, status, counts, board_millis());
    }
    return hour_over;
}

static void prepare_input()
{
    require(sml_prepare_input(&context, window, MODEL_INPUTS));
}

static void run_model()
{
    require(sml_run_model(&context, output, MODEL_OUTPUTS));
    station_set_forecast(&weather, output[0], MODEL_THRESHOLD);
}

static void report()
{
    text line;
    text_begin(&line);
    station_describe(&weather, &line);
#ifdef STATION_REPORT_CODE // to compare every byte with Python's
    if (station_window_is_complete(&weather)) {
        text_add(&line, " code ");
        text_signed(&line, output[0]);
    }
#endif
    console_write(&line);
}

extern "C" void setup()
{
    board_begin();
    load_model();
    initialize_model_memory();
    test_model();
    station_begin(&weather, &CONFIG, window, board_millis());
    console_begin(&computer, &context, &weather, board_millis());
    board_watchdog_start(WATCHDOG_MS);
    sensor_begin(); // last: a bus that hangs is the watchdog's business, too
}

extern "C" void loop()
{
    if (acquire_data()) {
        if (station_window_is_complete(&weather)) {
            prepare_input();
            run_model();
        }
        report();
    }
    console_poll(&computer, board_millis());
    board_led(station_led(&weather, board_millis()));
    if (station_is_alive(&weather, board_millis())) {
        board_watchdog_feed(); // here only: what hangs is reset
    }
    if (!console_is_busy(&computer)) {
        board_sleep(station_idle(&weather, board_millis()));
    }
}
