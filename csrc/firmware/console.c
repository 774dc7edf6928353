/* SPDX-License-Identifier: MIT
 *
 * console.c: lines from a computer, and what is answered. */
#include "console.h"

#include "board.h"
#include "self_test.h"

#include <string.h>

_Static_assert(2 * MODEL_OUTPUTS + 16 <= TEXT_BYTES, "the outputs fit in a line");

void console_begin(console *c, sml_context *context, const station *weather, uint32_t now)
{
    *c = (console){.context = context, .weather = weather, .last_byte = now};
}

bool console_is_busy(const console *c)
{
    return c->digest_rows > 0 || c->more;
}

void console_write(const text *line)
{
    static const char end[] = {'\r', '\n'};
    board_write(line->bytes, line->length);
    board_write(end, sizeof end);
}

static void say(const char *words)
{
    text line;
    text_begin(&line);
    text_add(&line, words);
    console_write(&line);
}

static void complain(const char *trouble)
{
    text line;
    text_begin(&line);
    text_add(&line, "error ");
    text_add(&line, trouble);
    console_write(&line);
}

/* --- words and numbers --- */

static void skip_spaces(const char **at)
{
    while (**at == ' ') {
        (*at)++;
    }
}

static bool is_over(const char *at)
{
    skip_spaces(&at);
    return *at == 0;
}

/* Whether the next word is `word`, which is then taken. */
static bool take_word(const char **at, const char *word)
{
    const size_t n = strlen(word);
    skip_spaces(at);
    if (strncmp(*at, word, n) != 0 || ((*at)[n] != ' ' && (*at)[n] != 0)) {
        return false;
    }
    *at += n;
    return true;
}

/* A decimal number up to `most`, which ends with the word. */
static bool take_unsigned(const char **at, uint32_t most, uint32_t *value)
{
    uint32_t number = 0;
    skip_spaces(at);
    const char *first = *at;
    for (; **at >= '0' && **at <= '9'; (*at)++) {
        const uint32_t digit = (uint32_t)(**at - '0');
        if (number > (most - digit) / 10) {
            return false;
        }
        number = 10 * number + digit;
    }
    *value = number;
    return *at > first && (**at == ' ' || **at == 0);
}

static bool take_signed(const char **at, int32_t *value)
{
    uint32_t magnitude;
    skip_spaces(at);
    const bool negative = **at == '-';
    *at += negative;
    if (**at == ' ' || !take_unsigned(at, INT32_MAX + (uint32_t)negative, &magnitude)) {
        return false;
    }
    *value = (int32_t)(negative ? -(int64_t)magnitude : (int64_t)magnitude);
    return true;
}

/* The value of a hexadecimal digit, or -1. */
static int32_t hex_value(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    if (digit >= 'a' && digit <= 'f') {
        return digit - 'a' + 10;
    }
    if (digit >= 'A' && digit <= 'F') {
        return digit - 'A' + 10;
    }
    return -1;
}

/* MODEL_INPUTS codes of two digits each. */
static bool take_codes(const char **at, int8_t codes[MODEL_INPUTS])
{
    skip_spaces(at);
    for (size_t i = 0; i < MODEL_INPUTS; i++) {
        const int32_t high = hex_value((*at)[0]);
        const int32_t low = high < 0 ? -1 : hex_value((*at)[1]);
        if (low < 0) {
            return false;
        }
        const int32_t byte = 16 * high + low;
        codes[i] = (int8_t)(byte < 128 ? byte : byte - 256);
        *at += 2;
    }
    return **at == ' ' || **at == 0;
}

/* --- commands: each gets what follows its name, and whether it could use it is the result --- */

static bool help(console *c, const char *at)
{
    (void)c;
    if (!is_over(at)) {
        return false;
    }
    say("help, status, selftest, digest ROWS SEED, run HEX, feed COUNTS ..., bench");
    return true;
}

static void add_number(text *line, const char *name, uint32_t value)
{
    text_add(line, name);
    text_unsigned(line, value);
}

