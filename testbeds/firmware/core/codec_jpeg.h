/* Baseline JPEG (ITU-T T.81) of RGB pictures up to 256x256, as the device sends it and as a file.
 *
 * Sent is the abbreviated format (T.81, section B.5): both sides know the tables, so the body is
 *     quality u8 (bits 0..6: 1..100; bit 7: 4:4:4, else 4:2:0) | width - 1 u8 | height - 1 u8 | one scan's coded data
 * and `jpeg_file` makes a JFIF file of it, 622 bytes longer, for any decoder. Tables are those of Annex K, steps are scaled
 * by quality as the Independent JPEG Group's library does, so qualities mean what they mean elsewhere. */
#ifndef CODEC_JPEG_H
#define CODEC_JPEG_H

#include <stddef.h>
#include <stdint.h>

#define JPEG_BODY_HEAD 3u
#define JPEG_FULL_CHROMA 0x80u
#define JPEG_FILE_EXTRA 622u /* bytes that jpeg_file adds */

typedef struct {
    uint8_t counts[16]; /* codes of 1..16 bits */
    uint8_t values[162];
} jpeg_huffman_t;

extern const uint8_t jpeg_zigzag[64];
extern const jpeg_huffman_t jpeg_dc_codes[2], jpeg_ac_codes[2]; /* luminance, chrominance */

/* Quantiser steps in zigzag order; quality 1..100. */
void jpeg_steps(unsigned quality, unsigned chrominance, uint8_t out[64]);

/* The JFIF file of a body: its bytes, or 0 when the body's head is none, a marker lies in the coded data, or `room` is
 * too small. */
size_t jpeg_file(const uint8_t *body, size_t bytes, uint8_t *out, size_t room);

#endif
