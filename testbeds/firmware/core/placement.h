/* Where data lie. Tables whose index depends on data, and the encoder's workspace, go to the M7's tightly coupled
 * memory so that no cycle count depends on what a cache holds (RM0385 section 2.1: DTCM at 0x20000000, 64 KB). */
#ifndef PLACEMENT_H
#define PLACEMENT_H

#ifdef FW_DTCM
#define FAST_TABLE __attribute__((section(".dtcm_data")))
#define FAST_BSS __attribute__((section(".dtcm_bss")))
#else
#define FAST_TABLE
#define FAST_BSS
#endif

#ifdef FW_ARENA_IN_DTCM
#define ARENA_BSS __attribute__((section(".dtcm_bss")))
#else
#define ARENA_BSS
#endif

#endif
