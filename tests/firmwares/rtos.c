/* What a small RTOS does: two threads on PSP, SysTick, PendSV switches with floating-point state, SVC, BASEPRI. */
#include "f746.h"
static uint32_t stacks[2][256];
static uint32_t *saved[2];
static volatile uint32_t current, switches, ticks, counts[2], svc_number, nested;
volatile float sums[2];
#define ICSR REG(0xE000ED04u)

void systick_handler(void)
{
    ticks++;
    ICSR = 1u << 28;
}

__attribute__((used)) static uint32_t *next_thread(uint32_t *sp)
{
    saved[current] = sp;
    current ^= 1;
    switches++;
    return saved[current];
}

__attribute__((naked)) void pendsv_handler(void)
{
    __asm volatile("mrs r0, psp\n"
                   "tst lr, #0x10\n"
                   "it eq\n"
                   "vstmdbeq r0!, {s16-s31}\n"
                   "stmdb r0!, {r4-r11, lr}\n"
                   "bl next_thread\n"
                   "ldmia r0!, {r4-r11, lr}\n"
                   "tst lr, #0x10\n"
                   "it eq\n"
                   "vldmiaeq r0!, {s16-s31}\n"
                   "msr psp, r0\n"
                   "bx lr\n");
}

__attribute__((used)) static void svc_number_of(uint32_t *frame) { svc_number = ((uint8_t *)frame[6])[-2]; }
__attribute__((naked)) void svc_handler(void)
{
    __asm volatile("tst lr, #4\n ite eq\n mrseq r0, msp\n mrsne r0, psp\n push {r3, lr}\n bl svc_number_of\n pop {r3, pc}\n");
}

/* USART1 at a higher priority than SysTick: comes in the middle of it when it is pended by software. */
void usart1_handler(void)
{
    uint32_t ipsr;
    __asm volatile("mrs %0, ipsr" : "=r"(ipsr));
    results[9] = ipsr;
    nested++;
}
void tim2_handler(void)
{
    REG(0xE000E204u) = 1u << 5; /* pend USART1 (IRQ 37) */
    __asm volatile("dsb\n isb\n nop\n nop");
    results[10] = nested; /* already served: it preempted */
}

static void thread(void)
{
    uint32_t me = current;
    float x = (float)me + 1.0f;
    while (ticks < 12) {
        counts[me]++;
        x = x * 1.0001f + 0.5f;
        sums[me] = x;
        for (volatile int k = 0; k < 20; k++) {}
    }
    if (me == 0) {
        __asm volatile("svc 42");
        REG(0xE000E010u) = 0;
        results[0] = switches;
        results[1] = ticks;
        results[2] = counts[0] > 100 && counts[1] > 100;
        results[3] = svc_number;
        results[4] = sums[0] > 1.0f && sums[1] > 2.0f;
        /* priorities: IRQ 28 (TIM2) at 0x80, IRQ 37 (USART1) at 0x40 */
        *(volatile uint8_t *)(0xE000E400u + 28) = 0x80;
        *(volatile uint8_t *)(0xE000E400u + 37) = 0x40;
        REG(0xE000E100u) = 1u << 28;
        REG(0xE000E104u) = 1u << 5;
        REG(0xE000E200u) = 1u << 28;
        __asm volatile("dsb\n isb\n nop");
        results[5] = nested;
        uint32_t mask = 0x40;
        __asm volatile("msr basepri, %0" ::"r"(mask));
        REG(0xE000E204u) = 1u << 5;
        __asm volatile("dsb\n isb\n nop");
        results[6] = nested; /* held back */
        mask = 0;
        __asm volatile("msr basepri, %0" ::"r"(mask));
        __asm volatile("nop\n b 1f\n 1: nop");
        results[7] = nested;
        results[63] = DONE;
        for (;;) (void)REG(USART1 + 0x1C);
    }
    for (;;) __asm volatile("wfi");
}

static uint32_t *fresh(uint32_t *stack)
{
    uint32_t *sp = stack + 256;
    *--sp = 1u << 24;
    *--sp = (uint32_t)thread & ~1u;
    for (int k = 0; k < 6; k++) *--sp = 0;
    *--sp = 0xFFFFFFFDu;
    for (int k = 0; k < 8; k++) *--sp = 0;
    return sp;
}

void test(void)
{
    clock_216();
    RCC_APB2ENR |= 1u << 4;
    saved[1] = fresh(stacks[1]);
    *(volatile uint8_t *)0xE000ED22u = 0xF0; /* PendSV lowest */
    *(volatile uint8_t *)0xE000ED23u = 0xF0; /* SysTick lowest */
    REG(0xE000E014u) = 216000 - 1; /* 1 ms */
    REG(0xE000E018u) = 0;
    uint32_t top = (uint32_t)(stacks[0] + 256);
    __asm volatile("msr psp, %0\n movs r0, #2\n msr control, r0\n isb" ::"r"(top) : "r0");
    REG(0xE000E010u) = 7;
    thread();
}
