// SPDX-License-Identifier: MIT
//
// core.cpp: the shim over machine.h, and main.
#include "Arduino.h"

#include "machine.h"

SerialPort Serial;

void SerialPort::begin(unsigned long)
{
    serial_begin(); // QEMU's UARTs have no speed
}

int SerialPort::available()
{
    return static_cast<int>(serial_available());
}

int SerialPort::read()
{
    return serial_read();
}

int SerialPort::availableForWrite()
{
    return 256; // always: write returns when the UART has taken everything
}

size_t SerialPort::write(const uint8_t *bytes, size_t n)
{
    serial_write(bytes, n);
    return n;
}

SerialPort::operator bool()
{
    return true;
}

unsigned long millis()
{
    return clock_millis();
}

void delay(unsigned long ms)
{
    clock_wait(ms);
}

void pinMode(int, int)
{
}

void digitalWrite(int, int)
{
}

int main()
{
    clock_begin();
    setup();
    for (;;) {
        loop();
    }
}
