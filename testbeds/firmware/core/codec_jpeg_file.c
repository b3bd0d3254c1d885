#include <stdbool.h>
#include <string.h>

#include "codec_jpeg.h"

typedef struct {
    uint8_t *at;
} file_t;

static void put8(file_t *f, unsigned value) { *f->at++ = (uint8_t)value; }

static void put16(file_t *f, unsigned value)
{
    put8(f, value >> 8);
    put8(f, value);
}

static void marker(file_t *f, unsigned code, unsigned payload)
{
    put16(f, 0xff00u | code);
    put16(f, payload + 2);
}

static void put_bytes(file_t *f, const uint8_t *bytes, size_t count)
{
    memcpy(f->at, bytes, count);
    f->at += count;
}

static void put_codes(file_t *f, unsigned id, const jpeg_huffman_t *codes)
{
    unsigned count = 0;
    for (unsigned i = 0; i < 16; i++) {
        count += codes->counts[i];
    }
    marker(f, 0xc4, 17 + count);
    put8(f, id);
    put_bytes(f, codes->counts, 16);
    put_bytes(f, codes->values, count);
}

/* No marker in it: each byte of ones is followed by a zero. */
static bool is_scan(const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] == 0xff && (++i == count || bytes[i] != 0)) {
            return false;
        }
    }
    return true;
}

size_t jpeg_file(const uint8_t *body, size_t bytes, uint8_t *out, size_t room)
{
    static const uint8_t jfif[] = {'J', 'F', 'I', 'F', 0, 1, 1, 0, 0, 1, 0, 1, 0, 0}; /* version 1.1, no density */
    file_t f = {out};
    if (bytes <= JPEG_BODY_HEAD || !is_scan(body + JPEG_BODY_HEAD, bytes - JPEG_BODY_HEAD) || room < bytes + JPEG_FILE_EXTRA) {
        return 0;
    }
    unsigned quality = body[0] & 0x7fu, sampling = (body[0] & JPEG_FULL_CHROMA) != 0 ? 0x11 : 0x22;
    if (quality < 1 || quality > 100) {
        return 0;
    }
    put16(&f, 0xffd8);
    marker(&f, 0xe0, sizeof jfif);
    put_bytes(&f, jfif, sizeof jfif);
    for (unsigned table = 0; table < 2; table++) {
        marker(&f, 0xdb, 65);
        put8(&f, table);
        jpeg_steps(quality, table, f.at);
        f.at += 64;
    }
    marker(&f, 0xc0, 15);
    put8(&f, 8);
    put16(&f, body[2] + 1u);
    put16(&f, body[1] + 1u);
    put8(&f, 3);
    for (unsigned component = 1; component <= 3; component++) {
        put8(&f, component);
        put8(&f, component == 1 ? sampling : 0x11);
        put8(&f, component == 1 ? 0 : 1);
    }
    for (unsigned table = 0; table < 2; table++) {
        put_codes(&f, table, &jpeg_dc_codes[table]);
        put_codes(&f, 0x10 | table, &jpeg_ac_codes[table]);
    }
    marker(&f, 0xda, 10);
    put8(&f, 3);
    for (unsigned component = 1; component <= 3; component++) {
        put8(&f, component);
        put8(&f, component == 1 ? 0x00 : 0x11);
    }
    put8(&f, 0);
    put8(&f, 63);
    put8(&f, 0);
    put_bytes(&f, body + JPEG_BODY_HEAD, bytes - JPEG_BODY_HEAD);
    put16(&f, 0xffd9);
    return (size_t)(f.at - out);
}
