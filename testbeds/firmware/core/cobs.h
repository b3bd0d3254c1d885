/* Consistent Overhead Byte Stuffing (Cheshire and Baker, 1999): bytes without 0, so that 0 ends a frame. */
#ifndef COBS_H
#define COBS_H

#include <stddef.h>
#include <stdint.h>

#define COBS_ENCODED_MAX(count) ((count) + (count) / 254u + 1u)

/* Encodes without the final 0; `out` holds COBS_ENCODED_MAX(count) bytes. Returns the bytes written. */
size_t cobs_encode(const uint8_t *in, size_t count, uint8_t *out);

/* Decodes `count` bytes (without the final 0), in place if out == in; at most `count` - 1 bytes are written.
 * Returns the decoded size, or SIZE_MAX for what no encoder writes. */
size_t cobs_decode(const uint8_t *in, size_t count, uint8_t *out);

#endif
