#ifndef FREERTOS_H
#define FREERTOS_H
#include <stdint.h>
#include <stdlib.h>
#include "sdkconfig.h"
typedef uint32_t TickType_t;
typedef int BaseType_t;
typedef unsigned UBaseType_t;
typedef uint8_t StackType_t; /* bytes, as in ESP-IDF */
typedef struct {
    void *unused;
} StaticTask_t;
#define pdTRUE 1
#define pdFALSE 0
#define portMAX_DELAY 0xffffffffu
#define pdMS_TO_TICKS(ms) ((TickType_t)((ms) * (CONFIG_FREERTOS_HZ / 1000)))
#define configASSERT(x) ((x) ? (void)0 : abort())
#endif
