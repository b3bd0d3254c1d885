/* The clock tree: HSE 25 MHz -> PLL -> 216, 128 or 64 MHz. */
#ifndef CLOCKS_H
#define CLOCKS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint32_t core_hz;
    uint32_t apb2_hz; /* USART1 and USART6 */
    uint32_t timer_hz; /* TIM2 */
} clocks_t;

extern clocks_t clocks;

/* False when `hz` is none of the three (nothing changed) or a ready bit never came (the core is left on HSI, 16 MHz). */
bool clocks_set(uint32_t hz);

#endif
