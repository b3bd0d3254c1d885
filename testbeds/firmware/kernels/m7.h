/* The Cortex-M7 instructions that the kernels are written in.
 *
 * On the M7 each is one instruction that the compiler neither removes nor moves past another, so the order in the
 * source is the order of issue: the kernels are scheduled by hand for two slots a cycle (one MAC and one load).
 * On any other target the same names are plain C with the same results to the bit, so that the host library runs
 * the same kernel sources. ARM ARM v7-M, A7.7.
 *
 * Operands are 32-bit variables: what is narrower reaches an instruction with its upper bits undefined.
 */
#ifndef KERNELS_M7_H
#define KERNELS_M7_H

#include <stdint.h>
#include <string.h>

#if defined(__ARM_ARCH_7EM__) && !defined(KERNELS_PORTABLE)

/* Loads of one or two words; `off` is a constant, for LDRD a multiple of 4 up to 1020. */
#define LDR(a, p, off) __asm__ volatile("ldr %0, [%1, %2]" : "=r"(a) : "r"(p), "i"(off))
#define LDRD(a, b, p, off) __asm__ volatile("ldrd %0, %1, [%2, %3]" : "=r"(a), "=r"(b) : "r"(p), "i"(off))
#define STR(a, p, off) __asm__ volatile("str %0, [%1, %2]" : : "r"(a), "r"(p), "i"(off))
#define STRD(a, b, p, off) __asm__ volatile("strd %0, %1, [%2, %3]" : : "r"(a), "r"(b), "r"(p), "i"(off))
#define STRB(a, p, off) __asm__ volatile("strb %0, [%1, %2]" : : "r"(a), "r"(p), "i"(off))
/* The same at p, which then moves on by a constant up to 255 (LDRD, STRD: 1020). */
#define LDR_INC(a, p, inc) __asm__ volatile("ldr %0, [%1], %2" : "=&r"(a), "+r"(p) : "i"(inc))
#define LDRD_INC(a, b, p, inc) __asm__ volatile("ldrd %0, %1, [%2], %3" : "=&r"(a), "=&r"(b), "+r"(p) : "i"(inc))
#define STR_INC(a, p, inc) __asm__ volatile("str %1, [%0], %2" : "+&r"(p) : "r"(a), "i"(inc))
/* The same at any address, which the M7 takes; other cores get no promise of a word address. */
#define LDR_ANY(a, p, off) LDR(a, p, off)
#define STR_ANY(a, p, off) STR(a, p, off)
#define LDR_ANY_INC(a, p, inc) LDR_INC(a, p, inc)
#define STR_ANY_INC(a, p, inc) STR_INC(a, p, inc)
#define STRD_INC(a, b, p, inc) __asm__ volatile("strd %1, %2, [%0], %3" : "+&r"(p) : "r"(a), "r"(b), "i"(inc))
/* Pointer + constant up to 4095. */
#define ADDI(p, n) __asm__ volatile("addw %0, %0, %1" : "+r"(p) : "i"(n))

/* acc += lo(x) * lo(w) + hi(x) * hi(w), and one product of two halves (B: low, T: high). */
#define SMLAD(acc, x, w) __asm__ volatile("smlad %0, %1, %2, %0" : "+r"(acc) : "r"(x), "r"(w))
/* d = acc + the same: the first of a chain, which leaves the bias where it is. */
#define SMLAD_FROM(d, x, w, acc) __asm__ volatile("smlad %0, %1, %2, %3" : "=r"(d) : "r"(x), "r"(w), "r"(acc))
#define SMLATB_FROM(d, x, w, acc) __asm__ volatile("smlatb %0, %1, %2, %3" : "=r"(d) : "r"(x), "r"(w), "r"(acc))
#define SMLABB(acc, x, w) __asm__ volatile("smlabb %0, %1, %2, %0" : "+r"(acc) : "r"(x), "r"(w))
#define SMLABT(acc, x, w) __asm__ volatile("smlabt %0, %1, %2, %0" : "+r"(acc) : "r"(x), "r"(w))
#define SMLATB(acc, x, w) __asm__ volatile("smlatb %0, %1, %2, %0" : "+r"(acc) : "r"(x), "r"(w))
#define SMLATT(acc, x, w) __asm__ volatile("smlatt %0, %1, %2, %0" : "+r"(acc) : "r"(x), "r"(w))
/* t = r + upper word of x * m, rounded down. */
#define SMMLA(t, x, m, r) __asm__ volatile("smmla %0, %1, %2, %3" : "=r"(t) : "r"(x), "r"(m), "r"(r))
/* y = acc + x * m in 32 bits, and byte number ror / 8 of x as a signed word. */
#define MLA(y, x, m, acc) \
  __asm__ volatile("mla %0, %1, %2, %3" : "=r"(y) : "r"((int32_t)(x)), "r"((int32_t)(m)), "r"((int32_t)(acc)))
