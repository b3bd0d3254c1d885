/* The far ends of the host port's queues. */
#ifndef PORT_HOST_H
#define PORT_HOST_H

#include <stddef.h>
#include <stdint.h>

void host_console_put(const uint8_t *bytes, size_t count);
size_t host_console_get(uint8_t *out, size_t room);
void host_module_put(const uint8_t *bytes, size_t count);
void host_module_put_at(const uint8_t *bytes, size_t count, uint32_t at_us);
uint32_t host_time_us(void);
void host_module_sink(void (*sink)(const uint8_t *bytes, size_t count));
uint32_t host_module_baud(void);
size_t host_markers(unsigned *out, size_t room); /* those set since the last call */

#endif
