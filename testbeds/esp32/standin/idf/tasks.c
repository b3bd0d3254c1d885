/* FreeRTOS tasks and queues as threads. */
#define _GNU_SOURCE
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "freertos/FreeRTOS.h"
#include "freertos/queue.h"
#include "freertos/task.h"

/* The host's thread library keeps its own data on a stack (a sanitizer's run time a lot of it), and its calls are deeper
 * than the chip's: what the port asks for is what is reported against, not what is there. */
#define REAL_STACK_BYTES (4u << 20)
#define PAINT 0xa5

static uint8_t *painted;
static uint32_t asked_bytes;

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t news;
    unsigned length, item_bytes, first, count;
    uint8_t items[];
};

typedef struct {
    TaskFunction_t run;
    void *argument;
} start_t;

static void *begin(void *given)
{
    start_t start = *(start_t *)given;
    free(given);
    start.run(start.argument);
    return NULL;
}

TaskHandle_t xTaskCreateStaticPinnedToCore(TaskFunction_t run, const char *name, uint32_t stack_bytes, void *argument,
                                           UBaseType_t priority, StackType_t *stack, StaticTask_t *task, BaseType_t core)
{
    pthread_attr_t attributes;
    pthread_t thread;
    start_t *start = malloc(sizeof *start);
    (void)name;
    (void)priority;
    (void)stack;
    (void)core;
    painted = mmap(NULL, REAL_STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    configASSERT(start != NULL && painted != MAP_FAILED);
    memset(painted, PAINT, REAL_STACK_BYTES);
    asked_bytes = stack_bytes;
    *start = (start_t){run, argument};
    configASSERT(pthread_attr_init(&attributes) == 0);
    configASSERT(pthread_attr_setstack(&attributes, painted, REAL_STACK_BYTES) == 0);
    configASSERT(pthread_create(&thread, &attributes, begin, start) == 0);
    return task;
}

/* Looks below the stack pointer on purpose. */
__attribute__((no_sanitize("address"))) UBaseType_t uxTaskGetStackHighWaterMark(TaskHandle_t task)
{
    uint32_t unused = 0;
    (void)task;
    while (unused < REAL_STACK_BYTES && painted[unused] == PAINT) {
        unused++;
    }
    uint32_t used = REAL_STACK_BYTES - unused;
    return used < asked_bytes ? asked_bytes - used : 0;
}

void vTaskDelay(TickType_t ticks)
{
    struct timespec t = {ticks / CONFIG_FREERTOS_HZ, (long)(ticks % CONFIG_FREERTOS_HZ) * (1000000000 / CONFIG_FREERTOS_HZ)};
    nanosleep(&t, NULL);
}

QueueHandle_t xQueueCreate(UBaseType_t length, UBaseType_t item_bytes)
{
    QueueHandle_t q = calloc(1, sizeof *q + (size_t)length * item_bytes);
    pthread_condattr_t attributes;
    if (q != NULL) {
        q->length = length;
        q->item_bytes = item_bytes;
        pthread_mutex_init(&q->lock, NULL);
        pthread_condattr_init(&attributes);
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        pthread_cond_init(&q->news, &attributes);
    }
    return q;
}

BaseType_t xQueueSend(QueueHandle_t q, const void *item, TickType_t wait)
{
    (void)wait; /* the port never waits here */
    pthread_mutex_lock(&q->lock);
    BaseType_t fits = q->count < q->length;
    if (fits) {
        memcpy(q->items + (size_t)((q->first + q->count) % q->length) * q->item_bytes, item, q->item_bytes);
        q->count++;
        pthread_cond_signal(&q->news);
    }
    pthread_mutex_unlock(&q->lock);
    return fits ? pdTRUE : pdFALSE;
}

BaseType_t xQueueReceive(QueueHandle_t q, void *item, TickType_t wait)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait / CONFIG_FREERTOS_HZ;
    until.tv_nsec += (long)(wait % CONFIG_FREERTOS_HZ) * (1000000000 / CONFIG_FREERTOS_HZ);
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&q->lock);
    while (q->count == 0 && wait != 0 && pthread_cond_timedwait(&q->news, &q->lock, &until) == 0) {
    }
    BaseType_t got = q->count != 0;
    if (got) {
        memcpy(item, q->items + (size_t)q->first * q->item_bytes, q->item_bytes);
        q->first = (q->first + 1) % q->length;
        q->count--;
    }
    pthread_mutex_unlock(&q->lock);
    return got ? pdTRUE : pdFALSE;
}

BaseType_t xQueueReset(QueueHandle_t q)
{
    pthread_mutex_lock(&q->lock);
    q->count = 0;
    pthread_mutex_unlock(&q->lock);
    return pdTRUE;
}
