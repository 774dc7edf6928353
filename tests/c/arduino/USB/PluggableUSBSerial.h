// SPDX-License-Identifier: MIT
//
// PluggableUSBSerial.h: a stand-in for the USB class below Serial in Arduino's core of Mbed OS. A
// packet is taken at once, if the one before has been fetched.
#ifndef PLUGGABLE_USB_SERIAL_STAND_IN_H
#define PLUGGABLE_USB_SERIAL_STAND_IN_H

#include <stdint.h>

class UsbStandIn
{
  public:
    void send_nb(uint8_t *buffer, uint32_t size, uint32_t *actual, bool now = true);
};

extern UsbStandIn _SerialUSB;

#endif
