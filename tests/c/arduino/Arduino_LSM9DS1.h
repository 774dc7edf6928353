// SPDX-License-Identifier: MIT
//
// Arduino_LSM9DS1.h: a stand-in for Arduino's library of this name, written from how it
// behaves: begin() and readAcceleration() return 1 if they worked, and readings are in g.
#ifndef ARDUINO_LSM9DS1_STAND_IN_H
#define ARDUINO_LSM9DS1_STAND_IN_H

#include "simulated_imu.h"

#endif
