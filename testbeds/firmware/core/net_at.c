/* The network through an ESP-AT module. The dialogue, byte for byte, is in docs/protocol.md. */
#include <string.h>

#include "at.h"
#include "deadline.h"
#include "net.h"
#include "port.h"

#define ANSWER_MS 1000u
#define JOIN_MS 20000u /* AT+CWJAP: 15 s by its own default time-out */
#define BROKER_MS 10000u
#define SILENCE_MS 100u /* no byte for so long inside a message: the rest is lost */
#define BUSY_PAUSE_MS 50u
#define FACTORY_BAUD 115200u

static at_parser_t at;
static uint32_t last_byte_us; /* for SILENCE_MS */
static uint32_t module_baud = FACTORY_BAUD;

typedef struct {
    char text[AT_LINE_MAX];
    size_t used;
    bool too_long;
} command_t;

void net_init(uint8_t *message, uint32_t message_room) { at_init(&at, message, message_room); }

bool net_is_up(void) { return at.mqtt_up; }

static at_event_t next_event(void)
{
    int byte = port_module_read();
    if (byte < 0) {
        if (at_inside_message(&at) && (int32_t)(port_time_us() - last_byte_us) > (int32_t)(SILENCE_MS * 1000u)) {
            at_abandon_message(&at);
        }
        return AT_NOTHING;
    }
    do {
        at_event_t event = at_take(&at, (uint8_t)byte);
        if (event != AT_NOTHING) {
            return event;
        }
        byte = port_module_read();
    } while (byte >= 0);
    last_byte_us = port_time_us();
    return AT_NOTHING;
}

/* A message is followed by CR LF. They are awaited, three byte times at most, before the message is looked at: nobody
 * would take them from the receiver while it is. */
static void take_line_end(void)
{
    uint32_t begin = port_time_us(), patience_us = 1u + 30000000u / module_baud;
    int byte = -1;
    while (byte != '\n' && port_time_us() - begin <= patience_us) {
        byte = port_module_read();
        if (byte >= 0) {
            (void)at_take(&at, (uint8_t)byte); /* no event can come of the first bytes of a line */
        }
    }
}

static bool set_baud(uint32_t baud)
{
    module_baud = baud;
    return port_module_set_baud(baud);
}

static void add(command_t *c, const char *text)
{
    for (; *text != 0; text++) {
        if (c->used + 2 >= AT_LINE_MAX) { /* room for CR LF; a command line is under 256 bytes */
            c->too_long = true;
            return;
        }
        c->text[c->used++] = *text;
    }
}

/* A quoted parameter; quote, comma and backslash are escaped as the AT user guide asks. */
static void add_quoted(command_t *c, const char *text)
{
    add(c, "\"");
    for (; *text != 0; text++) {
        char one[3] = {'\\', *text, 0};
        add(c, *text == '"' || *text == ',' || *text == '\\' ? one : one + 1);
    }
    add(c, "\"");
}

static void add_number(command_t *c, uint32_t number)
{
    char digits[11] = {0};
    char *p = digits + sizeof digits - 1;
    do {
        *--p = (char)('0' + number % 10u);
        number /= 10u;
    } while (number != 0);
    add(c, p);
}

/* Sends the command and waits for OK. A busy module is asked again until the time is up. */
static bool ask(command_t *c, uint32_t timeout_ms)
{
    if (c->too_long) {
        return false;
    }
    memcpy(c->text + c->used, "\r\n", 2);
    deadline_t end = deadline_in_ms(timeout_ms);
    port_module_write((const uint8_t *)c->text, c->used + 2);
    while (!deadline_passed(end)) {
        at_event_t event = next_event();
        if (event == AT_OK) {
            return true;
        }
        if (event == AT_ERROR) {
            return false;
        }
        if (event == AT_BUSY) {
            deadline_t pause = deadline_in_ms(BUSY_PAUSE_MS);
            while (!deadline_passed(pause)) {
                (void)next_event();
            }
            port_alarm_us(end.at_us);
            port_module_write((const uint8_t *)c->text, c->used + 2);
        }
    }
    return false;
}

static bool ask_text(const char *text, uint32_t timeout_ms)
{
    command_t c = {.used = 0};
    add(&c, text);
    return ask(&c, timeout_ms);
}

/* The module speaks 115200 baud after its reset, or still the raised rate after ours alone. */
static bool find_module(uint32_t raised)
{
    const uint32_t bauds[2] = {FACTORY_BAUD, raised};
    for (unsigned attempt = 0; attempt < 4; attempt++) {
        if (set_baud(bauds[attempt & 1u]) && ask_text("AT", 200)) {
            return ask_text("ATE0", ANSWER_MS);
        }
    }
    return false;
}

