/* The codec family: symbols 0..n-1 to bytes and back. A codec is an encoder on the device and a decoder on the edge
 * server; the two tables are apart so that a device image holds no decoder. Adding one: a file with both, a row in
 * each table of codec.c, an id below. */
#ifndef CODEC_H
#define CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec_context.h"

enum {
    CODEC_STORED = 0,
    CODEC_LZW = 1,
    CODEC_SHUFFLE = 2,
    CODEC_PNG = 3,
    CODEC_RICE = 4,
    CODEC_JPEG = 5,
    CODEC_CONTEXT = 6,
    CODEC_COUNT = 7,
};

/* Where symbols come from: `runs` runs of `run` bytes, `stride` bytes apart, each byte mapped by `symbol_of_byte`.
 * So the quantiser is one table look-up inside the coding pass, and a channel slice needs no copy. */
typedef struct {
    const uint8_t *bytes;
    const uint8_t *symbol_of_byte; /* 256 entries, each < n_symbols */
    uint32_t runs;
    uint32_t run;
    uint32_t stride;
    uint32_t n_symbols; /* 1..256 */
    uint8_t quality; /* of a lossy codec: see codec_jpeg.h */
    const context_model_t *model; /* of the context codec; NULL for the others */
} symbols_t;

/* Picture codecs (png, rice, jpeg) take a run as a row of RGB pixels, 256 symbols, as they lie in memory. */
#define PICTURE_PIXELS_MAX 256u /* of a row, and rows */
static inline bool is_picture(const symbols_t *s)
{
    return s->n_symbols == 256 && s->run != 0 && s->run % 3 == 0 && s->run <= 3 * PICTURE_PIXELS_MAX && s->runs != 0 &&
           s->runs <= PICTURE_PIXELS_MAX;
}

/* Writes at most `capacity` bytes; returns the bytes written, or 0 when it would take more. `work` is codec_work. */
typedef size_t (*encode_fn)(const symbols_t *symbols, uint8_t *out, size_t capacity, void *work);

/* Reads exactly `bytes` bytes into exactly `count` symbols; false for anything no encoder writes. */
typedef bool (*decode_fn)(const uint8_t *body, size_t bytes, uint32_t n_symbols, uint8_t *symbols, size_t count);

#define LZW_CODES 4096u
typedef struct {
    uint16_t head[LZW_CODES]; /* first entry of a hash chain; 0 = none */
    uint32_t node[LZW_CODES]; /* prefix 12 bits | symbol 8 bits | next entry of the chain 12 bits */
} lzw_work_t;

#define SHUFFLE_BLOCK 8192u
typedef struct {
    uint8_t planes[SHUFFLE_BLOCK];
    uint16_t places[4096]; /* where four bytes were last seen, by their hash */
} shuffle_work_t;

typedef struct {
    lzw_work_t lzw;
    uint8_t row[3 * PICTURE_PIXELS_MAX]; /* residuals */
} png_work_t;

typedef struct {
    uint8_t above[3 * (PICTURE_PIXELS_MAX + 2)]; /* residuals of the row above by pixel, one pixel of zeros each side */
} rice_work_t;

typedef struct {
    uint32_t ac[2][256]; /* code << 8 | bits, by run and size; luminance, chrominance */
    uint32_t dc[2][12];
    uint32_t reciprocal[2][64]; /* of the quantiser's steps, zigzag order */
    uint16_t half[2][64]; /* half a step */
    int16_t block[64];
} jpeg_work_t;

/* Scratch memory of any encoder: under 25 KB. */
typedef union {
    lzw_work_t lzw;
    shuffle_work_t shuffle;
    png_work_t png;
    rice_work_t rice;
    jpeg_work_t jpeg;
    uint32_t context[(CONTEXT_WORK_BYTES(CONTEXT_ROW_MAX) + 3) / 4];
} codec_work_t;

encode_fn codec_encoder(unsigned codec); /* NULL: no such codec */
decode_fn codec_decoder(unsigned codec); /* NULL also for jpeg and context, which take more than a body */

size_t stored_bytes(uint32_t n_symbols, size_t count); /* size of a stored body */
size_t stored_encode(const symbols_t *symbols, uint8_t *out, size_t capacity, void *work);
bool stored_decode(const uint8_t *body, size_t bytes, uint32_t n_symbols, uint8_t *symbols, size_t count);
size_t lzw_encode(const symbols_t *symbols, uint8_t *out, size_t capacity, void *work);
bool lzw_decode(const uint8_t *body, size_t bytes, uint32_t n_symbols, uint8_t *symbols, size_t count);
size_t shuffle_encode(const symbols_t *symbols, uint8_t *out, size_t capacity, void *work);
bool shuffle_decode(const uint8_t *body, size_t bytes, uint32_t n_symbols, uint8_t *symbols, size_t count);
size_t png_encode(const symbols_t *symbols, uint8_t *out, size_t capacity, void *work);
bool png_decode(const uint8_t *body, size_t bytes, uint32_t n_symbols, uint8_t *symbols, size_t count);
size_t rice_encode(const symbols_t *symbols, uint8_t *out, size_t capacity, void *work);
bool rice_decode(const uint8_t *body, size_t bytes, uint32_t n_symbols, uint8_t *symbols, size_t count);
size_t jpeg_encode(const symbols_t *symbols, uint8_t *out, size_t capacity, void *work);
size_t context_encode(const symbols_t *symbols, uint8_t *out, size_t capacity, void *work);

/* Bits for values 0..count-1, at least 1. */
static inline unsigned bits_for(uint32_t count)
{
    unsigned bits = 1;
    while ((1u << bits) < count) {
        bits++;
    }
    return bits;
}

/* Encodes with `wanted`, or stored where that is no larger; `*used` says which. Returns the body's bytes, 0 only when
 * `capacity` is below stored_bytes(). */
size_t codec_encode(unsigned wanted, const symbols_t *symbols, uint8_t *out, size_t capacity, void *work,
                    uint8_t *used);

/* The same by an encoder named at compile time: an image links no other. */
size_t codec_encode_by(encode_fn encode, unsigned wanted, const symbols_t *symbols, uint8_t *out, size_t capacity,
                       void *work, uint8_t *used);

#endif
