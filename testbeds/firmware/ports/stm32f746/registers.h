/* The registers of the STM32F746 that this firmware touches: addresses and bits from RM0385 (reference manual,
 * section 2.2.2 memory map and the section named beside each block) and PM0253 (Cortex-M7 core registers). */
#ifndef REGISTERS_H
#define REGISTERS_H

#include <stdint.h>

#define REG(address) (*(volatile uint32_t *)(address))

/* PWR, section 4.4 */
#define PWR_CR1 REG(0x40007000u)
#define PWR_CSR1 REG(0x40007004u)
#define PWR_CR1_VOS(scale) ((4u - (scale)) << 14) /* scale 1 = 0b11, 2 = 0b10, 3 = 0b01 */
#define PWR_CR1_VOS_MASK (3u << 14)
#define PWR_CR1_ODEN (1u << 16)
#define PWR_CR1_ODSWEN (1u << 17)
#define PWR_CSR1_VOSRDY (1u << 14)
#define PWR_CSR1_ODRDY (1u << 16)
#define PWR_CSR1_ODSWRDY (1u << 17)

/* FLASH interface, section 3.7.1 */
#define FLASH_ACR REG(0x40023c00u)
#define FLASH_ACR_LATENCY_MASK 15u

/* RCC, section 5.3 */
#define RCC_CR REG(0x40023800u)
#define RCC_CR_HSION (1u << 0)
#define RCC_CR_HSIRDY (1u << 1)
#define RCC_CR_HSEON (1u << 16)
#define RCC_CR_HSERDY (1u << 17)
#define RCC_CR_PLLON (1u << 24)
#define RCC_CR_PLLRDY (1u << 25)
#define RCC_PLLCFGR REG(0x40023804u)
#define RCC_PLLCFGR_RESERVED (2u << 28) /* "must be kept at reset value" */
#define RCC_PLLCFGR_HSE (1u << 22)
#define RCC_CFGR REG(0x40023808u)
#define RCC_CFGR_SW_MASK 3u
#define RCC_CFGR_SW_HSI 0u
#define RCC_CFGR_SW_PLL 2u
#define RCC_CFGR_PPRE1(code) ((uint32_t)(code) << 10)
#define RCC_CFGR_PPRE2(code) ((uint32_t)(code) << 13)
#define RCC_AHB1ENR REG(0x40023830u)
#define RCC_AHB1ENR_GPIOA (1u << 0)
#define RCC_AHB1ENR_GPIOB (1u << 1)
#define RCC_AHB1ENR_GPIOC (1u << 2)
#define RCC_AHB1ENR_GPIOG (1u << 6)
#define RCC_AHB1ENR_GPIOI (1u << 8)
#define RCC_APB1ENR REG(0x40023840u)
#define RCC_APB1ENR_TIM2 (1u << 0)
#define RCC_APB1ENR_PWR (1u << 28)
#define RCC_APB2ENR REG(0x40023844u)
#define RCC_APB2ENR_USART1 (1u << 4)
#define RCC_APB2ENR_USART6 (1u << 5)

/* GPIO, section 6.4 */
#define GPIOA_BASE 0x40020000u
#define GPIOB_BASE 0x40020400u
#define GPIOC_BASE 0x40020800u
#define GPIOG_BASE 0x40021800u
#define GPIOI_BASE 0x40022000u
#define GPIO_MODER(base) REG((base) + 0x00u)
#define GPIO_OTYPER(base) REG((base) + 0x04u)
#define GPIO_OSPEEDR(base) REG((base) + 0x08u)
#define GPIO_PUPDR(base) REG((base) + 0x0cu)
#define GPIO_IDR(base) REG((base) + 0x10u)
#define GPIO_BSRR(base) REG((base) + 0x18u)
#define GPIO_AFR(base, pin) REG((base) + ((pin) < 8u ? 0x20u : 0x24u))

/* USART, section 31.8 */
#define USART1_BASE 0x40011000u
#define USART6_BASE 0x40011400u
#define USART_CR1(base) REG((base) + 0x00u)
#define USART_CR1_UE (1u << 0)
#define USART_CR1_RE (1u << 2)
#define USART_CR1_TE (1u << 3)
#define USART_CR1_OVER8 (1u << 15)
#define USART_BRR(base) REG((base) + 0x0cu)
#define USART_ISR(base) REG((base) + 0x1cu)
#define USART_ISR_FE (1u << 1)
#define USART_ISR_NE (1u << 2)
#define USART_ISR_ORE (1u << 3)
#define USART_ISR_RXNE (1u << 5)
#define USART_ISR_TC (1u << 6)
#define USART_ISR_TXE (1u << 7)
#define USART_ICR(base) REG((base) + 0x20u)
#define USART_RDR(base) REG((base) + 0x24u)
#define USART_TDR(base) REG((base) + 0x28u)

/* TIM2, section 23.4: 32 bits */
#define TIM2_CR1 REG(0x40000000u)
#define TIM2_EGR REG(0x40000014u)
#define TIM2_CNT REG(0x40000024u)
#define TIM2_PSC REG(0x40000028u)
#define TIM2_ARR REG(0x4000002cu)
#define TIM2_CCR1 REG(0x40000034u)

/* Core: PM0253 sections 4.3 (SCB), 4.8 (caches); DWT and DEMCR: ARMv7-M architecture manual, C1.6 and C1.8 */
#define SCB_VTOR REG(0xe000ed08u)
#define SCB_CCR REG(0xe000ed14u)
#define SCB_CCR_IC (1u << 17)
#define SCB_CCR_DC (1u << 16)
#define SCB_CFSR REG(0xe000ed28u)
#define SCB_HFSR REG(0xe000ed2cu)
#define SCB_MMFAR REG(0xe000ed34u)
#define SCB_BFAR REG(0xe000ed38u)
#define SCB_CPACR REG(0xe000ed88u)
#define SCB_ICIALLU REG(0xe000ef50u)
#define SCB_DCISW REG(0xe000ef60u)
#define DEMCR REG(0xe000edfcu)
#define DEMCR_TRCENA (1u << 24)
#define DWT_CTRL REG(0xe0001000u)
#define DWT_CYCCNT REG(0xe0001004u)
#define DWT_LAR REG(0xe0001fb0u)

#endif
