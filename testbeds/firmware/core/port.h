/* What a target must provide. One implementation a port: ports/stm32f746, ports/native, ports/host. */
#ifndef PORT_H
#define PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Stages as the marker pins show them, Gray-coded along local -> encode -> wait -> combine. */
enum {
    MARKER_IDLE = 0,    /* 000 */
    MARKER_LOCAL = 1,   /* 001 */
    MARKER_ENCODE = 3,  /* 011 */
    MARKER_WAIT = 2,    /* 010 */
    MARKER_COMBINE = 6, /* 110 */
    MARKER_FAULT = 7    /* 111: parked after a fault */
};

uint32_t port_cycles(void);   /* free-running, wraps; differences are cycles of port_clock_hz() */
uint32_t port_clock_hz(void);
bool port_set_clock_hz(uint32_t hz); /* false: not a clock of this port, nothing changed */
uint32_t port_time_us(void);  /* free-running, wraps after 71 minutes */
void port_alarm_us(uint32_t when_us); /* a hint: the wait that follows ends by itself at this time */

int port_console_read(void); /* the next byte, or -1 when there is none now */
void port_console_write(const uint8_t *bytes, size_t count);
uint32_t port_console_overruns(void);

int port_module_read(void);
void port_module_write(const uint8_t *bytes, size_t count); /* takes in what arrives meanwhile */
void port_module_poll(void); /* takes a waiting byte in; to be called at least once a byte time */
bool port_module_set_baud(uint32_t baud);
bool port_module_set_flow(bool on); /* heed the module's RTS while writing; false: this port has no such pin */
bool port_module_may_send(void);    /* does the module's RTS let us write? Always true where it is not heeded */
uint32_t port_module_overruns(void);
void port_module_restart(void); /* pulls the module's EN line low for a moment; nothing where a port has none */

void port_marker(unsigned marker);
void port_idle(void); /* nothing to do until a byte arrives; may sleep, may return at once */
uint32_t port_stack_used(void); /* bytes, by the paint; 0 where the port can't tell: see port_stack_total */
uint32_t port_stack_total(void); /* bytes; 0 = this port has no painted stack */
uint32_t port_static_ram_bytes(void);

#endif
