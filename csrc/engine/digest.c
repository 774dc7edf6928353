/* SPDX-License-Identifier: MIT
 *
 * digest.c: a million rows compared by one number. Word i of the input stream is
 * fmix32(seed + i * 0x9E3779B9), its bytes little-endian; rows follow each other without padding.
 */
#include "kernel.h"

/* MurmurHash3's 32-bit finalizer. */
static uint32_t fmix32(uint32_t h)
{
    h ^= h >> 16;
    h *= UINT32_C(0x85EBCA6B);
    h ^= h >> 13;
    h *= UINT32_C(0xC2B2AE35);
    return h ^ (h >> 16);
}

static int8_t next_code(sml_digest *digest)
{
    if (digest->left == 0) {
        digest->word = fmix32(digest->seed + digest->words * UINT32_C(0x9E3779B9));
        digest->words++;
        digest->left = 4;
    }
    const int32_t byte = (int32_t)(digest->word & 255);
    digest->word >>= 8;
    digest->left--;
    return (int8_t)(byte < 128 ? byte : byte - 256);
}

/* One more byte of the CRC-32 that zlib, PNG and Ethernet use, four bits at a time. */
static uint32_t crc32_byte(uint32_t crc, uint8_t byte)
{
    static const uint32_t table[16] = {
        0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC, 0x76DC4190, 0x6B6B51F4,
        0x4DB26158, 0x5005713C, 0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C,
        0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C,
    };
    crc = ~crc ^ byte;
    crc = (crc >> 4) ^ table[crc & 15];
    crc = (crc >> 4) ^ table[crc & 15];
    return ~crc;
}

sml_status sml_digest_start(sml_digest *digest, uint32_t seed)
{
    if (!digest) {
        return SML_ERR_ARGUMENT;
    }
    *digest = (sml_digest){0, seed, 0, 0, 0};
    return SML_OK;
}

sml_status sml_digest_rows(sml_digest *digest, sml_context *context, uint32_t rows, int8_t *output,
                           size_t n)
{
    if (!digest || !context || !output) {
        return SML_ERR_ARGUMENT;
    }
    if (!context->model || !context->memory) {
        return SML_ERR_STATE;
    }
    const size_t inputs = context->model->layers[0].inputs;
    for (uint32_t row = 0; row < rows; row++) {
        for (size_t i = 0; i < inputs; i++) {
            sml_store(context, i, next_code(digest));
        }
        context->input_ready = 1;
        const sml_status status = sml_run_model(context, output, n);
        if (status != SML_OK) {
            return status;
        }
        for (size_t i = 0; i < n; i++) {
            digest->crc = crc32_byte(digest->crc, (uint8_t)output[i]);
        }
    }
    return SML_OK;
}
