#define _POSIX_C_SOURCE 200809L
#include <time.h>

#include "esp_cpu.h"
#include "esp_timer.h"
#include "sdkconfig.h"
#include "standin.h"

static int64_t started, told, told_at; /* chip time `told` was host time `told_at`: no step when the drift changes */
static _Atomic int32_t drift_ppm;

static int64_t host_nanoseconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t standin_nanoseconds(void)
{
    if (started == 0) {
        started = told_at = host_nanoseconds();
    }
    int64_t passed = host_nanoseconds() - told_at;
    return told + passed + passed / 1000000 * drift_ppm;
}

void standin_clock_ppm(int32_t ppm)
{
    told = standin_nanoseconds();
    told_at = host_nanoseconds();
    drift_ppm = ppm;
}

int64_t esp_timer_get_time(void) { return standin_nanoseconds() / 1000; }

esp_cpu_cycle_count_t esp_cpu_get_cycle_count(void)
{
    return (uint32_t)((uint64_t)standin_nanoseconds() * CONFIG_ESP_DEFAULT_CPU_FREQ_MHZ / 1000u);
}
