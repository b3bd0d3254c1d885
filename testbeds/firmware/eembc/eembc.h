/* The EEMBC/MLPerf Tiny text dialect, device side: commands that end in '%', answers that end in "m-ready".
 *
 * Freestanding, no heap, no global state, bounded whatever is received. It may share a console with COBS frames that
 * end in 0x00: feed it every byte; bytes that can't be text silence it up to the next 0x00 or question (name, sync...).
 * The dialect's behaviour is that of the public reference harness; what differs is listed in docs/mlperf.md.
 */
#ifndef EEMBC_H
#define EEMBC_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    EEMBC_COMMAND_CHARS = 510,       /* longest command, '%' not counted; the dialect asks for 80 */
    EEMBC_MAX_INFERENCES = 1000000,  /* of one `infer`, N and W each */
    EEMBC_DEFAULT_WARMUPS = 10,
};

/* What the dialect needs of its surroundings. `context` is handed back in every call. */
typedef struct {
    void *context;
    void (*put)(void *context, char c);                   /* send one byte */
    uint64_t (*now_us)(void *context);                    /* a clock that never goes back */
    int (*infer)(void *context);                          /* run once on the input; 0 = done */
    float (*result)(void *context, uint32_t index);       /* a score of the last inference */
} eembc_port_t;

typedef struct {
    eembc_port_t port;
    const char *name;
    const char *model;
    uint8_t *input;       /* input_bytes of them, written by `db` */
    uint32_t input_bytes;
    uint32_t results;     /* scores of an inference */
    uint32_t filled;      /* input bytes that came since `db load` */
    uint8_t loading;      /* `db load` was obeyed */
    uint8_t inferred;     /* there are results */
    uint16_t length;      /* characters in `command` */
    uint8_t bad;          /* this command can't be text, or is too long */
    uint8_t foreign;      /* bytes came that belong to something else on this console */
    char command[EEMBC_COMMAND_CHARS + 1];
} eembc_t;

/* Make `e` ready. `name` and `model` must live as long as `e` and hold no brackets. */
void eembc_init(eembc_t *e, const eembc_port_t *port, const char *name, const char *model, uint8_t *input,
                uint32_t input_bytes, uint32_t results);

/* Say what a device says when it starts (an image that shares its console with frames stays silent instead). */
void eembc_boot(eembc_t *e);

/* Take one received byte. Returns 1 when it completed a command, which then has been answered; else 0. */
int eembc_feed(eembc_t *e, uint8_t byte);

/* The input was overwritten by something else: `infer` refuses until `db` has loaded it again. */
void eembc_forget_input(eembc_t *e);

#ifdef __cplusplus
}
#endif

#endif
