/* Registers and start-up shared by the test firmwares (RM0385). Each firmware is one C file that defines test(). */
#include <stdint.h>
#define REG(a) (*(volatile uint32_t *)(a))
#define RCC 0x40023800u
#define RCC_CR REG(RCC + 0x00)
#define RCC_PLLCFGR REG(RCC + 0x04)
#define RCC_CFGR REG(RCC + 0x08)
#define RCC_AHB1ENR REG(RCC + 0x30)
#define RCC_APB1ENR REG(RCC + 0x40)
#define RCC_APB2ENR REG(RCC + 0x44)
#define PWR_CR1 REG(0x40007000u)
#define PWR_CSR1 REG(0x40007004u)
#define FLASH_ACR REG(0x40023C00u)
#define GPIO(c) (0x40020000u + 0x400u * ((c) - 'A'))
#define USART1 0x40011000u
#define USART6 0x40011400u
#define DEMCR REG(0xE000EDFCu)
#define DWT_CTRL REG(0xE0001000u)
#define DWT_CYCCNT REG(0xE0001004u)
#define DWT_LAR REG(0xE0001FB0u)
#define CPACR REG(0xE000ED88u)

/* What a test finds out goes here; the Python side reads it by symbol. */
extern volatile uint32_t results[64];
void test(void);

static inline void cycle_counter_on(void)
{
    DEMCR |= 1u << 24;
    DWT_LAR = 0xC5ACCE55u;
    DWT_CYCCNT = 0;
    DWT_CTRL |= 1;
}

static inline void clock_216(void)
{
    RCC_APB1ENR |= 1u << 28;
    PWR_CR1 |= 3u << 14;
    RCC_CR |= 1u << 16;
    while (!(RCC_CR & 1u << 17)) {}
    RCC_PLLCFGR = 25u | 432u << 6 | 0u << 16 | 1u << 22 | 9u << 24;
    RCC_CR |= 1u << 24;
    PWR_CR1 |= 1u << 16;
    while (!(PWR_CSR1 & 1u << 16)) {}
    PWR_CR1 |= 1u << 17;
    while (!(PWR_CSR1 & 1u << 17)) {}
    FLASH_ACR = 7;
    while (!(RCC_CR & 1u << 25)) {}
    RCC_CFGR = 5u << 10 | 4u << 13;
    RCC_CFGR |= 2;
    while ((RCC_CFGR & 0xC) != 8) {}
}

static inline void pin_alternate(char port, unsigned pin, unsigned function)
{
    uint32_t base = GPIO(port);
    RCC_AHB1ENR |= 1u << (port - 'A');
    REG(base) = (REG(base) & ~(3u << 2 * pin)) | 2u << 2 * pin;
    volatile uint32_t *af = &REG(base + (pin > 7 ? 0x24 : 0x20));
    *af = (*af & ~(15u << 4 * (pin % 8))) | function << 4 * (pin % 8);
}

static inline void usart1_on(uint32_t brr)
{
    RCC_APB2ENR |= 1u << 4;
    pin_alternate('A', 9, 7);
    pin_alternate('B', 7, 7);
    REG(USART1 + 0x0C) = brr;
    REG(USART1) = 0xD;
}

static inline void usart6_on(uint32_t brr)
{
    RCC_APB2ENR |= 1u << 5;
    pin_alternate('C', 6, 8);
    pin_alternate('C', 7, 8);
    REG(USART6 + 0x0C) = brr;
    REG(USART6) = 0xD;
}

static inline void put(uint32_t usart, uint8_t byte)
{
    while (!(REG(usart + 0x1C) & 0x80)) {}
    REG(usart + 0x28) = byte;
}

static inline uint8_t get(uint32_t usart)
{
    while (!(REG(usart + 0x1C) & 0x20)) {}
    return (uint8_t)REG(usart + 0x24);
}

#define DONE 0x600DF00Du
