/* SPDX-License-Identifier: MIT
 *
 * fuzz_console.c: the weather station's loop on a board whose clock, sensor and computer are made
 * of arbitrary bytes.
 *
 * What must hold is decided here once more, apart from station.c and console.c: how many hours have
 * passed, which of them are good and what their means are, that each line is answered by one line,
 * and that nothing is late, twice or for ever. The structs are as long as they must be, so that
 * sanitizers see what is read or written beyond.
 *
 * With libFuzzer:
 *
 *     clang -std=c11 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
 *         -DSML_SELF_TEST -I csrc/engine -I csrc/firmware -I csrc/firmware/model \
 *         tests/c/fuzz_console.c csrc/firmware/[a-z]*.c csrc/firmware/model/model.c \
 *         csrc/engine/[a-z]*.c -o fuzz
 *     ./fuzz -max_len=256 -max_total_time=600
 *
 * With -DREPLAY it is a program for any compiler: `fuzz 100000` takes that many inputs from a
 * generator and prints how often each thing happened. */
#include "fuzz_computer.h"
#include "model.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* --- the weather, and what the station must make of it --- */

static station *weather;
static int32_t *window;
static console *computer;
static sml_context context;
static uint64_t start, hour, holes;        /* when it began; hours since then, and those missing */
static uint32_t readings;                  /* of this hour ... */
static int64_t sum[SENSOR_CHANNELS], good; /* ... the good ones' sums, and how many */
static uint32_t run, same;                 /* good hours and equal readings in a row */
static int32_t last[SENSOR_CHANNELS];
static bool is_punctual; /* since the last reading */

static uint32_t milliseconds(uint64_t time)
{
    return (uint32_t)(time & UINT32_MAX);
}

static void read_sensor(void)
{
    static const int32_t edges[] = {-4001, -4000, -201,  -200,      0,        8500,
                                    8501,  10500, 10501, INT32_MAX, INT32_MIN};
    int32_t counts[SENSOR_CHANNELS];
    const uint32_t choice = take(16);
    const sensor_status status = choice == 0   ? SENSOR_ERROR
                                 : choice == 1 ? SENSOR_NOT_A_NUMBER
                                               : SENSOR_OK;
    for (int c = 0; c < SENSOR_CHANNELS; c++) {
        counts[c] = choice == 2 ? edges[take(11)] : choice < 8 ? last[c] : between(-100, 9000);
    }
    now += choice > 11 ? take(256) : 0;
    station_add_reading(weather, status, counts, milliseconds(now));
    readings++;
    is_punctual = true;
    CHECK(readings <= weather->config.readings);
    if (status == SENSOR_OK) {
        same = same && counts[0] == last[0] && counts[1] == last[1] ? same + 1 : 1;
        memcpy(last, counts, sizeof last);
        const bool is_stuck =
            weather->config.stuck_readings && same >= weather->config.stuck_readings;
        if (!is_stuck && counts[0] >= -4000 && counts[0] <= 8500 && counts[1] >= -200 &&
            counts[1] <= 10500) {
            sum[0] += counts[0];
            sum[1] += counts[1] < 0 ? 0 : counts[1] > 10000 ? 10000 : counts[1];
            good++;
        }
    }
}

/* The mean of the hour, rounded half away from zero. */
static int32_t mean(int64_t total)
{
    const int64_t magnitude = total < 0 ? -total : total;
    const int64_t rounded = (2 * magnitude + good) / (2 * good);
    return (int32_t)(total < 0 ? -rounded : rounded);
}

/* The station's counters stop at their end. */
static uint32_t capped(uint64_t count)
{
    return count < UINT32_MAX ? (uint32_t)count : UINT32_MAX;
}

/* The station has said that an hour is over: the right one, and what is true of it. */
static void check_hour(void)
{
    const uint64_t newest = (now - start) / weather->config.hour_ms;
    const bool is_hour = newest == hour + 1 && good > 0;
    const int32_t *values = window + MODEL_INPUTS - SENSOR_CHANNELS;
    CHECK(newest > hour && weather->hours == capped(newest) && weather->has_hour == is_hour);
    holes += newest - hour - (good > 0);
    run = is_hour ? run + (run < MODEL_INPUTS / SENSOR_CHANNELS) : 0;
    CHECK(weather->holes == capped(holes));
    CHECK(weather->hours_needed == MODEL_INPUTS / SENSOR_CHANNELS - run);
    CHECK(station_window_is_complete(weather) == (weather->hours_needed == 0));
    CHECK(!is_hour || (values[0] == mean(sum[0]) && values[1] == mean(sum[1])));
    seen[HOURS]++;
    seen[HOLES] += !is_hour;
    hour = newest;
    readings = 0;
    good = sum[0] = sum[1] = 0;
}

static void forecast(void)
{
    int8_t code = 0;
    text words;
    if (station_window_is_complete(weather)) {
        CHECK(sml_prepare_input(&context, window, MODEL_INPUTS) == SML_OK);
        CHECK(sml_run_model(&context, &code, MODEL_OUTPUTS) == SML_OK);
        station_set_forecast(weather, code, MODEL_THRESHOLD);
        CHECK(weather->percent <= 100);
        seen[FORECASTS]++;
    }
    CHECK((weather->forecast == STATION_UNKNOWN) == (weather->hours_needed > 0));
    text_begin(&words);
    station_describe(weather, &words);
    CHECK(words.length > 10 && words.length < TEXT_BYTES / 2);
}

