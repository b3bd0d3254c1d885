/* Range coding (Martin 1979) with static tables: see codec_context.h for the model. The body is the shortest number
 * of whole bytes, most significant first, in the last interval, with its lower 24 bits zero. */
#include "codec_context.h"

#include <string.h>

#include "codec.h"

#define RENORM (1u << 24)

/* Keeps a value in a register of its own: clang else derives it from others, by more instructions than it saves. */
#define OWN_REGISTER(value) __asm__("" : "+r"(value))

/* The shares of one row of pixels, channel after channel. Apart from the arithmetic: each half keeps its values in
 * registers. Two symbols at a time, so that one's look-ups fill the other's waits. */
static inline __attribute__((always_inline)) void look_up(const symbols_t *symbols, const uint8_t *from, uint8_t *above,
                                                          uint32_t *share, unsigned bits)
{
    const context_model_t *model = symbols->model;
    const uint8_t *symbol_of_byte = symbols->symbol_of_byte, *class_of = model->class_of;
    const uint32_t *shares = model->shares;
    const size_t stride = symbols->stride, width = model->width;
#pragma clang loop unroll(disable)
    for (unsigned channels = model->channels; channels != 0; channels--, from++) {
        const uint8_t *p = from, *end = above + width;
        uint32_t left = 0;
        if (width & 1) {
            uint32_t class = class_of[(uint32_t)*above << bits], symbol = symbol_of_byte[*p];
            p += stride;
            *above++ = (uint8_t)symbol;
            *share++ = shares[class << bits | symbol];
            left = symbol;
        }
#pragma clang loop unroll(disable)
        while (above != end) {
            uint32_t byte = *p, above_0 = above[0];
            p += stride;
            uint32_t byte_1 = *p, above_1 = above[1];
            p += stride;
            OWN_REGISTER(p);
            uint32_t symbol = symbol_of_byte[byte], index = class_of[above_0 << bits | left];
            left = symbol_of_byte[byte_1];
            uint32_t index_1 = class_of[above_1 << bits | symbol];
            index = index << bits | symbol;
            above[0] = (uint8_t)symbol;
            index_1 = index_1 << bits | left;
            above[1] = (uint8_t)left;
            OWN_REGISTER(index);
            OWN_REGISTER(index_1);
            above += 2;
            share[0] = shares[index];
            share[1] = shares[index_1];
            share += 2;
            OWN_REGISTER(above);
            OWN_REGISTER(share);
        }
        class_of += (size_t)1 << 2 * bits;
    }
}

static __attribute__((noinline)) void look_up_8(const symbols_t *symbols, const uint8_t *from, uint8_t *above,
                                                uint32_t *share)
{
    look_up(symbols, from, above, share, 3); /* the paper's codebook: shifts by a constant cost nothing */
}

static __attribute__((noinline)) void look_up_any(const symbols_t *symbols, const uint8_t *from, uint8_t *above,
                                                  uint32_t *share)
{
    look_up(symbols, from, above, share, bits_for(symbols->n_symbols));
}

typedef struct {
    uint8_t *at, *end;
    uint32_t low, range;
} range_writer_t;

static __attribute__((noinline, cold)) void carry(uint8_t *at)
{
    while (++*--at == 0) {
    }
}

/* False when the bytes no longer fit. */
static __attribute__((noinline)) bool put_shares(range_writer_t *w, const uint32_t *share, const uint32_t *end)
{
    uint32_t low = w->low, range = w->range;
    uint8_t *at = w->at;
    uint32_t next = *share;
#pragma clang loop unroll(disable)
    do {
        uint32_t unit = range >> CONTEXT_TOTAL_BITS, start = next & 0xffffu, frequency = next >> 16;
        OWN_REGISTER(frequency);
        next = *++share; /* early, for its latency; one past the end at last: there is room */
        if (__builtin_expect(__builtin_add_overflow(low, unit * start, &low), 0)) {
            carry(at);
        }
        range = unit * frequency;
        while (__builtin_expect(range < RENORM, 0)) {
            if (at == w->end) {
                return false;
            }
            *at++ = (uint8_t)(low >> 24);
            low <<= 8;
            range <<= 8;
        }
    } while (share != end);
    w->low = low;
    w->range = range;
    w->at = at;
    return true;
}

