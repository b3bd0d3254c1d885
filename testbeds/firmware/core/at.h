/* The Wi-Fi module's side of the serial line: Espressif's AT command set, version 2 and later (AT user guide, chapters
 * "Basic", "Wi-Fi" and "MQTT AT commands"). The parser takes one byte at a time, never waits, and keeps its place
 * whatever comes: unsolicited lines between any two lines, received messages with any bytes, noise. */
#ifndef AT_H
#define AT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AT_LINE_MAX 256u /* of a command and of a line that is kept; longer lines are cut */

typedef enum {
    AT_NOTHING = 0,
    AT_OK,
    AT_ERROR, /* ERROR or FAIL */
    AT_BUSY,
    AT_PROMPT, /* '>': raw bytes are awaited */
    AT_PUBLISHED, /* +MQTTPUB:OK */
    AT_PUBLISH_FAILED,
    AT_MESSAGE, /* a message lies whole in at->message */
    AT_LINK_DOWN, /* Wi-Fi or MQTT connection lost */
    AT_OTHER, /* any other line */
    AT_READY /* the module restarted */
} at_event_t;

typedef struct {
    char line[AT_LINE_MAX];
    size_t line_bytes;
    size_t said_bytes; /* of the line that ended last: it lies in `line` until the next byte */
    uint8_t state; /* where in a line or message: at.c */
    uint32_t awaited; /* bytes of the message still to come */
    uint32_t message_bytes; /* as announced */
    uint8_t *message; /* where messages go */
    uint32_t message_room;
    bool mqtt_up;
} at_parser_t;

void at_init(at_parser_t *at, uint8_t *message, uint32_t message_room);

/* Takes one byte. A message larger than message_room is skipped and comes as AT_OTHER. */
at_event_t at_take(at_parser_t *at, uint8_t byte);

/* Was the line that ended last this one? To be asked before the next byte is taken. */
bool at_said(const at_parser_t *at, const char *text);

/* Is a message under way (its bytes must follow one another)? */
bool at_inside_message(const at_parser_t *at);

/* Gives a message up that stopped in the middle. */
void at_abandon_message(at_parser_t *at);

#endif
