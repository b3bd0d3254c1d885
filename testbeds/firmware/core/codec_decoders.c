#include "codec.h"

decode_fn codec_decoder(unsigned codec)
{
    static const decode_fn decoders[CODEC_COUNT] = {
        [CODEC_STORED] = stored_decode,
        [CODEC_LZW] = lzw_decode,
        [CODEC_SHUFFLE] = shuffle_decode,
        [CODEC_PNG] = png_decode,
        [CODEC_RICE] = rice_decode,
    }; /* jpeg is decoded by a library of the server's, context by context_decode with its tables */
    return codec < CODEC_COUNT ? decoders[codec] : NULL;
}
