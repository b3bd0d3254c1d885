/* Prediction of a picture from what lies left of and above a pixel, for the lossless picture codecs: green as it is,
 * red and blue as their difference to green, each by the median edge detector of LOCO-I (Weinberger, Seroussi and
 * Sapiro, IEEE Trans. Image Processing 9(8), 2000, section III-A), modulo 256. In the first row the predictor is the
 * pixel to the left, in the first column the one above. */
#ifndef CODEC_PREDICT_H
#define CODEC_PREDICT_H

#include <stdint.h>

static inline int32_t med(int32_t left, int32_t up, int32_t corner)
{
    int32_t low = left < up ? left : up, high = left < up ? up : left;
    return corner >= high ? low : corner <= low ? high : left + up - corner;
}

typedef struct {
    int32_t green, red, blue; /* red and blue: less green, -255..255 */
} planes_t;

static inline planes_t planes_of(const uint8_t *pixel)
{
    planes_t p = {pixel[1], pixel[0] - pixel[1], pixel[2] - pixel[1]};
    return p;
}

/* `up` is the row above (NULL: none), `at` this pixel's place in it. */
static inline planes_t predicted(planes_t left, planes_t up, planes_t corner, int has_up, int has_left)
{
    if (!has_up) {
        return left;
    }
    if (!has_left) {
        return up;
    }
    planes_t p = {med(left.green, up.green, corner.green), med(left.red, up.red, corner.red),
                  med(left.blue, up.blue, corner.blue)};
    return p;
}

#endif
