/* What menuconfig would have written: see testbeds/esp32/firmware/sdkconfig.defaults. */
#ifndef SDKCONFIG_H
#define SDKCONFIG_H
#define CONFIG_ESP_DEFAULT_CPU_FREQ_MHZ 240
#define CONFIG_FREERTOS_HZ 1000
#define CONFIG_LWIP_MAX_SOCKETS 10
#endif
