// SPDX-License-Identifier: MIT
//
// DHT.h: a stand-in for Adafruit's DHT sensor library, 1.4.6, written from how it behaves: the
// sensor is asked at most every two seconds, in between its last answer counts, and a reading that
// fails is a NaN.
#ifndef DHT_STAND_IN_H
#define DHT_STAND_IN_H

#include "simulated_sensor.h"

#include <math.h>

static const uint8_t DHT11 = 11;
static const uint8_t DHT22 = 22;

class DHT
{
  public:
    DHT(uint8_t its_pin, uint8_t its_type) : pin(its_pin), type(its_type)
    {
    }
    void begin()
    {
        device.begun++;
        device.pin = pin;
        device.type = type;
        last = device.now - INTERVAL_MS;
    }
    float readTemperature()
    {
        ask();
        return worked ? temperature : NAN;
    }
    float readHumidity()
    {
        ask();
        return worked ? humidity : NAN;
    }

  private:
    static const uint32_t INTERVAL_MS = 2000;
    uint8_t pin, type;
    uint32_t last = 0;
    bool worked = false;
    float temperature = 0, humidity = 0;

    void ask()
    {
        if (device.now - last < INTERVAL_MS) {
            return;
        }
        last = device.now;
        device.samples++;
        worked = device.is_there;
        temperature = device.temperature;
        humidity = device.humidity;
    }
};

#endif
