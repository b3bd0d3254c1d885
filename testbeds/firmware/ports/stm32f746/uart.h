/* The two serial lines, polled: USART1 to the host, USART6 to the Wi-Fi module. */
#ifndef UART_H
#define UART_H

#include <stdbool.h>
#include <stdint.h>

void uart_init(void);
void uart_quiesce(void);   /* waits until the last byte has left: before a clock change */
bool uart_clock_changed(void); /* sets both rates anew from the bus clock */

#endif
