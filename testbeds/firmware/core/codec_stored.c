/* Stored: each symbol in the bits its alphabet needs, least significant bit first; bytes as they are for 8 bits. */
#include "codec.h"

size_t stored_bytes(uint32_t n_symbols, size_t count) { return (count * bits_for(n_symbols) + 7) / 8; }

static void whole_bytes(const symbols_t *symbols, uint8_t *out)
{
    const uint8_t *table = symbols->symbol_of_byte, *from = symbols->bytes;
    for (uint32_t r = symbols->runs; r != 0; r--, from += symbols->stride) {
        for (uint32_t i = 0; i < symbols->run; i++) {
            *out++ = table[from[i]];
        }
    }
}

size_t stored_encode(const symbols_t *symbols, uint8_t *out, size_t capacity, void *work)
{
    (void)work;
    const uint8_t *table = symbols->symbol_of_byte, *from = symbols->bytes;
    unsigned bits = bits_for(symbols->n_symbols), held = 0;
    size_t size = stored_bytes(symbols->n_symbols, (size_t)symbols->runs * symbols->run);
    uint32_t buffer = 0;
    if (size > capacity) {
        return 0;
    }
    if (bits == 8) {
        whole_bytes(symbols, out);
        return size;
    }
    for (uint32_t r = symbols->runs; r != 0; r--, from += symbols->stride) {
        for (uint32_t i = 0; i < symbols->run; i++) {
            buffer |= (uint32_t)table[from[i]] << held; /* below 24 + 7 bits */
            held += bits;
            if (held >= 24) {
                out[0] = (uint8_t)buffer;
                out[1] = (uint8_t)(buffer >> 8);
                out[2] = (uint8_t)(buffer >> 16);
                out += 3;
                buffer >>= 24;
                held -= 24;
            }
        }
    }
    for (; held != 0; held -= held < 8 ? held : 8) {
        *out++ = (uint8_t)buffer;
        buffer >>= 8;
    }
    return size;
}

bool stored_decode(const uint8_t *body, size_t bytes, uint32_t n_symbols, uint8_t *symbols, size_t count)
{
    unsigned bits = bits_for(n_symbols), held = 0;
    uint32_t buffer = 0, mask = (1u << bits) - 1u;
    if (bytes != stored_bytes(n_symbols, count)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (held < bits) {
            buffer |= (uint32_t)*body++ << held;
            held += 8;
        }
        uint32_t symbol = buffer & mask;
        if (symbol >= n_symbols) {
            return false;
        }
        symbols[i] = (uint8_t)symbol;
        buffer >>= bits;
        held -= bits;
    }
    return buffer == 0; /* the padding of the last byte */
}
