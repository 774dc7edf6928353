// SPDX-License-Identifier: MIT
//
// simulated_sensor.h: the one sensor that the stand-in libraries beside this file read.
#ifndef SIMULATED_SENSOR_H
#define SIMULATED_SENSOR_H

#include <stdint.h>

struct simulated_sensor {
    float temperature, humidity;
    int32_t is_there;
    int32_t begun;   // times that the library was begun
    int32_t hangs;   // calls that would never have returned
    int32_t samples; // times that the sensor itself was asked
    int32_t pin, type;
    uint32_t now; // milliseconds
};

extern "C" simulated_sensor device;

#endif
