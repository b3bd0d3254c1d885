/* What CONFIG frames set: RAM only, never in flash, a log or a reply. */
#ifndef SETTINGS_H
#define SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CA_MAX 2048u

typedef struct {
    char ssid[33];
    char wifi_password[65];
    char host[64];
    uint16_t port;
    char user[65];
    char password[65];
    char prefix[65];
    char client[49];
    uint32_t module_baud;
    uint8_t module_flow; /* 1: the module's RTS is wired and heeded */
    uint32_t reply_timeout_ms;
    float alpha;
    float exit_threshold;
    uint8_t quality; /* of a lossy codec, chroma bit included (codec_jpeg.h) */
#ifdef FW_OWN_RADIO
    uint8_t power_save; /* 0 never, 1 between beacons, 2 by the listen interval */
    uint16_t ca_bytes;  /* 0: no TLS */
    uint8_t ca[CA_MAX]; /* DER certificate that the broker's must be signed by */
#endif
} settings_t;

void settings_default(settings_t *settings);

/* Applies `bytes` of tag u8 | length u8 | value, all or nothing: NULL when applied, else what is wrong.
 * Tag 9 (clock) changes the port's clock. */
const char *settings_apply(settings_t *settings, const uint8_t *tlv, size_t bytes);

#endif
