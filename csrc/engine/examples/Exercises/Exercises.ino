// Which exercise does the arm do? An Arduino Nano 33 BLE Sense on the wrist tells it once a second,
// from three seconds of acceleration. docs/exercises.md has the model, the data and the limits.

#ifndef SENSE_REV2
#define SENSE_REV2 1 // 0: the first Nano 33 BLE Sense, whose sensor is another one
#endif
#ifndef RECORD
#define RECORD 0 // 1: print readings to train on instead: seconds; ax, ay, az in thousandths of g
#endif

#include <scratchml.h>
#if SENSE_REV2
#include <Arduino_BMI270_BMM150.h>
#else
#include <Arduino_LSM9DS1.h>
#endif
#include <stdio.h>

#include "exercises_model.h"
#include "motion.h"

// How the board is worn: ax is AXIS_SIGN[0] times the sensor's axis AXIS_ORDER[0] (0 x, 1 y, 2 z),
// and so on. In the training data ax points along the forearm, az out of the face of the watch, and
// gravity counts as pointing down: lying face up reads -1 g on az, where these sensors read +1.
// Try it with RECORD 1. It is right when, in thousandths of g,
//   the board lies face up                     az is -1000,
//   the arm hangs                              ax is +1000 on the left wrist, -1000 on the right,
//   the forearm is held level, the thumb up    ay is +1000 on both.
static const int8_t AXIS_ORDER[3] = {0, 1, 2};
static const int8_t AXIS_SIGN[3] = {-1, -1, -1};

static_assert(EXERCISES_MODEL_CHANNELS == 3, "the model reads three axes");
static_assert(EXERCISES_MODEL_OUTPUTS > 1, "a model of two classes has one output: see its header");

static uint32_t memory[EXERCISES_MODEL_MEMORY_BYTES / 4];
static int32_t ring[EXERCISES_MODEL_STREAM_BYTES / 4];
static sml_context network;
static sml_stream window;
static uint32_t due;

static void say(const char *line) {
  if (Serial) {  // a computer has opened the port; without one nothing is sent
    Serial.println(line);
  }
}

static void complain(const char *line) {
  say(line);
  delay(1000);
}

void setup() {
  Serial.begin(115200);  // and no waiting for a computer, which may never come
  while (sml_load_model(&network, &exercises_model) != SML_OK ||
         sml_initialize_model_memory(&network, memory, sizeof memory) != SML_OK ||
         sml_stream_start(&window, &exercises_model_front_end, ring, sizeof ring) != SML_OK) {
    complain("the engine refuses the model: export it anew");
  }
  while (!IMU.begin()) {
    complain("no accelerometer: is SENSE_REV2 right?");
  }
  due = millis();
}

// A reading, as counts; false if there is none. The sensor measures about 100 times a second, so
// that a new value is there whenever one is due.
static bool acquire_data(int32_t *counts) {
  float g[3];
  return IMU.accelerationAvailable() && IMU.readAcceleration(g[0], g[1], g[2]) &&
         motion_counts(g, AXIS_ORDER, AXIS_SIGN, counts);
}

static void record(uint32_t now, const int32_t *counts) {
  char line[64];
  snprintf(line, sizeof line, "%lu.%03lu,%ld,%ld,%ld", (unsigned long)(now / 1000),
           (unsigned long)(now % 1000), (long)counts[0], (long)counts[1], (long)counts[2]);
  say(line);
}

static void answer(const int32_t *features) {
  int8_t output[EXERCISES_MODEL_OUTPUTS];
  char line[64];

  sml_prepare_input(&network, features, EXERCISES_MODEL_INPUTS);
  if (sml_run_model(&network, output, EXERCISES_MODEL_OUTPUTS) == SML_OK) {
    const size_t best = motion_likeliest(output, EXERCISES_MODEL_OUTPUTS);
    snprintf(line, sizeof line, "%s %d %%", exercises_model_classes[best],
             motion_percent(output[best]));
    say(line);
  }
}

void loop() {
  int32_t counts[EXERCISES_MODEL_CHANNELS];
  int32_t features[EXERCISES_MODEL_INPUTS];
  int32_t ready = 0;

  const uint32_t wait = motion_wait(due, millis());
  if (wait > 0) {
    delay(wait);
    return;
  }
  const uint32_t now = millis();
  if (motion_take(&due, now)) {
    sml_stream_reset(&window);  // no window reaches across a gap
  }
  if (!acquire_data(counts)) {
    sml_stream_reset(&window);
  } else if (RECORD) {
    record(now, counts);
  } else {
    sml_stream_add(&window, counts, EXERCISES_MODEL_CHANNELS, features, EXERCISES_MODEL_INPUTS,
                   &ready);
  }
  if (ready) {
    answer(features);
  }
}
