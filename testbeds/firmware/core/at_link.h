/* The line to the module as bring-up and exchange of messages share it: net_at.c has it. */
#ifndef AT_LINK_H
#define AT_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "at.h"
#include "at_command.h"
#include "settings.h"

/* How long the module itself allows its commands (AT user guide, release 5: 15 s for MQTT commands and AT+CWJAP; 10 s
 * for MQTT before), and a second for its answer to come. */
#define AT_ANSWER_MS 1000u
#define AT_MQTT_MS 16000u
#define AT_JOIN_MS 20000u
#define AT_BUSY_MS 20000u /* whatever it is busy with has ended by then */

typedef enum {
    ASK_OK = 0,
    ASK_ERROR,
    ASK_BUSY, /* it stayed busy */
    ASK_SILENT,
    ASK_RESTARTED /* "ready" came instead */
} at_answer_t;

extern at_parser_t at_line;

/* The next thing that the module said; AT_NOTHING when there is none now. */
at_event_t at_next_event(void);

/* Both sides of the line are ours alone: the module's rate is changed by a command. */
bool at_set_baud(uint32_t baud);

/* Sends the command and waits for its answer, timeout_ms from each try on; while the module says that it is busy it is
 * asked again. All tries together take total_ms at most, and one pause. `wanted`: a line of the answer to look for,
 * *seen tells whether it came; NULL: none. */
at_answer_t at_ask_for(at_command_t *c, uint32_t timeout_ms, uint32_t total_ms, const char *wanted, bool *seen);

static inline at_answer_t at_ask(at_command_t *c, uint32_t timeout_ms)
{
    return at_ask_for(c, timeout_ms, timeout_ms + AT_BUSY_MS, NULL, NULL);
}

/* Brings everything up; a CONNECT_ status. *step: what ended it. */
uint8_t at_bring_up(const settings_t *settings, const char **step);

#endif
