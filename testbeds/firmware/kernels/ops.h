/* Operators that are not worth unrolling, in plain C with the kernels' rounding: shapes and constants come as data. */
#ifndef KERNELS_OPS_H
#define KERNELS_OPS_H

#include "m7.h"

/* One C function each, so that a profile names it and its registers are its own. */
#define KERNEL __attribute__((noinline))
#if defined(__clang__) || defined(__GNUC__)
#define MAYBE_UNUSED __attribute__((unused))
#else
#define MAYBE_UNUSED
#endif

static inline int32_t clamp(int32_t v, int32_t low, int32_t high) { return v < low ? low : v > high ? high : v; }

/* v within -limit - 1 .. limit: before a shift to the left that must not overflow. */
static inline int32_t saturate(int32_t v, int32_t limit) { return clamp(v, -limit - 1, limit); }

/* floor((acc * m + r * 2^32) / 2^(32 + s)) with r = rounding and zero point, then clamped: quant.py. */
static inline int8_t requantise(int32_t acc, int32_t m, int pre, int s, int32_t r, int32_t low, int32_t high) {
  if (pre > 0) acc = saturate(acc, (int32_t)((1u << (31 - pre)) - 1u)) * (int32_t)(1u << pre);
  const int32_t upper = (int32_t)(((int64_t)acc * m) >> 32);
  return (int8_t)clamp((upper + r) >> s, low, high);
}

typedef struct {
  int height, width, channels, kh, kw, sy, sx, pt, pl, out_height, out_width, multiplier;
  int zero, pre, shift, addend, low, high;
} depthwise_t;

/* Depthwise convolution, tap by tap. k: (bias with the input's zero point folded in, multiplier) a channel. */
MAYBE_UNUSED static KERNEL void depthwise_plain(const int8_t *in, int8_t *out, const int8_t *w, const int32_t *k,
                                                const depthwise_t *s) {
  const int channels = s->channels * s->multiplier;
  for (int oy = 0; oy < s->out_height; oy++)
    for (int ox = 0; ox < s->out_width; ox++)
      for (int c = 0; c < channels; c++) {
        int32_t acc = k[2 * c];
        for (int ky = 0; ky < s->kh; ky++)
          for (int kx = 0; kx < s->kw; kx++) {
            const int y = oy * s->sy - s->pt + ky, x = ox * s->sx - s->pl + kx;
            const int inside = y >= 0 && y < s->height && x >= 0 && x < s->width;
            const int32_t v = inside ? in[(y * s->width + x) * s->channels + c / s->multiplier] : s->zero;
            acc += v * w[(ky * s->kw + kx) * channels + c];
          }
        *out++ = requantise(acc, k[2 * c + 1], s->pre, s->shift, s->addend, s->low, s->high);
      }
}

typedef struct {
  int height, width, channels, kh, kw, sy, sx, pt, pl, out_height, out_width;
  int zero, pre, shift, addend, low, high;
} pool_t;

/* Mean over windows; m[n - 1] is the multiplier for n values (fewer at padded edges). MEAN is one window. */
MAYBE_UNUSED static KERNEL void pool_average(const int8_t *in, int8_t *out, const int32_t *m, const pool_t *s) {
  for (int oy = 0; oy < s->out_height; oy++)
    for (int ox = 0; ox < s->out_width; ox++) {
      const int y0 = clamp(oy * s->sy - s->pt, 0, s->height), x0 = clamp(ox * s->sx - s->pl, 0, s->width);
      const int y1 = clamp(oy * s->sy - s->pt + s->kh, 0, s->height);
      const int x1 = clamp(ox * s->sx - s->pl + s->kw, 0, s->width);
      const int count = (y1 - y0) * (x1 - x0);
      for (int c = 0; c < s->channels; c++) {
        int32_t sum = -count * s->zero;
        for (int y = y0; y < y1; y++) {
          const int8_t *p = in + (y * s->width + x0) * s->channels + c;
          for (int x = x0; x < x1; x++, p += s->channels) sum += *p;
        }
        *out++ = requantise(sum, m[count - 1], s->pre, s->shift, s->addend, s->low, s->high);
      }
    }
}

