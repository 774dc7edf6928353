// SPDX-License-Identifier: MIT
//
// Arduino_HTS221.h: a stand-in for Arduino's library of this name, 1.0.0, written from how it
// behaves: begin() looks whether the sensor is there; after that every reading waits for it.
#ifndef ARDUINO_HTS221_STAND_IN_H
#define ARDUINO_HTS221_STAND_IN_H

#include "simulated_sensor.h"

class HTS221StandIn
{
  public:
    int begin()
    {
        device.begun++;
        is_ready = device.is_there;
        return is_ready;
    }
    float readTemperature()
    {
        return wait_for(device.temperature);
    }
    float readHumidity()
    {
        return wait_for(device.humidity);
    }

  private:
    bool is_ready = false;
    float wait_for(float value)
    {
        device.samples++;
        device.hangs += !is_ready || !device.is_there;
        return value;
    }
};

static HTS221StandIn HTS;

#endif
