/* The device's end of the console protocol: one request at a time, each answered once; a repeated request (same type,
 * sequence number and bytes) gets the same reply again without being done again. */
#ifndef PROTOCOL_H
#define PROTOCOL_H

#include <stddef.h>
#include <stdint.h>

void protocol_init(void);

/* Takes one console byte; answers a request that it completes. */
void protocol_take(uint8_t byte);

/* Drops the bytes since the last frame: they belonged to something else. */
void protocol_forget(void);

#endif
