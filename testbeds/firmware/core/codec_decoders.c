#include "codec.h"

decode_fn codec_decoder(unsigned codec)
{
    static const decode_fn decoders[CODEC_COUNT] = {
        [CODEC_STORED] = stored_decode, [CODEC_LZW] = lzw_decode, [CODEC_SHUFFLE] = shuffle_decode};
    return codec < CODEC_COUNT ? decoders[codec] : NULL;
}
