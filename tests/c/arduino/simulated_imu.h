// SPDX-License-Identifier: MIT
//
// simulated_imu.h: the one accelerometer that the stand-in libraries beside this file read. It goes
// through a list of readings, one each time that it is asked.
#ifndef SIMULATED_IMU_H
#define SIMULATED_IMU_H

#include <Arduino.h>

#include <math.h>

struct simulated_reading {
    float g[3];
    int32_t is_available; // else nothing new has been measured
    int32_t works;        // else the chip does not answer
    uint32_t takes;       // milliseconds
};

struct simulated_imu {
    const simulated_reading *readings;
    uint32_t *times; // when each was asked for
    int32_t count, next;
    int32_t absent; // times that begin() fails, before it does not
    int32_t begun;
};

extern "C" simulated_imu imu;

class ImuStandIn
{
  public:
    int begin()
    {
        imu.begun++;
        return imu.begun > imu.absent;
    }
    int accelerationAvailable()
    {
        const bool is_available = imu.readings[imu.next].is_available;
        if (!is_available) {
            pass();
        }
        return is_available;
    }
    int readAcceleration(float &x, float &y, float &z)
    {
        const simulated_reading &reading = imu.readings[imu.next];
        x = reading.works ? reading.g[0] : NAN;
        y = reading.works ? reading.g[1] : NAN;
        z = reading.works ? reading.g[2] : NAN;
        pass();
        return reading.works;
    }

  private:
    void pass()
    {
        imu.times[imu.next] = static_cast<uint32_t>(millis());
        delay(imu.readings[imu.next].takes);
        imu.next++;
    }
};

static ImuStandIn IMU;

#endif
