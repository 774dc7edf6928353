// SPDX-License-Identifier: MIT
//
// dht.cpp: a DHT22 (AM2302) or DHT11 on any pin, through Adafruit's library, which asks the sensor
// at most every two seconds and gives a NaN for a sensor that is not there.
#include "sensor.h"

#if defined(SENSOR_DHT22) || defined(SENSOR_DHT11)

#include <DHT.h>

#ifndef DHT_PIN
#error "say where the sensor is, with -DDHT_PIN=22 for instance"
#endif

#if defined(SENSOR_DHT22)
static DHT sensor(DHT_PIN, DHT22);
#else
static DHT sensor(DHT_PIN, DHT11);
#endif

void sensor_begin()
{
    sensor.begin();
}

// Both are of one reading: the second call finds it in the library's memory.
sensor_status sensor_read(int32_t counts[SENSOR_CHANNELS])
{
    const float temperature = sensor.readTemperature();
    return sensor_counts(temperature, sensor.readHumidity(), counts);
}

#endif
