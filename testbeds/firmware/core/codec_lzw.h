/* The LZW coder as a body that is built twice: over symbols as they lie, and over rows that a filter makes. */
#ifndef CODEC_LZW_H
#define CODEC_LZW_H

#include <string.h>

#include "codec.h"

/* Bits, least significant first. Two bytes leave at a time: at most 15 bits are held between calls. */
typedef struct {
    uint8_t *at, *end;
    uint32_t buffer;
    unsigned held;
} bit_writer_t;

/* `width` is at most 17. False when the bytes no longer fit. */
static inline bool put_code(bit_writer_t *w, uint32_t code, unsigned width)
{
    w->buffer |= code << w->held;
    w->held += width;
    if (w->held >= 16) {
        if (w->end - w->at < 2) {
            return false;
        }
        w->at[0] = (uint8_t)w->buffer;
        w->at[1] = (uint8_t)(w->buffer >> 8);
        w->at += 2;
        w->buffer >>= 16;
        w->held -= 16;
    }
    return true;
}

static inline bool put_rest(bit_writer_t *w)
{
    for (; w->held != 0; w->held -= w->held < 8 ? w->held : 8) {
        if (w->at == w->end) {
            return false;
        }
        *w->at++ = (uint8_t)w->buffer;
        w->buffer >>= 8;
    }
    return true;
}

/* Makes the symbols of run r, which begins at `from`, in `row`. */
typedef void (*filter_fn)(const symbols_t *symbols, const uint8_t *from, bool first, uint8_t *row);

static inline __attribute__((always_inline)) size_t lzw_pass(const symbols_t *symbols, uint8_t *out, size_t capacity,
                                                             lzw_work_t *dictionary, filter_fn filter, uint8_t *row)
{
    uint16_t *head = dictionary->head;
    uint32_t *node = dictionary->node;
    const uint8_t *table = symbols->symbol_of_byte, *from = symbols->bytes;
    uint32_t entries = symbols->n_symbols, prefix, first = 1;
    unsigned width = bits_for(entries), shift = 12 - width;
    bit_writer_t writer = {out, out + capacity, 0, 0};
    if (symbols->runs == 0 || symbols->run == 0) {
        return 0;
    }
    memset(head, 0, sizeof dictionary->head);
    if (filter != NULL) {
        filter(symbols, from, true, row);
    }
    prefix = filter != NULL ? row[0] : table[from[0]];
    for (uint32_t r = symbols->runs; r != 0; r--, from += symbols->stride) {
        if (filter != NULL && first == 0) {
            filter(symbols, from, false, row);
        }
        const uint8_t *begin = filter != NULL ? row : from, *end = begin + symbols->run;
        for (const uint8_t *p = begin + first; p < end; p++) {
            uint32_t symbol = filter != NULL ? *p : table[*p];
            uint32_t key = prefix << 20 | symbol << 12;
            uint16_t *chain = &head[(prefix ^ symbol << shift) & (LZW_CODES - 1u)];
            uint32_t code = *chain;
            while (code != 0) {
                uint32_t rest = node[code] ^ key; /* the chain's next entry alone, if prefix and symbol agree */
                if (rest < LZW_CODES) {
                    break;
                }
                code = rest & (LZW_CODES - 1u); /* key has zeros there */
            }
            if (code != 0) {
                prefix = code;
                continue;
            }
            if (!put_code(&writer, prefix, width)) {
                return 0;
            }
            prefix = symbol;
            if (entries < LZW_CODES) {
                node[entries] = key | *chain;
                *chain = (uint16_t)entries++;
                width += entries > 1u << width;
            }
        }
        first = 0;
    }
    if (!put_code(&writer, prefix, width) || !put_rest(&writer)) {
        return 0;
    }
    return (size_t)(writer.at - out);
}

#endif
