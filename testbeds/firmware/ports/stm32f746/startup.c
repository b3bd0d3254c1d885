/* From reset to app_poll: vector table, floating-point unit, caches, memory sections; and what a fault leaves. */
#include <stddef.h>
#include <stdint.h>

#include "app.h"
#include "board.h"
#include "registers.h"

extern uint32_t stack_top[];
extern uint32_t dtcm_data_begin[], dtcm_data_end[], dtcm_bss_end[];
extern uint32_t sram_data_begin[], sram_data_end[], sram_bss_end[];
extern const uint32_t dtcm_data_load[], sram_data_load[];

void Reset_Handler(void);
void HardFault_Handler(void);
void Unexpected_Handler(void);
void fault_note(const uint32_t *frame);

/* What a fault leaves for a debugger or an emulator: `magic` is FAULT_MAGIC once it is filled. The core then stays in
 * board_park with the marker pins at 111. */
#define FAULT_MAGIC 0xfa171ed0u
typedef struct {
    uint32_t magic, cfsr, hfsr, mmfar, bfar, r0, r1, r2, r3, r12, lr, pc, psr;
} fault_record_t;
volatile fault_record_t fault_record __attribute__((section(".dtcm_bss")));

typedef void (*vector_t)(void);

/* Sixteen system vectors; no interrupt is ever enabled, so none follows. */
__attribute__((section(".vectors"), used)) static const vector_t vectors[16] = {
    (vector_t)(uintptr_t)stack_top, Reset_Handler, Unexpected_Handler, HardFault_Handler,
    HardFault_Handler, HardFault_Handler, HardFault_Handler, Unexpected_Handler,
    Unexpected_Handler, Unexpected_Handler, Unexpected_Handler, Unexpected_Handler,
    Unexpected_Handler, Unexpected_Handler, Unexpected_Handler, Unexpected_Handler,
};

/* The caches serve flash at 0x08000000 and the SRAM above the DTCM; the flash interface's own ART accelerator sits on
 * the ITCM alias at 0x00200000, which this image does not use, and stays off. */
static void enable_caches(void)
{
    SCB_ICIALLU = 0;
    for (uint32_t set = 0; set < 32; set++) { /* 4 KB, 4 ways of 32 sets of 32 bytes */
        for (uint32_t way = 0; way < 4; way++) {
            SCB_DCISW = way << 30 | set << 5;
        }
    }
    __asm__ volatile("dsb\n isb" ::: "memory");
    SCB_CCR |= SCB_CCR_IC | SCB_CCR_DC;
    __asm__ volatile("dsb\n isb" ::: "memory");
}

/* volatile: the compiler must not make calls of memcpy out of these before RAM is ready */
static void fill_section(volatile uint32_t *to, const volatile uint32_t *from, const uint32_t *data_end,
                         const uint32_t *bss_end)
{
    while (to < data_end) {
        *to++ = *from++;
    }
    while (to < bss_end) {
        *to++ = 0;
    }
}

void Reset_Handler(void)
{
    SCB_VTOR = (uint32_t)(uintptr_t)vectors; /* a debugger or a boot loader may have left another */
    SCB_CPACR |= 15u << 20; /* floating point: full access to CP10 and CP11 */
    __asm__ volatile("dsb\n isb" ::: "memory");
    enable_caches();
    board_paint_stack();
    fill_section(dtcm_data_begin, dtcm_data_load, dtcm_data_end, dtcm_bss_end);
    fill_section(sram_data_begin, sram_data_load, sram_data_end, sram_bss_end);
    board_init();
    app_init();
    for (;;) {
        app_poll();
    }
}

void fault_note(const uint32_t *frame)
{
    fault_record.cfsr = SCB_CFSR;
    fault_record.hfsr = SCB_HFSR;
    fault_record.mmfar = SCB_MMFAR;
    fault_record.bfar = SCB_BFAR;
    fault_record.r0 = frame[0];
    fault_record.r1 = frame[1];
    fault_record.r2 = frame[2];
    fault_record.r3 = frame[3];
    fault_record.r12 = frame[4];
    fault_record.lr = frame[5];
    fault_record.pc = frame[6];
    fault_record.psr = frame[7];
    fault_record.magic = FAULT_MAGIC;
    board_park();
}

/* A stack overflow faults while pushing the frame below the DTCM: the handler takes a fresh stack before it calls. */
__attribute__((naked)) void HardFault_Handler(void)
{
    __asm__ volatile("mov r0, sp\n"
                     "ldr r1, =stack_bottom\n"
                     "cmp r0, r1\n"
                     "it lo\n"
                     "movlo r0, r1\n"
                     "ldr r1, =stack_top\n"
                     "mov sp, r1\n"
                     "b fault_note\n"
                     ".ltorg\n");
}

void Unexpected_Handler(void) { board_park(); }
