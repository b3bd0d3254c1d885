#include "settings.h"

#include <string.h>

#include "bytes.h"
#include "port.h"
#include "scheme.h"

enum {
    TAG_SSID = 1,
    TAG_WIFI_PASSWORD,
    TAG_HOST,
    TAG_PORT,
    TAG_USER,
    TAG_PASSWORD,
    TAG_PREFIX,
    TAG_MODULE_BAUD,
    TAG_CLOCK_HZ,
    TAG_CLIENT,
    TAG_REPLY_TIMEOUT_MS,
    TAG_ALPHA,
    TAG_EXIT_THRESHOLD,
    TAG_QUALITY,
    TAG_CA,
    TAG_POWER_SAVE,
    TAG_MODULE_FLOW
};

void settings_default(settings_t *settings)
{
    memset(settings, 0, sizeof *settings);
    settings->module_baud = 115200;
    settings->reply_timeout_ms = 5000;
    settings->alpha = scheme.alpha;
    settings->exit_threshold = scheme.exit_threshold;
    settings->quality = scheme.quality;
}

/* Copies printable text of at most room - 1 bytes. Control characters would end an AT command early. */
static bool take_text(char *out, size_t room, const uint8_t *value, size_t length)
{
    if (length >= room) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if (value[i] < 0x20 || value[i] == 0x7f) {
            return false;
        }
    }
    memset(out, 0, room);
    memcpy(out, value, length);
    return true;
}

/* Topics and host names go into commands as they are: no quote, comma, backslash or MQTT wildcard. */
static bool take_name(char *out, size_t room, const uint8_t *value, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (value[i] == '"' || value[i] == ',' || value[i] == '\\' || value[i] == '+' || value[i] == '#' ||
            value[i] == ' ') {
            return false;
        }
    }
    return length != 0 && take_text(out, room, value, length);
}

static bool take_u32(uint32_t *out, uint32_t low, uint32_t high, const uint8_t *value, size_t length)
{
    if (length != 4 || get_u32(value) < low || get_u32(value) > high) {
        return false;
    }
    *out = get_u32(value);
    return true;
}

static bool take_f32(float *out, float low, float high, const uint8_t *value, size_t length)
{
    if (length != 4 || !(get_f32(value) >= low && get_f32(value) <= high)) {
        return false;
    }
    *out = get_f32(value);
    return true;
}

#ifdef FW_OWN_RADIO
/* Part of a certificate: offset u16, bytes. Offset 0 begins a new one; no value at all turns TLS off. */
static bool take_ca(settings_t *s, const uint8_t *value, size_t length)
{
    if (length == 0) {
        s->ca_bytes = 0;
        return true;
    }
    if (length < 3) {
        return false;
    }
    size_t offset = get_u16(value);
    if (offset > CA_MAX || length - 2 > CA_MAX - offset || (offset != 0 && offset != s->ca_bytes)) {
        return false;
    }
    memcpy(s->ca + offset, value + 2, length - 2);
    s->ca_bytes = (uint16_t)(offset + length - 2);
    return true;
}
#endif

static const char *take(settings_t *s, uint32_t *clock_hz, unsigned tag, const uint8_t *value, size_t length)
{
    switch (tag) {
    case TAG_SSID:
        return length != 0 && take_text(s->ssid, sizeof s->ssid, value, length) ? NULL : "bad ssid";
    case TAG_WIFI_PASSWORD:
        return take_text(s->wifi_password, sizeof s->wifi_password, value, length) ? NULL : "bad wifi password";
    case TAG_HOST:
        return take_name(s->host, sizeof s->host, value, length) ? NULL : "bad broker host";
    case TAG_PORT:
        if (length != 2 || get_u16(value) == 0) {
            return "bad broker port";
        }
        s->port = get_u16(value);
        return NULL;
    case TAG_USER:
        return take_text(s->user, sizeof s->user, value, length) ? NULL : "bad mqtt user";
    case TAG_PASSWORD:
        return take_text(s->password, sizeof s->password, value, length) ? NULL : "bad mqtt password";
    case TAG_PREFIX:
        return take_name(s->prefix, sizeof s->prefix, value, length) ? NULL : "bad topic prefix";
    case TAG_MODULE_BAUD:
        return take_u32(&s->module_baud, 9600, 5000000, value, length) ? NULL : "bad module baud";
    case TAG_CLOCK_HZ:
        return take_u32(clock_hz, 1000000, 1000000000, value, length) ? NULL : "bad clock";
    case TAG_CLIENT:
        return take_name(s->client, sizeof s->client, value, length) ? NULL : "bad client id";
    case TAG_REPLY_TIMEOUT_MS:
        return take_u32(&s->reply_timeout_ms, 1, 600000, value, length) ? NULL : "bad reply timeout";
    case TAG_ALPHA:
        return take_f32(&s->alpha, 0.0f, 1.0f, value, length) ? NULL : "bad alpha";
    case TAG_EXIT_THRESHOLD:
        return take_f32(&s->exit_threshold, 0.0f, 2.0f, value, length) ? NULL : "bad exit threshold";
    case TAG_QUALITY: /* the scheme says how chroma is sampled */
        if (length != 1 || value[0] < 1 || value[0] > 100) {
            return "bad quality";
        }
        s->quality = (uint8_t)((s->quality & 0x80u) | value[0]);
        return NULL;
#ifndef FW_OWN_RADIO
    case TAG_MODULE_FLOW:
        if (length != 1 || value[0] > 1) {
            return "bad module flow control";
        }
        s->module_flow = value[0];
        return NULL;
#else
    case TAG_CA:
        return take_ca(s, value, length) ? NULL : "bad certificate part";
    case TAG_POWER_SAVE:
        if (length != 1 || value[0] > 2) {
            return "bad power-save mode";
        }
        s->power_save = value[0];
        return NULL;
#endif
    default:
        return "unknown tag";
    }
}

const char *settings_apply(settings_t *settings, const uint8_t *tlv, size_t bytes)
{
    settings_t next = *settings;
    uint32_t clock_hz = 0;
    while (bytes != 0) {
        if (bytes < 2 || tlv[1] > bytes - 2) {
            return "cut tag";
        }
        const char *wrong = take(&next, &clock_hz, tlv[0], tlv + 2, tlv[1]);
        if (wrong != NULL) {
            return wrong;
        }
        bytes -= 2u + tlv[1];
        tlv += 2 + tlv[1];
    }
    if (clock_hz != 0 && clock_hz != port_clock_hz() && !port_set_clock_hz(clock_hz)) {
        return "not a clock of this board";
    }
    *settings = next;
    return NULL;
}
