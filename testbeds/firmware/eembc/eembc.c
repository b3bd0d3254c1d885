#include "eembc.h"

typedef struct {
    const char *at; /* the rest of the command, NUL-terminated */
} words_t;

static void say(eembc_t *e, const char *text) {
    while (*text != '\0') {
        e->port.put(e->port.context, *text++);
    }
}

static void end_line(eembc_t *e) { say(e, "\r\n"); }

/* Decimal by subtraction: a 64-bit division would pull in a library routine. */
static void say_u64(eembc_t *e, uint64_t value) {
    static const uint64_t powers[] = {
        10000000000000000000u, 1000000000000000000u, 100000000000000000u, 10000000000000000u, 1000000000000000u,
        100000000000000u,      10000000000000u,      1000000000000u,      100000000000u,      10000000000u,
        1000000000u,           100000000u,           10000000u,           1000000u,           100000u,
        10000u,                1000u,                100u,                10u,                1u,
    };
    int started = 0;
    for (unsigned i = 0; i < sizeof powers / sizeof powers[0]; i++) {
        char digit = '0';
        while (value >= powers[i]) {
            value -= powers[i];
            digit++;
        }
        if (digit != '0' || started || powers[i] == 1u) {
            started = 1;
            e->port.put(e->port.context, digit);
        }
    }
}

/* Three decimals, rounded half away from zero; beyond +-2 million clamped; not a number as "nan". */
static void say_score(eembc_t *e, float value) {
    if (value != value) {
        say(e, "nan");
        return;
    }
    if (value < 0.0f) {
        value = -value;
        if (value >= 0.0005f) {
            say(e, "-");
        }
    }
    if (value > 2e6f) {
        value = 2e6f;
    }
    uint32_t whole = (uint32_t)value;
    uint32_t milli = (uint32_t)((value - (float)whole) * 1000.0f + 0.5f);
    if (milli >= 1000u) {
        whole++;
        milli -= 1000u;
    }
    say_u64(e, whole);
    e->port.put(e->port.context, '.');
    e->port.put(e->port.context, (char)('0' + milli / 100u));
    e->port.put(e->port.context, (char)('0' + milli / 10u % 10u));
    e->port.put(e->port.context, (char)('0' + milli % 10u));
}

static void say_counted(eembc_t *e, const char *before, uint64_t value, const char *after) {
    say(e, before);
    say_u64(e, value);
    say(e, after);
    end_line(e);
}

static void say_quoted(eembc_t *e, const char *before, const char *text) {
    say(e, before);
    say(e, text);
    say(e, "]");
    end_line(e);
}

static void refuse(eembc_t *e, const char *reason) { say_quoted(e, "e-[", reason); }

static void say_timestamp(eembc_t *e) { say_counted(e, "m-lap-us-", e->port.now_us(e->port.context), ""); }

static void say_results(eembc_t *e) {
    if (!e->inferred) {
        refuse(e, "Nothing was inferred yet");
        return;
    }
    say(e, "m-results-[");
    for (uint32_t i = 0; i < e->results; i++) {
        if (i > 0u) {
            say(e, ",");
        }
        say_score(e, e->port.result(e->port.context, i));
    }
    say(e, "]");
    end_line(e);
}

/* The next word of the command, or "" when there is none. Words end in the command's own buffer. */
static const char *next_word(words_t *words, char *end_of_command) {
    char *at = (char *)words->at;
    while (*at == ' ') {
        at++;
    }
    char *word = at;
    while (*at != '\0' && *at != ' ') {
        at++;
    }
    if (at < end_of_command) {
        *at++ = '\0';
    }
    words->at = at;
    return word;
}