#define SXTB_ROR(y, x, bits) __asm__ volatile("sxtb %0, %1, ror %2" : "=r"(y) : "r"(x), "i"(bits))
#define SXTB(y, x) __asm__ volatile("sxtb %0, %1" : "=r"(y) : "r"(x))
/* A 32-bit constant in two halves, low first. */
#define CONST_LOW(r, v) __asm__ volatile("movw %0, %1" : "=r"(r) : "i"((v) & 0xFFFF))
#define CONST_HIGH(r, v) __asm__ volatile("movt %0, %1" : "+r"(r) : "i"(((v) >> 16) & 0xFFFF))
/* y = t >> s (s = 1..31), saturated to 8 signed bits. */
#define SSAT8_ASR(y, t, s) __asm__ volatile("ssat %0, #8, %1, asr %2" : "=r"(y) : "r"(t), "i"(s))
/* Bytes 0 and 2, or 1 and 3, of x as two signed halves. */
#define SXTB16(y, x) __asm__ volatile("sxtb16 %0, %1" : "=r"(y) : "r"(x))
#define SXTB16_ROR8(y, x) __asm__ volatile("sxtb16 %0, %1, ror #8" : "=r"(y) : "r"(x))
/* y = hi(b) : lo(a), hi(b << 16) : lo(a) and hi(a) : lo(b >> 16). */
#define PKHBT(y, a, b) __asm__ volatile("pkhbt %0, %1, %2" : "=r"(y) : "r"(a), "r"(b))
#define PKHBT_LSL16(y, a, b) __asm__ volatile("pkhbt %0, %1, %2, lsl #16" : "=r"(y) : "r"(a), "r"(b))
#define PKHTB_ASR16(y, a, b) __asm__ volatile("pkhtb %0, %1, %2, asr #16" : "=r"(y) : "r"(a), "r"(b))
/* Results without a place in a schedule, which the compiler may move: the upper word of x * m, half up, and -128..127. */
static inline int32_t m7_smmulr(int32_t x, int32_t m) {
  int32_t y;
  __asm__("smmulr %0, %1, %2" : "=r"(y) : "r"(x), "r"(m));
  return y;
}
static inline int32_t m7_saturated8(int32_t x) {
  int32_t y;
  __asm__("ssat %0, #8, %1" : "=r"(y) : "r"(x) : "cc");
  return y;
}
#define HIGH_ROUNDED(x, m) m7_smmulr(x, m)
#define SATURATED8(x) m7_saturated8(x)
/* y = the larger of y and x, byte by byte, signed. */
#define MAX8(y, x) __asm__ volatile("ssub8 r12, %0, %1\n\tsel %0, %0, %1" : "+r"(y) : "r"(x) : "r12", "cc")
/* Memory written through C is read through the loads above: nothing may be kept back. */
#define KERNEL_BARRIER() __asm__ volatile("" ::: "memory")

#else

/* The built-in, by its own name: ESP-IDF compiles for the ESP32 with -fno-builtin-memcpy (since 5.2.2), which makes a
 * call of every memcpy. With the promise of a word address it is one load; the kernels' plans keep words aligned. */
static inline uint32_t m7_word(const void *p, int off) {
  uint32_t v;
  __builtin_memcpy(&v, __builtin_assume_aligned((const uint8_t *)p + off, 4), 4);
  return v;
}
static inline void m7_put(void *p, int off, uint32_t v) {
  __builtin_memcpy(__builtin_assume_aligned((uint8_t *)p + off, 4), &v, 4);
}
static inline uint32_t m7_word_anywhere(const void *p, int off) {
  uint32_t v;
  __builtin_memcpy(&v, (const uint8_t *)p + off, 4);
  return v;
}
static inline void m7_put_anywhere(void *p, int off, uint32_t v) { __builtin_memcpy((uint8_t *)p + off, &v, 4); }
static inline int32_t m7_half(uint32_t x, int high) { return (int16_t)(high ? x >> 16 : x); }
static inline uint32_t m7_halves(int32_t low, int32_t high) {
  return ((uint32_t)low & 0xFFFFu) | ((uint32_t)high << 16);
}
static inline int32_t m7_mla(int32_t acc, int32_t x, int32_t w) {
  return (int32_t)((uint32_t)acc + (uint32_t)(x * w));
}
static inline uint32_t m7_max8(uint32_t y, uint32_t x) {
  uint32_t out = 0;
  for (int i = 0; i < 32; i += 8) {
    const int8_t a = (int8_t)(y >> i), b = (int8_t)(x >> i);
    out |= (uint32_t)(uint8_t)(a > b ? a : b) << i;
  }
  return out;
}
static inline int32_t m7_ssat8(int32_t v) { return v < -128 ? -128 : v > 127 ? 127 : v; }

