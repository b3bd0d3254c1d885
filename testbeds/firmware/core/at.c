#include "at.h"

#include <string.h>

enum {
    IN_LINE,
    IN_LINK, /* +MQTTSUBRECV:<link>, */
    IN_TOPIC_QUOTE,
    IN_TOPIC,
    IN_TOPIC_COMMA,
    IN_SIZE, /* <len>, */
    IN_MESSAGE
};

#define MESSAGE_MAX (65536u + 16u)
static const char received[] = "+MQTTSUBRECV:";
#define RECEIVED_BYTES (sizeof received - 1)

void at_init(at_parser_t *at, uint8_t *message, uint32_t message_room)
{
    memset(at, 0, sizeof *at);
    at->message = message;
    at->message_room = message_room;
}

/* Compares from the end: lines that share a prefix differ there, and a line end may leave only a byte time. */
static bool same(const char *line, const char *text, size_t bytes)
{
    while (bytes != 0 && line[bytes - 1] == text[bytes - 1]) {
        bytes--;
    }
    return bytes == 0;
}

#define BEGINS(at, text) ((at)->line_bytes >= sizeof(text) - 1 && same((at)->line, text, sizeof(text) - 1))
#define IS(at, text) ((at)->line_bytes == sizeof(text) - 1 && same((at)->line, text, sizeof(text) - 1))

/* Chosen by the first byte. */
static at_event_t end_of_line(at_parser_t *at)
{
    switch (at->line[0]) {
    case 'O':
        return IS(at, "OK") ? AT_OK : AT_OTHER;
    case 'E':
        return IS(at, "ERROR") ? AT_ERROR : AT_OTHER;
    case 'F':
        return IS(at, "FAIL") ? AT_ERROR : AT_OTHER;
    case 'b':
        return BEGINS(at, "busy ") ? AT_BUSY : AT_OTHER;
    case 'r':
        at->mqtt_up = IS(at, "ready") ? false : at->mqtt_up;
        return IS(at, "ready") ? AT_READY : AT_OTHER;
    case 'W':
        if (IS(at, "WIFI DISCONNECT")) {
            at->mqtt_up = false;
            return AT_LINK_DOWN;
        }
        return AT_OTHER;
    case '+':
        if (BEGINS(at, "+MQTTPUB:")) {
            return IS(at, "+MQTTPUB:OK") ? AT_PUBLISHED : AT_PUBLISH_FAILED;
        }
        if (BEGINS(at, "+MQTTCONNECTED:0")) {
            at->mqtt_up = true;
        } else if (BEGINS(at, "+MQTTDISCONNECTED:0")) {
            at->mqtt_up = false;
            return AT_LINK_DOWN;
        }
        return AT_OTHER;
    default:
        return AT_OTHER;
    }
}

static void new_line(at_parser_t *at)
{
    at->state = IN_LINE;
    at->line_bytes = 0;
}

static at_event_t take_line(at_parser_t *at, uint8_t byte)
{
    if (byte == '\r' || byte == '\n') {
        at_event_t event = at->line_bytes == 0 ? AT_NOTHING : end_of_line(at);
        at->said_bytes = at->line_bytes;
        at->line_bytes = 0;
        return event;
    }
    if (at->line_bytes == 0 && byte == '>') {
        return AT_PROMPT;
    }
    if (at->line_bytes < AT_LINE_MAX) {
        at->line[at->line_bytes++] = (char)byte;
    }
    if (byte == ':' && at->line_bytes == RECEIVED_BYTES && memcmp(at->line, received, RECEIVED_BYTES) == 0) {
        at->state = IN_LINK;
    }
    return AT_NOTHING;
}

/* A size was read: message bytes follow. */
static at_event_t begin_message(at_parser_t *at)
{
    at->message_bytes = at->awaited;
    at->state = IN_MESSAGE;
    if (at->awaited == 0) {
        new_line(at);
        return AT_MESSAGE;
    }
    return AT_NOTHING;
}

static at_event_t take_message(at_parser_t *at, uint8_t byte)
{
    uint32_t at_byte = at->message_bytes - at->awaited;
    if (at_byte < at->message_room) {
        at->message[at_byte] = byte;
    }
    if (--at->awaited != 0) {
        return AT_NOTHING;
    }
    new_line(at);
    return at->message_bytes <= at->message_room ? AT_MESSAGE : AT_OTHER;
}

static at_event_t take_received_head(at_parser_t *at, uint8_t byte)
{
    switch (at->state) {
    case IN_LINK:
        if (byte == ',') {
            at->state = IN_TOPIC_QUOTE;
            return AT_NOTHING;
        }
        if (byte >= '0' && byte <= '9') {
            return AT_NOTHING;
        }
        break;
    case IN_TOPIC_QUOTE:
        if (byte == '"') {
            at->state = IN_TOPIC;
            return AT_NOTHING;
        }
        break;
    case IN_TOPIC:
        if (byte == '"') {
            at->state = IN_TOPIC_COMMA;
        }
        if (byte != '\r' && byte != '\n') {
            return AT_NOTHING;
        }
        break;
    case IN_TOPIC_COMMA:
        if (byte == ',') {
            at->state = IN_SIZE;
            at->awaited = 0;
            return AT_NOTHING;
        }
        break;
    default: /* IN_SIZE */
        if (byte >= '0' && byte <= '9') {
            at->awaited = at->awaited * 10u + (uint32_t)(byte - '0');
            if (at->awaited <= MESSAGE_MAX) {
                return AT_NOTHING;
            }
        } else if (byte == ',') {
            return begin_message(at);
        }
        break;
    }
    /* Not a message after all: what is left of the line is noise. */
    at->line[0] = '?';
    at->line_bytes = 1;
    at->state = IN_LINE;
    return byte == '\r' || byte == '\n' ? take_line(at, byte) : AT_NOTHING;
}

at_event_t at_take(at_parser_t *at, uint8_t byte)
{
    if (at->state == IN_MESSAGE) {
        return take_message(at, byte);
    }
    return at->state == IN_LINE ? take_line(at, byte) : take_received_head(at, byte);
}

bool at_said(const at_parser_t *at, const char *text)
{
    return strlen(text) == at->said_bytes && same(at->line, text, at->said_bytes);
}

bool at_inside_message(const at_parser_t *at) { return at->state == IN_MESSAGE; }

void at_abandon_message(at_parser_t *at) { new_line(at); }
