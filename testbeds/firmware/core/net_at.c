/* The network through an ESP-AT module. The dialogue, byte for byte, is in docs/protocol.md. */
#include <string.h>

#include "at_link.h"
#include "deadline.h"
#include "net.h"
#include "port.h"

#define SILENCE_MS 100u /* no byte for so long inside a message: the rest is lost */
#define BUSY_PAUSE_MS 50u

at_parser_t at_line;
static uint32_t last_byte_us; /* for SILENCE_MS */
static uint32_t module_baud = 115200u;

void net_init(uint8_t *message, uint32_t message_room) { at_init(&at_line, message, message_room); }

bool net_is_up(void) { return at_line.mqtt_up; }

static at_event_t next_event(void)
{
    int byte = port_module_read();
    if (byte < 0) {
        if (at_inside_message(&at_line) && (int32_t)(port_time_us() - last_byte_us) > (int32_t)(SILENCE_MS * 1000u)) {
            at_abandon_message(&at_line);
        }
        return AT_NOTHING;
    }
    do {
        at_event_t event = at_take(&at_line, (uint8_t)byte);
        if (event != AT_NOTHING) {
            return event;
        }
        byte = port_module_read();
    } while (byte >= 0);
    last_byte_us = port_time_us();
    return AT_NOTHING;
}

at_event_t at_next_event(void) { return next_event(); }

/* A message is followed by CR LF. They are awaited, three byte times at most, before the message is looked at: nobody
 * would take them from the receiver while it is. */
static void take_line_end(void)
{
    uint32_t begin = port_time_us(), patience_us = 1u + 30000000u / module_baud;
    int byte = -1;
    while (byte != '\n' && port_time_us() - begin <= patience_us) {
        byte = port_module_read();
        if (byte >= 0) {
            (void)at_take(&at_line, (uint8_t)byte); /* no event can come of the first bytes of a line */
        }
    }
}

bool at_set_baud(uint32_t baud)
{
    module_baud = baud;
    return port_module_set_baud(baud);
}

static void pause(void)
{
    deadline_t end = deadline_in_ms(BUSY_PAUSE_MS);
    while (!deadline_passed(end)) {
        (void)next_event();
    }
}

at_answer_t at_ask_for(at_command_t *c, uint32_t timeout_ms, uint32_t total_ms, const char *wanted, bool *seen)
{
    if (c->too_long) {
        return ASK_ERROR;
    }
    memcpy(c->text + c->used, "\r\n", 2);
    deadline_t all = deadline_in_ms(total_ms);
    do {
        deadline_t end = deadline_sooner(deadline_in_ms(timeout_ms), all);
        at_event_t event = AT_NOTHING;
        port_module_write((const uint8_t *)c->text, c->used + 2);
        while (event != AT_BUSY && !deadline_passed(end)) {
            event = next_event();
            if (event == AT_OK) {
                return ASK_OK;
            }
            if (event == AT_ERROR) {
                return ASK_ERROR;
            }
            if (event == AT_READY) {
                return ASK_RESTARTED;
            }
            if (event == AT_OTHER && wanted != NULL && at_said(&at_line, wanted)) {
                *seen = true;
            }
        }
        if (event != AT_BUSY) {
            return ASK_SILENT;
        }
        pause();
    } while (!deadline_passed(all));
    return ASK_BUSY;
}

uint8_t net_connect(const settings_t *s, const char **step)
{
    *step = "not configured: ssid, broker host, port, topic prefix and client id are needed";
    if (s->ssid[0] == 0 || s->host[0] == 0 || s->port == 0 || s->prefix[0] == 0 || s->client[0] == 0) {
        return CONNECT_NOT_CONFIGURED;
    }
    return at_bring_up(s, step);
}

net_send_t net_send(const settings_t *s, const uint8_t *bytes, size_t count, uint32_t timeout_ms)
{
    at_command_t c = {.used = 0};
    at_add(&c, "AT+MQTTPUBRAW=0,\"");
    at_add(&c, s->prefix);
    at_add(&c, "/up\",");
    at_add_number(&c, (uint32_t)count);
    at_add(&c, ",0,0");
    deadline_t end = deadline_in_ms(timeout_ms);
    if (!at_line.mqtt_up || at_ask_for(&c, timeout_ms, timeout_ms, NULL, NULL) != ASK_OK) {
        return deadline_passed(end) ? NET_TIMEOUT : NET_DOWN;
    }
    while (!deadline_passed(end)) {
        at_event_t event = next_event();
        if (event == AT_PROMPT) {
            port_module_write(bytes, count);
            return NET_SENT;
        }
        if (event == AT_ERROR || event == AT_LINK_DOWN || event == AT_READY) {
            return NET_DOWN;
        }
    }
    return NET_TIMEOUT;
}

net_event_t net_poll(uint32_t *bytes)
{
    switch (next_event()) {
    case AT_MESSAGE:
        *bytes = at_line.message_bytes;
        take_line_end();
        return NET_MESSAGE;
    case AT_PUBLISH_FAILED:
    case AT_LINK_DOWN:
    case AT_READY:
        return NET_LOST;
    default:
        return NET_NOTHING;
    }
}
