/* Changing the core clock by RM0385 sections 3.3.2 (wait states), 4.1.4 (voltage scaling, over-drive) and 5.2. */
#include "clocks.h"

#include <stddef.h>

#include "registers.h"

#define HSI_HZ 16000000u
#define READY_POLLS 1000000u /* far longer than any oscillator of the data sheet takes */

typedef struct {
    uint32_t hz;
    uint16_t pll_n; /* VCO = 1 MHz * N, 100..432 */
    uint8_t pll_p_code; /* 0: / 2, 1: / 4 */
    uint8_t wait_states; /* one for each 30 MHz begun after the first, at 2.7-3.6 V (table 5) */
    uint8_t voltage_scale; /* 3 to 144 MHz, 1 to 180 and, with over-drive, 216 MHz */
    uint8_t over_drive;
    uint8_t apb1_code, apb2_code; /* PPRE: 0 = / 1, 4 = / 2, 5 = / 4; APB1 <= 54 MHz, APB2 <= 108 MHz */
    uint8_t apb1_divider, apb2_divider;
} setting_t;

static const setting_t settings[] = {
    {216000000u, 432, 0, 7, 1, 1, 5, 4, 4, 2},
    {128000000u, 256, 0, 4, 3, 0, 5, 4, 4, 2},
    {64000000u, 256, 1, 2, 3, 0, 4, 0, 2, 1},
};

clocks_t clocks = {HSI_HZ, HSI_HZ, HSI_HZ};

static bool ready(volatile uint32_t *reg, uint32_t mask, uint32_t wanted)
{
    for (uint32_t i = 0; i < READY_POLLS; i++) {
        if ((*reg & mask) == wanted) {
            return true;
        }
    }
    return false;
}

/* On HSI with the PLL and over-drive off: the only state in which VOS and PLLCFGR may change. */
static bool fall_back(void)
{
    RCC_CR |= RCC_CR_HSION;
    if (!ready(&RCC_CR, RCC_CR_HSIRDY, RCC_CR_HSIRDY)) {
        return false;
    }
    RCC_CFGR = (RCC_CFGR & ~RCC_CFGR_SW_MASK) | RCC_CFGR_SW_HSI;
    if (!ready(&RCC_CFGR, RCC_CFGR_SW_MASK << 2, RCC_CFGR_SW_HSI << 2)) {
        return false;
    }
    PWR_CR1 &= ~(PWR_CR1_ODEN | PWR_CR1_ODSWEN);
    RCC_CR &= ~RCC_CR_PLLON;
    clocks = (clocks_t){HSI_HZ, HSI_HZ, HSI_HZ};
    RCC_CFGR &= ~(RCC_CFGR_PPRE1(7) | RCC_CFGR_PPRE2(7));
    return ready(&RCC_CR, RCC_CR_PLLRDY, 0) && ready(&PWR_CSR1, PWR_CSR1_ODSWRDY, 0);
}

static bool start_pll(const setting_t *s)
{
    RCC_CR |= RCC_CR_HSEON;
    if (!ready(&RCC_CR, RCC_CR_HSERDY, RCC_CR_HSERDY)) {
        return false;
    }
    PWR_CR1 = (PWR_CR1 & ~PWR_CR1_VOS_MASK) | PWR_CR1_VOS(s->voltage_scale);
    RCC_PLLCFGR = 25u /* M: 1 MHz */ | (uint32_t)s->pll_n << 6 | (uint32_t)s->pll_p_code << 16 | RCC_PLLCFGR_HSE |
                  9u << 24 /* Q: 48 MHz or less */ | RCC_PLLCFGR_RESERVED;
    RCC_CR |= RCC_CR_PLLON;
    if (!ready(&RCC_CR, RCC_CR_PLLRDY, RCC_CR_PLLRDY) || !ready(&PWR_CSR1, PWR_CSR1_VOSRDY, PWR_CSR1_VOSRDY)) {
        return false;
    }
    if (s->over_drive) {
        PWR_CR1 |= PWR_CR1_ODEN;
        if (!ready(&PWR_CSR1, PWR_CSR1_ODRDY, PWR_CSR1_ODRDY)) {
            return false;
        }
        PWR_CR1 |= PWR_CR1_ODSWEN;
        return ready(&PWR_CSR1, PWR_CSR1_ODSWRDY, PWR_CSR1_ODSWRDY);
    }
    return true;
}

static bool set_wait_states(unsigned states)
{
    FLASH_ACR = (FLASH_ACR & ~FLASH_ACR_LATENCY_MASK) | states;
    return ready(&FLASH_ACR, FLASH_ACR_LATENCY_MASK, states);
}

bool clocks_set(uint32_t hz)
{
    const setting_t *s = NULL;
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        s = settings[i].hz == hz ? &settings[i] : s;
    }
    if (s == NULL) {
        return false;
    }
    RCC_APB1ENR |= RCC_APB1ENR_PWR;
    (void)RCC_APB1ENR; /* the clock runs two cycles after the write (section 5.2.18) */
    if (!fall_back() || !start_pll(s) || !set_wait_states(s->wait_states)) {
        return false;
    }
    RCC_CFGR |= RCC_CFGR_PPRE1(s->apb1_code) | RCC_CFGR_PPRE2(s->apb2_code);
    RCC_CFGR = (RCC_CFGR & ~RCC_CFGR_SW_MASK) | RCC_CFGR_SW_PLL;
    if (!ready(&RCC_CFGR, RCC_CFGR_SW_MASK << 2, RCC_CFGR_SW_PLL << 2)) {
        return false;
    }
    /* Timers run at twice their bus where it is divided (section 5.2, TIMPRE = 0). */
    clocks = (clocks_t){hz, hz / s->apb2_divider, 2u * hz / s->apb1_divider};
    return true;
}
