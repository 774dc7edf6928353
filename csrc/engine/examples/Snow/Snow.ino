// Will it snow in the next hour? The model beside this sketch, from three hours of readings.
#include <scratchml.h>

#include "snow_model.h"

static uint32_t memory[SNOW_MODEL_MEMORY_BYTES / 4];
static sml_context snow;

void setup() {
  Serial.begin(115200);
  sml_load_model(&snow, &snow_model);
  sml_initialize_model_memory(&snow, memory, sizeof memory);
}

void loop() {
  // the oldest hour first: hundredths of a degree C, hundredths of a percent of humidity
  static const int32_t counts[SNOW_MODEL_INPUTS] = {-80, 9300, -130, 9600, -150, 9800};
  int8_t output[SNOW_MODEL_OUTPUTS];

  sml_prepare_input(&snow, counts, SNOW_MODEL_INPUTS);
  if (sml_run_model(&snow, output, SNOW_MODEL_OUTPUTS) == SML_OK) {
    Serial.println(output[0] >= SNOW_MODEL_THRESHOLD ? "snow" : "no snow");
  }
  delay(1000);
}
