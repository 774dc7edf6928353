// SPDX-License-Identifier: MIT
//
// arduino.cpp: what every Arduino core has: a clock, a serial port, an LED. The watchdog and the
// counter of cycles are the chip's: nrf52840.c, rp2040.c.
#include "board.h"
#include "offer.h"

#include <Arduino.h>

// A computer that reads takes a packet within a millisecond or two.
static const uint32_t PATIENCE_MS = 100;

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
    uint32_t elapsed = 0;
    while (elapsed < ms && !Serial.available()) {
        const uint32_t nap = Serial ? 1 : LOOK_MS;
        delay(nap < ms - elapsed ? nap : ms - elapsed);
        elapsed = board_millis() - start;
    }
}

bool board_listening()
{
    return static_cast<bool>(Serial);
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
// given time. One that has stopped reading costs PATIENCE_MS once, and nothing from then on.
void board_write(const char *bytes, size_t n)
{
    static bool reads = true;
    const uint8_t *left = reinterpret_cast<const uint8_t *>(bytes);
    if (!Serial) {
        reads = true; // whoever comes next may
        return;
    }
    uint32_t last = board_millis();
    while (n > 0) {
        const size_t taken = board_offer(left, n);
        left += taken;
        n -= taken;
        if (taken > 0) {
            reads = true;
            last = board_millis();
        } else if (!reads || board_millis() - last >= PATIENCE_MS) {
            reads = false;
            return;
        } else {
            delay(1);
        }
    }
}

void board_led(bool on)
{
    digitalWrite(LED_BUILTIN, on ? HIGH : LOW);
}
