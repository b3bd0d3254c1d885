/* The 16-byte header of what travels over MQTT, device -> edge (byte 1 = codec) and edge -> device (byte 1 = status).
 *  0 version u8 | 1 codec or status u8 | 2 seq u16 | 4 weights u32 | 8 body_bytes u32 | 12 crc32 u32 over 0..11 + body */
#ifndef PAYLOAD_H
#define PAYLOAD_H

#include <stddef.h>
#include <stdint.h>

#define PAYLOAD_VERSION 1u
#define PAYLOAD_HEAD 16u
#define PAYLOAD_BODY_MAX 65536u

enum { REPLY_OK = 0, REPLY_OTHER_WEIGHTS = 1, REPLY_BAD_PAYLOAD = 2, REPLY_BUSY = 3 };

typedef enum { PAYLOAD_OK = 0, PAYLOAD_SHORT, PAYLOAD_BAD_VERSION, PAYLOAD_BAD_SIZE, PAYLOAD_BAD_CRC } payload_check_t;

typedef struct {
    uint8_t codec_or_status;
    uint16_t seq;
    uint32_t weights;
    uint32_t body_bytes;
} payload_header_t;

/* Writes the header in front of the body that already lies at message + PAYLOAD_HEAD. */
void payload_seal(uint8_t *message, const payload_header_t *header);

/* Checks a whole message: version, size, CRC. `header` is filled when PAYLOAD_OK. */
payload_check_t payload_open(const uint8_t *message, size_t bytes, payload_header_t *header);

#endif
