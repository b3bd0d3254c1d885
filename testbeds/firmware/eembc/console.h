/* The firmware's second console protocol: the EEMBC text dialect over the local half of the network. */
#ifndef EEMBC_CONSOLE_H
#define EEMBC_CONSOLE_H

#include <stdbool.h>
#include <stdint.h>

void console_dialect_init(void);

/* Takes one console byte, which the frame receiver gets as well. True when it ended a text command, which then has been
 * answered: what the frame receiver holds was text and is to be dropped. */
bool console_dialect_take(uint8_t byte);

#endif
