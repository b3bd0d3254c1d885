/* Time-outs by the port's microsecond clock; spans below 35 minutes. */
#ifndef DEADLINE_H
#define DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

#include "port.h"

typedef struct {
    uint32_t at_us;
} deadline_t;

static inline deadline_t deadline_in_ms(uint32_t ms)
{
    deadline_t d = {port_time_us() + ms * 1000u};
    port_alarm_us(d.at_us);
    return d;
}

/* The sooner of two; what waits next ends by itself then. */
static inline deadline_t deadline_sooner(deadline_t a, deadline_t b)
{
    deadline_t d = (int32_t)(a.at_us - b.at_us) <= 0 ? a : b;
    port_alarm_us(d.at_us);
    return d;
}

static inline bool deadline_passed(deadline_t d) { return (int32_t)(port_time_us() - d.at_us) >= 0; }

#endif
