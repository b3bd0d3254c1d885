/* Cortex-M7 cycle model: what Python and the C hooks share. Every field is fixed width; no padding is relied on. */
#ifndef M7_MODEL_H
#define M7_MODEL_H
#include <stddef.h>
#include <stdint.h>

enum { KIND_ALU, KIND_LD, KIND_ST, KIND_MAC, KIND_DIV, KIND_VFP, KIND_BR, KIND_DSP, KIND_IT, KIND_SH };
enum { ACC_NONE = -1, ACC_WIDE = -2 };
enum { MAX_REGS = 56, MAX_BLOCK = 512, REGISTERS = 256 };

typedef struct { /* one decoded instruction; regs = reads, then writes */
    uint32_t pc;
    int16_t accumulator;
    uint8_t kind, latency, beats, ends_block, n_reads, n_writes;
    uint8_t regs[MAX_REGS];
} m7_insn;

typedef struct { /* one instruction that touches memory: addresses are a function of the registers as it starts */
    uint32_t pc;
    int32_t offset;
    uint8_t base, index, shift, count; /* base 0xFF: none (offset is the address); index 0xFF: none */
    uint8_t step, words, pad[2];       /* bytes from one access to the next; words: unaligned is a fault */
} m7_op;

typedef struct m7_block m7_block;
typedef struct {
    uint32_t address, size, cost;
    m7_block *to;
    uint64_t taken, mispredicted;
} m7_edge;

struct m7_block {
    uint32_t address, size, n_insns, alone, first_line, last_line, id, n_edges, cap_edges, cached_fetch;
    m7_insn *insns;
    m7_op *ops; /* ends with a sentinel whose pc is 0xFFFFFFFF */
    m7_edge *edges;
    uint64_t data_fills, instruction_fills;
};

typedef struct {
    uint32_t successor;
    uint8_t confidence, pad[3]; /* 0: never seen */
} m7_prediction;

typedef struct {
    uint64_t cycles, skipped, instructions, mispredicted, data_fills, instruction_fills, blocks;
    uint64_t deadline;   /* stop before the first block that starts at or after this cycle */
    uint32_t stop;       /* nonzero: stop before the next block */
    uint32_t pc;         /* of the instruction that runs or ran last */
    uint32_t in_block;   /* a block has been charged and not yet left */
    uint32_t failed;     /* a block could not be decoded: see the Python side */
    uint32_t last_cost;  /* cost of the block that runs */
    uint32_t fill_cycles, mispredict_cycles, fills_on;
    uint32_t unaligned;  /* the address of an access that the chip faults on (never at a word, so never 0) */
} m7_counters;

#define STATUS_REGISTERS 16

typedef struct { /* is the guest only waiting? */
    uint64_t last_instructions, valid_until;
    uint32_t quiet_reads; /* status reads since anything changed */
    uint32_t clock_reads, reads_clock, patience, single_pending, used;
    struct {
        uint32_t address, value, seen, count, valid, news; /* value: kept, good while valid; seen: last read */
    } status[STATUS_REGISTERS];
} m7_idle;

typedef struct m7 m7;
typedef uint64_t (*m7_read_cb)(void *uc, uint64_t offset, unsigned size, void *base);
typedef int (*m7_decode_cb)(m7 *, uint32_t address, uint32_t size);
typedef int (*m7_stop_fn)(void *uc);
typedef int (*m7_reg_read_fn)(void *uc, int regid, void *value);

#define DATA_WAYS 4
#define DATA_SETS 32
#define INSN_WAYS 2
#define INSN_SETS 64

typedef struct {
    uint32_t data[DATA_SETS][DATA_WAYS], insn[INSN_SETS][INSN_WAYS]; /* line number + 1, most recent first; 0 empty */
} m7_caches;

struct m7 {
    m7_counters c;
    m7_caches caches;
    m7_idle idle;
    m7_read_cb slow_read;
    m7_block *current, *previous; /* previous: the one before current */
    m7_op *op;
    uint32_t last_data_line, last_mispredicted; /* was the block that runs mispredicted? */
    const uint32_t *regs;
    m7_decode_cb decode;
    m7_stop_fn emu_stop;
    m7_reg_read_fn reg_read;
    int reg_ids[16];
    m7_block root;
    m7_block **table, **list;
    m7_prediction *predictions;
    uint32_t table_size, n_blocks, cap_blocks;
    /* snapshot */
    m7_counters s_c;
    m7_caches s_caches;
    m7_idle s_idle;
    m7_block *s_current, *s_previous;
    m7_prediction *s_predictions;
    uint32_t s_blocks, s_valid;
    /* verification: accesses computed against accesses that Unicorn reports */
    uint32_t *trace;
    uint32_t trace_len, trace_cap;
};

extern m7_op m7_no_ops; /* ends every list of loads and stores */
uint32_t m7_schedule(const m7_insn *a, uint32_t n, const m7_insn *b, uint32_t m); /* schedule.c */
#endif
