/* Frames on the console: COBS(body | crc32le(body)) 0x00, body = version u8 | type u8 | seq u16 | payload. */
#ifndef FRAME_H
#define FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cobs.h"

#define FRAME_VERSION 1u
#define FRAME_DECODED_MAX 1200u /* body and CRC */
#define FRAME_HEAD 4u
#define FRAME_CRC 4u
#define FRAME_PAYLOAD_MAX (FRAME_DECODED_MAX - FRAME_HEAD - FRAME_CRC)

typedef struct {
    uint8_t buffer[COBS_ENCODED_MAX(FRAME_DECODED_MAX)];
    size_t used;
    bool too_long;
    uint32_t dropped; /* frames with a bad CRC, bad stuffing or a bad size */
} frame_receiver_t;

/* Takes one byte. Returns the size of the body (>= FRAME_HEAD) now at receiver->buffer, or 0. */
size_t frame_take(frame_receiver_t *receiver, uint8_t byte);

/* Writes the CRC behind body (which has FRAME_CRC bytes of room there) and the whole frame with its 0 to `out`.
 * Returns the bytes in `out` (room: COBS_ENCODED_MAX(FRAME_DECODED_MAX) + 1). */
size_t frame_make(uint8_t *body, size_t body_bytes, uint8_t *out);

#endif
