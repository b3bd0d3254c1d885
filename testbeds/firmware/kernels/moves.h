/* Operators that move or choose values. Shapes reach them as constants, so that the compiler unrolls for each layer. */
#ifndef KERNELS_MOVES_H
#define KERNELS_MOVES_H

#include "ops.h"

/* memcpy for runs of a known size, without a call: words, at any address (the M7 takes them unaligned), then bytes. */
static inline void copy_run(int8_t *out, const int8_t *in, int bytes) {
  uint32_t a, b, c, d;
  for (; bytes >= 16; bytes -= 16) {
    LDR_ANY(a, in, 0);
    LDR_ANY(b, in, 4);
    LDR_ANY(c, in, 8);
    STR_ANY(a, out, 0);
    LDR_ANY(d, in, 12);
    STR_ANY(b, out, 4);
    ADDI(in, 16);
    STR_ANY(c, out, 8);
    STR_ANY(d, out, 12);
    ADDI(out, 16);
  }
  for (; bytes >= 4; bytes -= 4) {
    LDR_ANY_INC(a, in, 4);
    STR_ANY_INC(a, out, 4);
  }
  for (; bytes > 0; bytes--) *out++ = *in++;
}

typedef struct {
  int height, width, channels, kh, kw, sy, sx, pt, pl, out_height, out_width, low, high;
} max_pool_t;

/* The largest of each window; padding takes no part. Channels go in fours as far as low is the only bound. */
MAYBE_UNUSED static KERNEL void pool_max(const int8_t *in, int8_t *out, const max_pool_t *s) {
  for (int oy = 0; oy < s->out_height; oy++)
    for (int ox = 0; ox < s->out_width; ox++) {
      const int y0 = clamp(oy * s->sy - s->pt, 0, s->height), x0 = clamp(ox * s->sx - s->pl, 0, s->width);
      const int y1 = clamp(oy * s->sy - s->pt + s->kh, 0, s->height);
      const int x1 = clamp(ox * s->sx - s->pl + s->kw, 0, s->width);
      int c = 0;
      if (s->high == 127 && s->channels % 4 == 0)
        for (; c < s->channels; c += 4) {
          uint32_t largest = (uint32_t)(s->low & 255) * 0x01010101u, v;
          for (int y = y0; y < y1; y++) {
            const int8_t *p = in + (y * s->width + x0) * s->channels + c;
            for (int x = x0; x < x1; x++, p += s->channels) {
              LDR(v, p, 0);
              MAX8(largest, v);
            }
          }
          STR_INC(largest, out, 4);
        }
      for (; c < s->channels; c++) {
        int32_t largest = s->low;
        for (int y = y0; y < y1; y++) {
          const int8_t *p = in + (y * s->width + x0) * s->channels + c;
          for (int x = x0; x < x1; x++, p += s->channels) largest = *p > largest ? *p : largest;
        }
        *out++ = (int8_t)(largest > s->high ? s->high : largest);
      }
    }
}

/* The same where no window leaves the image, channels are a multiple of four and low is the only bound; row: bytes. */
static inline void pool_max_whole(const int8_t *in, int8_t *out, int row, int channels, int kh, int kw, int sy, int sx,
                                  int out_height, int out_width, uint32_t low) {
  for (int oy = 0; oy < out_height; oy++, in += sy * row) {
    const int8_t *q = in;
    for (int ox = 0; ox < out_width; ox++, q += sx * channels)
      for (int c = 0; c < channels; c += 4) {
        uint32_t largest = low, v;
        for (int y = 0; y < kh; y++)
          for (int x = 0; x < kw; x++) {
            const int8_t *p = q + y * row + x * channels + c;
            LDR(v, p, 0);
            MAX8(largest, v);
          }
        STR_INC(largest, out, 4);
      }
  }
}

#endif
