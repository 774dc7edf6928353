/* SPDX-License-Identifier: MIT
 *
 * host_board.c: this computer as a board. With main.cpp it is the weather station itself, whose
 * serial port is a pseudo-terminal:
 *
 *     host_board FD CLOCK [READINGS]
 *
 * FD is the terminal's descriptor. CLOCK is `real`, or a number: then the time moves only while
 * the board sleeps, so many times as fast as it really does, and no hour is ever late. READINGS is
 * a file of `T RH` in counts, a reading a line, which starts over at its end; without it the
 * weather is always the same. */
#define _POSIX_C_SOURCE 200809L

#include "board.h"
#include "sensor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <time.h>
#include <unistd.h>

void setup(void);
void loop(void);

const char board_name[] = "host";

enum { US_A_MS = 1000, LOOK_US = 5000 }; /* how often a board that sleeps looks for a computer */

static int port;
static uint64_t speed; /* 0: the real clock */
static uint64_t slept; /* us of the other one */
static FILE *readings;

static uint64_t nanoseconds(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint64_t microseconds(void)
{
    return nanoseconds(CLOCK_MONOTONIC) / 1000;
}

/* --- board.h --- */

void board_begin(void)
{
}

uint32_t board_millis(void)
{
    return (uint32_t)((speed ? slept : microseconds()) / US_A_MS);
}

/* Waits for a byte, or so long; while no computer is there, only so long. */
static void wait_for_byte(uint64_t us)
{
    const struct timespec t = {0, (long)((us < LOOK_US ? us : LOOK_US) * 1000)};
    fd_set set;
    FD_ZERO(&set);
    if (board_listening()) {
        FD_SET(port, &set);
    }
    pselect(port + 1, &set, NULL, NULL, &t, NULL);
}

static bool byte_is_there(void)
{
    struct pollfd p = {port, POLLIN, 0};
    return poll(&p, 1, 0) == 1 && (p.revents & POLLIN);
}

/* Ends early, too, when the computer comes or goes. */
void board_sleep(uint32_t ms)
{
    const bool listening = board_listening();
    const uint64_t start = microseconds();
    const uint64_t asked = (uint64_t)ms * US_A_MS;
    const uint64_t real = speed ? asked / speed : asked;
    uint64_t gone = 0;
    while (gone < real && board_listening() == listening && !byte_is_there()) {
        wait_for_byte(real - gone);
        gone = microseconds() - start;
    }
    slept += gone < real ? gone * speed : asked;
}

bool board_listening(void)
{
    struct pollfd p = {port, 0, 0};
    return poll(&p, 1, 0) == 0 || !(p.revents & POLLHUP);
}

int board_read(void)
{
    unsigned char byte;
    return read(port, &byte, 1) == 1 ? byte : -1;
}

void board_write(const char *bytes, size_t n)
{
    if (board_listening() && write(port, bytes, n) < 0 && errno != EAGAIN) {
        perror("host_board: write");
        exit(1);
    }
}

void board_led(bool on)
{
    (void)on;
}

/* SIGALRM ends the process as a reset would the firmware. */
static unsigned patience_s;

void board_watchdog_start(uint32_t ms)
{
    patience_s = ms / 1000;
    board_watchdog_feed();
}

void board_watchdog_feed(void)
{
    alarm(patience_s);
}

uint32_t board_clock(void)
{
    return 1000000000; /* its cycles are nanoseconds of the CPU's time */
}

uint32_t board_cycles(void)
{
    return (uint32_t)nanoseconds(CLOCK_PROCESS_CPUTIME_ID);
}

/* --- sensor.h --- */

void sensor_begin(void)
{
}

sensor_status sensor_read(int32_t counts[SENSOR_CHANNELS])
{
    long temperature = 1200, humidity = 8500;
    if (readings && fscanf(readings, "%ld %ld", &temperature, &humidity) != 2) {
        rewind(readings);
        if (fscanf(readings, "%ld %ld", &temperature, &humidity) != 2) {
            return SENSOR_ERROR;
        }
    }
    counts[SENSOR_TEMPERATURE] = (int32_t)temperature;
    counts[SENSOR_HUMIDITY] = (int32_t)humidity;
    return SENSOR_OK;
}

int main(int argc, char **argv)
{
    if (argc < 3 || argc > 4) {
        fputs("usage: host_board FD real|SPEED [READINGS]\n", stderr);
        return 2;
    }
    port = atoi(argv[1]);
    speed = strcmp(argv[2], "real") == 0 ? 0 : strtoull(argv[2], NULL, 10);
    readings = argc == 4 ? fopen(argv[3], "r") : NULL;
    if (fcntl(port, F_SETFL, O_NONBLOCK) < 0 || (argc == 4 && !readings)) {
        perror("host_board");
        return 1;
    }
    setup();
    for (;;) {
        loop();
    }
}
