/* SPDX-License-Identifier: MIT
 *
 * digest.c: print the digest of 1001 rows of an exported model, once in one go and once in three
 * parts, for the host under sanitizers. MODEL and MODEL_UPPER come from -D. */
#include <stdio.h>

#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
#define TEXT_(a) #a
#define TEXT(a) TEXT_(a)

#include TEXT(MODEL.h)

#define OUTPUTS PASTE(MODEL_UPPER, _OUTPUTS)

int main(void)
{
    static uint32_t memory[PASTE(MODEL_UPPER, _MEMORY_BYTES) / 4];
    static const uint32_t parts[2][3] = {{1001, 0, 0}, {1, 300, 700}};
    sml_context context;
    int8_t output[OUTPUTS];

    if (sml_load_model(&context, &MODEL) != SML_OK ||
        sml_initialize_model_memory(&context, memory, sizeof memory) != SML_OK) {
        return 2;
    }
    for (size_t i = 0; i < 2; i++) {
        sml_digest digest;
        if (sml_digest_start(&digest, 7) != SML_OK) {
            return 2;
        }
        for (size_t k = 0; k < 3; k++) {
            if (sml_digest_rows(&digest, &context, parts[i][k], output, OUTPUTS) != SML_OK) {
                return 2;
            }
        }
        printf("%lu\n", (unsigned long)digest.crc);
    }
    return 0;
}
