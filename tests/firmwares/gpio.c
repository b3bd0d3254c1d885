/* GPIO: set and reset, input with pull-up, alternate functions; SYSCFG, MPU and cache registers keep what they are told. */
#include "f746.h"
void test(void)
{
    RCC_AHB1ENR |= 1u << 8 | 1u;
    uint32_t I = GPIO('I');
    REG(I) = 1u << 0 | 1u << 4 | 1u << 6; /* PI0, PI2, PI3 outputs */
    REG(I + 0x18) = 1u;
    results[0] = REG(I + 0x14);
    REG(I + 0x18) = 1u << 3;
    REG(I + 0x18) = 1u << 16;
    REG(I + 0x18) = 1u << 2;
    REG(I + 0x18) = (1u << 2 | 1u << 3) << 16;
    results[1] = REG(I + 0x14);
    REG(I + 0x0C) = 1u << 22; /* PI11: the blue button's pin, pulled up here */
    results[2] = REG(I + 0x10) >> 11 & 1;
    results[3] = REG(GPIO('A')); /* reset value: debug pins in alternate function */
    *(volatile uint16_t *)(I + 0x14) = 8; /* half-word access */
    results[4] = REG(I + 0x14);
    RCC_APB2ENR |= 1u << 14;
    REG(0x40013808u) = 0x1234;
    results[5] = REG(0x40013808u);
    REG(0xE000ED98u) = 3;
    REG(0xE000ED9Cu) = 0x20010000u;
    REG(0xE000EDA0u) = 0x03080023u;
    REG(0xE000ED98u) = 0;
    results[6] = REG(0xE000ED9Cu);
    REG(0xE000ED98u) = 3;
    results[7] = REG(0xE000ED9Cu);
    results[8] = REG(0xE000EDA0u);
    REG(0xE000EF50u) = 0; /* ICIALLU */
    REG(0xE000ED14u) |= 3u << 16;
    results[9] = REG(0xE000ED14u) >> 16 & 3;
    results[10] = REG(0xE000ED80u); /* CCSIDR */
    REG(0x40023810u) = 1u << 8; /* reset GPIOI through RCC */
    REG(0x40023810u) = 0;
    results[11] = REG(I);
}
