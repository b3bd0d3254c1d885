/* From a module in any state to a subscription: docs/protocol.md says what is sent and why. */
#include <string.h>

#include "at_link.h"
#include "deadline.h"
#include "net.h"
#include "port.h"

#define FACTORY_BAUD 115200u
#define TRY_MS 200u
#define QUIET_MS 20u
#define READY_MS 3000u
#define RAW_MAX (65536u + 16u) /* the longest message that any image of ours publishes */
#define FEED_BYTES 64u

static at_answer_t last_answer; /* to tell a module that refuses from one that fell silent */

static bool asked(at_command_t *c, uint32_t timeout_ms)
{
    last_answer = at_ask(c, timeout_ms);
    return last_answer == ASK_OK;
}

static bool asked_text(const char *text, uint32_t timeout_ms)
{
    at_command_t c = {.used = 0};
    at_add(&c, text);
    return asked(&c, timeout_ms);
}

/* Asks, and looks for a line in the answer. */
static bool asked_seeing(const char *text, const char *wanted)
{
    at_command_t c = {.used = 0};
    bool seen = false;
    at_add(&c, text);
    last_answer = at_ask_for(&c, AT_ANSWER_MS, AT_ANSWER_MS + AT_BUSY_MS, wanted, &seen);
    return last_answer == ASK_OK && seen;
}

/* Does the module say anything that only one at our rate can? OK, ERROR and busy prove the rate alike. */
static bool speaks(uint32_t ms)
{
    deadline_t end = deadline_in_ms(ms);
    do {
        switch (at_next_event()) {
        case AT_OK:
        case AT_ERROR:
        case AT_BUSY:
        case AT_READY:
        case AT_PUBLISHED:
        case AT_PUBLISH_FAILED:
            return true;
        default:
            break;
        }
    } while (!deadline_passed(end));
    return false;
}

static void write_text(const char *text) { port_module_write((const uint8_t *)text, strlen(text)); }

/* Until nothing has come for a while: what was still to be said of earlier commands has been said. */
static void fall_quiet(void)
{
    deadline_t limit = deadline_in_ms(AT_ANSWER_MS), end = deadline_in_ms(QUIET_MS);
    while (!deadline_passed(end) && !deadline_passed(limit)) {
        int byte = port_module_read();
        if (byte >= 0) {
            (void)at_take(&at_line, (uint8_t)byte);
            end = deadline_in_ms(QUIET_MS);
        }
    }
}

/* CR LF first: it ends what a try at another rate, or the noise of a reset, left in the module's line. */
static bool answers_at(uint32_t baud)
{
    if (!at_set_baud(baud)) {
        return false;
    }
    write_text("\r\nAT\r\n");
    return speaks(TRY_MS);
}

/* A raw publish that was cut short (by a reset of ours, or a lost byte) makes the module wait for the rest, deaf to
 * commands, without an end. It gets line ends until it speaks. */
static bool speaks_when_fed(uint32_t baud)
{
    uint8_t line_ends[FEED_BYTES];
    for (unsigned i = 0; i < FEED_BYTES; i++) {
        line_ends[i] = i % 2 != 0 ? '\n' : '\r';
    }
    if (!at_set_baud(baud)) {
        return false;
    }
    for (uint32_t fed = 0; fed < RAW_MAX; fed += FEED_BYTES) {
        port_module_write(line_ends, FEED_BYTES);
        if (speaks(1)) {
            return true;
        }
    }
    return speaks(TRY_MS);
}

/* At the right rate: until it has nothing else to do and takes commands one for one. */
static bool settle(void)
{
    for (unsigned attempt = 0; attempt < 4; attempt++) {
        fall_quiet();
        if (asked_text("AT", AT_ANSWER_MS)) {
            fall_quiet(); /* that OK may have been an earlier command's, and AT's own follow */
            return true;
        }
        if (last_answer == ASK_BUSY) {
            return false;
        }
    }
    return false;
}

/* What speaks may be the end of something said before our reset: the module is found once it takes commands. */
static bool found_at(uint32_t baud, bool feed)
{
    if (last_answer == ASK_BUSY) {
        return false; /* it was found, and stays busy */
    }
    return (answers_at(baud) && settle()) || (feed && last_answer != ASK_BUSY && speaks_when_fed(baud) && settle());
}

/* The module speaks 115200 baud after its reset, or still the raised rate after ours alone; a rate that another
 * setting raised it to, if that was changed meanwhile. It may be booting, busy, or deaf. */
static bool find_module(uint32_t raised)
{
    (void)port_module_set_flow(false); /* a module at its factory settings does not drive its RTS */
    static const uint32_t others[] = {4000000u, 2000000u, 1000000u, 921600u};
    for (unsigned attempt = 0; attempt < 3; attempt++) {
        if (found_at(FACTORY_BAUD, false) || found_at(raised, attempt != 0)) {
            return true;
        }
    }
    for (unsigned i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (others[i] != raised && found_at(others[i], true)) {
            return true;
        }
    }
    if (last_answer == ASK_BUSY) {
        return false;
    }
    port_module_restart(); /* where its EN is wired */
    if (!at_set_baud(FACTORY_BAUD)) {
        return false;
    }
    return (speaks(READY_MS) || answers_at(FACTORY_BAUD)) && settle();
}

/* Flow control 1: the module's RTS tells when its receiver (128 bytes) is nearly full. Ours needs none: every byte is
 * taken within its time (docs/protocol.md). */
