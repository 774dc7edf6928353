// SPDX-License-Identifier: MIT
//
// hs3003.cpp: the sensor of the Arduino Nano 33 BLE Sense, revision 2, through Arduino's library.
#include "sensor.h"

#if defined(SENSOR_HS3003)

#include <Arduino_HS300x.h>

static bool found;

void sensor_begin()
{
    found = HS300x.begin() != 0;
}

// The library gives up after a tenth of a second or two, with a NaN.
sensor_status sensor_read(int32_t counts[SENSOR_CHANNELS])
{
    if (!found) {
        return SENSOR_ERROR;
    }
    const float temperature = HS300x.readTemperature();
    return sensor_counts(temperature, HS300x.readHumidity(), counts);
}

#endif
