#include "local.h"

#include <string.h>

#include "combine.h"
#include "payload.h"
#include "placement.h"
#if SCHEME_HAS_GRAPH
#include "graph.h"
#endif

uint8_t local_image[SCHEME_IMAGE_BYTES] __attribute__((aligned(8)));

#if SCHEME_HAS_GRAPH

static int8_t arena[GRAPH_ARENA_BYTES] ARENA_BSS __attribute__((aligned(32)));

/* The graph takes int8 = pixel - 128: flipping the top bit of each byte, four at a time. */
void local_run(void)
{
    int8_t *input = arena + GRAPH_INPUT_OFFSET;
    size_t i = 0;
    for (; i + 4 <= SCHEME_IMAGE_BYTES; i += 4) {
        uint32_t pixels;
        __builtin_memcpy(&pixels, local_image + i, 4); /* never a call: kernels/m7.h */
        pixels ^= 0x80808080u;
        __builtin_memcpy(input + i, &pixels, 4);
    }
    for (; i < SCHEME_IMAGE_BYTES; i++) {
        input[i] = (int8_t)((int)local_image[i] - 128);
    }
    graph_run(arena);
}

const int8_t *local_logits_raw(void)
{
    return scheme.local_logits_output < 0 ? NULL : arena + graph_outputs[scheme.local_logits_output].offset;
}

bool local_dequantise(const int8_t *raw, float out[SCHEME_CLASSES])
{
    if (scheme.local_logits_output < 0) {
        return false;
    }
    const graph_output_t *output = &graph_outputs[scheme.local_logits_output];
    dequantise(raw, SCHEME_CLASSES, output->scale, output->zero_point, out);
    return true;
}

const int8_t *local_features(size_t *bytes)
{
    *bytes = scheme.features_output < 0 ? 0 : graph_outputs[scheme.features_output].bytes;
    return scheme.features_output < 0 ? NULL : arena + graph_outputs[scheme.features_output].offset;
}

#else

void local_run(void) {}

const int8_t *local_logits_raw(void) { return NULL; }

bool local_dequantise(const int8_t *raw, float out[SCHEME_CLASSES])
{
    (void)raw;
    (void)out;
    return false;
}

const int8_t *local_features(size_t *bytes)
{
    *bytes = 0;
    return NULL;
}

#endif

bool local_logits(float out[SCHEME_CLASSES]) { return local_dequantise(local_logits_raw(), out); }

#if SCHEME_SENDS
#if SCHEME_CONTEXT_ROW
static uint32_t FAST_BSS work[(CONTEXT_WORK_BYTES(SCHEME_CONTEXT_ROW) + 3) / 4];
#else
static codec_work_t FAST_BSS work;
#endif
#endif

symbols_t local_offloaded(void)
{
    enum { ROW_BYTES = SCHEME_IMAGE_BYTES / SCHEME_IMAGE_ROWS };
    symbols_t s = {
        local_image,      scheme_symbol_of_byte, SCHEME_IMAGE_ROWS, ROW_BYTES, ROW_BYTES,
        SCHEME_N_SYMBOLS, scheme.quality,        scheme.context,
    };
#if SCHEME_HAS_GRAPH
    if (scheme.offload == OFFLOAD_FEATURES) {
        const graph_output_t *map = &graph_outputs[scheme.features_output];
        s.bytes = (const uint8_t *)arena + map->offset + scheme.first_channel;
        s.runs = (uint32_t)map->height * map->width;
        s.run = scheme.channels;
        s.stride = map->channels;
    }
#endif
    return s;
}

#if SCHEME_SENDS
size_t local_encode(uint16_t seq, uint8_t quality, uint8_t *message, size_t room, uint8_t *codec)
{
    symbols_t symbols = local_offloaded();
    symbols.quality = quality;
    if (room < SCHEME_MESSAGE_BYTES) {
        return 0;
    }
    size_t body = codec_encode_by(SCHEME_ENCODER, scheme.codec, &symbols, message + PAYLOAD_HEAD, room - PAYLOAD_HEAD,
                                  &work, codec);
    payload_header_t header = {*codec, seq, scheme.weights, (uint32_t)body};
    payload_seal(message, &header);
    return PAYLOAD_HEAD + body;
}
#else
size_t local_encode(uint16_t seq, uint8_t quality, uint8_t *message, size_t room, uint8_t *codec)
{
    (void)seq;
    (void)quality;
    (void)message;
    (void)room;
    (void)codec;
    return 0; /* a scheme that stays on the device needs no encoder and none of its 25 KB */
}
#endif
