/* Waits with a time-out of its own for a byte that never comes, watching the cycle counter; then says so. */
#include "f746.h"
void test(void)
{
    clock_216();
    cycle_counter_on();
    usart1_on(108000000u / 1000000u);
    usart6_on(108000000u / 1000000u);
    for (;;) {
        uint8_t command = get(USART1);
        uint32_t start = DWT_CYCCNT;
        while (!(REG(USART6 + 0x1C) & 0x20) && DWT_CYCCNT - start < 216000u * 30u) {}
        results[0] = DWT_CYCCNT - start;
        put(USART1, command);
        put(USART1, 0);
    }
}
