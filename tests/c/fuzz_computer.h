/* SPDX-License-Identifier: MIT
 *
 * fuzz_computer.h: a computer that sends arbitrary bytes to the console and hears its answers: the
 * part of board.h that is a serial port. */
#ifndef FUZZ_COMPUTER_H
#define FUZZ_COMPUTER_H

#include "board.h"
#include "console.h"
#include "fuzz_bytes.h"

#include <string.h>

enum { ANSWERS, ERRORS, GARBAGE, UNFINISHED, DIGESTS, HOURS, HOLES, FORECASTS, EVENTS };
static unsigned long seen[EVENTS]; /* how often each happened */

static uint64_t now; /* of a clock that does not wrap */

static uint8_t queue[8192]; /* what it has sent, and how much of that was read */
static size_t queue_length, queue_read, read_in_poll;
static bool is_listening;

static char heard[TEXT_BYTES + 3]; /* the line that is coming */
static size_t heard_length, lines_in_poll;

/* The line that is being read: has it words, how many bytes, is it no text? */
static struct {
    bool has_words, is_garbage;
    size_t length;
} line;
static bool was_garbage; /* the last one that was finished */
static size_t owed;      /* answers */
static uint64_t last_read;

const char board_name[] = "fuzz";

bool board_listening(void)
{
    return is_listening;
}

static void forget_line(void)
{
    memset(&line, 0, sizeof line);
}

int board_read(void)
{
    if (queue_read == queue_length) {
        return -1;
    }
    const uint8_t byte = queue[queue_read++];
    read_in_poll++;
    last_read = now;
    if (byte == '\r' || byte == '\n') {
        const bool is_line = line.has_words || line.is_garbage || line.length > CONSOLE_LINE_BYTES;
        was_garbage = is_line ? line.is_garbage || line.length > CONSOLE_LINE_BYTES : was_garbage;
        owed += is_line;
        forget_line();
    } else {
        line.length++;
        line.has_words = line.has_words || (byte != ' ' && byte != '\t');
        line.is_garbage = line.is_garbage || (byte != '\t' && (byte < 32 || byte > 126));
    }
    return byte;
}

static bool heard_begins(const char *with)
{
    return strncmp(heard, with, strlen(with)) == 0;
}

static void hear_line(void)
{
    static const char *const beginnings[] = {
        "help, status", "status protocol=1 ", "self-test 32/32",     "digest ",        "output ",
        "forecast ",    "bench cycles",       "scratchml weather s", "no reading -> ", "error "};
    bool is_known = strstr(heard, " C ") != NULL;
    for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++) {
        is_known = is_known || heard_begins(beginnings[i]);
    }
    CHECK(is_known);
    lines_in_poll++;
    seen[ERRORS] += heard_begins("error ");
    seen[DIGESTS] += heard_begins("digest ");
}

void board_write(const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        CHECK(heard_length < sizeof heard - 1);
        heard[heard_length++] = bytes[i];
        heard[heard_length] = 0;
        if (bytes[i] == '\n') {
            CHECK(heard_length > 2 && bytes[i - 1] == '\r');
            hear_line();
            heard_length = 0;
        } else {
            CHECK((bytes[i] >= ' ' && bytes[i] <= '~') || bytes[i] == '\r');
        }
    }
}

uint32_t board_clock(void)
{
    return noise() % 2 * UINT32_C(64000000);
}

uint32_t board_cycles(void)
{
    return noise();
}

static void send_bytes(const char *bytes, size_t n)
{
    for (size_t i = 0; i < n && queue_length < sizeof queue; i++) {
        queue[queue_length++] = (uint8_t)bytes[i];
    }
}

/* A command in a line of about the length that is just allowed. */
static void send_long_line(void)
{
    send_bytes("\nhelp", 5);
    for (size_t n = CONSOLE_LINE_BYTES - 5 + take(3); n > 0; n--) {
        send_bytes(" ", 1);
    }
    send_bytes("\n", 1);
}

static void send_flood(void)
{
    for (size_t n = take(256); n > 0; n--) {
        send_bytes("spam and ham and", 16);
    }
}

static void send_something(void)
{
    /* clang-format off */
    static const char *const pieces[] = {
        "help\n", "status\r\n", "selftest\n", "bench\r", "digest 100 5\n", "feed 1 2 3 4 5 6\n",
        "run 000000000000\n", "digest ", "run ", "feed ", "00fF7f80", "1 ", "-2147483648 ",
        "4294967295 ", "000000000000 ", "\n", "\r", "\t ", "x", "\n\n",
    };
    /* clang-format on */
    const uint32_t n = sizeof pieces / sizeof *pieces;
    for (uint32_t i = 1 + take(4); i > 0; i--) {
        const uint32_t choice = take(n + 5);
        if (choice < n) {
            send_bytes(pieces[choice], strlen(pieces[choice]));
        } else if (choice == n) {
            send_long_line();
        } else if (one_in_16()) {
            send_flood();
        } else {
            const char byte = (char)take(256);
            send_bytes(&byte, 1);
        }
    }
}

/* --- a poll --- */

/* Whether nothing has come for so long that half a line is given up. */
static bool is_unfinished(void)
{
    return line.length > 0 && queue_read == queue_length && now - last_read >= CONSOLE_PATIENCE_MS;
}

/* A poll of the console that is as bounded as it promises, and answers what it must. */
static void poll_console(console *c, uint32_t clock)
{
    const bool has_changed = is_listening != c->was_listening;
    const bool greets = has_changed && is_listening;
    const bool is_digesting = c->digest_rows > 0 && !has_changed;
    if (has_changed) {
        owed = 0;
        forget_line();
    }
    if (!is_digesting && is_unfinished()) {
        owed++;
        was_garbage = true;
        seen[UNFINISHED]++;
        forget_line();
    }
    read_in_poll = lines_in_poll = 0;
    console_poll(c, clock);
    CHECK(read_in_poll <= CONSOLE_POLL_BYTES && !(is_digesting && read_in_poll));
    CHECK(heard_length == 0 && lines_in_poll >= (greets ? 2U : 0U));
    const size_t answers = lines_in_poll - (greets ? 2 : 0);
    CHECK(answers <= 1 && answers <= owed);
    CHECK(!answers || is_digesting || !was_garbage || heard_begins("error th"));
    seen[GARBAGE] += answers && !is_digesting && was_garbage;
    seen[ANSWERS] += answers;
    owed -= answers;
    CHECK(owed == (c->digest_rows > 0));
    CHECK(console_is_busy(c) || queue_read == queue_length);
    if (queue_read == queue_length) {
        queue_read = queue_length = 0;
    }
}

#endif
