/* Peripherals without their clock, a locked cycle counter, registers that nobody models. */
#include "f746.h"
void test(void)
{
    REG(USART1 + 0x0C) = 1234; /* no clock: the write is lost */
    results[0] = REG(USART1 + 0x0C);
    RCC_APB2ENR |= 1u << 4;
    REG(USART1 + 0x0C) = 1234;
    results[1] = REG(USART1 + 0x0C);
    results[2] = DWT_CYCCNT;
    DWT_CTRL |= 1; /* TRCENA off and locked */
    results[3] = DWT_CYCCNT;
    DEMCR |= 1u << 24;
    DWT_CTRL |= 1; /* still locked */
    results[4] = DWT_CTRL & 1;
    results[5] = REG(0xE0001FB4u);
    DWT_LAR = 0xC5ACCE55u;
    DWT_CYCCNT = 0;
    DWT_CTRL |= 1;
    results[6] = DWT_CTRL & 1;
    uint32_t a = DWT_CYCCNT;
    __asm volatile(".rept 40\n adds r0, r0, #1\n .endr" ::: "r0", "cc");
    results[7] = DWT_CYCCNT - a;
    DWT_CTRL &= ~1u;
    a = DWT_CYCCNT;
    __asm volatile(".rept 40\n adds r0, r0, #1\n .endr" ::: "r0", "cc");
    results[8] = DWT_CYCCNT - a;
    (void)REG(0x40016800u); /* LTDC: not modelled */
    REG(USART1 + 0x30) = 5; /* no such register */
    results[9] = *(volatile uint16_t *)0x1FF0F442u; /* flash size in KB */
    results[10] = REG(0xE000ED00u);
    results[11] = REG(0x00200000u) == REG(0x08000000u); /* the flash's alias */
}