size_t context_encode(const symbols_t *symbols, uint8_t *out, size_t capacity, void *work)
{
    const context_model_t *model = symbols->model;
    const uint32_t row = model == NULL ? 0 : (uint32_t)model->width * model->channels;
    if (row == 0 || row > CONTEXT_ROW_MAX || model->channels != symbols->run || symbols->runs == 0 ||
        symbols->runs % model->width != 0 || symbols->n_symbols > CONTEXT_SYMBOLS_MAX) {
        return 0;
    }
    uint32_t *shares = work; /* a row of them and one more, then the symbols of the row above: CONTEXT_WORK_BYTES */
    uint8_t *above = (uint8_t *)(shares + row + 1);
    range_writer_t writer = {out, out + capacity, 0, UINT32_MAX};
    const uint8_t *from = symbols->bytes;
    memset(shares, 0, CONTEXT_WORK_BYTES(row));
    for (uint32_t r = symbols->runs; r != 0; r -= model->width, from += (size_t)model->width * symbols->stride) {
        if (symbols->n_symbols == 8) {
            look_up_8(symbols, from, above, shares);
        } else {
            look_up_any(symbols, from, above, shares);
        }
        if (!put_shares(&writer, shares, shares + row)) {
            return 0;
        }
    }
    if (writer.at == writer.end) {
        return 0;
    }
    if (__builtin_add_overflow(writer.low, RENORM - 1u, &writer.low)) {
        carry(writer.at);
    }
    *writer.at++ = (uint8_t)(writer.low >> 24);
    return (size_t)(writer.at - out);
}

typedef struct {
    const uint8_t *body;
    size_t bytes, at;
    uint32_t low, range, code; /* code: what is read, less low */
} range_reader_t;

static inline uint32_t next_byte(range_reader_t *r)
{
    uint32_t byte = r->at < r->bytes ? r->body[r->at] : 0;
    r->at++;
    return byte;
}

/* False where no symbol of an encoder lies. */
static bool take(range_reader_t *r, const uint32_t *shares, uint32_t n_symbols, uint32_t *symbol)
{
    uint32_t unit = r->range >> CONTEXT_TOTAL_BITS, place = r->code / unit, s = 0;
    if (place >= 1u << CONTEXT_TOTAL_BITS) {
        return false;
    }
    while (s + 1 < n_symbols && place >= (shares[s + 1] & 0xffffu)) {
        s++;
    }
    r->code -= unit * (shares[s] & 0xffffu);
    r->low += unit * (shares[s] & 0xffffu);
    r->range = unit * (shares[s] >> 16);
    while (r->range < RENORM) {
        r->code = r->code << 8 | next_byte(r);
        r->low <<= 8;
        r->range <<= 8;
    }
    *symbol = s;
    return r->at - 3 <= r->bytes; /* an encoder writes a byte more than it has shifted out; 4 are read ahead */
}

bool context_decode(const context_model_t *model, const uint8_t *body, size_t bytes, uint32_t n_symbols,
                    uint8_t *symbols, size_t count)
{
    const unsigned bits = bits_for(n_symbols);
    const size_t channels = model->channels, row = model->width * channels;
    if (row == 0 || row > CONTEXT_ROW_MAX || n_symbols > CONTEXT_SYMBOLS_MAX || count == 0 || count % row != 0) {
        return false;
    }
    range_reader_t reader = {body, bytes, 0, 0, UINT32_MAX, 0};
    for (unsigned i = 0; i < 4; i++) {
        reader.code = reader.code << 8 | next_byte(&reader);
    }
    for (size_t first = 0; first < count; first += row) {
        for (size_t channel = 0; channel < channels; channel++) {
            const uint8_t *class_of = model->class_of + (channel << 2 * bits);
            uint32_t left = 0;
            for (size_t i = first + channel; i < first + row; i += channels) {
                uint32_t above = first == 0 ? 0 : symbols[i - row];
                const uint32_t *shares = model->shares + ((size_t)class_of[above << bits | left] << bits);
                if (!take(&reader, shares, n_symbols, &left)) {
                    return false;
                }
                symbols[i] = (uint8_t)left;
            }
        }
    }
    /* The encoder's last byte: the same value, at the same place, and nothing behind it. */
    uint32_t last = (reader.low + (RENORM - 1u)) & ~(RENORM - 1u);
    return reader.at - 3 == bytes && reader.code == last - reader.low;
}
