/* The rest of the port: cycle counter, microsecond clock, marker pins, stack paint. */
#include "board.h"

#include "clocks.h"
#include "port.h"
#include "registers.h"
#include "uart.h"

/* Marker bits 0, 1, 2 on PI0, PI3, PI2: D5, D7, D8 of the Arduino connector, all on one port so that a single write
 * sets all three. */
#define MARKER_0 0u
#define MARKER_1 3u
#define MARKER_2 2u

#define PAINT 0xa5c3f00du
extern uint32_t stack_bottom[], stack_top[];
extern uint8_t dtcm_begin[], dtcm_end[], sram_begin[], sram_end[];

static void start_timer(void)
{
    RCC_APB1ENR |= RCC_APB1ENR_TIM2;
    (void)RCC_APB1ENR;
    TIM2_PSC = clocks.timer_hz / 1000000u - 1u;
    TIM2_ARR = 0xffffffffu;
    uint32_t now = TIM2_CNT;
    TIM2_EGR = 1; /* takes the prescaler over, and clears the counter */
    TIM2_CNT = now;
    TIM2_CR1 = 1;
}

static void start_cycle_counter(void)
{
    DEMCR |= DEMCR_TRCENA;
    DWT_LAR = 0xc5acce55u; /* the M7's DWT is locked after reset */
    DWT_CYCCNT = 0;
    DWT_CTRL |= 1;
}

static void start_markers(void)
{
    const unsigned pins[3] = {MARKER_0, MARKER_1, MARKER_2};
    RCC_AHB1ENR |= RCC_AHB1ENR_GPIOI;
    (void)RCC_AHB1ENR;
    for (unsigned i = 0; i < 3; i++) {
        GPIO_MODER(GPIOI_BASE) = (GPIO_MODER(GPIOI_BASE) & ~(3u << 2 * pins[i])) | 1u << 2 * pins[i];
        GPIO_OSPEEDR(GPIOI_BASE) |= 3u << 2 * pins[i];
    }
}

void board_init(void)
{
    start_markers();
    if (!clocks_set(216000000u)) {
        board_park();
    }
    start_timer();
    start_cycle_counter();
    uart_init();
}

void board_park(void)
{
    port_marker(MARKER_FAULT);
    for (;;) {
    }
}

uint32_t port_cycles(void) { return DWT_CYCCNT; }

uint32_t port_clock_hz(void) { return clocks.core_hz; }

bool port_set_clock_hz(uint32_t hz)
{
    uint32_t before = clocks.core_hz;
    uart_quiesce();
    bool done = clocks_set(hz);
    if (!done && clocks.core_hz != before && !clocks_set(before)) {
        board_park();
    }
    start_timer();
    return uart_clock_changed() && done;
}

uint32_t port_time_us(void) { return TIM2_CNT; }

/* No interrupt is used; the compare register only shows a debugger, or an emulator, when the wait will end. */
void port_alarm_us(uint32_t when_us) { TIM2_CCR1 = when_us; }

void port_marker(unsigned marker)
{
    uint32_t set = (marker & 1u) << MARKER_0 | (marker >> 1 & 1u) << MARKER_1 | (marker >> 2 & 1u) << MARKER_2;
    uint32_t all = 1u << MARKER_0 | 1u << MARKER_1 | 1u << MARKER_2;
    GPIO_BSRR(GPIOI_BASE) = set | (all & ~set) << 16;
}

void port_idle(void) {}

void board_paint_stack(void)
{
    uint32_t here;
    for (volatile uint32_t *p = stack_bottom; (uintptr_t)p + 64u < (uintptr_t)&here; p++) {
        *p = PAINT;
    }
}

uint32_t port_stack_used(void)
{
    const uint32_t *p = stack_bottom;
    while (p < stack_top && *p == PAINT) {
        p++;
    }
    return (uint32_t)((uintptr_t)stack_top - (uintptr_t)p);
}

uint32_t port_stack_total(void) { return (uint32_t)((uintptr_t)stack_top - (uintptr_t)stack_bottom); }

uint32_t port_static_ram_bytes(void)
{
    return (uint32_t)((uintptr_t)dtcm_end - (uintptr_t)dtcm_begin + (uintptr_t)sram_end - (uintptr_t)sram_begin);
}
