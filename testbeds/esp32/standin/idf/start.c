/* The chip as a process: agile-esp32-standin CONSOLE_PTY RADIO_FD. It ends with the board that started it. */
#include <stdlib.h>
#include <unistd.h>

#include "freertos/FreeRTOS.h"
#include "freertos/task.h"
#include "standin.h"

void app_main(void);

_Noreturn void standin_power_off(void) { _exit(0); }

int main(int argc, char **argv)
{
    if (argc != 3) {
        return 2;
    }
    (void)standin_nanoseconds();
    standin_uart_open(argv[1]);
    standin_radio_open(atoi(argv[2]));
    app_main(); /* returns, as in ESP-IDF */
    for (;;) {
        vTaskDelay(portMAX_DELAY / 2);
    }
}
