/* What Python calls without a scheme: codecs, payloads, frames, AT parser, decisions. Every call is re-entrant. */
#include <string.h>

#include "at.h"
#include "bytes.h"
#include "codec.h"
#include "codec_jpeg.h"
#include "combine.h"
#include "crc32.h"
#include "frame.h"
#include "payload.h"

#define API __attribute__((visibility("default")))
enum { BODY_UNKNOWN_CODEC = 16, BODY_BAD = 17 };

static const uint8_t *identity(void)
{
    static uint8_t table[256];
    for (unsigned i = 0; table[255] == 0 && i < 256; i++) {
        table[i] = (uint8_t)i;
    }
    return table;
}

API uint32_t api_crc32(uint32_t crc, const uint8_t *bytes, size_t count) { return crc32_update(crc, bytes, count); }

API size_t api_cobs_encode(const uint8_t *in, size_t count, uint8_t *out) { return cobs_encode(in, count, out); }

API size_t api_cobs_decode(const uint8_t *in, size_t count, uint8_t *out) { return cobs_decode(in, count, out); }

API size_t api_stored_bytes(uint32_t n_symbols, size_t count) { return stored_bytes(n_symbols, count); }

static symbols_t symbols_in(const uint8_t *symbols, size_t count, uint32_t runs, uint32_t n_symbols, uint8_t quality,
                            const context_model_t *model)
{
    uint32_t run = model == NULL ? (uint32_t)(count / runs) : model->channels;
    return (symbols_t){symbols, identity(), (uint32_t)(count / run), run, run, n_symbols, quality, model};
}

/* One codec alone, without the fall-back to stored: 0 when it takes more than `capacity`. `runs` divides `count`: the
 * rows of a picture, else 1. `model`: the context codec's tables, NULL for the others. */
API size_t api_encode_body(unsigned codec, uint32_t n_symbols, const uint8_t *symbols, size_t count, uint32_t runs,
                           uint8_t quality, const context_model_t *model, uint8_t *out, size_t capacity)
{
    codec_work_t work;
    symbols_t from = symbols_in(symbols, count, runs, n_symbols, quality, model);
    encode_fn encode = codec_encoder(codec);
    return encode == NULL ? 0 : encode(&from, out, capacity, &work);
}

API int api_decode_body(unsigned codec, uint32_t n_symbols, const uint8_t *body, size_t bytes, uint8_t *symbols,
                        size_t count, const context_model_t *model)
{
    if (codec == CODEC_CONTEXT && model != NULL) {
        return context_decode(model, body, bytes, n_symbols, symbols, count) ? 0 : BODY_BAD;
    }
    decode_fn decode = codec_decoder(codec);
    if (decode == NULL) {
        return BODY_UNKNOWN_CODEC;
    }
    return decode(body, bytes, n_symbols, symbols, count) ? 0 : BODY_BAD;
}

/* A sealed message as the device makes it, fall-back included. 0 when `room` is too small. */
API size_t api_encode_message(unsigned wanted, uint32_t n_symbols, const uint8_t *symbols, size_t count, uint32_t runs,
                              uint8_t quality, const context_model_t *model, uint16_t seq, uint32_t weights,
                              uint8_t *out, size_t room)
{
    codec_work_t work;
    uint8_t used;
    symbols_t from = symbols_in(symbols, count, runs, n_symbols, quality, model);
    if (room < PAYLOAD_HEAD) {
        return 0;
    }
    size_t body = codec_encode(wanted, &from, out + PAYLOAD_HEAD, room - PAYLOAD_HEAD, &work, &used);
    if (body == 0) {
        return 0;
    }
    payload_header_t header = {used, seq, weights, (uint32_t)body};
    payload_seal(out, &header);
    return PAYLOAD_HEAD + body;
}

/* The JFIF file of a jpeg body; 0 when it is none or `room` is too small. */
API size_t api_jpeg_file(const uint8_t *body, size_t bytes, uint8_t *out, size_t room)
{
    return jpeg_file(body, bytes, out, room);
}

API void api_seal(uint8_t *message, uint8_t codec_or_status, uint16_t seq, uint32_t weights, uint32_t body_bytes)
{
    payload_header_t header = {codec_or_status, seq, weights, body_bytes};
    payload_seal(message, &header);
}

/* A payload_check_t; fields = codec or status, seq, weights, body bytes. */
API int api_open(const uint8_t *message, size_t bytes, uint32_t fields[4])
{
    payload_header_t header;
    payload_check_t check = payload_open(message, bytes, &header);
    if (check == PAYLOAD_OK) {
        fields[0] = header.codec_or_status;
        fields[1] = header.seq;
        fields[2] = header.weights;
        fields[3] = header.body_bytes;
    }
    return (int)check;
}

API size_t api_frame_receiver_bytes(void) { return sizeof(frame_receiver_t); }

/* Feeds `count` bytes; copies the body that is completed to `body` (FRAME_DECODED_MAX bytes of room) and stops there.
 * Returns the bytes taken; *body_bytes = 0 when no frame was completed. */
API size_t api_frame_take(void *receiver, const uint8_t *bytes, size_t count, uint8_t *body, size_t *body_bytes)
{
    frame_receiver_t *r = receiver;
    *body_bytes = 0;
    for (size_t i = 0; i < count; i++) {
        size_t got = frame_take(r, bytes[i]);
        if (got != 0) {
            memcpy(body, r->buffer, got);
            *body_bytes = got;
            return i + 1;
        }
    }
    return count;
}

API uint32_t api_frame_dropped(const void *receiver) { return ((const frame_receiver_t *)receiver)->dropped; }

/* Parses a whole stream from the module: the event of each byte to events[i] (0 = none), messages one behind the other
 * to `messages`, each with its length (u32) before it. Returns the bytes written there. */
API size_t api_at_parse(const uint8_t *stream, size_t count, uint32_t message_room, uint8_t *events, uint8_t *messages,
                        size_t room)
{
    at_parser_t at;
    uint8_t message[4096];
    size_t written = 0;
    at_init(&at, message, message_room < sizeof message ? message_room : sizeof message);
    for (size_t i = 0; i < count; i++) {
        events[i] = (uint8_t)at_take(&at, stream[i]);
        if (events[i] == AT_MESSAGE && written + 4 + at.message_bytes <= room) {
            put_u32(messages + written, at.message_bytes);
            memcpy(messages + written + 4, message, at.message_bytes);
            written += 4 + at.message_bytes;
        }
    }
    return written;
}

API void api_dequantise(const int8_t *values, size_t count, float scale, int32_t zero_point, float *out)
{
    dequantise(values, count, scale, zero_point, out);
}

API void api_combine(const float *local, const float *remote, float alpha, size_t count, float *out)
{
    combine(local, remote, alpha, count, out);
}

API uint16_t api_argmax(const float *values, size_t count) { return argmax(values, count); }

API float api_top_probability(const float *logits, size_t count) { return top_probability(logits, count); }
