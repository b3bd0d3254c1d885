/* USART1 (PA9, PB7: the Discovery's ST-Link port) and USART6 (PC6, PC7: its Arduino connector). A receiver holds one
 * byte: while anything else is done for longer than a byte time (540 cycles at 4 Mbaud and 216 MHz), port_module_poll
 * must be called. Bytes taken in while sending wait in a ring. */
#include "uart.h"

#include "bench_config.h" /* CONSOLE_BAUD, from bench.toml */
#include "clocks.h"
#include "port.h"
#include "registers.h"

#define RING_BYTES 2048u
#define POLLS_BEFORE_NONE 16u

static uint8_t ring[RING_BYTES];
static uint32_t ring_in, ring_out; /* free-running */
static uint32_t module_baud = 115200, module_overruns, console_overruns;

#define MODULE_EN 6u  /* PG6, D2: open drain; a module has its own pull-up */
#define MODULE_RTS 7u /* PG7, D4: low while the module takes bytes; pulled up, so that a missing wire is noticed */
#define EN_LOW_US 10000u
#define HELD_US 100000u /* a module that holds us back for so long is not coming back */
static bool flow;

static void alternate(uint32_t base, unsigned pin, unsigned function)
{
    unsigned nibble = (pin & 7u) * 4u;
    GPIO_AFR(base, pin) = (GPIO_AFR(base, pin) & ~(15u << nibble)) | function << nibble;
    GPIO_MODER(base) = (GPIO_MODER(base) & ~(3u << 2 * pin)) | 2u << 2 * pin;
    GPIO_OSPEEDR(base) |= 3u << 2 * pin;
    GPIO_PUPDR(base) = (GPIO_PUPDR(base) & ~(3u << 2 * pin)) | 1u << 2 * pin;
}

/* Oversampling by 16 where the divider allows, else by 8 (RM0385 section 31.5.4). False: off by more than 2 %. */
static bool set_baud(uint32_t base, uint32_t baud)
{
    uint32_t divider = (clocks.apb2_hz + baud / 2) / baud, control = USART_CR1_RE | USART_CR1_TE, brr = divider;
    if (divider == 0) {
        return false;
    }
    uint32_t real = clocks.apb2_hz / divider;
    if (divider < 16) {
        uint32_t doubled = (2 * clocks.apb2_hz + baud / 2) / baud;
        if (doubled < 16) {
            return false;
        }
        real = 2 * clocks.apb2_hz / doubled;
        brr = (doubled & ~15u) | (doubled & 15u) >> 1;
        control |= USART_CR1_OVER8;
    } else if (divider > 0xffff) {
        return false;
    }
    uint32_t off = real > baud ? real - baud : baud - real;
    if (off > baud / 50) {
        return false;
    }
    USART_CR1(base) = 0;
    USART_BRR(base) = brr;
    USART_CR1(base) = control;
    USART_CR1(base) = control | USART_CR1_UE;
    return true;
}

bool uart_clock_changed(void) { return set_baud(USART1_BASE, CONSOLE_BAUD) && set_baud(USART6_BASE, module_baud); }

void uart_init(void)
{
    RCC_AHB1ENR |= RCC_AHB1ENR_GPIOA | RCC_AHB1ENR_GPIOB | RCC_AHB1ENR_GPIOC | RCC_AHB1ENR_GPIOG;
    RCC_APB2ENR |= RCC_APB2ENR_USART1 | RCC_APB2ENR_USART6;
    (void)RCC_APB2ENR;
    alternate(GPIOA_BASE, 9, 7);
    alternate(GPIOB_BASE, 7, 7);
    alternate(GPIOC_BASE, 6, 8);
    alternate(GPIOC_BASE, 7, 8);
    GPIO_PUPDR(GPIOG_BASE) |= 1u << 2 * MODULE_RTS;
    GPIO_BSRR(GPIOG_BASE) = 1u << MODULE_EN;
    GPIO_OTYPER(GPIOG_BASE) |= 1u << MODULE_EN;
    GPIO_MODER(GPIOG_BASE) |= 1u << 2 * MODULE_EN;
    (void)uart_clock_changed();
}

