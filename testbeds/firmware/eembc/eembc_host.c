/* The dialect behind four function pointers, for ctypes. */
#include "eembc.h"

uint32_t eembc_host_bytes(void) { return sizeof(eembc_t); }

void eembc_host_init(eembc_t *e, void (*put)(void *, char), uint64_t (*now_us)(void *), int (*infer)(void *),
                     float (*result)(void *, uint32_t), const char *name, const char *model, uint8_t *input,
                     uint32_t input_bytes, uint32_t results) {
    eembc_port_t port = {0, put, now_us, infer, result};
    eembc_init(e, &port, name, model, input, input_bytes, results);
}

void eembc_host_boot(eembc_t *e) { eembc_boot(e); }

uint32_t eembc_host_feed(eembc_t *e, const uint8_t *bytes, uint32_t count) {
    uint32_t taken = 0;
    for (uint32_t i = 0; i < count; i++) {
        taken += (uint32_t)eembc_feed(e, bytes[i]);
    }
    return taken;
}
