#include "combine.h"

#include <string.h>

void dequantise(const int8_t *values, size_t count, float scale, int32_t zero_point, float *out)
{
    for (size_t i = 0; i < count; i++) {
        out[i] = scale * (float)(values[i] - zero_point);
    }
}

void combine(const float *local, const float *remote, float alpha, size_t count, float *out)
{
    float beta = 1.0f - alpha;
    for (size_t i = 0; i < count; i++) {
        out[i] = alpha * local[i] + beta * remote[i];
    }
}

uint16_t argmax(const float *values, size_t count)
{
    size_t best = 0;
    for (size_t i = 1; i < count; i++) {
        if (values[i] > values[best] || (values[best] != values[best] && values[i] == values[i])) {
            best = i;
        }
    }
    return (uint16_t)best;
}

/* exp(x) for x <= 0: x = n ln2 + r, a degree-6 Taylor polynomial for exp(r), |r| <= ln2 / 2 (relative error below
 * 2e-7), then 2^n into the exponent. No library: it must be the same on every target. */
static float exp_of_negative(float x)
{
    if (!(x > -87.0f)) {
        return 0.0f;
    }
    int32_t n = (int32_t)(x * 1.44269504f - 0.5f);
    float r = x - (float)n * 0.693359375f + (float)n * 2.12194440e-4f;
    float p = 1.0f / 720.0f;
    p = p * r + 1.0f / 120.0f;
    p = p * r + 1.0f / 24.0f;
    p = p * r + 1.0f / 6.0f;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    uint32_t bits = (uint32_t)(n + 127) << 23;
    float power;
    __builtin_memcpy(&power, &bits, sizeof power);
    return p * power;
}

float top_probability(const float *logits, size_t count)
{
    float top = logits[argmax(logits, count)], sum = 0.0f;
    for (size_t i = 0; i < count; i++) {
        sum += exp_of_negative(logits[i] - top);
    }
    return 1.0f / sum;
}