/* y = (a * ma + b * mb + c) >> s for count elements, four at a time (all at word addresses). */
#define ADD_LOOP(a, b, out, count, ma_, mb_, c_, s, FINISH)             \
  do {                                                                  \
    const int32_t ma = ma_, mb = mb_, c = c_;                           \
    uint32_t x, z;                                                      \
    int32_t t, u, y0, y1, y2, y3;                                       \
    for (int n = (count) / 4; n > 0; n--) {                             \
      LDR_INC(x, a, 4);                                                 \
      LDR_INC(z, b, 4);                                                 \
      SXTB(t, z);                                                       \
      SXTB(u, x);                                                       \
      MLA(t, t, mb, c);                                                 \
      SXTB_ROR(y1, z, 8);                                               \
      MLA(y0, u, ma, t);                                                \
      SXTB_ROR(u, x, 8);                                                \
      MLA(t, y1, mb, c);                                                \
      SXTB_ROR(y2, z, 16);                                              \
      MLA(y1, u, ma, t);                                                \
      SXTB_ROR(u, x, 16);                                               \
      MLA(t, y2, mb, c);                                                \
      SXTB_ROR(y3, z, 24);                                              \
      MLA(y2, u, ma, t);                                                \
      SXTB_ROR(u, x, 24);                                               \
      MLA(t, y3, mb, c);                                                \
      SSAT8_ASR(y0, y0, s);                                             \
      MLA(y3, u, ma, t);                                                \
      SSAT8_ASR(y1, y1, s);                                             \
      FINISH(y0);                                                       \
      STRB(y0, out, 0);                                                 \
      SSAT8_ASR(y2, y2, s);                                             \
      FINISH(y1);                                                       \
      STRB(y1, out, 1);                                                 \
      SSAT8_ASR(y3, y3, s);                                             \
      FINISH(y2);                                                       \
      STRB(y2, out, 2);                                                 \
      FINISH(y3);                                                       \
      STRB(y3, out, 3);                                                 \
      ADDI(out, 4);                                                     \
    }                                                                   \
    for (int n = (count) % 4; n > 0; n--) {                             \
      MLA(t, *b++, mb, c);                                              \
      MLA(y0, *a++, ma, t);                                             \
      SSAT8_ASR(y0, y0, s);                                             \
      FINISH(y0);                                                       \
      *out++ = (int8_t)y0;                                              \
    }                                                                   \
  } while (0)
#define ADD_PLAIN(y) ((void)0)

typedef struct {
  int32_t in_stride[4], begin[4], step[4], count[4];
} slice_t;

/* Elements begin, begin + step, ... along each of four axes, in order. */
MAYBE_UNUSED static KERNEL void strided_slice(const int8_t *in, int8_t *out, const slice_t *s) {
  for (int a = 0; a < s->count[0]; a++)
    for (int b = 0; b < s->count[1]; b++)
      for (int c = 0; c < s->count[2]; c++) {
        const int8_t *p = in + (s->begin[0] + a * s->step[0]) * s->in_stride[0] +
                          (s->begin[1] + b * s->step[1]) * s->in_stride[1] +
                          (s->begin[2] + c * s->step[2]) * s->in_stride[2] + s->begin[3] * s->in_stride[3];
        for (int d = 0; d < s->count[3]; d++, p += s->step[3] * s->in_stride[3]) *out++ = *p;
      }
}

/* exp() by table over the distance from the largest value; p = round(256 e / sum) - 128, half up. */
MAYBE_UNUSED static KERNEL void softmax(const int8_t *in, int8_t *out, const uint32_t *table, uint32_t *fast, int rows,
                                        int n) {
  for (int i = 0; i < 256; i++) fast[i] = table[i];
  for (; rows > 0; rows--, in += n, out += n) {
    int32_t largest = in[0];
    uint32_t sum = 0;
    for (int i = 1; i < n; i++) largest = in[i] > largest ? in[i] : largest;
    for (int i = 0; i < n; i++) sum += fast[largest - in[i]];
    for (int i = 0; i < n; i++) out[i] = (int8_t)clamp((int32_t)((fast[largest - in[i]] * 256u + sum / 2) / sum) - 128, -128, 127);
  }
}

#endif
