#ifndef FREERTOS_TASK_H
#define FREERTOS_TASK_H
#include "FreeRTOS.h"
typedef void *TaskHandle_t;
typedef void (*TaskFunction_t)(void *);
void vTaskDelay(TickType_t ticks);
TaskHandle_t xTaskCreateStaticPinnedToCore(TaskFunction_t run, const char *name, uint32_t stack_bytes, void *argument,
                                           UBaseType_t priority, StackType_t *stack, StaticTask_t *task, BaseType_t core);
UBaseType_t uxTaskGetStackHighWaterMark(TaskHandle_t task); /* bytes never used */
#endif
