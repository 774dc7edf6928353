/* SPDX-License-Identifier: MIT
 *
 * console.h: a computer on the serial port may ask, a line at a time, and gets a line in answer:
 *
 *     help                      the commands
 *     status                    what is running here
 *     selftest                  self-test 32/32
 *     digest ROWS SEED          digest 1a2b3c4d: the CRC-32 of the outputs of ROWS random inputs
 *     run HEX                   output HEX: one inference, of int8 codes as two digits each
 *     feed COUNTS ...           forecast CODE PERCENT yes|no: of a window of readings
 *     bench                     bench cycles=N clock=HZ: one sml_run_model
 *
 * Everything else, too: a line that is too long, that is no text or that is left unfinished for
 * CONSOLE_PATIENCE_MS, is answered by one line that begins with `error`. The memory is fixed, and
 * a poll takes a bounded time, whatever is sent.
 */
#ifndef CONSOLE_H
#define CONSOLE_H

#include "model.h"
#include "station.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    CONSOLE_VERSION = 1,                         /* of this protocol */
    CONSOLE_LINE_BYTES = 24 + 12 * MODEL_INPUTS, /* a command, and a sign, ten digits and a space */
    CONSOLE_PATIENCE_MS = 5000,
    CONSOLE_POLL_BYTES = 64,                                    /* that a poll reads at most */
    CONSOLE_POLL_ROWS = 1 + 255 / (1 + MODEL_MEMORY_BYTES / 64) /* of a digest: milliseconds */
};

typedef struct {
    sml_context *context;
    const station *weather;
    uint32_t last_byte;  /* when the last one came */
    uint32_t length;     /* of the line so far */
    const char *trouble; /* what is wrong with it, or NULL */
    bool was_listening;
    bool more; /* the last poll may have left bytes unread */
    sml_digest digest;
    uint32_t digest_rows; /* left; the next line waits for them */
    char line[CONSOLE_LINE_BYTES + 1];
} console;

/* The context has its model and memory; between the calls it is free for others. */
void console_begin(console *c, sml_context *context, const station *weather, uint32_t now);

/* Reads what has come, answers at most one line, or goes on with a digest. A computer that opens
 * the port is greeted with two lines; what one that closes it had begun is dropped. */
void console_poll(console *c, uint32_t now);

/* Whether there is more to do at once. */
bool console_is_busy(const console *c);

/* Writes the line, and its end. */
void console_write(const text *line);

#ifdef __cplusplus
}
#endif

#endif