static bool raise_baud(uint32_t baud)
{
    command_t c = {.used = 0};
    add(&c, "AT+UART_CUR=");
    add_number(&c, baud);
    add(&c, ",8,1,0,0");
    return ask(&c, ANSWER_MS) && set_baud(baud) && (ask_text("AT", 200) || ask_text("AT", ANSWER_MS));
}

static bool join(const settings_t *s)
{
    command_t c = {.used = 0};
    add(&c, "AT+CWJAP=");
    add_quoted(&c, s->ssid);
    add(&c, ",");
    add_quoted(&c, s->wifi_password);
    return ask_text("AT+CWMODE=1", ANSWER_MS) && ask(&c, JOIN_MS);
}

static bool set_user(const settings_t *s)
{
    command_t c = {.used = 0};
    add(&c, "AT+MQTTUSERCFG=0,1,");
    add_quoted(&c, s->client);
    add(&c, ",");
    add_quoted(&c, s->user);
    add(&c, ",");
    add_quoted(&c, s->password);
    add(&c, ",0,0,\"\"");
    return ask(&c, ANSWER_MS);
}

static bool reach_broker(const settings_t *s)
{
    command_t c = {.used = 0};
    add(&c, "AT+MQTTCONN=0,");
    add_quoted(&c, s->host);
    add(&c, ",");
    add_number(&c, s->port);
    add(&c, ",0");
    /* An earlier session still holds the module's one MQTT client: clean it up and ask again. */
    if (!set_user(s) && !(ask_text("AT+MQTTCLEAN=0", ANSWER_MS) && set_user(s))) {
        return false;
    }
    return ask(&c, BROKER_MS);
}

static bool subscribe(const settings_t *s)
{
    command_t c = {.used = 0};
    add(&c, "AT+MQTTSUB=0,\"");
    add(&c, s->prefix);
    add(&c, "/down\",0");
    return ask(&c, BROKER_MS);
}

uint8_t net_connect(const settings_t *s, const char **step)
{
    *step = "not configured: ssid, broker host, port, topic prefix and client id are needed";
    if (s->ssid[0] == 0 || s->host[0] == 0 || s->port == 0 || s->prefix[0] == 0 || s->client[0] == 0) {
        return CONNECT_NOT_CONFIGURED;
    }
    at.mqtt_up = false;
    *step = "AT: no answer from the Wi-Fi module";
    if (!find_module(s->module_baud)) {
        return CONNECT_NO_MODULE;
    }
    *step = "AT+UART_CUR: the module did not follow to this baud rate";
    if (!raise_baud(s->module_baud)) {
        return CONNECT_BAUD;
    }
    *step = "AT+CWJAP: the module did not join the network";
    if (!join(s)) {
        return CONNECT_WIFI;
    }
    *step = "AT+MQTTCONN: the module did not reach the broker";
    if (!reach_broker(s)) {
        return CONNECT_BROKER;
    }
    *step = "AT+MQTTSUB: the broker did not take the subscription";
    if (!subscribe(s)) {
        return CONNECT_SUBSCRIBE;
    }
    at.mqtt_up = true; /* also where +MQTTCONNECTED was lost in noise: OK came */
    *step = "connected";
    return CONNECT_OK;
}

net_send_t net_send(const settings_t *s, const uint8_t *bytes, size_t count, uint32_t timeout_ms)
{
    command_t c = {.used = 0};
    add(&c, "AT+MQTTPUBRAW=0,\"");
    add(&c, s->prefix);
    add(&c, "/up\",");
    add_number(&c, (uint32_t)count);
    add(&c, ",0,0");
    deadline_t end = deadline_in_ms(timeout_ms);
    if (!at.mqtt_up || !ask(&c, timeout_ms)) {
        return deadline_passed(end) ? NET_TIMEOUT : NET_DOWN;
    }
    while (!deadline_passed(end)) {
        at_event_t event = next_event();
        if (event == AT_PROMPT) {
            port_module_write(bytes, count);
            return NET_SENT;
        }
        if (event == AT_ERROR || event == AT_LINK_DOWN) {
            return NET_DOWN;
        }
    }
    return NET_TIMEOUT;
}

net_event_t net_poll(uint32_t *bytes)
{
    switch (next_event()) {
    case AT_MESSAGE:
        *bytes = at.message_bytes;
        take_line_end();
        return NET_MESSAGE;
    case AT_PUBLISH_FAILED:
    case AT_LINK_DOWN:
        return NET_LOST;
    default:
        return NET_NOTHING;
    }
}
