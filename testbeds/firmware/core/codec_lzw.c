/* LZW (Welch 1984) over the alphabet 0..n-1, codes least significant bit first. Before code number k (from 0) the
 * dictionary holds min(4096, n + k) entries and the code takes the bits that they need, at least 1; from 4096 entries
 * on it is frozen. No clear and no stop codes: both sides know the symbol count. */
#include "codec_lzw.h"

size_t lzw_encode(const symbols_t *symbols, uint8_t *out, size_t capacity, void *work)
{
    return lzw_pass(symbols, out, capacity, work, NULL, NULL);
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
