/* Lossless, in one pass and 774 bytes: the same prediction as png, each residual as a Golomb-Rice code (Rice and
 * Plaunt 1971) whose parameter comes from the residuals around it, so there are no tables and nothing to learn.
 * Body: width - 1 u8 | per pixel the codes of green, red less green, blue less green; bits least significant first.
 * A residual v in -128..127 is the number m = 2v, or -2v - 1 below zero. With e the rounded mean of the numbers left,
 * above left, above and above right (0 outside), k = bits of e less one, at least 0. Code: m >> k ones, a zero, the low
 * k bits of m; from 12 ones on, twelve ones and the 8 bits of m. */
#include "codec_lzw.h" /* its bit writer */
#include "codec_predict.h"

#define ONES_MAX 12u

static inline uint32_t number_of(int32_t residual)
{
    int32_t v = (int8_t)residual;
    return (uint32_t)(v < 0 ? -2 * v - 1 : 2 * v);
}

static inline int32_t residual_of(uint32_t number)
{
    return (number & 1u) != 0 ? -(int32_t)(number >> 1) - 1 : (int32_t)(number >> 1);
}

static inline unsigned parameter(uint32_t left, uint32_t corner, uint32_t up, uint32_t ahead)
{
    uint32_t mean = (left + corner + up + ahead + 2) / 4;
    return 31u - (unsigned)__builtin_clz(mean | 1u);
}

static inline bool put_number(bit_writer_t *writer, uint32_t number, unsigned k)
{
    uint32_t ones = number >> k;
    if (ones < ONES_MAX) { /* at most 16 bits: a number has 8 */
        return put_code(writer, ((1u << ones) - 1u) | (number & ((1u << k) - 1u)) << (ones + 1), ones + 1 + k);
    }
    return put_code(writer, (1u << ONES_MAX) - 1u, ONES_MAX) && put_code(writer, number, 8);
}

size_t rice_encode(const symbols_t *symbols, uint8_t *out, size_t capacity, void *work)
{
    uint8_t *above = ((rice_work_t *)work)->above;
    const uint8_t *from = symbols->bytes;
    if (!is_picture(symbols) || capacity == 0) {
        return 0;
    }
    uint32_t width = symbols->run / 3;
    bit_writer_t writer = {out + 1, out + capacity, 0, 0};
    out[0] = (uint8_t)(width - 1);
    memset(above, 0, 3 * (width + 2));
    for (uint32_t y = 0; y < symbols->runs; y++, from += symbols->stride) {
        planes_t left = {0, 0, 0}, corner = {0, 0, 0}, up = {0, 0, 0};
        uint32_t left_number[3] = {0, 0, 0}, corner_number[3] = {0, 0, 0};
        uint8_t *numbers = above + 3;
        for (uint32_t x = 0; x < width; x++, numbers += 3) {
            planes_t here = planes_of(from + 3 * x);
            if (y != 0) {
                up = planes_of(from + 3 * x - symbols->stride);
            }
            planes_t guess = predicted(left, up, corner, y != 0, x != 0);
            const int32_t residual[3] = {here.green - guess.green, here.red - guess.red, here.blue - guess.blue};
            for (unsigned i = 0; i < 3; i++) {
                uint32_t number = number_of(residual[i]), over = numbers[i];
                unsigned k = parameter(left_number[i], corner_number[i], over, numbers[i + 3]);
                if (!put_number(&writer, number, k)) {
                    return 0;
                }
                corner_number[i] = over;
                left_number[i] = number;
                numbers[i] = (uint8_t)number;
            }
            left = here;
            corner = up;
        }
    }
    return put_rest(&writer) ? (size_t)(writer.at - out) : 0;
}

typedef struct {
    const uint8_t *at, *end;
    uint32_t buffer;
    unsigned held;
} bit_reader_t;

static bool get_bits(bit_reader_t *r, unsigned count, uint32_t *value)
{
    while (r->held < count) {
        if (r->at == r->end) {
            return false;
        }
        r->buffer |= (uint32_t)*r->at++ << r->held;
        r->held += 8;
    }
    *value = r->buffer & ((1u << count) - 1u);
    r->buffer >>= count;
    r->held -= count;
    return true;
}

static bool get_number(bit_reader_t *r, unsigned k, uint32_t *number)
{
    uint32_t ones = 0, bit = 0, low = 0;
    while (ones < ONES_MAX) {
        if (!get_bits(r, 1, &bit)) {
            return false;
        }
        if (bit == 0) {
            break;
        }
        ones++;
    }
    if (ones == ONES_MAX) {
        return get_bits(r, 8, number) && *number >> k >= ONES_MAX;
    }
    if (!get_bits(r, k, &low)) {
        return false;
    }
    *number = ones << k | low;
    return *number < 256;
}

bool rice_decode(const uint8_t *body, size_t bytes, uint32_t n_symbols, uint8_t *symbols, size_t count)
{
    uint8_t above[3 * (PICTURE_PIXELS_MAX + 2)];
    if (bytes == 0 || n_symbols != 256) {
        return false;
    }
    uint32_t width = body[0] + 1u;
    if (count % (3 * width) != 0 || count / (3 * width) > PICTURE_PIXELS_MAX) {
        return false;
    }
    bit_reader_t reader = {body + 1, body + bytes, 0, 0};
    memset(above, 0, 3 * (width + 2));
    for (size_t at = 0; at < count; at += 3 * width) {
        uint8_t *to = symbols + at, *numbers = above + 3;
        planes_t left = {0, 0, 0}, corner = {0, 0, 0}, up = {0, 0, 0};
        uint32_t left_number[3] = {0, 0, 0}, corner_number[3] = {0, 0, 0};
        for (uint32_t x = 0; x < width; x++, to += 3, numbers += 3) {
            int32_t residual[3];
            for (unsigned i = 0; i < 3; i++) {
                uint32_t number = 0, over = numbers[i];
                if (!get_number(&reader, parameter(left_number[i], corner_number[i], over, numbers[i + 3]), &number)) {
                    return false;
                }
                corner_number[i] = over;
                left_number[i] = number;
                numbers[i] = (uint8_t)number;
                residual[i] = residual_of(number);
            }
            if (at != 0) {
                up = planes_of(to - 3 * width);
            }
            planes_t guess = predicted(left, up, corner, at != 0, x != 0);
            to[1] = (uint8_t)(residual[0] + guess.green);
            to[0] = (uint8_t)(residual[1] + guess.red + to[1]);
            to[2] = (uint8_t)(residual[2] + guess.blue + to[1]);
            left = planes_of(to);
            corner = up;
        }
    }
    return reader.at == reader.end && reader.buffer == 0;
}
