/* Moving 8-bit data into 16-bit scratch memory, where one SMLAD multiplies two values at a time. */
#ifndef KERNELS_WIDEN_H
#define KERNELS_WIDEN_H

#include "m7.h"

/* `words` words of `value`. */
static inline void fill_words(uint8_t *dst, uint32_t value, int words) {
  for (; words > 0; words--) STR_INC(value, dst, 4);
}

static inline void put_half(uint8_t *dst, int32_t value) {
  const int16_t half = (int16_t)value;
  __builtin_memcpy(__builtin_assume_aligned(dst, 2), &half, 2); /* as in m7.h */
}

/* Halves of `value`, at any even address. */
static inline void fill_halves(uint8_t *dst, int32_t value, int halves) {
  for (; halves > 0; halves--, dst += 2) put_half(dst, value);
}

/* Every 4 bytes b0 b1 b2 b3 as halves b0 b2 b1 b3: the order that SXTB16 gives. src and dst at word addresses. */
static inline void widen_quads(uint8_t *dst, const uint8_t *src, int quads) {
  uint32_t a, b, y0, y1, y2, y3;
  if (quads & 1) {
    LDR_INC(a, src, 4);
    SXTB16(y0, a);
    SXTB16_ROR8(y1, a);
    STRD_INC(y0, y1, dst, 8);
  }
  int n = quads >> 1;
  if (n == 0) return;
  LDRD_INC(a, b, src, 8);
  for (; n > 1; n--) {
    SXTB16(y0, a);
    SXTB16_ROR8(y1, a);
    SXTB16(y2, b);
    STRD_INC(y0, y1, dst, 16);
    SXTB16_ROR8(y3, b);
    LDRD_INC(a, b, src, 8);
    STRD(y2, y3, dst, -8);
  }
  SXTB16(y0, a);
  SXTB16_ROR8(y1, a);
  SXTB16(y2, b);
  STRD_INC(y0, y1, dst, 8);
  SXTB16_ROR8(y3, b);
  STRD(y2, y3, dst, 0);
}

/* Two channels for the inner product: their biases and multipliers (16 bytes), then the weights, 4 + 4 bytes a step, as
 * two steps of (channel 0, channel 1) words. */
static inline void widen_pair(uint8_t *dst, const uint8_t *k, const uint8_t *src, int steps) {
  uint32_t a, b, y0, y1, y2, y3;
  LDRD(y0, y1, k, 0);
  LDRD(y2, y3, k, 8);
  STRD_INC(y0, y1, dst, 8);
  STRD_INC(y2, y3, dst, 8);
  LDRD_INC(a, b, src, 8);
  for (; steps > 1; steps--) {
    SXTB16(y0, a);
    SXTB16(y1, b);
    SXTB16_ROR8(y2, a);
    STRD_INC(y0, y1, dst, 16);
    SXTB16_ROR8(y3, b);
    LDRD_INC(a, b, src, 8);
    STRD(y2, y3, dst, -8);
  }
  SXTB16(y0, a);
  SXTB16(y1, b);
  SXTB16_ROR8(y2, a);
  STRD(y0, y1, dst, 0);
  SXTB16_ROR8(y3, b);
  STRD(y2, y3, dst, 8);
}

/* Bytes in their own order from a word address to a word address (dst holds the first half); a multiple of 4. */
static inline void widen_even(uint8_t *dst, const uint8_t *src, int bytes) {
  uint32_t a, p, q;
  for (; bytes > 0; bytes -= 4) {
    LDR_INC(a, src, 4);
    SXTB16(p, a);
    SXTB16_ROR8(q, a);
    PKHBT_LSL16(a, p, q);
    PKHTB_ASR16(q, q, p);
    STRD_INC(a, q, dst, 8);
  }
}

/* The same, shifted by a half: the first byte goes to the upper half of the word at dst, `before` to the lower. */
static inline void widen_odd(uint8_t *dst, const uint8_t *src, int bytes, int32_t before) {
  uint32_t a, p, q, last = (uint32_t)before;
  for (; bytes > 0; bytes -= 4) {
    LDR_INC(a, src, 4);
    SXTB16(p, a);
    SXTB16_ROR8(q, a);
    PKHBT_LSL16(a, last, p);
    PKHBT(p, q, p);
    STRD_INC(a, p, dst, 8);
    last = q >> 16;
  }
  put_half(dst, (int32_t)last);
}

/* Bytes in their own order between any addresses (dst even). */
static inline void widen_bytes(uint8_t *dst, const int8_t *src, int bytes) {
  for (; bytes > 0; bytes--, dst += 2) put_half(dst, *src++);
}

#endif
