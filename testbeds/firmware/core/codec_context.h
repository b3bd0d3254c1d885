/* What the context codec knows of a scheme's features: learnt from training pictures, the same on both sides. */
#ifndef CODEC_CONTEXT_H
#define CODEC_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONTEXT_SYMBOLS_MAX 16u
#define CONTEXT_CLASSES_MAX 256u
#define CONTEXT_ROW_MAX 4096u /* width * channels */
#define CONTEXT_TOTAL_BITS 12u
#define CONTEXT_WORK_BYTES(row) (4u * ((row) + 1u) + (row)) /* the encoder's memory, by its symbols of a row */

/* Symbols are coded row by row, within a row channel by channel, within a channel from left to right. A symbol's class
 * is by its channel, the symbol above and the one to the left in the same channel (0 outside the map); a class gives
 * each symbol its share of the range. Tables are checked where they are read (harness/contracts/context.py).
 * With b = bits_for(n_symbols):
 * class_of[(channel << 2 * b) + (above << b) + left] < classes;
 * shares[(class << b) + symbol] = start + (frequency << 16), frequencies >= 1, of 4096 in all. */
typedef struct {
    uint16_t width, channels;
    const uint8_t *class_of;
    const uint32_t *shares;
} context_model_t;

bool context_decode(const context_model_t *model, const uint8_t *body, size_t bytes, uint32_t n_symbols,
                    uint8_t *symbols, size_t count);

#endif