void uart_quiesce(void)
{
    while ((USART_ISR(USART1_BASE) & USART_ISR_TC) == 0 || (USART_ISR(USART6_BASE) & USART_ISR_TC) == 0) {
    }
}

/* Clears what went wrong on a line and counts it; the byte that is held is still good after an overrun. */
static inline void clear_errors(uint32_t base, uint32_t status, uint32_t *overruns)
{
    const uint32_t errors = USART_ISR_ORE | USART_ISR_FE | USART_ISR_NE;
    if ((status & errors) != 0) {
        *overruns += (status & USART_ISR_ORE) != 0;
        USART_ICR(base) = status & errors;
    }
}

static inline void take_in(uint32_t status)
{
    if ((status & USART_ISR_RXNE) != 0) {
        uint8_t byte = (uint8_t)USART_RDR(USART6_BASE);
        if (ring_in - ring_out < RING_BYTES) {
            ring[ring_in++ % RING_BYTES] = byte;
        } else {
            module_overruns++;
        }
    }
    clear_errors(USART6_BASE, status, &module_overruns);
}

void port_module_poll(void) { take_in(USART_ISR(USART6_BASE)); }

int port_module_read(void)
{
    for (unsigned polls = POLLS_BEFORE_NONE; polls != 0; polls--) {
        port_module_poll();
        if (ring_in != ring_out) {
            return ring[ring_out++ % RING_BYTES];
        }
    }
    return -1;
}

/* Waits while the module holds us back. True: it does so for ever. */
static bool held(void)
{
    uint32_t begin = port_time_us();
    while (!port_module_may_send()) {
        port_module_poll();
        if (port_time_us() - begin > HELD_US) {
            return true;
        }
    }
    return false;
}

void port_module_write(const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t status;
        do {
            status = USART_ISR(USART6_BASE);
            take_in(status);
        } while ((status & USART_ISR_TXE) == 0);
        if (!port_module_may_send() && held()) {
            return; /* what is missing ends in a time-out, and CONNECT mends it */
        }
        USART_TDR(USART6_BASE) = bytes[i];
    }
}

bool port_module_set_baud(uint32_t baud)
{
    while ((USART_ISR(USART6_BASE) & USART_ISR_TC) == 0) {
        port_module_poll();
    }
    if (!set_baud(USART6_BASE, baud)) {
        return false;
    }
    module_baud = baud;
    return true;
}

bool port_module_set_flow(bool on)
{
    flow = on;
    return true;
}

bool port_module_may_send(void) { return !flow || (GPIO_IDR(GPIOG_BASE) >> MODULE_RTS & 1u) == 0; }

void port_module_restart(void)
{
    GPIO_BSRR(GPIOG_BASE) = 1u << (MODULE_EN + 16u);
    for (uint32_t begin = port_time_us(); port_time_us() - begin < EN_LOW_US;) {
        port_module_poll();
    }
    GPIO_BSRR(GPIOG_BASE) = 1u << MODULE_EN;
}

uint32_t port_module_overruns(void) { return module_overruns; }

int port_console_read(void)
{
    uint32_t status = USART_ISR(USART1_BASE);
    int byte = (status & USART_ISR_RXNE) != 0 ? (int)(USART_RDR(USART1_BASE) & 0xffu) : -1;
    clear_errors(USART1_BASE, status, &console_overruns);
    return byte;
}

void port_console_write(const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        while ((USART_ISR(USART1_BASE) & USART_ISR_TXE) == 0) {
            port_module_poll();
        }
        USART_TDR(USART1_BASE) = bytes[i];
    }
}

uint32_t port_console_overruns(void) { return console_overruns; }
