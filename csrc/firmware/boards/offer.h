// SPDX-License-Identifier: MIT
//
// offer.h: how arduino.cpp gets rid of bytes.
#ifndef OFFER_H
#define OFFER_H

#include <stddef.h>
#include <stdint.h>

// How many of `n` bytes, 1 or more, the serial port takes at once; 0 if the computer has not
// fetched those before. Never waits. This one asks Serial.availableForWrite; a core where that is
// of no use defines another one: mbed_usb.cpp.
size_t board_offer(const uint8_t *bytes, size_t n);

#endif
