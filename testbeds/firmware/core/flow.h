/* One inference: local graph -> exit? -> quantise and encode -> send, wait -> combine. Every scheme is a setting of it. */
#ifndef FLOW_H
#define FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scheme.h"
#include "settings.h"

enum { RESULT_OK = 0, RESULT_TIMEOUT = 1, RESULT_REFUSED = 2, RESULT_LINK_DOWN = 3, RESULT_NOT_READY = 4 };

typedef struct {
    uint8_t status;
    uint8_t exited; /* left with the local answer although the scheme offloads */
    uint16_t label; /* LABEL_NONE unless RESULT_OK */
    uint16_t local_label;
    uint8_t codec;
    uint32_t payload_bytes;
    uint32_t symbols;
    uint32_t cycles_local, cycles_encode, cycles_wait, cycles_combine;
} result_t;

void flow_init(void);

/* Takes part of the picture; returns the bytes of it so far, or -1 when it does not continue the part before. */
int32_t flow_load(uint32_t offset, const uint8_t *bytes, size_t count);

/* The picture was overwritten by other means: INFER answers "not ready" until it is loaded again. */
void flow_forget_picture(void);

void flow_infer(const settings_t *settings, uint16_t seq, result_t *result);

/* Between inferences: keeps the module's line drained. */
void flow_idle(void);

uint32_t flow_late_replies(void);

enum { REGION_LOCAL_LOGITS = 0, REGION_LOGITS = 1, REGION_PAYLOAD = 2, REGION_FEATURES = 3 };

/* What the last inference left: its bytes and their number, 0 when there are none. */
const uint8_t *flow_region(unsigned region, size_t *bytes);

#endif
