/* The network as the flow sees it: brought up once, then one message out and one back at a time. */
#ifndef NET_H
#define NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "settings.h"

enum {
    CONNECT_OK = 0,
    CONNECT_NOT_CONFIGURED = 1,
    CONNECT_NO_MODULE = 2,
    CONNECT_BAUD = 3,
    CONNECT_WIFI = 4,
    CONNECT_BROKER = 5,
    CONNECT_SUBSCRIBE = 6
};

void net_init(uint8_t *message, uint32_t message_room);

/* From whatever state to a subscription. Returns a CONNECT_ status; *step names the step that ended it. */
uint8_t net_connect(const settings_t *settings, const char **step);

bool net_is_up(void);

typedef enum { NET_SENT = 0, NET_DOWN, NET_TIMEOUT } net_send_t;

/* Publishes on <prefix>/up, QoS 0: returns once the bytes have been handed to the module. */
net_send_t net_send(const settings_t *settings, const uint8_t *bytes, size_t count, uint32_t timeout_ms);

typedef enum { NET_NOTHING = 0, NET_MESSAGE, NET_LOST } net_event_t;

/* Takes in what the module has sent. NET_MESSAGE: *bytes of a message lie in the buffer of net_init. */
net_event_t net_poll(uint32_t *bytes);

#endif
