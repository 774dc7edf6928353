// SPDX-License-Identifier: MIT
//
// mbed_usb.cpp: for Arduino's core of Mbed OS, where Serial.write waits for ever when a computer
// has opened the port and does not read, and availableForWrite is always 0. The USB class below
// Serial can be asked without waiting; it is the only part of Mbed OS that the station knows.
#include "offer.h"

#include <Arduino.h>
#include <USB/PluggableUSBSerial.h>

size_t board_offer(const uint8_t *bytes, size_t n)
{
    uint32_t taken = 0;
    _SerialUSB.send_nb(const_cast<uint8_t *>(bytes), n, &taken, true); // copies; writes nothing
    return taken;
}
