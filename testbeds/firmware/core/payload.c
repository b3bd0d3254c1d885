#include "payload.h"

#include "bytes.h"
#include "crc32.h"

static uint32_t check_sum(const uint8_t *message, size_t body_bytes)
{
    return crc32_update(crc32_update(0, message, PAYLOAD_HEAD - 4), message + PAYLOAD_HEAD, body_bytes);
}

void payload_seal(uint8_t *message, const payload_header_t *header)
{
    uint8_t *p = put_u8(message, PAYLOAD_VERSION);
    p = put_u8(p, header->codec_or_status);
    p = put_u16(p, header->seq);
    p = put_u32(p, header->weights);
    p = put_u32(p, header->body_bytes);
    put_u32(p, check_sum(message, header->body_bytes));
}

payload_check_t payload_open(const uint8_t *message, size_t bytes, payload_header_t *header)
{
    if (bytes < PAYLOAD_HEAD) {
        return PAYLOAD_SHORT;
    }
    if (message[0] != PAYLOAD_VERSION) {
        return PAYLOAD_BAD_VERSION;
    }
    uint32_t body_bytes = get_u32(message + 8);
    if (body_bytes > PAYLOAD_BODY_MAX || body_bytes != bytes - PAYLOAD_HEAD) {
        return PAYLOAD_BAD_SIZE;
    }
    if (check_sum(message, body_bytes) != get_u32(message + 12)) {
        return PAYLOAD_BAD_CRC;
    }
    header->codec_or_status = message[1];
    header->seq = get_u16(message + 2);
    header->weights = get_u32(message + 4);
    header->body_bytes = body_bytes;
    return PAYLOAD_OK;
}
