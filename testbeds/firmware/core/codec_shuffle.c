/* Bit-shuffle and LZ, for 8-bit features (SPINN, section 4.3, sends them so). In blocks of at most 8192 symbols: bit j
 * of eight symbols in a row makes a byte of plane j, planes follow each other, and the whole is one LZ4 block (the
 * public "LZ4 block format"). Small features leave the upper planes nearly empty, which is what LZ then finds. No
 * lengths are written: both sides know the symbols, so the planes' bytes, and an LZ4 block ends with literals. */
#include "codec.h"

#include <string.h>

enum { MIN_MATCH = 4, LAST_LITERALS = 5, MATCH_MARGIN = 12, HASH_BITS = 12, NIBBLE = 15 };

typedef struct {
    uint8_t *at, *end;
} writer_t;

/* Byte i, bit j -> byte j, bit i of the eight bytes lo, hi (least significant first). Its own inverse. */
static inline void transpose(uint32_t *lo, uint32_t *hi)
{
    uint32_t a = *lo, b = *hi, t;
    t = (a ^ a >> 7) & 0x00AA00AAu;
    a ^= t ^ t << 7;
    t = (b ^ b >> 7) & 0x00AA00AAu;
    b ^= t ^ t << 7;
    t = (a ^ a >> 14) & 0x0000CCCCu;
    a ^= t ^ t << 14;
    t = (b ^ b >> 14) & 0x0000CCCCu;
    b ^= t ^ t << 14;
    t = (a ^ b << 4) & 0xF0F0F0F0u;
    *lo = a ^ t;
    *hi = b ^ t >> 4;
}

typedef struct {
    const uint8_t *run, *at, *end;
    const symbols_t *symbols;
} cursor_t;

static inline uint32_t next_symbol(cursor_t *c)
{
    if (c->at == c->end) {
        c->run += c->symbols->stride;
        c->at = c->run;
        c->end = c->run + c->symbols->run;
    }
    return c->symbols->symbol_of_byte[*c->at++];
}

/* The planes of the next `count` symbols, `bits` times (count + 7) / 8 bytes. */
static void shuffle(cursor_t *c, size_t count, unsigned bits, uint8_t *planes)
{
    size_t stride = (count + 7) / 8;
    for (size_t group = 0; group < stride; group++) {
        size_t left = count - 8 * group;
        uint32_t half[2] = {0, 0};
        for (unsigned i = 0; i < 8 && i < left; i++) {
            half[i >> 2] |= next_symbol(c) << 8 * (i & 3);
        }
        transpose(&half[0], &half[1]);
        for (unsigned j = 0; j < bits; j++) {
            planes[j * stride + group] = (uint8_t)(half[j >> 2] >> 8 * (j & 3));
        }
    }
}

static inline uint32_t four(const uint8_t *p)
{
    uint32_t v;
    __builtin_memcpy(&v, p, 4);
    return v;
}

static inline bool put(writer_t *w, unsigned byte)
{
    if (w->at == w->end) {
        return false;
    }
    *w->at++ = (uint8_t)byte;
    return true;
}

static bool put_more(writer_t *w, size_t length)
{
    for (; length >= 255; length -= 255) {
        if (!put(w, 255)) {
            return false;
        }
    }
    return put(w, (unsigned)length);
}

/* A sequence: `literals` bytes from `from`, then a match unless `match` is 0. */
static bool put_sequence(writer_t *w, const uint8_t *from, size_t literals, size_t match, size_t offset)
{
    size_t more = match == 0 ? 0 : match - MIN_MATCH;
    unsigned token = (unsigned)(literals < NIBBLE ? literals : NIBBLE) << 4 | (unsigned)(more < NIBBLE ? more : NIBBLE);
    if (!put(w, token) || (literals >= NIBBLE && !put_more(w, literals - NIBBLE)) ||
        (size_t)(w->end - w->at) < literals) {
        return false;
    }
    memcpy(w->at, from, literals);
    w->at += literals;
    if (match == 0) {
        return true;
    }
    return put(w, offset & 255) && put(w, (unsigned)(offset >> 8)) && (more < NIBBLE || put_more(w, more - NIBBLE));
}