#define LDR(a, p, off) ((a) = m7_word(p, off))
#define LDRD(a, b, p, off) ((a) = m7_word(p, off), (b) = m7_word(p, (off) + 4))
#define STR(a, p, off) m7_put(p, off, (uint32_t)(a))
#define STRD(a, b, p, off) (m7_put(p, off, (uint32_t)(a)), m7_put(p, (off) + 4, (uint32_t)(b)))
#define STRB(a, p, off) (*((uint8_t *)(p) + (off)) = (uint8_t)(a))
#define LDR_INC(a, p, inc) (LDR(a, p, 0), (p) += (inc))
#define LDRD_INC(a, b, p, inc) (LDRD(a, b, p, 0), (p) += (inc))
#define STR_INC(a, p, inc) (STR(a, p, 0), (p) += (inc))
#define LDR_ANY(a, p, off) ((a) = m7_word_anywhere(p, off))
#define STR_ANY(a, p, off) m7_put_anywhere(p, off, (uint32_t)(a))
#define LDR_ANY_INC(a, p, inc) (LDR_ANY(a, p, 0), (p) += (inc))
#define STR_ANY_INC(a, p, inc) (STR_ANY(a, p, 0), (p) += (inc))
#define STRD_INC(a, b, p, inc) (STRD(a, b, p, 0), (p) += (inc))
#define ADDI(p, n) ((p) += (n))
#define SMLABB(acc, x, w) ((acc) = m7_mla(acc, m7_half(x, 0), m7_half(w, 0)))
#define SMLABT(acc, x, w) ((acc) = m7_mla(acc, m7_half(x, 0), m7_half(w, 1)))
#define SMLATB(acc, x, w) ((acc) = m7_mla(acc, m7_half(x, 1), m7_half(w, 0)))
#define SMLATT(acc, x, w) ((acc) = m7_mla(acc, m7_half(x, 1), m7_half(w, 1)))
#define SMLAD(acc, x, w) (SMLABB(acc, x, w), SMLATT(acc, x, w))
#define SMLAD_FROM(d, x, w, acc) ((d) = m7_mla(m7_mla(acc, m7_half(x, 0), m7_half(w, 0)), m7_half(x, 1), m7_half(w, 1)))
#define SMLATB_FROM(d, x, w, acc) ((d) = m7_mla(acc, m7_half(x, 1), m7_half(w, 0)))
#define MLA(y, x, m, acc) ((y) = (int32_t)((uint32_t)(acc) + (uint32_t)(x) * (uint32_t)(m)))
#define SXTB_ROR(y, x, bits) ((y) = (int8_t)((x) >> (bits)))
#define SXTB(y, x) ((y) = (int8_t)(x))
#define CONST_LOW(r, v) ((r) = (int32_t)((v) & 0xFFFF))
#define CONST_HIGH(r, v) ((r) = (int32_t)(v))
#define SMMLA(t, x, m, r) ((t) = (int32_t)((uint32_t)(r) + (uint32_t)(((int64_t)(x) * (m)) >> 32)))
#define SSAT8_ASR(y, t, s) ((y) = m7_ssat8((int32_t)(t) >> (s)))
#define SXTB16(y, x) ((y) = m7_halves((int8_t)(x), (int8_t)((x) >> 16)))
#define SXTB16_ROR8(y, x) ((y) = m7_halves((int8_t)((x) >> 8), (int8_t)((x) >> 24)))
#define PKHBT(y, a, b) ((y) = ((a) & 0xFFFFu) | ((b) & 0xFFFF0000u))
#define PKHBT_LSL16(y, a, b) ((y) = ((a) & 0xFFFFu) | ((b) << 16))
#define PKHTB_ASR16(y, a, b) ((y) = ((a) & 0xFFFF0000u) | ((b) >> 16))
#define MAX8(y, x) ((y) = m7_max8(y, x))
#define HIGH_ROUNDED(x, m) ((int32_t)(((int64_t)(x) * (m) + ((int64_t)1 << 31)) >> 32))
#define SATURATED8(x) m7_ssat8(x)
#define KERNEL_BARRIER() ((void)0)

#endif

#endif
