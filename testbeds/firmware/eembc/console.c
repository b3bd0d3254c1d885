#include "console.h"

#include "eembc.h"
#include "local.h"
#include "port.h"
#include "scheme.h"

static eembc_t dialect;
static float scores[SCHEME_CLASSES];

static void put(void *context, char c)
{
    (void)context;
    port_console_write((const uint8_t *)&c, 1);
}

/* The port's microseconds wrap after 71 minutes; widened here, they go on as long as someone looks that often. */
static uint64_t now_us(void *context)
{
    static uint32_t last;
    static uint64_t high;
    uint32_t now = port_time_us();
    (void)context;
    if (now < last) {
        high += (uint64_t)1 << 32;
    }
    last = now;
    return high + now;
}

/* The local half only, as for the `local` stage: what a scheme offloads stays here. */
static int infer(void *context)
{
    (void)context;
    port_marker(MARKER_LOCAL);
    local_run();
    port_marker(MARKER_IDLE);
    return local_logits_raw() == NULL; /* no network here, or none that classifies */
}

static float result(void *context, uint32_t index)
{
    (void)context;
    if (index == 0) {
        (void)local_logits(scores);
    }
    return scores[index];
}

void console_dialect_init(void)
{
    static const eembc_port_t port = {NULL, put, now_us, infer, result};
    eembc_init(&dialect, &port, "agilenn-bench", SCHEME_NAME, local_image, SCHEME_IMAGE_BYTES, SCHEME_CLASSES);
}

bool console_dialect_take(uint8_t byte)
{
    if (byte == 0) { /* a frame may have loaded another picture */
        eembc_forget_input(&dialect);
    }
    return eembc_feed(&dialect, byte) != 0;
}
