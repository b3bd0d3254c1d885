/* SVDF: a dense layer into a memory of the last steps, and a dense layer over time; TensorFlow Lite's two roundings. */
#ifndef KERNELS_SVDF_H
#define KERNELS_SVDF_H

#include "elementwise.h"

typedef struct {
  int words;          /* of four inputs, the last filled up with weights of 0 */
  int units, rank, memory;
  int32_t m1, m2;
  int left1, right1, left2, right2, zero, low, high;
} svdf_t;

/* state: [filters][memory], oldest first. bias1: -(zero point of the input) * sum of weights, a filter. */
MAYBE_UNUSED static KERNEL void svdf(const int8_t *in, int16_t *state, int8_t *out, const int8_t *features,
                                     const int32_t *bias1, const int16_t *time, const int32_t *bias2,
                                     const svdf_t *s) {
  const int last = s->memory - 1;
  for (int unit = 0; unit < s->units; unit++) {
    uint32_t sum = (uint32_t)bias2[unit];
    for (int r = 0; r < s->rank; r++) {
      int32_t acc = *bias1++;
      const int8_t *p = in;
      for (int n = s->words; n > 0; n--) {
        uint32_t x, w, x0, x1, w0, w1;
        LDR_INC(x, p, 4);
        LDR_INC(w, features, 4);
        SXTB16(x0, x);
        SXTB16(w0, w);
        SXTB16_ROR8(x1, x);
        SXTB16_ROR8(w1, w);
        SMLAD(acc, x0, w0);
        SMLAD(acc, x1, w1);
      }
      const int32_t step = rounded_twice(acc * (1 << s->left1), s->m1, s->right1, 0);
      for (int k = 0; k < last; k++) {
        state[k] = state[k + 1];
        sum += (uint32_t)(state[k] * time[k]);
      }
      state[last] = (int16_t)clamp(step, -32768, 32767);
      sum += (uint32_t)(state[last] * time[last]);
      state += s->memory;
      time += s->memory;
    }
    const int32_t wide = (int32_t)sum;
    const int64_t product = (int64_t)wide * (1 << s->left2) * s->m2 + ((int64_t)1 << 30);
    const int32_t t = (int32_t)(product >> 31);
    const int32_t y = s->right2 == 0 ? t : (t + (t >> 31) + (int32_t)(1u << (s->right2 - 1))) >> s->right2;
    *out++ = (int8_t)clamp(y + s->zero, s->low, s->high);
  }
}

#endif
