/* The text of one AT command: under 256 bytes with its CR LF (AT user guide, "AT Command Types"). */
#ifndef AT_COMMAND_H
#define AT_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "at.h"

typedef struct {
    char text[AT_LINE_MAX];
    size_t used;
    bool too_long;
} at_command_t;

/* Appends text as it is. */
void at_add(at_command_t *c, const char *text);

/* Appends a quoted parameter; quote, comma and backslash are escaped as the AT user guide asks. */
void at_add_quoted(at_command_t *c, const char *text);

void at_add_number(at_command_t *c, uint32_t number);

#endif