static bool raise_baud(const settings_t *s, const char **step)
{
    at_command_t c = {.used = 0};
    at_add(&c, "AT+UART_CUR=");
    at_add_number(&c, s->module_baud);
    at_add(&c, s->module_flow ? ",8,1,0,1" : ",8,1,0,0");
    if (!asked(&c, AT_ANSWER_MS) || !at_set_baud(s->module_baud)) {
        return false;
    }
    if (s->module_flow) {
        *step = "AT+UART_CUR: this board has no pin for the module's RTS: module_flow_control = false";
        if (!port_module_set_flow(true)) {
            return false;
        }
        *step = "AT+UART_CUR: the module's RTS never lets us send: is it wired? Else module_flow_control = false";
        deadline_t end = deadline_in_ms(TRY_MS);
        while (!port_module_may_send()) {
            if (deadline_passed(end)) {
                last_answer = ASK_ERROR; /* it did answer: another round would end here again */
                return false;
            }
            port_module_poll();
        }
        *step = "AT+UART_CUR: the module did not follow to this baud rate";
    }
    return asked_text("AT", TRY_MS) || asked_text("AT", AT_ANSWER_MS);
}

/* Is it in our network already? Joining again would cost seconds and the connection to the broker. */
static bool joined(const settings_t *s)
{
    at_command_t line = {.used = 0};
    at_add(&line, "+CWSTATE:2,\"");
    at_add(&line, s->ssid);
    at_add(&line, "\"");
    line.text[line.used] = 0;
    return asked_seeing("AT+CWSTATE?", line.text);
}

static bool join(const settings_t *s)
{
    at_command_t c = {.used = 0};
    at_add(&c, "AT+CWJAP=");
    at_add_quoted(&c, s->ssid);
    at_add(&c, ",");
    at_add_quoted(&c, s->wifi_password);
    return asked_text("AT+CWMODE=1", AT_ANSWER_MS) && asked(&c, AT_JOIN_MS);
}

static bool reach_broker(const settings_t *s)
{
    at_command_t user = {.used = 0}, c = {.used = 0};
    at_add(&user, "AT+MQTTUSERCFG=0,1,");
    at_add_quoted(&user, s->client);
    at_add(&user, ",");
    at_add_quoted(&user, s->user);
    at_add(&user, ",");
    at_add_quoted(&user, s->password);
    at_add(&user, ",0,0,\"\"");
    at_add(&c, "AT+MQTTCONN=0,");
    at_add_quoted(&c, s->host);
    at_add(&c, ",");
    at_add_number(&c, s->port);
    at_add(&c, ",0");
    return asked(&user, AT_ANSWER_MS) && asked(&c, AT_MQTT_MS);
}

static bool subscribe(const settings_t *s)
{
    at_command_t c = {.used = 0};
    at_add(&c, "AT+MQTTSUB=0,\"");
    at_add(&c, s->prefix);
    at_add(&c, "/down\",0");
    return asked(&c, AT_MQTT_MS);
}

static uint8_t try_once(const settings_t *s, const char **step)
{
    *step = "AT: no answer from the Wi-Fi module";
    last_answer = ASK_SILENT;
    if (!find_module(s->module_baud)) {
        *step = last_answer == ASK_BUSY ? "AT: the Wi-Fi module stays busy" : *step;
        return CONNECT_NO_MODULE;
    }
    *step = "ATE0: the Wi-Fi module refuses";
    if (!asked_text("ATE0", AT_ANSWER_MS)) {
        return CONNECT_NO_MODULE;
    }
    *step = "AT+UART_CUR: the module did not follow to this baud rate";
    if (!raise_baud(s, step)) {
        return CONNECT_BAUD;
    }
    *step = "AT+SYSSTORE=0: the module would keep the network's password in its flash";
    if (!asked_text("AT+SYSSTORE=0", AT_ANSWER_MS)) {
        return CONNECT_WIFI;
    }
    /* An earlier session, connected or lost, keeps the module's one MQTT client; ERROR: there was none. Before joining:
     * a connection that is still there ends sooner than one that joining has cut. */
    *step = "AT+MQTTCLEAN: the module did not end its earlier session with the broker";
    if (!asked_text("AT+MQTTCLEAN=0", AT_MQTT_MS) && last_answer != ASK_ERROR) {
        return CONNECT_BROKER;
    }
    *step = "AT+CWJAP: the module did not join the network";
    if (!joined(s) && !join(s)) {
        return CONNECT_WIFI;
    }
    *step = "AT+SLEEP=0: the module would sleep between the network's beacons";
    if (!asked_text("AT+SLEEP=0", AT_ANSWER_MS) || !asked_seeing("AT+SLEEP?", "+SLEEP:0")) {
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
    at_line.mqtt_up = true; /* also where +MQTTCONNECTED was lost in noise: OK came */
    *step = "connected";
    return CONNECT_OK;
}

uint8_t at_bring_up(const settings_t *s, const char **step)
{
    at_line.mqtt_up = false;
    uint8_t status = try_once(s, step);
    /* It fell silent in the middle, or said that it had restarted: it is at the factory rate again, and empty. */
    if (status > CONNECT_NO_MODULE && (last_answer == ASK_SILENT || last_answer == ASK_RESTARTED)) {
        status = try_once(s, step);
    }
    return status;
}
