#include "app.h"

#include "flow.h"
#include "port.h"
#include "protocol.h"

void app_init(void)
{
    port_marker(MARKER_IDLE);
    flow_init();
    protocol_init();
}

void app_poll(void)
{
    int byte = port_console_read();
    if (byte >= 0) {
        do {
            protocol_take((uint8_t)byte);
            byte = port_console_read();
        } while (byte >= 0);
    } else {
        flow_idle();
        port_idle();
    }
}
