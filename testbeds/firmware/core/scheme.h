/* The scheme that this image runs: generated from description.toml as scheme_config.h (sizes) and scheme_desc.c. */
#ifndef SCHEME_H
#define SCHEME_H

#include <stdint.h>

#include "codec_context.h"

/* SCHEME_NAME, _HAS_GRAPH, _IMAGE_BYTES, _IMAGE_ROWS, _CLASSES, _SYMBOLS, _N_SYMBOLS, _STORED_BYTES, _ENCODER (of its
 * codec), _CONTEXT_ROW (symbols of a row for the context codec; 0: another codec) */
#include "scheme_config.h"

enum { OFFLOAD_NONE = 0, OFFLOAD_IMAGE = 1, OFFLOAD_FEATURES = 2 };

typedef struct {
    uint32_t weights; /* first four bytes of the weights hash: device and edge refuse each other's strangers */
    uint8_t offload;
    uint8_t codec;
    uint8_t quality; /* of a lossy codec (codec_jpeg.h) */
    int8_t features_output; /* index among the graph's outputs, or -1 */
    int8_t local_logits_output;
    uint16_t first_channel; /* the slice of the feature map that is sent */
    uint16_t channels;
    float alpha; /* combined = alpha * local + (1 - alpha) * remote */
    float exit_threshold; /* leave with the local answer when its probability reaches this; > 1 never */
    const context_model_t *context; /* of the context codec; NULL for the others */
} scheme_t;

extern const scheme_t scheme;
extern const uint8_t scheme_symbol_of_byte[256]; /* symbol of each byte as it lies in memory */

#endif
