/* The firmware on an ESP32: drivers and network on core 0, the inference alone on core 1, whose cycle counter times it. */
#include "app.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"
#include "port_esp32.h"

#define INFERENCE_CORE 1
#define INFERENCE_PRIORITY 10 /* core 1 has nobody else but its idle task */

static StackType_t stack[PORT_STACK_BYTES / sizeof(StackType_t)];
static StaticTask_t task;

static void run(void *unused)
{
    (void)unused;
    app_init();
    for (;;) {
        app_poll();
    }
}

void app_main(void)
{
    port_esp32_init();
    (void)xTaskCreateStaticPinnedToCore(run, "agile", PORT_STACK_BYTES, NULL, INFERENCE_PRIORITY, stack, &task,
                                        INFERENCE_CORE);
}
