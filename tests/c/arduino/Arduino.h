// SPDX-License-Identifier: MIT
//
// Arduino.h: a stand-in for Arduino's cores, written from Arduino's reference of the functions that
// boards/arduino.cpp and the example sketches call. The clock and the computer at the other end of
// the port are simulated: the tests set and read `world`.
#ifndef ARDUINO_STAND_IN_H
#define ARDUINO_STAND_IN_H

#include <stddef.h>
#include <stdint.h>

enum PinStatus { LOW, HIGH };
enum PinMode { INPUT, OUTPUT };

static const uint8_t LED_BUILTIN = 13;

struct simulated {
    uint32_t now;         // milliseconds
    uint32_t opens_after; // milliseconds from now on, until the port is opened ...
    uint32_t sends_after; // ... and a byte comes
    int32_t is_open, reads;
    int32_t room;      // bytes that the port holds until the computer fetches them
    int32_t says_room; // whether availableForWrite does
    int32_t held;      // of these bytes, how many are there
    int32_t pending;   // bytes from the computer
    int32_t waits;     // times that something would have waited for the computer
    int32_t polls;     // calls of Serial.available
    int32_t led, led_is_output, baud;
    uint32_t sent;       // bytes so far ...
    uint8_t bytes[4096]; // ... and the first of them
};

extern "C" simulated world;

class SerialStandIn
{
  public:
    void begin(unsigned long baud);
    int available();
    int read();
    int availableForWrite();
    size_t write(const uint8_t *bytes, size_t n);
    size_t println(const char *line);
    operator bool();
};

extern SerialStandIn Serial;

unsigned long millis();
void delay(unsigned long ms);
void pinMode(uint8_t pin, PinMode mode);
void digitalWrite(uint8_t pin, PinStatus level);

#endif
