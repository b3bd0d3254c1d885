/* Every USART and timer alike, by polling and by interrupt, from a vector table in RAM. USART: 1-6, or TIMER: 2-5. */
#include "f746.h"
#ifdef USART
static const uint32_t base[7] = {0, USART1, 0x40004400u, 0x40004800u, 0x40004C00u, 0x40005000u, USART6};
static const uint8_t line[7] = {0, 37, 38, 39, 52, 53, 71};
#else
#ifndef TIMER
#define TIMER 2
#endif
static const uint32_t base[6] = {0, 0, 0x40000000u, 0x40000400u, 0x40000800u, 0x40000C00u};
static const uint8_t line[6] = {0, 0, 28, 29, 30, 50};
#endif
typedef void (*vector)(void);
static vector table[16 + 98] __attribute__((aligned(512)));
static volatile uint32_t hits, in;

static void handler(void)
{
#ifdef USART
    in = REG(base[USART] + 0x24);
#else
    REG(base[TIMER] + 0x10) = 0;
#endif
    hits++;
}

static void listen(unsigned irq)
{
    table[16 + irq] = handler;
    REG(0xE000ED08u) = (uint32_t)table;
    REG(0xE000E100u + 4 * (irq / 32)) = 1u << irq % 32;
}

void test(void)
{
    clock_216();
    cycle_counter_on();
#ifdef USART
    uint32_t u = base[USART];
    if (USART == 1 || USART == 6) {
        RCC_APB2ENR |= USART == 1 ? 1u << 4 : 1u << 5;
        pin_alternate(USART == 1 ? 'A' : 'C', USART == 1 ? 9 : 6, USART == 1 ? 7 : 8);
        pin_alternate(USART == 1 ? 'B' : 'C', 7, USART == 1 ? 7 : 8);
    } else {
        RCC_APB1ENR |= 1u << (15 + USART);
    }
    uint32_t kernel_hz = USART == 1 || USART == 6 ? 108000000u : 54000000u;
    REG(u + 0x0C) = kernel_hz / 1000000u; /* 1 Mbaud: 10 us a byte, 2,160 cycles */
    REG(u) = 0xD;
    results[0] = get(u); /* polled */
    put(u, (uint8_t)(results[0] + 1));
    uint32_t c = DWT_CYCCNT;
    while (!(REG(u + 0x1C) & 0x40)) {}
    results[1] = DWT_CYCCNT - c;
    listen(line[USART]);
    REG(u) |= 1u << 5;
    while (!hits) __asm volatile("wfi");
    results[2] = in;
    results[3] = hits;
#else
    uint32_t t = base[TIMER];
    RCC_APB1ENR |= 1u << (TIMER - 2);
    REG(t + 0x28) = 108 - 1; /* 1 MHz */
    REG(t + 0x2C) = 100 - 1;
    REG(t + 0x14) = 1;
    REG(t + 0x10) = 0;
    REG(t) = 1;
    uint32_t c = DWT_CYCCNT;
    while (!(REG(t + 0x10) & 1)) {} /* polled */
    results[0] = DWT_CYCCNT - c; /* 100 us, 21,600 cycles */
    REG(t + 0x10) = 0;
    listen(line[TIMER]);
    REG(t + 0x0C) = 1;
    c = DWT_CYCCNT;
    while (hits < 3) __asm volatile("wfi");
    results[1] = DWT_CYCCNT - c;
    REG(t) = 0;
    results[2] = hits;
    REG(t + 0x2C) = 0xFFFFFFFFu; /* 32 bits in TIM2 and TIM5, 16 in TIM3 and TIM4 */
    results[3] = REG(t + 0x2C);
#endif
}
