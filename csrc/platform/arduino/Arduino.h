// SPDX-License-Identifier: MIT
//
// Arduino.h: as much of Arduino as boards/arduino.cpp uses, for machines that QEMU emulates: a
// stand-in for Arduino's cores, none of which is compiled here. Names and types are theirs.
#ifndef ARDUINO_H
#define ARDUINO_H

#include <stddef.h>
#include <stdint.h>

enum { LOW = 0, HIGH = 1, OUTPUT = 1, LED_BUILTIN = 13 };

class SerialPort
{
  public:
    void begin(unsigned long baud);
    int available();
    int read();
    int availableForWrite();
    size_t write(const uint8_t *bytes, size_t n);
    operator bool(); // a plain UART does not know whether anybody listens: always
};

extern SerialPort Serial;

unsigned long millis();
void delay(unsigned long ms);

// There is no LED to look at.
void pinMode(int pin, int mode);
void digitalWrite(int pin, int level);

extern "C" void setup();
extern "C" void loop();

#endif
