/* LZW (Welch 1984) over the alphabet 0..n-1, codes least significant bit first. Before code number k (from 0) the
 * dictionary holds min(4096, n + k) entries and the code takes the bits that they need, at least 1; from 4096 entries
 * on it is frozen. No clear and no stop codes: both sides know the symbol count. */
#include "codec.h"

#include <string.h>

typedef struct {
    uint8_t *at, *end;
    uint32_t buffer;
    unsigned held;
} bit_writer_t;

/* False when the bytes no longer fit. Two bytes leave at a time: at most 15 + 12 bits are ever held. */
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

static bool put_rest(bit_writer_t *w)
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

size_t lzw_encode(const symbols_t *symbols, uint8_t *out, size_t capacity, void *work)
{
    lzw_work_t *dictionary = work;
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
    prefix = table[from[0]];
    for (uint32_t r = symbols->runs; r != 0; r--, from += symbols->stride) {
        const uint8_t *end = from + symbols->run;
        for (const uint8_t *p = from + first; p < end; p++) {
            uint32_t symbol = table[*p];
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

bool lzw_decode(const uint8_t *body, size_t bytes, uint32_t n_symbols, uint8_t *symbols, size_t count)
{
    uint16_t prefix[LZW_CODES];
    uint16_t length[LZW_CODES]; /* symbols of an entry: at most 4096 */
    uint8_t last[LZW_CODES];
    uint32_t entries = n_symbols, previous = 0, buffer = 0;
    unsigned width = bits_for(entries), held = 0;
    size_t at = 0, done = 0;
    for (uint32_t i = 0; i < n_symbols; i++) {
        length[i] = 1;
        last[i] = (uint8_t)i;
        prefix[i] = 0;
    }
    while (done < count) {
        while (held < width) {
            if (at == bytes) {
                return false;
            }
            buffer |= (uint32_t)body[at++] << held;
            held += 8;
        }
        uint32_t code = buffer & ((1u << width) - 1u);
        buffer >>= width;
        held -= width;
        /* The newest entry is the previous phrase and this one's first symbol, unknown until this code is read. */
        bool grows = done != 0 && entries <= LZW_CODES;
        uint32_t newest = entries - 1;
        if (code >= entries) {
            return false;
        }
        if (grows) {
            prefix[newest] = (uint16_t)previous;
            length[newest] = (uint16_t)(length[previous] + 1u);
            uint32_t root = code == newest ? previous : code;
            while (length[root] > 1) {
                root = prefix[root];
            }
            last[newest] = (uint8_t)root;
        }
        if (length[code] > count - done) {
            return false;
        }
        uint32_t walk = code;
        for (size_t i = length[code]; i != 0; i--) {
            symbols[done + i - 1] = last[walk];
            walk = prefix[walk];
        }
        done += length[code];
        previous = code;
        if (entries < LZW_CODES) {
            entries++;
            width += entries > 1u << width;
        } else {
            entries = LZW_CODES + 1u; /* frozen: entry 4095 is complete from now on */
        }
    }
    return at == bytes && buffer == 0;
}