static bool compress(writer_t *w, const uint8_t *in, size_t bytes, uint16_t *places)
{
    size_t at = 0, literal = 0;
    memset(places, 0, sizeof(uint16_t) << HASH_BITS); /* a place is its position + 1 */
    while (at + MATCH_MARGIN <= bytes) {
        uint32_t value = four(in + at);
        uint16_t *place = &places[value * 2654435761u >> (32 - HASH_BITS)];
        size_t seen = *place;
        *place = (uint16_t)(at + 1);
        if (seen == 0 || four(in + seen - 1) != value) {
            at++;
            continue;
        }
        size_t from = seen - 1, most = bytes - LAST_LITERALS - at, match = MIN_MATCH;
        while (match < most && in[from + match] == in[at + match]) {
            match++;
        }
        while (at > literal && from > 0 && in[from - 1] == in[at - 1]) {
            at--;
            from--;
            match++;
        }
        if (!put_sequence(w, in + literal, at - literal, match, at - from)) {
            return false;
        }
        at += match;
        literal = at;
    }
    return put_sequence(w, in + literal, bytes - literal, 0, 0);
}

size_t shuffle_encode(const symbols_t *symbols, uint8_t *out, size_t capacity, void *work)
{
    shuffle_work_t *w = work;
    size_t left = (size_t)symbols->runs * symbols->run;
    unsigned bits = bits_for(symbols->n_symbols);
    cursor_t cursor = {symbols->bytes, symbols->bytes, symbols->bytes + symbols->run, symbols};
    writer_t writer = {out, out + capacity};
    while (left != 0) {
        size_t count = left < SHUFFLE_BLOCK ? left : SHUFFLE_BLOCK;
        shuffle(&cursor, count, bits, w->planes);
        if (!compress(&writer, w->planes, bits * ((count + 7) / 8), w->places)) {
            return 0;
        }
        left -= count;
    }
    return (size_t)(writer.at - out);
}

typedef struct {
    const uint8_t *at, *end;
} reader_t;

/* Adds the bytes that follow a full nibble; false at the end of input or past `most`. */
static bool get_more(reader_t *r, size_t *length, size_t most)
{
    unsigned byte = 255;
    while (byte == 255) {
        if (r->at == r->end || *length > most) {
            return false;
        }
        byte = *r->at++;
        *length += byte;
    }
    return true;
}

/* One LZ4 block into exactly `bytes` bytes. */
static bool expand(reader_t *r, uint8_t *out, size_t bytes)
{
    size_t done = 0;
    for (;;) {
        if (r->at == r->end) {
            return false;
        }
        unsigned token = *r->at++;
        size_t literals = token >> 4, match = (token & NIBBLE) + MIN_MATCH;
        if (literals == NIBBLE && !get_more(r, &literals, bytes)) {
            return false;
        }
        if (literals > bytes - done || literals > (size_t)(r->end - r->at)) {
            return false;
        }
        memcpy(out + done, r->at, literals);
        r->at += literals;
        done += literals;
        if (done == bytes) {
            return (token & NIBBLE) == 0;
        }
        if (r->end - r->at < 2) {
            return false;
        }
        size_t offset = r->at[0] | (size_t)r->at[1] << 8;
        r->at += 2;
        if (match == NIBBLE + MIN_MATCH && !get_more(r, &match, bytes)) {
            return false;
        }
        if (offset == 0 || offset > done || bytes - done < LAST_LITERALS || match > bytes - done - LAST_LITERALS) {
            return false;
        }
        for (; match != 0; match--, done++) {
            out[done] = out[done - offset]; /* byte by byte: a match may overlap itself */
        }
    }
}

static bool unshuffle(const uint8_t *planes, size_t count, unsigned bits, uint32_t n_symbols, uint8_t *symbols)
{
    size_t stride = (count + 7) / 8;
    for (size_t group = 0; group < stride; group++) {
        uint32_t half[2] = {0, 0};
        for (unsigned j = 0; j < bits; j++) {
            half[j >> 2] |= (uint32_t)planes[j * stride + group] << 8 * (j & 3);
        }
        transpose(&half[0], &half[1]);
        for (size_t i = 0; i < 8; i++) {
            uint32_t symbol = half[i >> 2] >> 8 * (i & 3) & 255u;
            if (8 * group + i < count) {
                symbols[8 * group + i] = (uint8_t)symbol;
            }
            if (symbol >= n_symbols || (8 * group + i >= count && symbol != 0)) {
                return false;
            }
        }
    }
    return true;
}

bool shuffle_decode(const uint8_t *body, size_t bytes, uint32_t n_symbols, uint8_t *symbols, size_t count)
{
    uint8_t planes[SHUFFLE_BLOCK];
    unsigned bits = bits_for(n_symbols);
    reader_t reader = {body, body + bytes};
    while (count != 0) {
        size_t some = count < SHUFFLE_BLOCK ? count : SHUFFLE_BLOCK;
        if (!expand(&reader, planes, bits * ((some + 7) / 8)) || !unshuffle(planes, some, bits, n_symbols, symbols)) {
            return false;
        }
        symbols += some;
        count -= some;
    }
    return reader.at == reader.end;
}
