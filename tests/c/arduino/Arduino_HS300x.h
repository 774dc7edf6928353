// SPDX-License-Identifier: MIT
//
// Arduino_HS300x.h: a stand-in for Arduino's library of this name, 1.0.0, written from how it
// behaves: a reading that fails is a NaN.
#ifndef ARDUINO_HS300X_STAND_IN_H
#define ARDUINO_HS300X_STAND_IN_H

#include "simulated_sensor.h"

#include <math.h>

class HS300xStandIn
{
  public:
    int begin()
    {
        device.begun++;
        return device.is_there;
    }
    float readTemperature()
    {
        device.samples++;
        return device.is_there ? device.temperature : NAN;
    }
    float readHumidity()
    {
        device.samples++;
        return device.is_there ? device.humidity : NAN;
    }
};

static HS300xStandIn HS300x;

#endif
