/* The ESP32's side of the port: console UART, clocks, marker pins, stack. ESP-IDF v5. */
#include "port_esp32.h"

#include "driver/gpio.h"
#include "driver/uart.h"
#include "esp_cpu.h"
#include "esp_timer.h"
#include "freertos/FreeRTOS.h"
#include "freertos/queue.h"
#include "freertos/task.h"
#include "port.h"
#include "sdkconfig.h"
#include "soc/gpio_reg.h"

/* Marker bits 0, 1, 2: neither strapping pins nor flash pins, and all below 32, so that one write sets all three. */
#define MARKER_0 25u
#define MARKER_1 26u
#define MARKER_2 27u
#define MARKER_PINS (1u << MARKER_0 | 1u << MARKER_1 | 1u << MARKER_2)

#define CONSOLE UART_NUM_0
#define CONSOLE_ROOM 4096 /* bytes that wait while a graph runs: more than a frame */
#define CONSOLE_EVENTS 8
#define IDLE_MS 10

#define CLOCK_HZ (CONFIG_ESP_DEFAULT_CPU_FREQ_MHZ * 1000000u)

static uint8_t taken[256]; /* from the driver, not yet handed on */
static int taken_at, taken_end;
static QueueHandle_t console_events;
static uint32_t console_overruns;

void port_esp32_init(void)
{
    const uart_config_t line = {
        .baud_rate = CONSOLE_BAUD,
        .data_bits = UART_DATA_8_BITS,
        .parity = UART_PARITY_DISABLE,
        .stop_bits = UART_STOP_BITS_1,
        .flow_ctrl = UART_HW_FLOWCTRL_DISABLE,
        .source_clk = UART_SCLK_DEFAULT,
    };
    const gpio_config_t pins = {.pin_bit_mask = MARKER_PINS, .mode = GPIO_MODE_OUTPUT};
    const uint8_t end_of_noise = 0;
    ESP_ERROR_CHECK(gpio_config(&pins));
    ESP_ERROR_CHECK(uart_driver_install(CONSOLE, CONSOLE_ROOM, 0, CONSOLE_EVENTS, &console_events, 0));
    ESP_ERROR_CHECK(uart_param_config(CONSOLE, &line));
    /* The driver takes bytes at 64 of the receiver's 128, not at its default of 120: that leaves 0.7 ms, not 87 us. */
    ESP_ERROR_CHECK(uart_set_rx_full_threshold(CONSOLE, 64));
    /* What the ROM said at another rate must not be taken for the beginning of a frame. */
    uart_write_bytes(CONSOLE, &end_of_noise, 1);
}

uint32_t port_cycles(void) { return esp_cpu_get_cycle_count(); }
uint32_t port_clock_hz(void) { return CLOCK_HZ; }
bool port_set_clock_hz(uint32_t hz) { return hz == CLOCK_HZ; }
uint32_t port_time_us(void) { return (uint32_t)esp_timer_get_time(); }
void port_alarm_us(uint32_t when_us) { (void)when_us; }

static void refill(TickType_t wait)
{
    int got = uart_read_bytes(CONSOLE, taken, wait == 0 ? sizeof taken : 1u, wait);
    taken_at = 0;
    taken_end = got > 0 ? got : 0;
}

int port_console_read(void)
{
    if (taken_at == taken_end) {
        refill(0);
    }
    return taken_at == taken_end ? -1 : taken[taken_at++];
}

void port_console_write(const uint8_t *bytes, size_t count) { uart_write_bytes(CONSOLE, bytes, count); }

uint32_t port_console_overruns(void)
{
    uart_event_t event;
    while (xQueueReceive(console_events, &event, 0) == pdTRUE) {
        if (event.type == UART_FIFO_OVF || event.type == UART_BUFFER_FULL) {
            console_overruns++;
            uart_flush_input(CONSOLE); /* the driver stands still until its buffer is emptied */
        }
    }
    return console_overruns;
}

/* One write of the output register: no pin is seen changing before another. Nothing else drives pins in this image;
 * the UART's go through the pin matrix. */
void port_marker(unsigned marker)
{
    uint32_t pins = (marker & 1u) << MARKER_0 | (marker >> 1 & 1u) << MARKER_1 | (marker >> 2 & 1u) << MARKER_2;
    REG_WRITE(GPIO_OUT_REG, (REG_READ(GPIO_OUT_REG) & ~MARKER_PINS) | pins);
}

/* Waits for a console byte; also looks whether the driver has stopped for want of room. */
void port_idle(void)
{
    (void)port_console_overruns();
    if (taken_at == taken_end) {
        refill(pdMS_TO_TICKS(IDLE_MS));
    }
}

/* ESP-IDF counts stacks in bytes, and paints them when a task is created. */
uint32_t port_stack_used(void) { return PORT_STACK_BYTES - (uint32_t)uxTaskGetStackHighWaterMark(NULL); }
uint32_t port_stack_total(void) { return PORT_STACK_BYTES; }

extern uint8_t _data_start[], _data_end[], _bss_start[], _bss_end[]; /* ESP-IDF's linker script */

uint32_t port_static_ram_bytes(void)
{
    return (uint32_t)((uintptr_t)_data_end - (uintptr_t)_data_start + (uintptr_t)_bss_end - (uintptr_t)_bss_start);
}
