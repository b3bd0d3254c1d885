/* What the chip does not let a firmware do; CASE chooses. results[0] is set just before. */
#include "f746.h"
#ifndef CASE
#define CASE 0
#endif
void test(void)
{
    results[0] = 1;
#if CASE == 1 /* 216 MHz with too few wait states */
    RCC_APB1ENR |= 1u << 28;
    PWR_CR1 |= 3u << 14;
    RCC_CR |= 1u << 16;
    RCC_PLLCFGR = 25u | 432u << 6 | 1u << 22 | 9u << 24;
    RCC_CR |= 1u << 24;
    PWR_CR1 |= 3u << 16;
    FLASH_ACR = 6;
    RCC_CFGR = 5u << 10 | 4u << 13 | 2;
#elif CASE == 2 /* 216 MHz without over-drive */
    RCC_APB1ENR |= 1u << 28;
    PWR_CR1 |= 3u << 14;
    RCC_CR |= 1u << 16;
    RCC_PLLCFGR = 25u | 432u << 6 | 1u << 22 | 9u << 24;
    RCC_CR |= 1u << 24;
    FLASH_ACR = 7;
    RCC_CFGR = 5u << 10 | 4u << 13 | 2;
#elif CASE == 3 /* a write to flash */
    *(volatile uint32_t *)0x08001000u = 1;
#elif CASE == 4 /* above the 320 KB */
    results[1] = *(volatile uint32_t *)0x20050000u;
#elif CASE == 5 /* a jump to nowhere */
    ((void (*)(void))0x60000001u)();
#elif CASE == 6 /* an undefined instruction */
    __asm volatile(".short 0xde00");
#elif CASE == 7 /* the FPU while CPACR keeps it off */
    CPACR = 0;
    __asm volatile("dsb\n isb\n vadd.f32 s0, s0, s0");
#elif CASE == 8 /* a PLL that the chip can't lock */
    RCC_PLLCFGR = 2u | 432u << 6;
    RCC_CR |= 1u << 24;
    RCC_CFGR = 2;
#elif CASE == 9 /* APB1 too fast */
    RCC_APB1ENR |= 1u << 28;
    PWR_CR1 |= 3u << 14;
    RCC_CR |= 1u << 16;
    RCC_PLLCFGR = 25u | 432u << 6 | 1u << 22 | 9u << 24;
    RCC_CR |= 1u << 24;
    PWR_CR1 |= 3u << 16;
    FLASH_ACR = 7;
    RCC_CFGR = 4u << 13 | 2;
#elif CASE == 10 /* a breakpoint */
    __asm volatile("bkpt 0");
#elif CASE == 11 /* SYSCLK from an oscillator that is off */
    RCC_CFGR = 1;
#elif CASE == 12 /* flash above 1 MB */
    results[1] = *(volatile uint32_t *)0x08100000u;
#elif CASE >= 13 && CASE <= 17 /* unaligned, by what moves whole words */
    uint32_t at = 0x20008002u;
    __asm volatile("ldr r2, [%0]\n ldrh r2, [%0, #1]\n str r2, [%0]" : : "r"(at) : "r2", "memory"); /* these may */
#if CASE == 13
    __asm volatile("ldrd r2, r3, [%0]" : : "r"(at) : "r2", "r3");
#elif CASE == 14
    __asm volatile("ldm %0, {r2, r3}" : : "r"(at) : "r2", "r3");
#elif CASE == 15
    __asm volatile("strd r2, r3, [%0, #4]" : : "r"(at) : "memory");
#elif CASE == 16
    __asm volatile("stm %0, {r2, r3}" : : "r"(at) : "memory");
#else
    CPACR |= 15u << 20;
    __asm volatile("dsb\n isb\n vldr s0, [%0]" : : "r"(at) : "s0");
#endif
#endif
    results[2] = 1;
}
