/* The device's half of the network and what of it is sent: shared by board, native process and host library. */
#ifndef LOCAL_H
#define LOCAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec.h"
#include "scheme.h"

extern uint8_t local_image[SCHEME_IMAGE_BYTES];

/* Runs the graph on local_image; nothing to do for schemes without one. */
void local_run(void);

/* Float logits of the local head, or false when the scheme has none. */
bool local_logits(float out[SCHEME_CLASSES]);
bool local_dequantise(const int8_t *raw, float out[SCHEME_CLASSES]); /* of any raw logits of that head */

/* Raw int8 outputs of the last local_run; NULL where the scheme has none. */
const int8_t *local_logits_raw(void);
const int8_t *local_features(size_t *bytes);

/* Where the symbols of what is sent come from. */
symbols_t local_offloaded(void);

/* Quantises and encodes what the scheme offloads into a sealed message, a lossy codec at `quality`. Returns its bytes. */
size_t local_encode(uint16_t seq, uint8_t quality, uint8_t *message, size_t room, uint8_t *codec);

#define SCHEME_MESSAGE_BYTES (16u + SCHEME_STORED_BYTES) /* the largest message: nothing grows beyond stored */

#endif
