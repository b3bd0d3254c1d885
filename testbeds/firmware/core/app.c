#include "app.h"

#include "console.h"
#include "flow.h"
#include "port.h"
#include "protocol.h"

void app_init(void)
{
    port_marker(MARKER_IDLE);
    flow_init();
    protocol_init();
    console_dialect_init();
}

void app_poll(void)
{
    int byte = port_console_read();
    if (byte >= 0) {
        do {
            protocol_take((uint8_t)byte);
            if (console_dialect_take((uint8_t)byte)) {
                protocol_forget();
            }
            byte = port_console_read();
        } while (byte >= 0);
    } else {
        flow_idle();
        port_idle();
    }
}
