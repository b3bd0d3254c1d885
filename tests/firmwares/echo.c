/* Echoes whole lines of bytes up to a zero: what the console does with a frame. */
#include "f746.h"
void test(void)
{
    static uint8_t line[256];
    clock_216();
    cycle_counter_on();
    usart1_on(108000000u / 1000000u);
    for (;;) {
        unsigned n = 0;
        uint8_t byte;
        do { byte = get(USART1); if (n < sizeof line) line[n++] = byte; } while (byte);
        results[0] = DWT_CYCCNT;
        for (unsigned k = 0; k < n; k++) put(USART1, line[k]);
    }
}