static bool status(console *c, const char *at)
{
    text line;
    if (!is_over(at)) {
        return false;
    }
    text_begin(&line);
    add_number(&line, "status protocol=", CONSOLE_VERSION);
    add_number(&line, " engine=", SML_MODEL_VERSION);
    text_add(&line, " model=");
    text_hex(&line, MODEL_FINGERPRINT, 8);
    add_number(&line, " inputs=", MODEL_INPUTS);
    add_number(&line, " outputs=", MODEL_OUTPUTS);
    text_add(&line, " board=");
    text_add(&line, board_name);
    add_number(&line, " clock=", board_clock());
    add_number(&line, " hours=", c->weather->hours);
    add_number(&line, " holes=", c->weather->holes);
    add_number(&line, " needed=", c->weather->hours_needed);
    console_write(&line);
    return true;
}

static bool run_self_test(console *c, const char *at)
{
    text line;
    if (!is_over(at)) {
        return false;
    }
    text_begin(&line);
    self_test(c->context, &line);
    console_write(&line);
    return true;
}

static bool start_digest(console *c, const char *at)
{
    uint32_t rows, seed;
    if (!take_unsigned(&at, UINT32_MAX, &rows) || !take_unsigned(&at, UINT32_MAX, &seed) ||
        !is_over(at) || rows == 0) {
        return false;
    }
    sml_digest_start(&c->digest, seed);
    c->digest_rows = rows;
    return true;
}

/* Gives the output of the input that has been set; NULL if the engine refused something. */
static const int8_t *output_of(console *c, sml_status so_far)
{
    static int8_t output[MODEL_OUTPUTS];
    if (so_far == SML_OK) {
        so_far = sml_run_model(c->context, output, MODEL_OUTPUTS);
    }
    return so_far == SML_OK ? output : NULL;
}

static bool run(console *c, const char *at)
{
    int8_t codes[MODEL_INPUTS];
    text line;
    if (!take_codes(&at, codes) || !is_over(at)) {
        return false;
    }
    const int8_t *output = output_of(c, sml_set_input(c->context, codes, MODEL_INPUTS));
    if (!output) {
        return false;
    }
    text_begin(&line);
    text_add(&line, "output ");
    for (size_t k = 0; k < MODEL_OUTPUTS; k++) {
        text_hex(&line, (uint8_t)output[k], 2);
    }
    console_write(&line);
    return true;
}

static bool feed(console *c, const char *at)
{
    int32_t counts[MODEL_INPUTS];
    text line;
    for (size_t i = 0; i < MODEL_INPUTS; i++) {
        if (!take_signed(&at, &counts[i])) {
            return false;
        }
    }
    if (!is_over(at)) {
        return false;
    }
    const int8_t *output = output_of(c, sml_prepare_input(c->context, counts, MODEL_INPUTS));
    if (!output) {
        return false;
    }
    text_begin(&line);
    text_add(&line, "forecast ");
    text_signed(&line, output[0]);
    text_character(&line, ' ');
    text_unsigned(&line, station_percent(output[0]));
    text_add(&line, output[0] >= MODEL_THRESHOLD ? " yes" : " no");
    console_write(&line);
    return true;
}

/* Cycles of one inference, the least of a few: an interrupt may come in between. */
static uint32_t cycles_of_a_run(console *c)
{
    static const int8_t zeros[MODEL_INPUTS];
    const uint32_t modulus = UINT32_C(1) << 24; /* of the shortest counter */
    uint32_t least = UINT32_MAX;
    for (int i = 0; i < 8; i++) {
        sml_set_input(c->context, zeros, MODEL_INPUTS);
        const uint32_t before = board_cycles();
        const int8_t *output = output_of(c, SML_OK);
        const uint32_t cycles = (board_cycles() - before) % modulus;
        if (output && cycles < least) {
            least = cycles;
        }
    }
    return least;
}

