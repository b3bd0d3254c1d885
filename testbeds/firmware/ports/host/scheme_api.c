/* What Python calls of a scheme's host build: the device's half picture by picture or in bulk, and the whole firmware
 * behind its console. Works in the firmware's static buffers: one caller at a time. */
#include <string.h>

#include "app.h"
#include "combine.h"
#include "frame.h"
#include "local.h"
#include "port_host.h"
#include "scheme.h"

#define API __attribute__((visibility("default")))

typedef struct {
    uint32_t weights, image_bytes, classes, symbols, n_symbols, features_bytes, message_bytes, has_local, offloads;
    float alpha, exit_threshold;
} scheme_info_t;

API void api_scheme_info(scheme_info_t *info)
{
    size_t features = 0;
    (void)local_features(&features);
    *info = (scheme_info_t){
        .weights = scheme.weights,
        .image_bytes = SCHEME_IMAGE_BYTES,
        .classes = SCHEME_CLASSES,
        .symbols = SCHEME_SYMBOLS,
        .n_symbols = SCHEME_N_SYMBOLS,
        .features_bytes = (uint32_t)features,
        .message_bytes = SCHEME_MESSAGE_BYTES,
        .has_local = local_logits_raw() != NULL,
        .offloads = scheme.offload != OFFLOAD_NONE,
        .alpha = scheme.alpha,
        .exit_threshold = scheme.exit_threshold,
    };
}

/* Runs the graph; copies features (features_bytes) and local logits (classes) where the scheme has them. */
API void api_run_local(const uint8_t *image, int8_t *features, int8_t *logits)
{
    size_t bytes = 0;
    memcpy(local_image, image, SCHEME_IMAGE_BYTES);
    local_run();
    const int8_t *map = local_features(&bytes);
    if (map != NULL) {
        memcpy(features, map, bytes);
    }
    if (local_logits_raw() != NULL) {
        memcpy(logits, local_logits_raw(), SCHEME_CLASSES);
    }
}

/* The symbols of the last api_run_local, SCHEME_SYMBOLS of them. */
API void api_symbols(uint8_t *out)
{
    symbols_t s = local_offloaded();
    for (uint32_t r = 0; scheme.offload != OFFLOAD_NONE && r < s.runs; r++) {
        for (uint32_t i = 0; i < s.run; i++) {
            *out++ = s.symbol_of_byte[s.bytes[(size_t)r * s.stride + i]];
        }
    }
}

/* The message of the last api_run_local; 0 for schemes that send none. */
API size_t api_message(uint16_t seq, uint8_t *out, size_t room)
{
    uint8_t codec;
    return scheme.offload == OFFLOAD_NONE ? 0 : local_encode(seq, scheme.quality, out, room, &codec);
}

/* Would the device leave with these local logits? */
API int api_exits(const float *logits, float threshold)
{
    return scheme.offload != OFFLOAD_NONE && threshold <= 1.0f && top_probability(logits, SCHEME_CLASSES) >= threshold;
}

/* Float local logits of the last api_run_local; 0 when the scheme has none. */
API int api_local_logits(float *out) { return local_logits(out); }

/* Float values of raw local logits, by the graph's own scale; 0 when the scheme has none. */
API int api_dequantise_local(const int8_t *raw, float *out) { return local_dequantise(raw, out); }

/* Many pictures: per picture its symbols, raw local logits, exit flag, message bytes and codec. Any output may be
 * NULL. A picture that exits has message_bytes 0 and codec 0; its symbols are given all the same. */
API void api_run_many(const uint8_t *images, size_t count, float threshold, uint8_t *symbols, int8_t *logits,
                      uint8_t *exited, uint32_t *message_bytes, uint8_t *codecs)
{
    static uint8_t message[SCHEME_MESSAGE_BYTES];
    for (size_t i = 0; i < count; i++) {
        float local[SCHEME_CLASSES];
        uint8_t codec = 0;
        memcpy(local_image, images + i * SCHEME_IMAGE_BYTES, SCHEME_IMAGE_BYTES);
        local_run();
        int leaves = local_logits(local) && api_exits(local, threshold);
        size_t bytes = 0;
        if (symbols != NULL) {
            api_symbols(symbols + i * SCHEME_SYMBOLS);
        }
        if (logits != NULL && local_logits_raw() != NULL) {
            memcpy(logits + i * SCHEME_CLASSES, local_logits_raw(), SCHEME_CLASSES);
        }
        if (scheme.offload != OFFLOAD_NONE && !leaves) {
            bytes = local_encode((uint16_t)i, scheme.quality, message, sizeof message, &codec);
        }
        if (exited != NULL) {
            exited[i] = (uint8_t)leaves;
        }
        if (message_bytes != NULL) {
            message_bytes[i] = (uint32_t)bytes;
        }
        if (codecs != NULL) {
            codecs[i] = codec;
        }
    }
}

API void api_app_init(void) { app_init(); }

API void api_app_module_sink(void (*sink)(const uint8_t *bytes, size_t count)) { host_module_sink(sink); }

API void api_app_module_put(const uint8_t *bytes, size_t count) { host_module_put(bytes, count); }

API void api_app_module_put_at(const uint8_t *bytes, size_t count, uint32_t at_us)
{
    host_module_put_at(bytes, count, at_us);
}

API uint32_t api_app_time_us(void) { return host_time_us(); }

API uint32_t api_app_module_baud(void) { return host_module_baud(); }

API size_t api_app_markers(unsigned *out, size_t room) { return host_markers(out, room); }

/* Console bytes in, what the firmware answers out. Returns the bytes written. */
API size_t api_app_console(const uint8_t *in, size_t count, uint8_t *out, size_t room)
{
    size_t written = 0;
    for (size_t i = 0; i < count; i += 512) {
        host_console_put(in + i, count - i < 512 ? count - i : 512);
        app_poll();
        written += host_console_get(out + written, room - written);
    }
    app_poll(); /* an idle round: the module's line is looked at */
    return written + host_console_get(out + written, room - written);
}
