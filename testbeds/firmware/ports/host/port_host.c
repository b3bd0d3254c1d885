/* The firmware inside a library: queues instead of lines, and a clock that ticks a microsecond each time it is asked,
 * so that time-outs come without waiting and every run is the same. */
#include "port_host.h"

#include <string.h>

#include "port.h"

#define CLOCK_HZ 100000000u
#define QUEUE_BYTES (1u << 20)

typedef struct {
    uint8_t bytes[QUEUE_BYTES];
    size_t in, out;
} queue_t;

static queue_t console_in, console_out, module_in;
static uint32_t due_us[QUEUE_BYTES]; /* when each byte of module_in is there */
static void (*module_sink)(const uint8_t *bytes, size_t count);
static uint32_t now_us, baud_set, lost;
static unsigned markers[64], marker_count;

static void put(queue_t *q, const uint8_t *bytes, size_t count)
{
    if (q->in == q->out) {
        q->in = q->out = 0;
    }
    if (count > QUEUE_BYTES - q->in) {
        lost++;
        return;
    }
    memcpy(q->bytes + q->in, bytes, count);
    q->in += count;
}

static int get(queue_t *q) { return q->in == q->out ? -1 : q->bytes[q->out++]; }

void host_module_put_at(const uint8_t *bytes, size_t count, uint32_t at_us)
{
    queue_t *q = &module_in;
    size_t before = q->in - q->out;
    put(q, bytes, count);
    if (q->in - q->out == before) {
        return;
    }
    size_t at = q->in - count, later = 0; /* behind what is due by then, before what is due later */
    while (later < before && (int32_t)(due_us[at - 1 - later] - at_us) > 0) {
        later++;
    }
    memmove(q->bytes + at - later + count, q->bytes + at - later, later);
    memmove(due_us + at - later + count, due_us + at - later, later * sizeof *due_us);
    memcpy(q->bytes + at - later, bytes, count);
    for (size_t i = at - later; i < at - later + count; i++) {
        due_us[i] = at_us;
    }
}

void host_console_put(const uint8_t *bytes, size_t count) { put(&console_in, bytes, count); }
void host_module_put(const uint8_t *bytes, size_t count) { host_module_put_at(bytes, count, now_us); }
uint32_t host_time_us(void) { return now_us; }
void host_module_sink(void (*sink)(const uint8_t *bytes, size_t count)) { module_sink = sink; }
uint32_t host_module_baud(void) { return baud_set; }

size_t host_console_get(uint8_t *out, size_t room)
{
    size_t count = console_out.in - console_out.out;
    count = count < room ? count : room;
    memcpy(out, console_out.bytes + console_out.out, count);
    console_out.out += count;
    return count;
}

size_t host_markers(unsigned *out, size_t room)
{
    size_t count = marker_count < room ? marker_count : room;
    memcpy(out, markers, count * sizeof *out);
    marker_count = 0;
    return count;
}

uint32_t port_cycles(void) { return now_us * (CLOCK_HZ / 1000000u); }
uint32_t port_clock_hz(void) { return CLOCK_HZ; }
bool port_set_clock_hz(uint32_t hz) { return hz == CLOCK_HZ; }
uint32_t port_time_us(void) { return now_us++; }
void port_alarm_us(uint32_t when_us) { (void)when_us; }
int port_console_read(void) { return get(&console_in); }
void port_console_write(const uint8_t *bytes, size_t count) { put(&console_out, bytes, count); }
uint32_t port_console_overruns(void) { return 0; }

int port_module_read(void)
{
    bool there = module_in.in != module_in.out && (int32_t)(now_us - due_us[module_in.out]) >= 0;
    int byte = there ? get(&module_in) : -1;
    now_us += byte < 0 ? 100 : 0; /* an idle poll: time-outs of seconds must not take seconds */
    return byte;
}

void port_module_write(const uint8_t *bytes, size_t count)
{
    if (module_sink != NULL) {
        module_sink(bytes, count);
    }
}

void port_module_poll(void) {}
void port_module_restart(void) {}
bool port_module_set_flow(bool on) { return !on; }
bool port_module_may_send(void) { return true; }

bool port_module_set_baud(uint32_t baud)
{
    baud_set = baud;
    return true;
}

uint32_t port_module_overruns(void) { return lost; }

void port_marker(unsigned marker)
{
    if (marker_count < sizeof markers / sizeof markers[0]) {
        markers[marker_count++] = marker;
    }
}

void port_idle(void) {}
uint32_t port_stack_used(void) { return 0; }
uint32_t port_stack_total(void) { return 0; }
uint32_t port_static_ram_bytes(void) { return 0; }
