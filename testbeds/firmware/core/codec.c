#include "codec.h"

encode_fn codec_encoder(unsigned codec)
{
    static const encode_fn encoders[CODEC_COUNT] = {
        [CODEC_STORED] = stored_encode,
        [CODEC_LZW] = lzw_encode,
        [CODEC_SHUFFLE] = shuffle_encode,
        [CODEC_PNG] = png_encode,
        [CODEC_RICE] = rice_encode,
        [CODEC_JPEG] = jpeg_encode,
        [CODEC_CONTEXT] = context_encode,
    };
    return codec < CODEC_COUNT ? encoders[codec] : NULL;
}

size_t codec_encode(unsigned wanted, const symbols_t *symbols, uint8_t *out, size_t capacity, void *work,
                    uint8_t *used)
{
    return codec_encode_by(codec_encoder(wanted), wanted, symbols, out, capacity, work, used);
}

size_t codec_encode_by(encode_fn encode, unsigned wanted, const symbols_t *symbols, uint8_t *out, size_t capacity,
                       void *work, uint8_t *used)
{
    size_t plain = stored_bytes(symbols->n_symbols, (size_t)symbols->runs * symbols->run);
    *used = CODEC_STORED;
    if (plain > capacity) {
        return 0;
    }
    if (encode != NULL && wanted != CODEC_STORED && plain > 1) {
        size_t written = encode(symbols, out, plain - 1, work);
        if (written != 0) {
            *used = (uint8_t)wanted;
            return written;
        }
    }
    return stored_encode(symbols, out, capacity, work);
}
