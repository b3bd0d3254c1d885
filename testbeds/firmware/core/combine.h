/* Decisions on logits. Single precision without contraction, so every build gives the same bits. */
#ifndef COMBINE_H
#define COMBINE_H

#include <stddef.h>
#include <stdint.h>

#define LABEL_NONE 0xffffu

void dequantise(const int8_t *values, size_t count, float scale, int32_t zero_point, float *out);

/* out = alpha * local + (1 - alpha) * remote, element by element. out may be local or remote. */
void combine(const float *local, const float *remote, float alpha, size_t count, float *out);

/* Index of the largest value, the lowest index on ties; a NaN is never the largest. */
uint16_t argmax(const float *values, size_t count);

/* The softmax probability of the largest of `count` logits: 1 / sum exp(l_i - max). */
float top_probability(const float *logits, size_t count);

#endif
