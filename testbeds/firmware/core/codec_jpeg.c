#include "codec_jpeg.h"

#include <string.h>

#include "codec.h"

/* Most significant bit first; a zero follows each byte of ones (T.81, section B.1.1.5). */
typedef struct {
    uint8_t *at, *end;
    uint32_t buffer;
    unsigned held; /* at most 7 between calls */
} scan_t;

/* `count` is at most 25. False when the bytes no longer fit. */
static inline bool put_bits(scan_t *s, uint32_t bits, unsigned count)
{
    s->buffer = s->buffer << count | bits;
    s->held += count;
    while (s->held >= 8) {
        uint8_t byte = (uint8_t)(s->buffer >> (s->held - 8));
        if (s->end - s->at < 2) {
            return false;
        }
        *s->at++ = byte;
        if (byte == 0xff) {
            *s->at++ = 0;
        }
        s->held -= 8;
    }
    return true;
}

/* A code and the bits that follow it. */
static inline bool put_code(scan_t *s, uint32_t entry, uint32_t extra, unsigned extra_bits)
{
    unsigned bits = entry & 0xffu;
    uint32_t code = entry >> 8;
    if (bits + extra_bits <= 25) {
        return put_bits(s, code << extra_bits | extra, bits + extra_bits);
    }
    return put_bits(s, code, bits) && put_bits(s, extra, extra_bits);
}

/* Codes of a table in ascending order (T.81, Annex C). */
static void derive(const jpeg_huffman_t *codes, uint32_t *entries)
{
    uint32_t code = 0;
    const uint8_t *value = codes->values;
    for (uint32_t bits = 1; bits <= 16; bits++, code <<= 1) {
        for (unsigned i = codes->counts[bits - 1]; i != 0; i--) {
            entries[*value++] = code++ << 8 | bits;
        }
    }
}

/* A division by 8 step is a product with a reciprocal: exact for numerators below 2^15 and divisors up to 2040, since
 * 2^15 * 2040 < 2^26. */
static void prepare(jpeg_work_t *work, unsigned quality)
{
    uint8_t steps[64];
    for (unsigned table = 0; table < 2; table++) {
        derive(&jpeg_dc_codes[table], work->dc[table]);
        derive(&jpeg_ac_codes[table], work->ac[table]);
        jpeg_steps(quality, table, steps);
        for (unsigned i = 0; i < 64; i++) {
            work->half[table][i] = (uint16_t)(4u * steps[i]);
            work->reciprocal[table][i] = (1u << 26) / (8u * steps[i]) + 1u;
        }
    }
}

/* One line of eight samples, `apart` from each other: X[k] = 2 sqrt(2) * (the orthonormal DCT's). Constants are
 * sqrt(2) cos(k pi / 16) in 13 bits; sums and odd part as the definition has them, for a multiply-accumulate costs the
 * M7 no more than an addition. `up` scales the result by 2^up, `down` takes it back. */
static inline __attribute__((always_inline)) void line(int16_t *x, unsigned apart, unsigned up, unsigned down)
{
    const int32_t c1 = 11363, c2 = 10703, c3 = 9633, c5 = 6437, c6 = 4433, c7 = 2260;
    int32_t s0 = x[0] + x[7 * apart], d0 = x[0] - x[7 * apart];
    int32_t s1 = x[apart] + x[6 * apart], d1 = x[apart] - x[6 * apart];
    int32_t s2 = x[2 * apart] + x[5 * apart], d2 = x[2 * apart] - x[5 * apart];
    int32_t s3 = x[3 * apart] + x[4 * apart], d3 = x[3 * apart] - x[4 * apart];
    int32_t e0 = s0 + s3, e1 = s1 + s2, e2 = s0 - s3, e3 = s1 - s2;
    const int32_t round = (1 << down) >> 1, shift = 13 + (int32_t)down - (int32_t)up, half = 1 << (shift - 1);
    x[0] = (int16_t)((((e0 + e1) * (1 << up)) + round) >> down);
    x[4 * apart] = (int16_t)((((e0 - e1) * (1 << up)) + round) >> down);
    x[2 * apart] = (int16_t)((e2 * c2 + e3 * c6 + half) >> shift);
    x[6 * apart] = (int16_t)((e2 * c6 - e3 * c2 + half) >> shift);
    x[apart] = (int16_t)((d0 * c1 + d1 * c3 + d2 * c5 + d3 * c7 + half) >> shift);
    x[3 * apart] = (int16_t)((d0 * c3 - d1 * c7 - d2 * c1 - d3 * c5 + half) >> shift);
    x[5 * apart] = (int16_t)((d0 * c5 - d1 * c1 + d2 * c7 + d3 * c3 + half) >> shift);
    x[7 * apart] = (int16_t)((d0 * c7 - d1 * c5 + d2 * c3 - d3 * c1 + half) >> shift);
}

/* In place: eight times the coefficients of T.81, section A.3.3. */
static void transform(int16_t block[64])
{
    for (unsigned i = 0; i < 8; i++) {
        line(block + 8 * i, 1, 2, 0);
    }
    for (unsigned i = 0; i < 8; i++) {
        line(block + i, 8, 0, 2);
    }
}

/* One colour plane of 8x8 samples at pixel (x0, y0), each the mean of spread x spread pixels. Beyond the picture its
 * last row and column go on. The plane is weights . (R, G, B) + offset in 16-bit fractions, times spread^2. */
typedef struct {
    int32_t red, green, blue, offset;
} plane_t;

