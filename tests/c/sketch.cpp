// SPDX-License-Identifier: MIT
//
// sketch.cpp: Exercises.ino as Arduino compiles it, behind its own header, and a board that calls
// it until all readings are taken.
#include <Arduino.h>

#include <Exercises.ino>

simulated_imu imu;

extern "C" void sketch_setup()
{
    setup();
}

extern "C" void sketch_run()
{
    while (imu.next < imu.count) {
        loop();
    }
}
