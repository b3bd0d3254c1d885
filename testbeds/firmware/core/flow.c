#include "flow.h"

#include <string.h>

#include "bytes.h"
#include "combine.h"
#include "crc32.h"
#include "deadline.h"
#include "local.h"
#include "net.h"
#include "payload.h"
#include "port.h"

#define REPLY_BYTES (PAYLOAD_HEAD + 4u * SCHEME_CLASSES)

static uint8_t message[SCHEME_MESSAGE_BYTES] __attribute__((aligned(8)));
static size_t message_bytes;
static uint8_t reply[REPLY_BYTES] __attribute__((aligned(8)));
static float logits[SCHEME_CLASSES], local[SCHEME_CLASSES];
static uint8_t logits_bytes[4 * SCHEME_CLASSES];
static bool has_logits;
static uint32_t loaded, late_replies;

void flow_init(void)
{
    net_init(reply, sizeof reply);
    loaded = 0;
    message_bytes = 0;
    has_logits = false;
}

uint32_t flow_late_replies(void) { return late_replies; }

int32_t flow_load(uint32_t offset, const uint8_t *bytes, size_t count)
{
    if (offset > SCHEME_IMAGE_BYTES || count > SCHEME_IMAGE_BYTES - offset || (offset != 0 && offset != loaded)) {
        return -1;
    }
    memcpy(local_image + offset, bytes, count);
    loaded = offset + (uint32_t)count; /* offset 0 begins a new picture */
    return (int32_t)loaded;
}

void flow_forget_picture(void) { loaded = 0; }

/* Is this reply ours, whole and not late? RESULT_OK, RESULT_REFUSED, or -1 for one to drop. */
static int judge(uint32_t bytes, uint16_t seq)
{
    payload_header_t header;
    if (payload_open(reply, bytes, &header) != PAYLOAD_OK || header.seq != seq) {
        return -1;
    }
    if (header.codec_or_status != REPLY_OK) {
        return RESULT_REFUSED;
    }
    if (header.weights != scheme.weights || header.body_bytes != 4u * SCHEME_CLASSES) {
        return -1;
    }
    return RESULT_OK;
}

static uint8_t exchange(const settings_t *settings, uint16_t seq)
{
    deadline_t end = deadline_in_ms(settings->reply_timeout_ms);
    net_send_t sent = net_send(settings, message, message_bytes, settings->reply_timeout_ms);
    if (sent != NET_SENT) {
        return sent == NET_TIMEOUT ? RESULT_TIMEOUT : RESULT_LINK_DOWN;
    }
    port_alarm_us(end.at_us);
    while (!deadline_passed(end)) {
        uint32_t bytes = 0;
        net_event_t event = net_poll(&bytes);
        if (event == NET_LOST) {
            return RESULT_LINK_DOWN;
        }
        if (event == NET_MESSAGE) {
            int verdict = judge(bytes, seq);
            if (verdict >= 0) {
                return (uint8_t)verdict;
            }
            late_replies++;
        }
    }
    return RESULT_TIMEOUT;
}

/* The cycle counter wraps (after 19.9 s at 216 MHz): a wait that long reads as the largest count, not as a short one. */
static uint32_t waited(uint32_t cycles, uint32_t us)
{
    return us >= UINT32_MAX / (port_clock_hz() / 1000000u + 1u) ? UINT32_MAX : cycles;
}

static void decide(const settings_t *settings, bool has_local, bool has_remote, result_t *result)
{
    if (has_remote) {
        for (size_t i = 0; i < SCHEME_CLASSES; i++) {
            logits[i] = get_f32(reply + PAYLOAD_HEAD + 4 * i);
        }
        if (has_local) {
            combine(local, logits, settings->alpha, SCHEME_CLASSES, logits);
        }
    } else {
        memcpy(logits, local, sizeof logits);
    }
    has_logits = true;
    result->label = argmax(logits, SCHEME_CLASSES);
}

void flow_infer(const settings_t *settings, uint16_t seq, result_t *result)
{
    memset(result, 0, sizeof *result);
    result->label = LABEL_NONE;
    result->local_label = LABEL_NONE;
    message_bytes = 0;
    has_logits = false;
    bool offloads = scheme.offload != OFFLOAD_NONE;
    if (loaded != SCHEME_IMAGE_BYTES) {
        result->status = RESULT_NOT_READY;
        return;
    }

    uint32_t before = port_cycles(), now;
    port_marker(MARKER_LOCAL);
    local_run();
    bool has_local = local_logits(local);
    if (has_local) {
        result->local_label = argmax(local, SCHEME_CLASSES);
    }
    if (offloads && has_local && settings->exit_threshold <= 1.0f) {
        result->exited = top_probability(local, SCHEME_CLASSES) >= settings->exit_threshold;
    }
    bool sends = offloads && !result->exited;
    if (sends) {
        port_marker(MARKER_ENCODE);
        now = port_cycles();
        result->cycles_local = now - before;
        before = now;
        message_bytes = local_encode(seq, settings->quality, message, sizeof message, &result->codec);
        result->payload_bytes = (uint32_t)message_bytes;
        result->symbols = SCHEME_SYMBOLS;
        port_marker(MARKER_WAIT);
        now = port_cycles();
        result->cycles_encode = now - before;
        before = now;
        uint32_t sent_us = port_time_us();
        result->status = exchange(settings, seq);
        port_marker(MARKER_COMBINE);
        now = port_cycles();
        result->cycles_wait = waited(now - before, port_time_us() - sent_us);
        before = now;
    } else {
        port_marker(MARKER_COMBINE);
        now = port_cycles();
        result->cycles_local = now - before;
        before = now;
    }
    if (result->status == RESULT_OK) {
        decide(settings, has_local, sends, result);
    }
    port_marker(MARKER_IDLE);
    result->cycles_combine = port_cycles() - before;
}

void flow_idle(void)
{
    uint32_t bytes = 0;
    if (net_poll(&bytes) == NET_MESSAGE) {
        late_replies++;
    }
}

const uint8_t *flow_region(unsigned region, size_t *bytes)
{
    *bytes = 0;
    switch (region) {
    case REGION_LOCAL_LOGITS:
        *bytes = local_logits_raw() == NULL ? 0 : SCHEME_CLASSES;
        return (const uint8_t *)local_logits_raw();
    case REGION_LOGITS:
        for (size_t i = 0; has_logits && i < SCHEME_CLASSES; i++) {
            put_f32(logits_bytes + 4 * i, logits[i]);
        }
        *bytes = has_logits ? sizeof logits_bytes : 0;
        return logits_bytes;
    case REGION_PAYLOAD:
        *bytes = message_bytes;
        return message;
    case REGION_FEATURES:
        return (const uint8_t *)local_features(bytes);
    default:
        return NULL;
    }
}
