// SPDX-License-Identifier: MIT
//
// arduino.cpp: what every Arduino core has: a clock, a serial port, an LED. The watchdog and the
// counter of cycles are the chip's: nrf52840.c, rp2040.c.
#include "board.h"

#include <Arduino.h>

void board_begin()
{
    pinMode(LED_BUILTIN, OUTPUT);
    Serial.begin(115200); // and no waiting for a computer, which may never come
}

uint32_t board_millis()
{
    return millis();
}

void board_sleep(uint32_t ms)
{
    if (!Serial) {
        delay(ms);
        return;
    }
    const uint32_t start = millis();
    while (millis() - start < ms && !Serial.available()) {
        delay(1);
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

void board_write(const char *bytes, size_t n)
{
    if (Serial) {
        Serial.write(reinterpret_cast<const uint8_t *>(bytes), n);
    }
}

void board_led(bool on)
{
    digitalWrite(LED_BUILTIN, on ? HIGH : LOW);
}
