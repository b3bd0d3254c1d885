/* One receive register a USART: bytes that nobody takes in time are lost and flagged. */
#include "f746.h"
void test(void)
{
    clock_216();
    usart1_on(108000000u / 1000000u);
    results[0] = get(USART1);
    for (volatile int k = 0; k < 20000; k++) {} /* three more bytes come meanwhile */
    results[1] = REG(USART1 + 0x1C);
    results[2] = REG(USART1 + 0x24);
    REG(USART1 + 0x20) = 8;
    results[3] = REG(USART1 + 0x1C);
    put(USART1, 'A');
    put(USART1, 'B');
    while (!(REG(USART1 + 0x1C) & 0x40)) {}
    results[4] = 1;
}
