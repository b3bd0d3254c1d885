/* A libFuzzer target for what parses bytes from outside: bodies of every codec, payloads, the module's line, frames. The
 * first byte chooses; sizes come from the next ones. Each output lies in a block of exactly the size that the caller is
 * told it needs, so that the address sanitizer sees a byte too many. What a decoder takes must be what its encoder
 * writes where the format has one body for each list of symbols, and decode(encode(x)) must be x. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "at.h"
#include "cobs.h"
#include "codec.h"
#include "codec_jpeg.h"
#include "frame.h"
#include "payload.h"

enum { BODY, ROUND_TRIP, PAYLOAD, MODULE, FRAMES, FILE_OF_JPEG, KINDS };
enum { COUNT_MAX = 20000, CHANNELS_MAX = 8 };

typedef struct {
    unsigned codec;
    uint32_t n_symbols, runs, run;
    context_model_t model;
    uint8_t class_of[CHANNELS_MAX << 8];
    uint32_t shares[8 << 4];
} job_t;

static void require(int true_always)
{
    if (!true_always) {
        abort();
    }
}

static void *block(size_t bytes)
{
    void *p = malloc(bytes == 0 ? 1 : bytes);
    require(p != NULL);
    return p;
}

/* Tables as harness/contracts/context.py lets through: any classes, shares of at least 1 that add up. */
static void make_model(job_t *job, unsigned seed)
{
    unsigned bits = bits_for(job->n_symbols), state = seed * 2654435761u + 1u;
    job->model = (context_model_t){(uint16_t)(1 + seed % 7), (uint16_t)job->run, job->class_of, job->shares};
    for (size_t i = 0; i < sizeof job->class_of; i++) {
        state = state * 1664525u + 1013904223u;
        job->class_of[i] = (uint8_t)(state >> 29);
    }
    for (unsigned class = 0; class < 8; class++) {
        uint32_t start = 0, left = (1u << CONTEXT_TOTAL_BITS) - job->n_symbols;
        for (uint32_t s = 0; s < job->n_symbols; s++) {
            state = state * 1664525u + 1013904223u;
            uint32_t more = s + 1 == job->n_symbols ? left : state >> 16 & (class & 1 ? left : left >> 2);
            more = more < left ? more : left;
            job->shares[(class << bits) + s] = start + ((more + 1u) << 16);
            start += more + 1u;
            left -= more;
        }
    }
}

/* Codec, alphabet and shape from five bytes; false for what no caller asks for. */
static bool make_job(job_t *job, const uint8_t *in)
{
    job->codec = in[0] % (CODEC_COUNT + 1u);
    job->n_symbols = 2u + in[1] % 255u;
    job->run = 1u + in[2];
    job->runs = 1u + in[3];
    if (job->codec == CODEC_PNG || job->codec == CODEC_RICE || job->codec == CODEC_JPEG) {
        job->n_symbols = 256;
        job->run = 3u * (1u + in[2] % 32u);
        job->runs = 1u + in[3] % 32u;
    }
    if (job->codec == CODEC_CONTEXT) {
        job->n_symbols = 2u + in[1] % 15u;
        job->run = 1u + in[2] % CHANNELS_MAX;
        make_model(job, in[4]);
        job->runs = job->model.width * (1u + in[3] % 64u);
    }
    return (size_t)job->runs * job->run <= COUNT_MAX;
}

static bool decode(const job_t *job, unsigned codec, const uint8_t *body, size_t bytes, uint8_t *symbols)
{
    size_t count = (size_t)job->runs * job->run;
    if (codec == CODEC_CONTEXT) {
        return context_decode(&job->model, body, bytes, job->n_symbols, symbols, count);
    }
    decode_fn by = codec_decoder(codec);
    return by != NULL && by(body, bytes, job->n_symbols, symbols, count);
}

static void check_symbols(const job_t *job, const uint8_t *symbols)
{
    for (size_t i = 0; i < (size_t)job->runs * job->run; i++) {
        require(symbols[i] < job->n_symbols);
    }
}

static uint8_t identity[256];
static codec_work_t work;

static symbols_t from(const job_t *job, const uint8_t *symbols)
{
    return (symbols_t){symbols,        identity, job->runs,   job->run, job->run,
                       job->n_symbols, 75,       &job->model};
}

static void fuzz_body(const job_t *job, const uint8_t *body, size_t bytes)
{
    size_t count = (size_t)job->runs * job->run;
    uint8_t *symbols = block(count), *again = block(bytes);
    if (decode(job, job->codec, body, bytes, symbols)) {
        check_symbols(job, symbols);
        if (job->codec == CODEC_STORED || job->codec == CODEC_CONTEXT) {
            symbols_t s = from(job, symbols);
            require(codec_encoder(job->codec)(&s, again, bytes, &work) == bytes);
            require(memcmp(again, body, bytes) == 0);
        }
    }
    free(symbols);
    free(again);
}