static bool bench(console *c, const char *at)
{
    text line;
    if (!is_over(at)) {
        return false;
    }
    if (board_clock() == 0) {
        complain("this board has no counter of cycles");
        return true;
    }
    text_begin(&line);
    add_number(&line, "bench cycles=", cycles_of_a_run(c));
    add_number(&line, " clock=", board_clock());
    console_write(&line);
    return true;
}

/* --- lines --- */

static const struct {
    const char *name;
    bool (*answer)(console *c, const char *at);
    const char *usage;
} commands[] = {
    {"help", help, "help takes nothing"},
    {"status", status, "status takes nothing"},
    {"selftest", run_self_test, "selftest takes nothing"},
    {"digest", start_digest, "digest takes a number of rows, 1 or more, and a seed"},
    {"run", run, "run takes two hexadecimal digits for each input"},
    {"feed", feed, "feed takes a whole number for each input"},
    {"bench", bench, "bench takes nothing"},
};

static void answer(console *c)
{
    const char *at = c->line;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (take_word(&at, commands[i].name)) {
            if (!commands[i].answer(c, at)) {
                complain(commands[i].usage);
            }
            return;
        }
    }
    complain("unknown command; try: help");
}

static void forget_line(console *c)
{
    c->trouble = NULL;
    c->length = 0;
    c->line[0] = 0;
}

/* The line is over: whether there was anything to answer. */
static bool end_line(console *c)
{
    const bool something = c->trouble || !is_over(c->line);
    if (c->trouble) {
        complain(c->trouble);
    } else if (something) {
        answer(c);
    }
    forget_line(c);
    return something;
}

static void add_byte(console *c, char byte)
{
    if (byte == '\t') {
        byte = ' ';
    }
    if (byte < ' ' || byte > '~') {
        c->trouble = "this is no text";
    } else if (c->length == CONSOLE_LINE_BYTES) {
        c->trouble = c->trouble ? c->trouble : "the line is too long";
    } else {
        c->line[c->length++] = byte;
        c->line[c->length] = 0;
    }
}

static void go_on_with_digest(console *c)
{
    static int8_t output[MODEL_OUTPUTS];
    const uint32_t rows = c->digest_rows < CONSOLE_POLL_ROWS ? c->digest_rows : CONSOLE_POLL_ROWS;
    sml_digest_rows(&c->digest, c->context, rows, output, MODEL_OUTPUTS);
    c->digest_rows -= rows;
    if (c->digest_rows == 0) {
        text line;
        text_begin(&line);
        text_add(&line, "digest ");
        text_hex(&line, c->digest.crc, 8);
        console_write(&line);
    }
}

/* A computer has opened the port: who is here? */
static void greet(console *c)
{
    text line;
    text_begin(&line);
    text_add(&line, "scratchml weather station; ");
    self_test(c->context, &line);
    text_add(&line, "; for more: help");
    console_write(&line);
    text_begin(&line);
    station_describe(c->weather, &line);
    console_write(&line);
}

/* Whether the computer has come or gone since the last poll. */
static void look_for_computer(console *c)
{
    const bool listening = board_listening();
    if (listening != c->was_listening) {
        forget_line(c);
        c->digest_rows = 0;
        c->was_listening = listening;
        if (listening) {
            greet(c);
        }
    }
}

/* Up to a line that is answered; whether there may be more. */
static bool read_bytes(console *c, uint32_t now)
{
    for (int i = 0; i < CONSOLE_POLL_BYTES; i++) {
        const int byte = board_read();
        if (byte < 0) {
            return false;
        }
        c->last_byte = now;
        if (byte != '\r' && byte != '\n') {
            add_byte(c, (char)byte);
        } else if (end_line(c)) {
            return true;
        }
    }
    return true;
}

void console_poll(console *c, uint32_t now)
{
    look_for_computer(c);
    if (c->digest_rows > 0) {
        go_on_with_digest(c);
        return;
    }
    c->more = read_bytes(c, now);
    if ((c->length || c->trouble) && now - c->last_byte >= CONSOLE_PATIENCE_MS) {
        c->trouble = "the line has no end";
        end_line(c);
    }
}
