/* What the stand-ins of ESP-IDF's calls share. The board around this process is testbeds/esp32/standin/chip.py. */
#ifndef STANDIN_H
#define STANDIN_H

#include <stddef.h>
#include <stdint.h>

/* Chip time: the host's monotonic clock since start, off by the parts per million that the board was told. */
int64_t standin_nanoseconds(void);
void standin_clock_ppm(int32_t ppm);

void standin_uart_open(const char *path);
void standin_radio_open(int fd);

/* One message to the board; see radio.c. The process ends with the board. */
void standin_say(char kind, const void *bytes, size_t count);
_Noreturn void standin_power_off(void);

#endif
