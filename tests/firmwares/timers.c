/* TIM2 (32 bits) and TIM3 (16 bits): prescaler, reload, update flag, one pulse, interrupt; a delay by polling. */
#include "f746.h"
#define TIM2 0x40000000u
#define TIM3 0x40000400u
static volatile uint32_t ticks;
void tim3_handler(void)
{
    REG(TIM3 + 0x10) = 0;
    ticks++;
}
void test(void)
{
    clock_216();
    cycle_counter_on();
    RCC_APB1ENR |= 3;
    REG(TIM2 + 0x28) = 108 - 1; /* 1 MHz */
    REG(TIM2 + 0x14) = 1;
    REG(TIM2 + 0x10) = 0;
    REG(TIM2) = 1;
    uint32_t c = DWT_CYCCNT, t = REG(TIM2 + 0x24);
    while (REG(TIM2 + 0x24) - t < 1000) {}
    results[0] = DWT_CYCCNT - c;                 /* 216,000 and a little */
    REG(TIM3 + 0x28) = 10800 - 1;                /* 10 kHz */
    REG(TIM3 + 0x2C) = 10 - 1;                   /* 1 ms */
    REG(TIM3 + 0x14) = 1;
    REG(TIM3 + 0x10) = 0;
    REG(TIM3) = 1 | 8; /* one pulse */
    c = DWT_CYCCNT;
    while (!(REG(TIM3 + 0x10) & 1)) {}
    results[1] = DWT_CYCCNT - c;
    results[2] = REG(TIM3) & 1;                  /* stopped by itself */
    REG(TIM3 + 0x10) = 0;
    REG(TIM3 + 0x0C) = 1;
    REG(0xE000E100u) = 1u << 29;
    REG(TIM3) = 1;
    c = DWT_CYCCNT;
    while (ticks < 5) __asm volatile("wfi");
    results[3] = DWT_CYCCNT - c;                 /* 5 ms */
    REG(TIM3) = 0;
    results[4] = ticks;
    REG(TIM2 + 0x24) = 5;
    results[5] = REG(TIM2 + 0x24);
}
