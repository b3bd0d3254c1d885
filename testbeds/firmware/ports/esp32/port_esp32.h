#ifndef PORT_ESP32_H
#define PORT_ESP32_H

#include "bench_config.h" /* CONSOLE_BAUD */

#define PORT_STACK_BYTES 16384u

/* Console and marker pins. The interrupts of drivers stay on the core that calls this. */
void port_esp32_init(void);

#endif
