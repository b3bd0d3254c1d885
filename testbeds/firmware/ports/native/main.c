/* The firmware as a process: console and module are two file descriptors given on the command line, time is the host's.
 *     agile-native CONSOLE_FD MODULE_FD
 * It ends when either peer has closed its end, so also when the parent is gone. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "app.h"
#include "port.h"

#define CLOCK_HZ 100000000u /* the cycle counter's unit: 10 ns, so that 32 bits last 42 s */
#define BUFFER_BYTES 4096
#define IDLE_MS 200

typedef struct {
    int fd;
    uint8_t bytes[BUFFER_BYTES];
    size_t at, end;
} line_t;

static line_t console = {.fd = -1}, module = {.fd = -1};

static uint64_t nanoseconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint32_t port_cycles(void) { return (uint32_t)(nanoseconds() / 10u); }
uint32_t port_clock_hz(void) { return CLOCK_HZ; }
bool port_set_clock_hz(uint32_t hz) { return hz == CLOCK_HZ; }
uint32_t port_time_us(void) { return (uint32_t)(nanoseconds() / 1000u); }
void port_alarm_us(uint32_t when_us) { (void)when_us; }

static void refill(line_t *line)
{
    ssize_t got = read(line->fd, line->bytes, sizeof line->bytes);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR && errno != EIO)) {
        exit(0); /* the peer is gone */
    }
    line->at = 0;
    line->end = got > 0 ? (size_t)got : 0;
}

static int take(line_t *line)
{
    if (line->at == line->end) {
        refill(line);
    }
    return line->at == line->end ? -1 : line->bytes[line->at++];
}

static void send_all(line_t *line, const uint8_t *bytes, size_t count)
{
    while (count != 0) {
        ssize_t sent = write(line->fd, bytes, count);
        if (sent > 0) {
            bytes += sent;
            count -= (size_t)sent;
        } else if (sent < 0 && errno != EAGAIN && errno != EINTR) {
            exit(0);
        } else {
            struct pollfd room = {line->fd, POLLOUT, 0};
            poll(&room, 1, IDLE_MS);
        }
    }
}

static void await(bool with_console, int timeout_ms)
{
    struct pollfd lines[2] = {{module.fd, POLLIN, 0}, {console.fd, POLLIN, 0}};
    poll(lines, with_console ? 2 : 1, timeout_ms);
}

int port_console_read(void) { return take(&console); }
void port_console_write(const uint8_t *bytes, size_t count) { send_all(&console, bytes, count); }
uint32_t port_console_overruns(void) { return 0; }

int port_module_read(void)
{
    int byte = take(&module);
    if (byte < 0) {
        await(false, 1); /* inside a wait: the time-out above is looked at each millisecond */
        byte = take(&module);
    }
    return byte;
}

void port_module_write(const uint8_t *bytes, size_t count) { send_all(&module, bytes, count); }
void port_module_poll(void) {}
void port_module_restart(void) {}
bool port_module_set_flow(bool on) { return !on; }
bool port_module_may_send(void) { return true; }
bool port_module_set_baud(uint32_t baud) { return baud != 0; }
uint32_t port_module_overruns(void) { return 0; }

void port_marker(unsigned marker) { (void)marker; }

void port_idle(void) { await(true, IDLE_MS); }

uint32_t port_stack_used(void) { return 0; }
uint32_t port_stack_total(void) { return 0; }
uint32_t port_static_ram_bytes(void) { return 0; }

static int descriptor(const char *text)
{
    char *end;
    long fd = strtol(text, &end, 10);
    if (*text == 0 || *end != 0 || fd < 0 || fd > 1 << 20 || fcntl((int)fd, F_SETFL, O_NONBLOCK) < 0) {
        exit(2);
    }
    return (int)fd;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    console.fd = descriptor(argv[1]);
    module.fd = descriptor(argv[2]);
    app_init();
    for (;;) {
        app_poll();
    }
}
