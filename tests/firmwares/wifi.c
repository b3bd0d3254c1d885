/* A device with a Wi-Fi module: "P<port>;<user>;<password>" associates, "G<text>" publishes the text on agile/t/0/up and waits for the answer on
 * agile/t/0/down, then tells the cycles that took and the answer; "W" waits for an answer without a publish, 50 ms at most. */
#include "f746.h"
static char line[300];
static unsigned length;
static uint8_t frame[256];

static void say(const char *text) { while (*text) put(USART6, (uint8_t)*text++); }

/* Reads until `text` has come; gives up after `ms`. */
static int expect(const char *text, unsigned ms)
{
    uint32_t start = DWT_CYCCNT;
    unsigned matched = 0;
    while (DWT_CYCCNT - start < 216000u * ms) {
        if (!(REG(USART6 + 0x1C) & 0x20)) continue;
        char c = (char)REG(USART6 + 0x24);
        if (length < sizeof line) line[length++] = c;
        matched = c == text[matched] ? matched + 1 : c == text[0];
        if (!text[matched]) return 1;
    }
    return 0;
}

static int ask(const char *a, const char *b, const char *c, const char *wanted, unsigned ms)
{
    length = 0;
    say(a);
    say(b);
    say(c);
    say("\r\n");
    return expect(wanted, ms);
}

static const char *number(unsigned n)
{
    static char digits[8];
    char *p = digits + 7;
    *p = 0;
    do *--p = (char)('0' + n % 10); while (n /= 10);
    return p;
}

static void answer(const char *text)
{
    while (*text) put(USART1, (uint8_t)*text++);
}

static void hex(uint32_t value)
{
    for (int k = 28; k >= 0; k -= 4) put(USART1, "0123456789abcdef"[value >> k & 15]);
}

static char *after(char *text, char mark)
{
    while (*text && *text != mark) text++;
    if (*text) *text++ = 0;
    return text;
}

static int associate(char *port)
{
    char *user = after(port, ';'), *password = after(user, ';');
    usart6_on(108000000u / 115200u);
    if (!ask("ATE0", "", "", "OK\r\n", 200) || !ask("AT+UART_CUR=4000000,8,1,0,0", "", "", "OK\r\n", 200)) return 1;
    while (!(REG(USART6 + 0x1C) & 0x40)) {}
    REG(USART6) = 0;
    REG(USART6 + 0x0C) = 27;
    REG(USART6) = 0xD;
    if (!ask("AT+SLEEP=0", "", "", "OK\r\n", 200) || !ask("AT+CWMODE=1", "", "", "OK\r\n", 200) || !ask("AT+CWJAP=\"s\",\"p\"", "", "", "OK\r\n", 5000)) return 2;
    say("AT+MQTTUSERCFG=0,1,\"wifi-test\",\"");
    say(user);
    if (!ask("\",\"", password, "\",0,0,\"\"", "OK\r\n", 200)) return 3;
    if (!ask("AT+MQTTCONN=0,\"127.0.0.1\",", port, ",0", "OK\r\n", 5000)) return 4;
    return ask("AT+MQTTSUB=0,\"agile/t/0/down\",0", "", "", "OK\r\n", 5000) ? 0 : 5;
}

static void inference(const uint8_t *text, unsigned n)
{
    uint32_t start = DWT_CYCCNT;
    int fine = ask("AT+MQTTPUBRAW=0,\"agile/t/0/up\",", number(n), ",0,0", ">\r\n", 200);
    for (unsigned k = 0; fine && k < n; k++) put(USART6, text[k]);
    length = 0;
    fine = fine && expect("\"agile/t/0/down\",4,", 5000) && expect("\r\n", 100);
    hex(fine ? DWT_CYCCNT - start : 0);
    put(USART1, (uint8_t)(fine ? line[length - 6] : '?'));
}

void test(void)
{
    clock_216();
    cycle_counter_on();
    usart1_on(108000000u / 1000000u);
    RCC_AHB1ENR |= 1u << 8;
    REG(GPIO('I')) = 1u | 1u << 4 | 1u << 6;
    for (;;) {
        unsigned n = 0;
        do { uint8_t byte = get(USART1); if (n < sizeof frame) frame[n++] = byte; } while (frame[n - 1]);
        REG(GPIO('I') + 0x18) = 8;
        if (frame[0] == 'P') answer(number((unsigned)associate((char *)frame + 1)));
        if (frame[0] == 'G') inference(frame + 1, n - 2);
        if (frame[0] == 'W') answer(expect("\"agile/t/0/down\",", 50) ? "late" : "nothing");
        if (frame[0] == 'X') *(volatile uint32_t *)0x60000000u = 1;
        REG(GPIO('I') + 0x18) = 8 << 16;
        put(USART1, 0);
        while (!(REG(USART1 + 0x1C) & 0x40)) {}
    }
}
