/* Functions whose cycles are pinned: one for each kind of instruction and memory access that the cycle model knows. */
#include "f746.h"
#include <arm_acle.h>

volatile int32_t sink;
volatile float float_sink;
static int8_t weights[2048] __attribute__((section(".far")));
static int16_t inputs[2048] __attribute__((section(".far")));
static uint32_t words[1024] __attribute__((section(".far")));
static uint32_t close_words[256];
static const uint8_t table[1024] = {1, 2, 3, 5, 7, 11, 13, 17, 19, 23, [512] = 9, [777] = 4};

__attribute__((noinline, used)) void fill(void)
{
    for (int k = 0; k < 2048; k++) { weights[k] = (int8_t)(k * 7); inputs[k] = (int16_t)(k * 3 - 1000); }
    for (int k = 0; k < 1024; k++) words[k] = (uint32_t)k * 2654435761u;
    for (int k = 0; k < 256; k++) close_words[k] = (uint32_t)k * 40503u;
}

__attribute__((noinline, used)) void multiply_accumulate(void)
{
    int32_t sum = 0;
    for (int round = 0; round < 8; round++)
        for (int k = 0; k < 2048; k += 4)
            sum += weights[k] * inputs[k] + weights[k + 1] * inputs[k + 1] + weights[k + 2] * inputs[k + 2] +
                   weights[k + 3] * inputs[k + 3];
    sink = sum;
}

__attribute__((noinline, used)) void dsp(void)
{
    int32_t sum = 0;
    for (int k = 0; k < 512; k++) {
        int32_t pair = (int32_t)words[k];
        sum = __smlad(__sxtb16(pair), __sxtb16((int32_t)__ror((uint32_t)pair, 8)), sum);
        sum = __ssat(sum, 24);
    }
    sink = sum;
}

__attribute__((noinline, used)) void divide(void)
{
    uint32_t sum = 0;
    for (uint32_t k = 1; k < 300; k++) sum += words[k] / k + (uint32_t)((int32_t)words[k] / (int32_t)(k + 3));
    sink = (int32_t)sum;
}

__attribute__((noinline, used)) void floating(void)
{
    float sum = 0.0f;
    for (int k = 1; k < 200; k++) {
        float root = (float)k;
        __asm("vsqrt.f32 %0, %0" : "+t"(root));
        sum += (float)inputs[k] / (float)k + root * 0.5f;
    }
    float_sink = sum;
}

__attribute__((noinline)) static uint32_t pick(uint32_t k, uint32_t x)
{
    switch (k & 7) {
    case 0: return x + 1;
    case 1: return x ^ 0x55;
    case 2: return x * 3;
    case 3: return x << 3;
    case 4: return x - 9;
    case 5: return ~x;
    case 6: return x >> 1;
    default: return x | 1;
    }
}

__attribute__((noinline, used)) void branches(void)
{
    uint32_t x = 12345;
    for (uint32_t k = 0; k < 1000; k++) {
        x = pick(table[(k * 37) & 1023] + (x >> 5), x);
        if (x & 4) x += 3; else x ^= k;
        if ((x & 0xff) < 20) words[k & 1023] = x;
    }
    sink = (int32_t)x;
}

__attribute__((noinline, used)) void transfers(void)
{
    uint32_t *far = words, *near = close_words;
    __asm volatile(
        "mov r8, #200\n"
        "1: ldmia %0!, {r2-r5}\n"
        "stmia %1, {r2-r5}\n"
        "ldrd r2, r3, [%0, #-8]\n"
        "strd r2, r3, [%1, #16]\n"
        "ldr r4, [%0], #4\n"
        "str r4, [%1, #4]!\n"
        "ldr r5, [%0, #2]\n" /* unaligned */
        "ldrsh r6, [%0, r8]\n"
        "ldrb r6, [%1, r8, lsl #1]\n"
        "push {r2-r6}\n"
        "pop {r2-r6}\n"
        "vldmia %1, {s0-s7}\n"
        "vstmia %0, {s0-s3}\n"
        "vldr s8, [%0, #4]\n"
        "vldr d5, [%1]\n"
        "vpush {d4-d7}\n"
        "vpop {d4-d7}\n"
        "vldmdb %0!, {d0-d1}\n"
        "stmdb %0, {r2-r3}\n"
        "sub %1, #4\n"
        "add %0, #8\n"
        "subs r8, #1\n"
        "bne 1b\n"
        : "+r"(far), "+r"(near)
        :
        : "r2", "r3", "r4", "r5", "r6", "r8", "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11",
          "s12", "s13", "s14", "s15", "memory", "cc");
    sink = (int32_t)(uintptr_t)far;
}

/* Loads and stores under a condition: only those that are carried out may count. */
__attribute__((noinline, used)) void conditional(void)
{
    __asm volatile("mov r8, #6\n"
                   "1: cmp r8, #4\n"
                   "itte lt\n"
                   "ldrlt r2, [%0, #32]\n"
                   "strlt r2, [%0, #96]\n"
                   "ldrge r3, [%0, #64]\n"
                   "subs r8, #1\n"
                   "bne 1b\n"
                   :
                   : "r"(words)
                   : "r2", "r3", "r8", "memory", "cc");
}

typedef uint32_t (*step)(uint32_t);
static uint32_t up(uint32_t x) { return x + 7; }
static uint32_t twist(uint32_t x) { return x ^ x << 5; }
static uint32_t down(uint32_t x) { return x - 3; }
__attribute__((noinline, used)) void indirect(void)
{
    static step const steps[3] = {up, twist, down};
    uint32_t x = 1;
    for (uint32_t k = 0; k < 600; k++) x = steps[(k + (x & 1)) % 3](x);
    sink = (int32_t)x;
}

__attribute__((noinline, used)) void stream_flash(void)
{
    uint32_t sum = 0;
    for (int round = 0; round < 3; round++)
        for (const uint32_t *p = (const uint32_t *)0x08000000; p < (const uint32_t *)0x08003000; p += 2) sum += *p;
    sink = (int32_t)sum;
}

void test(void)
{
    fill();
    multiply_accumulate();
    dsp();
    divide();
    floating();
    branches();
    transfers();
    indirect();
    stream_flash();
    conditional();
}