static void fuzz_round_trip(const job_t *job, const uint8_t *in, size_t bytes)
{
    size_t count = (size_t)job->runs * job->run;
    uint8_t *symbols = block(count), *back = block(count), used = 0;
    for (size_t i = 0; i < count; i++) {
        symbols[i] = bytes == 0 ? 0 : (uint8_t)(in[i % bytes] % job->n_symbols);
    }
    size_t room = stored_bytes(job->n_symbols, count);
    uint8_t *body = block(room);
    symbols_t s = from(job, symbols);
    size_t written = codec_encode(job->codec, &s, body, room, &work, &used);
    require(written != 0 && written <= room && (used == job->codec || used == CODEC_STORED));
    if (used != CODEC_JPEG) {
        uint8_t *exact = block(written);
        memcpy(exact, body, written);
        require(decode(job, used, exact, written, back) && memcmp(symbols, back, count) == 0);
        free(exact);
    }
    free(symbols);
    free(back);
    free(body);
}

static void fuzz_payload(const job_t *job, const uint8_t *in, size_t bytes)
{
    payload_header_t header;
    if (payload_open(in, bytes, &header) == PAYLOAD_OK) {
        require(header.body_bytes == bytes - PAYLOAD_HEAD);
    }
    /* The same bytes as a body under a right header: what a broken device with a working CRC would send. */
    uint8_t *message = block(PAYLOAD_HEAD + bytes), *symbols = block((size_t)job->runs * job->run);
    memcpy(message + PAYLOAD_HEAD, in, bytes);
    header = (payload_header_t){(uint8_t)job->codec, 1, 2, (uint32_t)bytes};
    payload_seal(message, &header);
    if (payload_open(message, PAYLOAD_HEAD + bytes, &header) == PAYLOAD_OK &&
        decode(job, header.codec_or_status, message + PAYLOAD_HEAD, header.body_bytes, symbols)) {
        check_symbols(job, symbols);
    }
    free(message);
    free(symbols);
}

static void fuzz_module(uint32_t room, const uint8_t *in, size_t bytes)
{
    at_parser_t at;
    uint8_t *message = block(room);
    at_init(&at, message, room);
    for (size_t i = 0; i < bytes; i++) {
        if (at_take(&at, in[i]) == AT_MESSAGE) {
            require(at.message_bytes <= room);
        }
    }
    free(message);
}

static void fuzz_frames(const uint8_t *in, size_t bytes)
{
    frame_receiver_t *receiver = block(sizeof *receiver);
    memset(receiver, 0, sizeof *receiver);
    for (size_t i = 0; i < bytes; i++) {
        size_t body = frame_take(receiver, in[i]);
        require(body == 0 || (body >= FRAME_HEAD && body <= FRAME_DECODED_MAX));
    }
    free(receiver);
    uint8_t *out = block(COBS_ENCODED_MAX(bytes)), *back = block(bytes + COBS_ENCODED_MAX(bytes));
    size_t stuffed = cobs_encode(in, bytes, out);
    require(cobs_decode(out, stuffed, back) == bytes && memcmp(in, back, bytes) == 0);
    free(out);
    free(back);
}

static void fuzz_jpeg(const uint8_t *in, size_t bytes)
{
    uint8_t *file = block(bytes + JPEG_FILE_EXTRA);
    size_t size = jpeg_file(in, bytes, file, bytes + JPEG_FILE_EXTRA);
    require(size <= bytes + JPEG_FILE_EXTRA);
    free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *in, size_t bytes)
{
    static job_t job;
    if (bytes < 6 || bytes > PAYLOAD_BODY_MAX || !make_job(&job, in + 1)) {
        return 0;
    }
    for (unsigned i = 0; i < 256; i++) {
        identity[i] = (uint8_t)i;
    }
    const uint8_t *data = in + 6;
    bytes -= 6;
    switch (in[0] % KINDS) {
    case BODY:
        fuzz_body(&job, data, bytes);
        break;
    case ROUND_TRIP:
        fuzz_round_trip(&job, data, bytes);
        break;
    case PAYLOAD:
        fuzz_payload(&job, data, bytes);
        break;
    case MODULE:
        fuzz_module(in[1], data, bytes);
        break;
    case FRAMES:
        fuzz_frames(data, bytes);
        break;
    default:
        fuzz_jpeg(data, bytes);
        break;
    }
    return 0;
}
