/* Operators that take each value by itself, in plain C with TensorFlow Lite's own rounding where it is named. */
#ifndef KERNELS_ELEMENTWISE_H
#define KERNELS_ELEMENTWISE_H

#include "ops.h"

/* y = table[x, as an unsigned byte]. The table is moved to `fast` first, so that no cycle hangs on what a cache holds. */
MAYBE_UNUSED static KERNEL void lookup(const int8_t *in, int8_t *out, const uint8_t *table, uint32_t *fast, int count) {
  uint32_t x, y;
  for (int i = 0; i < 256; i += 8) {
    LDR(x, table, 0);
    LDR(y, table, 4);
    ADDI(table, 8);
    fast[i / 4] = x;
    fast[i / 4 + 1] = y;
  }
  const uint8_t *t = (const uint8_t *)fast;
  for (; count >= 4; count -= 4, out += 4) {
    LDR_INC(x, in, 4);
    const uint8_t a = t[x & 255], b = t[x >> 8 & 255], c = t[x >> 16 & 255], d = t[x >> 24];
    out[0] = (int8_t)a;
    out[1] = (int8_t)b;
    out[2] = (int8_t)c;
    out[3] = (int8_t)d;
  }
  for (; count > 0; count--) *out++ = (int8_t)t[(uint8_t)*in++];
}

/* MultiplyByQuantizedMultiplier: v * m / 2^31 half up, then / 2^right half away from zero; + add. |v| < 2^30. */
static inline int32_t rounded_twice(int32_t v, int32_t m, int right, int32_t add) {
  const int32_t t = HIGH_ROUNDED(v * 2, m);
  return right == 0 ? t + add : (t + (t >> 31) + (1 << (right - 1)) + add * (1 << right)) >> right;
}

/* One value of MUL; a and b without their zero points, left and right as in quantize_multiplier. */
static inline int8_t multiplied(int32_t a, int32_t b, int32_t m, int left, int right, int32_t zero, int32_t low,
                                int32_t high) {
  const int32_t y = SATURATED8(rounded_twice(a * (b * (1 << left)), m, right, zero));
  return (int8_t)(low == -128 && high == 127 ? y : clamp(y, low, high));
}

/* One value of ADD or SUB: simple.py, add_constants. */
static inline int8_t added(int32_t a, int32_t b, int32_t ma, int32_t mb, int32_t c, int s, int32_t low, int32_t high) {
  const int32_t y = SATURATED8((a * ma + b * mb + c) >> s);
  return (int8_t)(low == -128 && high == 127 ? y : clamp(y, low, high));
}

#endif
