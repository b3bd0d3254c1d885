#include "f746.h"
volatile uint32_t results[64];
extern uint32_t _stack_top[], _data[], _edata[], _data_load[], _bss[], _ebss[];
void reset(void);
__attribute__((noreturn)) static void stuck(void) { for (;;) {} }
__attribute__((weak)) void systick_handler(void) { stuck(); }
__attribute__((weak)) void pendsv_handler(void) { stuck(); }
__attribute__((weak)) void svc_handler(void) { stuck(); }
__attribute__((weak)) void usart1_handler(void) { stuck(); }
__attribute__((weak)) void usart6_handler(void) { stuck(); }
__attribute__((weak)) void tim2_handler(void) { stuck(); }
__attribute__((weak)) void tim3_handler(void) { stuck(); }
typedef void (*vector)(void);
__attribute__((section(".vectors"), used)) const vector vectors[16 + 98] = {
    [0] = (vector)_stack_top, [1] = reset, [3] = stuck, [11] = svc_handler, [14] = pendsv_handler,
    [15] = systick_handler, [16 + 28] = tim2_handler, [16 + 29] = tim3_handler, [16 + 37] = usart1_handler,
    [16 + 71] = usart6_handler,
};
void *memcpy(void *to, const void *from, __SIZE_TYPE__ n)
{
    uint8_t *d = to;
    const uint8_t *s = from;
    while (n--) *d++ = *s++;
    return to;
}
void *memset(void *to, int value, __SIZE_TYPE__ n)
{
    uint8_t *d = to;
    while (n--) *d++ = (uint8_t)value;
    return to;
}
__attribute__((used, noreturn)) void reset(void)
{
    CPACR |= 0xFu << 20;
    __asm volatile("dsb\n isb");
    for (uint32_t *d = _data, *s = _data_load; d < _edata;) *d++ = *s++;
    for (uint32_t *d = _bss; d < _ebss;) *d++ = 0;
    test();
    results[63] = DONE;
    for (;;) (void)REG(0x40011000u + 0x1C); /* the board parks while USART1 is polled */
}
