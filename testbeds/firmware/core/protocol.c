#include "protocol.h"

#include <string.h>

#include "bytes.h"
#include "crc32.h"
#include "flow.h"
#include "frame.h"
#include "net.h"
#include "port.h"
#include "scheme.h"
#include "settings.h"

enum {
    HELLO = 0x01,
    CONFIG = 0x02,
    CONNECT = 0x03,
    LOAD = 0x04,
    INFER = 0x05,
    STATS = 0x06,
    READ = 0x07,
    ANSWER = 0x80, /* added to the request's type */
    NAK = 0x7f
};

enum { NAK_VERSION = 1, NAK_TYPE = 2, NAK_SIZE = 3, NAK_VALUE = 4 };

#define CHUNK_MAX 1024u

static frame_receiver_t receiver;
static settings_t settings;
static uint8_t answer[FRAME_DECODED_MAX], line[COBS_ENCODED_MAX(FRAME_DECODED_MAX) + 1];
static size_t line_bytes;
static uint32_t last_request; /* CRC of the request that `line` answers */
static size_t last_request_bytes;

static uint8_t *refuse(uint8_t *out, uint8_t code, const char *why)
{
    size_t length = strlen(why);
    answer[1] = NAK;
    *out++ = code;
    memcpy(out, why, length);
    return out + length;
}

static uint8_t *hello(uint8_t *out)
{
    out = put_u8(out, FRAME_VERSION);
    out = put_u32(out, scheme.weights);
    out = put_u32(out, port_clock_hz());
    out = put_u32(out, SCHEME_IMAGE_BYTES);
    out = put_u16(out, SCHEME_CLASSES);
    out = put_u16(out, CHUNK_MAX);
    out = put_u32(out, port_static_ram_bytes());
    memcpy(out, SCHEME_NAME, sizeof SCHEME_NAME - 1);
    return out + sizeof SCHEME_NAME - 1;
}

static uint8_t *connect_network(uint8_t *out)
{
    const char *step = "";
    out = put_u8(out, net_connect(&settings, &step));
    memcpy(out, step, strlen(step));
    return out + strlen(step);
}

static uint8_t *load(const uint8_t *in, size_t bytes, uint8_t *out)
{
    int32_t loaded = flow_load(get_u32(in), in + 4, bytes - 4);
    return loaded < 0 ? refuse(out, NAK_VALUE, "part outside the picture or out of order") : put_u32(out, (uint32_t)loaded);
}

static uint8_t *infer(uint16_t seq, uint8_t *out)
{
    result_t r;
    flow_infer(&settings, seq, &r);
    out = put_u8(out, r.status);
    out = put_u8(out, r.exited);
    out = put_u16(out, r.label);
    out = put_u16(out, r.local_label);
    out = put_u8(out, r.codec);
    out = put_u8(out, 0);
    out = put_u32(out, r.payload_bytes);
    out = put_u32(out, r.symbols);
    out = put_u32(out, r.cycles_local);
    out = put_u32(out, r.cycles_encode);
    out = put_u32(out, r.cycles_wait);
    out = put_u32(out, r.cycles_combine);
    return put_u32(out, port_clock_hz());
}

static uint8_t *stats(uint8_t *out)
{
    out = put_u32(out, port_stack_used());
    out = put_u32(out, port_stack_total());
    out = put_u32(out, port_static_ram_bytes());
    out = put_u32(out, port_console_overruns());
    out = put_u32(out, port_module_overruns());
    out = put_u32(out, receiver.dropped);
    return put_u32(out, flow_late_replies());
}

static uint8_t *read_region(const uint8_t *in, uint8_t *out)
{
    size_t have = 0, offset = get_u32(in + 1), wanted = get_u16(in + 5);
    const uint8_t *from = flow_region(in[0], &have);
    if (in[0] > REGION_FEATURES || wanted > CHUNK_MAX || offset > have) {
        return refuse(out, NAK_VALUE, "no such region or offset");
    }
    if (wanted > have - offset) {
        wanted = have - offset;
    }
    if (wanted != 0) {
        memcpy(out, from + offset, wanted);
    }
    return out + wanted;
}

/* Writes the answer's payload; its type is the request's plus ANSWER unless refused. */
static uint8_t *obey(unsigned type, const uint8_t *in, size_t bytes, uint8_t *out)
{
    const char *wrong;
    switch (type) {
    case HELLO:
        return bytes == 0 ? hello(out) : refuse(out, NAK_SIZE, "size");
    case CONFIG:
        wrong = settings_apply(&settings, in, bytes);
        return wrong == NULL ? out : refuse(out, NAK_VALUE, wrong);
    case CONNECT:
        return bytes == 0 ? connect_network(out) : refuse(out, NAK_SIZE, "size");
    case LOAD:
        return bytes >= 5 && bytes <= 4 + CHUNK_MAX ? load(in, bytes, out) : refuse(out, NAK_SIZE, "size");
    case INFER:
        return bytes == 2 ? infer(get_u16(in), out) : refuse(out, NAK_SIZE, "size");
    case STATS:
        return bytes == 0 ? stats(out) : refuse(out, NAK_SIZE, "size");
    case READ:
        return bytes == 7 ? read_region(in, out) : refuse(out, NAK_SIZE, "size");
    default:
        return refuse(out, NAK_TYPE, "unknown type");
    }
}

static void serve(const uint8_t *body, size_t bytes)
{
    uint32_t request = crc32_update(0, body, bytes);
    if (line_bytes == 0 || request != last_request || bytes != last_request_bytes) {
        uint8_t *end = answer + FRAME_HEAD;
        memcpy(answer, body, FRAME_HEAD);
        answer[0] = FRAME_VERSION;
        answer[1] = (uint8_t)(body[1] | ANSWER);
        end = body[0] == FRAME_VERSION ? obey(body[1], body + FRAME_HEAD, bytes - FRAME_HEAD, end)
                                       : refuse(end, NAK_VERSION, "protocol version 1 only");
        line_bytes = frame_make(answer, (size_t)(end - answer), line);
        last_request = request;
        last_request_bytes = bytes;
    }
    port_console_write(line, line_bytes);
}

void protocol_init(void) { settings_default(&settings); }

void protocol_take(uint8_t byte)
{
    size_t bytes = frame_take(&receiver, byte);
    if (bytes != 0) {
        serve(receiver.buffer, bytes);
    }
}

void protocol_forget(void)
{
    receiver.used = 0;
    receiver.too_long = false;
    flow_forget_picture(); /* text commands write where pictures lie */
}
