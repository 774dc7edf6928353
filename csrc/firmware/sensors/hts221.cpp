// SPDX-License-Identifier: MIT
//
// hts221.cpp: the sensor of the Arduino Nano 33 BLE Sense, revision 1, through Arduino's library.
#include "sensor.h"

#if defined(SENSOR_HTS221)

#include <Arduino_HTS221.h>

// The library waits for ever for a sensor that does not answer, so one that was not found is never
// asked. If it vanishes later, the watchdog ends the waiting.
static bool found;

void sensor_begin()
{
    found = HTS.begin() != 0;
}

sensor_status sensor_read(int32_t counts[SENSOR_CHANNELS])
{
    if (!found) {
        return SENSOR_ERROR;
    }
    const float temperature = HTS.readTemperature();
    return sensor_counts(temperature, HTS.readHumidity(), counts);
}

#endif