/* How long the station may sleep: to what is due next, and no longer. */
static uint32_t sleep_of_station(void)
{
    const uint32_t idle = station_idle(weather, milliseconds(now));
    const uint64_t left = weather->config.hour_ms - (now - start) % weather->config.hour_ms;
    const bool is_over = (now - start) / weather->config.hour_ms > hour;
    const bool is_due = is_over || station_reading_due(weather, milliseconds(now));
    CHECK(idle <= STATION_MAX_IDLE_MS && (idle == 0) == is_due);
    if (idle) {
        const uint32_t before = milliseconds(now + noise() % idle), then = milliseconds(now + idle);
        const bool lit = station_led(weather, milliseconds(now));
        CHECK(idle <= left && !station_reading_due(weather, before));
        CHECK(station_led(weather, before) == lit);
        CHECK(idle == STATION_MAX_IDLE_MS || idle == left || station_reading_due(weather, then) ||
              station_led(weather, then) != lit);
    }
    return idle;
}

/* main.cpp's loop(). */
static uint32_t turn(void)
{
    CHECK(!is_punctual || station_is_alive(weather, milliseconds(now)));
    if (station_end_hour(weather, milliseconds(now))) {
        check_hour();
        forecast();
    }
    CHECK((now - start) / weather->config.hour_ms == hour);
    if (station_reading_due(weather, milliseconds(now))) {
        read_sensor();
    }
    poll_console(computer, milliseconds(now));
    return sleep_of_station();
}

static void pass_time(uint32_t idle)
{
    const uint32_t hour_ms = weather->config.hour_ms;
    const uint32_t most = UINT32_MAX - 2 * (hour_ms / 2 + 1000); /* with what is left of the hour */
    const uint32_t steps[] = {
        idle,        idle,    idle + take(64),     0,      hour_ms / weather->config.readings,
        hour_ms - 1, hour_ms, CONSOLE_PATIENCE_MS, noise()};
    const uint32_t step = steps[take(sizeof steps / sizeof *steps)];
    is_punctual = is_punctual && step <= idle + 64;
    now += step < most ? step : most;
}

static void begin(void)
{
    static const uint32_t hours[] = {1, 7, 1000, 4321, 60000, 3600000, 2147483647};
    station_config config = {hours[take(7)], 1 + take(12), take(4), MODEL_INPUTS / SENSOR_CHANNELS};
    config.readings = config.readings < config.hour_ms ? config.readings : config.hour_ms;
    config.stuck_readings += config.stuck_readings == 1;
    weather = (station *)block(sizeof *weather);
    computer = (console *)block(sizeof *computer);
    window = (int32_t *)block(MODEL_INPUTS * sizeof *window);
    CHECK(sml_load_model(&context, &model) == SML_OK);
    CHECK(sml_initialize_model_memory(&context, block(MODEL_MEMORY_BYTES), MODEL_MEMORY_BYTES) ==
          0);
    now = start = take(2) ? UINT32_MAX - take(256) * 16U : noise();
    station_begin(weather, &config, window, milliseconds(now));
    console_begin(computer, &context, weather, milliseconds(now));
    hour = holes = 0;
    readings = 0;
    good = sum[0] = sum[1] = 0;
    run = same = 0;
    last[0] = last[1] = 0;
    is_punctual = true;
    queue_length = queue_read = owed = heard_length = 0;
    is_listening = false;
    forget_line();
}

/* Whatever came before: who opens the port is greeted and helped. */
static void end(void)
{
    is_listening = false;
    queue_length = queue_read = 0;
    poll_console(computer, milliseconds(now));
    is_listening = true;
    send_bytes("help\n", 5);
    poll_console(computer, milliseconds(now));
    CHECK(lines_in_poll == 3 && heard_begins("help, status"));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    input = bytes;
    input_left = size;
    state = take(256);
    begin();
    while (input_left > 0) {
        const uint32_t idle = turn();
        const uint32_t choice = take(8);
        if (choice < 3) {
            send_something();
        } else if (choice == 3) {
            is_listening = !is_listening || take(4) > 0;
        }
        pass_time(idle);
    }
    turn();
    end();
    free_blocks();
    return 0;
}

#ifdef REPLAY
int main(int count, char **words)
{
    uint32_t random = 1;
    for (long i = count > 1 ? atol(words[1]) : 0; i > 0; i--) {
        uint8_t bytes[256];
        for (size_t k = 0; k < sizeof bytes; k++) {
            random = random * UINT32_C(1664525) + UINT32_C(1013904223);
            bytes[k] = (uint8_t)(random >> 24);
        }
        LLVMFuzzerTestOneInput(bytes, random >> 8 & 255);
    }
    for (size_t i = 0; i < EVENTS; i++) {
        printf("%lu%c", seen[i], i < EVENTS - 1 ? ' ' : '\n');
    }
    return 0;
}
#endif
