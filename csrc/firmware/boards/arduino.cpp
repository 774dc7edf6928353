// SPDX-License-Identifier: MIT
//
// arduino.cpp: what every Arduino core has: a clock, a serial port, an LED. The watchdog and the
// counter of cycles are the chip's: nrf52840.c, rp2040.c.
#include "board.h"
#include "offer.h"

#include <Arduino.h>

// For a line; a computer that reads takes a packet of it within a millisecond or two.
static const uint32_t PATIENCE_MS = 500;

// While nobody listens: how often to look whether somebody does.
static const uint32_t LOOK_MS = 100;

void board_begin()
{
    pinMode(LED_BUILTIN, OUTPUT);
    Serial.begin(115200); // and no waiting for a computer, which may never come
}

uint32_t board_millis()
{
    return millis();
}

// In delay() the CPU sleeps; nothing in these cores wakes it for a byte, so it looks itself.
void board_sleep(uint32_t ms)
{
    const uint32_t start = board_millis();
    const bool listening = board_listening();
    const uint32_t nap = listening ? 1 : LOOK_MS;
    uint32_t elapsed = 0;
    while (elapsed < ms && !Serial.available() && board_listening() == listening) {
        delay(nap < ms - elapsed ? nap : ms - elapsed);
        elapsed = board_millis() - start;
    }
}

bool board_listening()
{
    return static_cast<bool>(Serial); // on Mbed OS this takes a millisecond
}

int board_read()
{
    return Serial.available() ? Serial.read() : -1;
}

__attribute__((weak)) size_t board_offer(const uint8_t *bytes, size_t n)
{
    const int room = Serial.availableForWrite();
    if (room <= 0) {
        return 0;
    }
    return Serial.write(bytes, n < static_cast<size_t>(room) ? n : static_cast<size_t>(room));
}

// A line is longer than what a port takes at once, so between its pieces a computer that reads is
// given time. One that has stopped reading costs PATIENCE_MS once, and nothing from then on; when
// it reads again, what it has of a line ends before the next one begins.
void board_write(const char *bytes, size_t n)
{
    static const uint8_t end[] = {'\r', '\n'};
    static bool reads = true;
    const uint8_t *left = reinterpret_cast<const uint8_t *>(bytes);
    if (!Serial) {
        reads = true; // whoever comes next may
        return;
    }
    reads = reads || board_offer(end, sizeof end) > 0;
    const uint32_t start = board_millis();
    while (reads && n > 0) {
        const size_t taken = board_offer(left, n);
        left += taken;
        n -= taken;
        if (taken == 0 && board_millis() - start >= PATIENCE_MS) {
            reads = false;
        } else if (taken == 0) {
            delay(1);
        }
    }
}

void board_led(bool on)
{
    digitalWrite(LED_BUILTIN, on ? HIGH : LOW);
}