static inline __attribute__((always_inline)) void sample(const symbols_t *s, uint32_t x0, uint32_t y0, uint32_t spread,
                                                         plane_t plane, int16_t block[64])
{
    uint32_t last_x = s->run / 3 - 1, last_y = s->runs - 1;
    for (uint32_t y = 0; y < 8; y++) {
        uint32_t top = y0 + y * spread < last_y ? y0 + y * spread : last_y;
        uint32_t x = x0 < last_x ? x0 : last_x;
        const uint8_t *p = s->bytes + (size_t)top * s->stride + 3 * x;
        size_t below = top < last_y ? s->stride : 0;
        for (uint32_t i = 0; i < 8; i++) {
            int32_t red = 0, green = 0, blue = 0;
            for (uint32_t j = 0; j < spread; j++) {
                red += p[0];
                green += p[1];
                blue += p[2];
                if (spread == 2) {
                    red += p[below];
                    green += p[below + 1];
                    blue += p[below + 2];
                }
                p += x < last_x ? 3 : 0;
                x++;
            }
            int32_t sum = plane.red * red + plane.green * green + plane.blue * blue + plane.offset;
            *block++ = (int16_t)(sum >> (spread == 2 ? 18 : 16));
        }
    }
}

static inline unsigned bits_of(uint32_t magnitude) { return magnitude == 0 ? 0u : 32u - (unsigned)__builtin_clz(magnitude); }

static bool code_block(jpeg_work_t *work, scan_t *scan, unsigned table, int32_t *last_dc)
{
    const uint32_t *reciprocal = work->reciprocal[table], *ac = work->ac[table];
    const uint16_t *half = work->half[table];
    transform(work->block);
    unsigned zeros = 0;
    for (unsigned i = 0; i < 64; i++) {
        int32_t value = work->block[jpeg_zigzag[i]];
        uint32_t magnitude = (uint32_t)(value < 0 ? -value : value) + half[i];
        magnitude = (uint32_t)((uint64_t)magnitude * reciprocal[i] >> 26);
        value = value < 0 ? -(int32_t)magnitude : (int32_t)magnitude;
        if (i == 0) {
            int32_t change = value - *last_dc;
            *last_dc = value;
            unsigned bits = bits_of((uint32_t)(change < 0 ? -change : change));
            if (!put_code(scan, work->dc[table][bits], (uint32_t)(change < 0 ? change + (1 << bits) - 1 : change), bits)) {
                return false;
            }
            continue;
        }
        if (magnitude == 0) {
            zeros++;
            continue;
        }
        for (; zeros >= 16; zeros -= 16) {
            if (!put_code(scan, ac[0xf0], 0, 0)) {
                return false;
            }
        }
        unsigned bits = bits_of(magnitude);
        if (!put_code(scan, ac[zeros << 4 | bits], (uint32_t)(value < 0 ? value + (1 << bits) - 1 : value), bits)) {
            return false;
        }
        zeros = 0;
    }
    return zeros == 0 || put_code(scan, ac[0x00], 0, 0);
}

size_t jpeg_encode(const symbols_t *s, uint8_t *out, size_t capacity, void *memory)
{
    static const plane_t luminance = {19595, 38470, 7471, 32768 - (128 << 16)}; /* JFIF 1.02, section 7 */
    jpeg_work_t *work = memory;
    int32_t dc[3] = {0, 0, 0};
    unsigned quality = s->quality & 0x7fu, spread = (s->quality & JPEG_FULL_CHROMA) != 0 ? 1 : 2;
    if (!is_picture(s) || quality < 1 || quality > 100 || capacity < JPEG_BODY_HEAD) {
        return 0;
    }
    out[0] = s->quality;
    out[1] = (uint8_t)(s->run / 3 - 1);
    out[2] = (uint8_t)(s->runs - 1);
    scan_t scan = {out + JPEG_BODY_HEAD, out + capacity, 0, 0};
    prepare(work, quality);
    const int32_t offset = spread == 2 ? (1 << 17) - 1 : (1 << 15) - 1; /* 255.5 must not round to 256 */
    const plane_t blue = {-11059, -21709, 32768, offset}, red = {32768, -27439, -5329, offset};
    for (uint32_t y = 0; y < s->runs; y += 8 * spread) {
        for (uint32_t x = 0; x < s->run / 3; x += 8 * spread) {
            for (uint32_t i = 0; i < spread * spread; i++) {
                uint32_t left = x + 8 * (i % spread), top = y + 8 * (i / spread);
                if (left >= s->run / 3 || top >= s->runs) { /* nobody sees it: flat, as the block before */
                    if (!put_code(&scan, work->dc[0][0], 0, 0) || !put_code(&scan, work->ac[0][0], 0, 0)) {
                        return 0;
                    }
                    continue;
                }
                sample(s, left, top, 1, luminance, work->block);
                if (!code_block(work, &scan, 0, &dc[0])) {
                    return 0;
                }
            }
            for (unsigned i = 0; i < 2; i++) {
                plane_t plane = i == 0 ? blue : red;
                if (spread == 2) {
                    sample(s, x, y, 2, plane, work->block);
                } else {
                    sample(s, x, y, 1, plane, work->block);
                }
                if (!code_block(work, &scan, 1, &dc[1 + i])) {
                    return 0;
                }
            }
        }
    }
    unsigned fill = (8 - scan.held) % 8; /* with ones (T.81, section F.1.2.3) */
    return put_bits(&scan, (1u << fill) - 1u, fill) ? (size_t)(scan.at - out) : 0;
}
