#include "cobs.h"

size_t cobs_encode(const uint8_t *in, size_t count, uint8_t *out)
{
    size_t code_at = 0, written = 1;
    uint8_t code = 1;
    for (size_t i = 0; i < count; i++) {
        if (in[i] != 0) {
            out[written++] = in[i];
            code++;
        }
        if (in[i] == 0 || (code == 0xff && i + 1 < count)) {
            out[code_at] = code;
            code_at = written++;
            code = 1;
        }
    }
    out[code_at] = code;
    return written;
}

size_t cobs_decode(const uint8_t *in, size_t count, uint8_t *out)
{
    size_t at = 0, written = 0;
    if (count == 0) {
        return SIZE_MAX;
    }
    while (at < count) {
        uint8_t code = in[at++];
        if (code == 0 || (size_t)(code - 1) > count - at) {
            return SIZE_MAX;
        }
        for (uint8_t i = 1; i < code; i++) {
            if (in[at] == 0) {
                return SIZE_MAX;
            }
            out[written++] = in[at++];
        }
        if (code != 0xff && at < count) {
            out[written++] = 0;
        }
    }
    return written;
}
