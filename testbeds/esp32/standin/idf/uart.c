/* The console UART on a pty, and the output register of the GPIO block, whose changes the board is told. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "driver/gpio.h"
#include "driver/uart.h"
#include "soc/gpio_reg.h"
#include "standin.h"

static int line = -1;
static uint32_t output;

void standin_uart_open(const char *path)
{
    struct termios raw;
    line = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK);
    if (line < 0 || tcgetattr(line, &raw) != 0) {
        standin_power_off();
    }
    cfmakeraw(&raw);
    (void)tcsetattr(line, TCSANOW, &raw);
}

esp_err_t uart_driver_install(uart_port_t port, int rx_bytes, int tx_bytes, int events, QueueHandle_t *queue, int flags)
{
    (void)port;
    (void)rx_bytes;
    (void)tx_bytes;
    (void)flags;
    *queue = xQueueCreate((UBaseType_t)events, sizeof(uart_event_t));
    return *queue == NULL ? ESP_FAIL : ESP_OK;
}

esp_err_t uart_set_rx_full_threshold(uart_port_t port, int bytes)
{
    return port == UART_NUM_0 && bytes > 0 && bytes < 128 ? ESP_OK : ESP_FAIL;
}

esp_err_t uart_param_config(uart_port_t port, const uart_config_t *config)
{
    (void)port;
    return config->baud_rate > 0 ? ESP_OK : ESP_FAIL;
}

static void await(short what, int ms)
{
    struct pollfd one = {line, what, 0};
    (void)poll(&one, 1, ms);
}

int uart_read_bytes(uart_port_t port, void *out, uint32_t room, TickType_t wait)
{
    uint32_t got = 0;
    int64_t until = standin_nanoseconds() + (int64_t)wait * (1000000000 / CONFIG_FREERTOS_HZ);
    (void)port;
    while (got < room) {
        ssize_t count = read(line, (uint8_t *)out + got, room - got);
        if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) {
            standin_power_off();
        }
        if (count > 0) {
            got += (uint32_t)count;
            continue;
        }
        int64_t left = until - standin_nanoseconds();
        if (wait == 0 || left <= 0) {
            break;
        }
        await(POLLIN, (int)(left / 1000000) + 1);
    }
    return (int)got;
}

int uart_write_bytes(uart_port_t port, const void *bytes, size_t count)
{
    size_t done = 0;
    (void)port;
    while (done < count) {
        ssize_t sent = write(line, (const uint8_t *)bytes + done, count - done);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) {
            standin_power_off();
        }
        if (sent > 0) {
            done += (size_t)sent;
        } else {
            await(POLLOUT, 100);
        }
    }
    return (int)count;
}

esp_err_t uart_flush_input(uart_port_t port)
{
    (void)port;
    return tcflush(line, TCIFLUSH) == 0 ? ESP_OK : ESP_FAIL;
}

esp_err_t gpio_config(const gpio_config_t *config) { return config->pin_bit_mask != 0 ? ESP_OK : ESP_FAIL; }

uint32_t standin_register_read(uint32_t address) { return address == GPIO_OUT_REG ? output : 0; }

void standin_register_write(uint32_t address, uint32_t value)
{
    uint8_t said[12];
    int64_t now = standin_nanoseconds();
    if (address != GPIO_OUT_REG || value == output) {
        return;
    }
    output = value;
    memcpy(said, &value, 4);
    memcpy(said + 4, &now, 8);
    standin_say('G', said, sizeof said);
}
