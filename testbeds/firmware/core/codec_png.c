/* PNG's idea with what is here: a lossless row filter, then LZW. Filter and order were chosen on CIFAR-10 pictures
 * (docs/baselines.md); PNG's own filters (RFC 2083, section 6) with LZW come out a sixth larger.
 * Body: width - 1 u8 | LZW, alphabet 256, of each row's residuals: all green ones, then red less green, then blue. */
#include "codec_lzw.h"
#include "codec_predict.h"

static void filter_row(const symbols_t *symbols, const uint8_t *from, bool first, uint8_t *row)
{
    uint32_t width = symbols->run / 3;
    const uint8_t *above = first ? from : from - symbols->stride;
    planes_t left = {0, 0, 0}, corner = {0, 0, 0}, up = {0, 0, 0};
    for (uint32_t x = 0; x < width; x++) {
        planes_t here = planes_of(from + 3 * x);
        if (!first) {
            up = planes_of(above + 3 * x);
        }
        planes_t guess = predicted(left, up, corner, !first, x != 0);
        row[x] = (uint8_t)(here.green - guess.green);
        row[width + x] = (uint8_t)(here.red - guess.red);
        row[2 * width + x] = (uint8_t)(here.blue - guess.blue);
        left = here;
        corner = up;
    }
}

size_t png_encode(const symbols_t *symbols, uint8_t *out, size_t capacity, void *work)
{
    png_work_t *own = work;
    if (!is_picture(symbols) || capacity == 0) {
        return 0;
    }
    out[0] = (uint8_t)(symbols->run / 3 - 1);
    size_t coded = lzw_pass(symbols, out + 1, capacity - 1, &own->lzw, filter_row, own->row);
    return coded == 0 ? 0 : coded + 1;
}

bool png_decode(const uint8_t *body, size_t bytes, uint32_t n_symbols, uint8_t *symbols, size_t count)
{
    uint8_t row[3 * PICTURE_PIXELS_MAX];
    if (bytes == 0 || n_symbols != 256) {
        return false;
    }
    uint32_t width = body[0] + 1u;
    if (count % (3 * width) != 0 || count / (3 * width) > PICTURE_PIXELS_MAX ||
        !lzw_decode(body + 1, bytes - 1, 256, symbols, count)) {
        return false;
    }
    for (size_t at = 0; at < count; at += 3 * width) {
        uint8_t *to = symbols + at;
        planes_t left = {0, 0, 0}, corner = {0, 0, 0}, up = {0, 0, 0};
        memcpy(row, to, 3 * width);
        for (uint32_t x = 0; x < width; x++, to += 3) {
            if (at != 0) {
                up = planes_of(to - 3 * width);
            }
            planes_t guess = predicted(left, up, corner, at != 0, x != 0);
            to[1] = (uint8_t)(row[x] + guess.green);
            to[0] = (uint8_t)(row[width + x] + guess.red + to[1]);
            to[2] = (uint8_t)(row[2 * width + x] + guess.blue + to[1]);
            left = planes_of(to);
            corner = up;
        }
    }
    return true;
}