static int same(const char *a, const char *b) {
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

/* `word` as a decimal of at most nine digits. 1 and the value; 0 when it is none. An empty word gives `otherwise`. */
static int number(const char *word, uint32_t otherwise, uint32_t *value) {
    if (*word == '\0') {
        *value = otherwise;
        return 1;
    }
    uint32_t sum = 0;
    unsigned digits = 0;
    for (; *word != '\0'; word++) {
        if (*word < '0' || *word > '9' || ++digits > 9u) {
            return 0;
        }
        sum = 10u * sum + (uint32_t)(*word - '0');
    }
    *value = sum;
    return 1;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static void db_load(eembc_t *e, const char *word) {
    uint32_t bytes;
    if (!number(word, 0u, &bytes) || bytes != e->input_bytes) {
        say_counted(e, "e-[Inputs have ", e->input_bytes, " bytes]");
        return;
    }
    e->loading = 1;
    e->filled = 0;
    e->inferred = 0;
    say_counted(e, "m-[Expecting ", bytes, " bytes]");
}

/* All digits are looked at before a byte is written: a damaged command changes nothing. */
static void db_bytes(eembc_t *e, const char *digits) {
    unsigned count = 0;
    for (; digits[count] != '\0'; count++) {
        if (hex_digit(digits[count]) < 0) {
            refuse(e, "db needs hex digits");
            return;
        }
    }
    if (count % 2u != 0u) {
        refuse(e, "db needs two digits a byte");
        return;
    }
    if (!e->loading || e->filled >= e->input_bytes) {
        refuse(e, "db load comes first");
        return;
    }
    for (unsigned i = 0; i < count && e->filled < e->input_bytes; i += 2u) {
        e->input[e->filled++] = (uint8_t)(16 * hex_digit(digits[i]) + hex_digit(digits[i + 1u]));
    }
    if (e->filled == e->input_bytes) {
        say(e, "m-load-done");
        end_line(e);
    }
}

static void db_print(eembc_t *e, const char *count_word, const char *offset_word) {
    static const char hex[] = "0123456789abcdef";
    uint32_t count;
    uint32_t offset;
    if (!number(count_word, 16u, &count) || !number(offset_word, 0u, &offset)) {
        refuse(e, "db print needs whole numbers");
        return;
    }
    for (uint32_t i = 0; i < count && offset < e->filled; i++, offset++) {
        uint8_t byte = e->input[offset];
        int last = i + 1u == count || offset + 1u == e->filled;
        say(e, i % 8u == 0u ? "m-buffer-" : "-");
        e->port.put(e->port.context, hex[byte >> 4]);
        e->port.put(e->port.context, hex[byte & 15u]);
        if (i % 8u == 7u || last) {
            end_line(e);
        }
    }
}

static void db(eembc_t *e, words_t *words, char *end) {
    const char *sub = next_word(words, end);
    if (*sub == '\0') {
        refuse(e, "db needs a subcommand");
    } else if (same(sub, "load")) {
        db_load(e, next_word(words, end));
    } else if (same(sub, "print")) {
        const char *count = next_word(words, end);
        db_print(e, count, next_word(words, end));
    } else {
        db_bytes(e, sub);
    }
}

static void infer(eembc_t *e, words_t *words, char *end) {
    uint32_t iterations;
    uint32_t warmups;
    const char *first = next_word(words, end);
    if (!number(first, 1u, &iterations) || !number(next_word(words, end), EEMBC_DEFAULT_WARMUPS, &warmups) ||
        iterations == 0u || iterations > EEMBC_MAX_INFERENCES || warmups > EEMBC_MAX_INFERENCES) {
        refuse(e, "infer needs N > 0 and W >= 0, a million at most");
        return;
    }
    if (!e->loading || e->filled != e->input_bytes) {
        refuse(e, "No input is loaded");
        return;
    }
    int failed = 0;
    say_counted(e, "m-warmup-start-", warmups, "");
    for (uint32_t i = 0; i < warmups && !failed; i++) {
        failed = e->port.infer(e->port.context);
    }
    say(e, "m-warmup-done\r\n");
    say_counted(e, "m-infer-start-", iterations, "");
    say_timestamp(e);
    for (uint32_t i = 0; i < iterations && !failed; i++) {
        failed = e->port.infer(e->port.context);
    }
    say_timestamp(e);
    say(e, "m-infer-done\r\n");
    e->inferred = !failed;
    if (failed) {
        refuse(e, "The inference failed");
    } else {
        say_results(e);
    }
}

static void help(eembc_t *e) {
    say(e, "name: who this is\r\nprofile: dialect and model\r\ntimestamp: the clock in us\r\n"
           "db load N: expect N input bytes\r\ndb HH..: input bytes\r\ndb print [N=16] [offset=0]\r\n"
           "infer [N=1] [W=10]: N inferences after W more\r\nresults: scores of the last one\r\n");
}

typedef enum { NAME, PROFILE, TIMESTAMP, HELP, DB, INFER, RESULTS, UNKNOWN } verb_t;

static verb_t verb_of(const char *word) {
    static const char *const verbs[] = {"name", "profile", "timestamp", "help", "db", "infer", "results"};
    for (unsigned i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (same(word, verbs[i])) {
            return (verb_t)i;
        }
    }
    return UNKNOWN;
}

/* Words that open a conversation although foreign bytes came before: the questions a host begins with, and its way of
 * finding out where it is, an unknown word that begins with "sync". Picture data never spell these between two '%'. */
static int opens(verb_t verb, const char *word) {
    static const char sync[] = "sync";
    if (verb == DB || verb == INFER) {
        return 0;
    }
    for (unsigned i = 0; verb == UNKNOWN && i < 4u; i++) {
        if (word[i] != sync[i]) {
            return 0;
        }
    }
    return 1;
}

static int run(eembc_t *e) {
    words_t words = {e->command};
    char *end = e->command + e->length;
    const char *word = next_word(&words, end);
    verb_t verb = verb_of(word);
    if (e->foreign && !opens(verb, word)) {
        return 0; /* more likely a piece of a frame than a command */
    }
    e->foreign = 0;
    switch (verb) {
    case NAME:
        say_quoted(e, "m-name-dut-[", e->name);
        break;
    case PROFILE:
        say_quoted(e, "m-profile-[", "agilenn-bench dialect 1");
        say_quoted(e, "m-model-[", e->model);
        break;
    case TIMESTAMP:
        say_timestamp(e);
        break;
    case HELP:
        help(e);
        break;
    case DB:
        db(e, &words, end);
        break;
    case INFER:
        infer(e, &words, end);
        break;
    case RESULTS:
        say_results(e);
        break;
    case UNKNOWN:
        say_quoted(e, "e-[Unknown command: ", word);
        break;
    }
    say(e, "m-ready");
    end_line(e);
    return 1;
}

void eembc_init(eembc_t *e, const eembc_port_t *port, const char *name, const char *model, uint8_t *input,
                uint32_t input_bytes, uint32_t results) {
    e->port = *port;
    e->name = name;
    e->model = model;
    e->input = input;
    e->input_bytes = input_bytes;
    e->results = results;
    e->filled = 0;
    e->loading = 0;
    e->inferred = 0;
    e->length = 0;
    e->bad = 0;
    e->foreign = 0;
    e->command[0] = '\0';
}

void eembc_boot(eembc_t *e) {
    say(e, "m-timestamp-mode-performance\r\n");
    say_timestamp(e);
    say(e, "m-init-done\r\nm-ready\r\n");
}

int eembc_feed(eembc_t *e, uint8_t byte) {
    if (byte == 0u) { /* the end of a frame: what comes next starts afresh */
        e->length = 0;
        e->bad = 0;
        e->foreign = 0;
        return 0;
    }
    if (byte == (uint8_t)'%') {
        int taken = 0;
        e->command[e->length] = '\0';
        if (e->bad) {
            e->foreign = 1;
        } else if (e->length > 0u) {
            taken = run(e);
        }
        e->length = 0;
        e->bad = 0;
        return taken;
    }
    if (byte == (uint8_t)'\r' || byte == (uint8_t)'\n') { /* a person at a terminal */
        return 0;
    }
    if (byte < 0x20u || byte > 0x7eu || e->length >= EEMBC_COMMAND_CHARS) {
        e->bad = 1;
        e->foreign = 1;
        return 0;
    }
    e->command[e->length++] = (char)byte;
    return 0;
}

void eembc_forget_input(eembc_t *e) {
    e->loading = 0;
    e->filled = 0;
    e->inferred = 0;
}
