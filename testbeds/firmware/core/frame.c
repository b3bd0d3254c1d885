#include "frame.h"

#include "bytes.h"
#include "crc32.h"

static size_t finish(frame_receiver_t *receiver)
{
    size_t decoded = cobs_decode(receiver->buffer, receiver->used, receiver->buffer);
    if (decoded == SIZE_MAX || decoded < FRAME_HEAD + FRAME_CRC || decoded > FRAME_DECODED_MAX) {
        return 0;
    }
    size_t body = decoded - FRAME_CRC;
    return crc32_update(0, receiver->buffer, body) == get_u32(receiver->buffer + body) ? body : 0;
}

size_t frame_take(frame_receiver_t *receiver, uint8_t byte)
{
    if (byte != 0) {
        if (receiver->used < sizeof receiver->buffer) {
            receiver->buffer[receiver->used++] = byte;
        } else {
            receiver->too_long = true;
        }
        return 0;
    }
    if (receiver->used == 0) {
        return 0; /* an empty frame: hosts send one to clear the line */
    }
    size_t body = receiver->too_long ? 0 : finish(receiver);
    receiver->used = 0;
    receiver->too_long = false;
    if (body == 0) {
        receiver->dropped++;
    }
    return body;
}

size_t frame_make(uint8_t *body, size_t body_bytes, uint8_t *out)
{
    put_u32(body + body_bytes, crc32_update(0, body, body_bytes));
    size_t written = cobs_encode(body, body_bytes + FRAME_CRC, out);
    out[written] = 0;
    return written + 1;
}
