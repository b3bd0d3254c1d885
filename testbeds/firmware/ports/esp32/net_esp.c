/* The network through the ESP32's own radio: ESP-IDF's Wi-Fi station and its MQTT client. */
#include <string.h>

#include "deadline.h"
#include "freertos/FreeRTOS.h"
#include "freertos/queue.h"
#include "lwip/sockets.h"
#include "mqtt_client.h"
#include "net.h"
#include "payload.h"
#include "port.h"
#include "scheme.h"
#include "wifi.h"

#define JOIN_MS 20000u
#define BROKER_MS 10000u
#define MESSAGE_ROOM (PAYLOAD_HEAD + 4u * SCHEME_CLASSES) /* the largest reply that is of use */
#define WAITING (sizeof(news_t) <= 512u ? 16u : 4u) /* news that wait while a graph runs */
#define KEEPALIVE_S 600
#define OUT_BYTES (PAYLOAD_HEAD + SCHEME_STORED_BYTES + 128u) /* a whole publish packet: one write, no cut */
#define IN_BYTES (MESSAGE_ROOM + 128u)
#define TOPIC_BYTES (sizeof((settings_t *)0)->prefix + 6u)

typedef enum { NEWS_CONNECTED, NEWS_SUBSCRIBED, NEWS_MESSAGE, NEWS_LOST } news_kind_t;

typedef struct {
    news_kind_t kind;
    uint32_t bytes;
    uint8_t message[MESSAGE_ROOM];
} news_t;

static QueueHandle_t queue; /* from the tasks of ESP-IDF to ours */
static esp_mqtt_client_handle_t client;
static volatile bool up;
static volatile uint32_t lost_news;
static uint8_t *reply;
static uint32_t reply_room;
static news_t incoming; /* of the MQTT task alone: a message may come in parts */
static news_t taken;    /* of ours alone */

uint32_t port_module_overruns(void) { return lost_news; }

void net_init(uint8_t *message, uint32_t message_room)
{
    reply = message;
    reply_room = message_room;
    if (queue == NULL) {
        queue = xQueueCreate(WAITING, sizeof(news_t));
        configASSERT(queue != NULL);
    }
}

bool net_is_up(void) { return up; }

static void post(const news_t *news)
{
    if (xQueueSend(queue, news, 0) != pdTRUE) {
        lost_news++;
    }
}

static void post_kind(news_kind_t kind)
{
    static const news_t none[] = {
        {.kind = NEWS_CONNECTED}, {.kind = NEWS_SUBSCRIBED}, {.kind = NEWS_MESSAGE}, {.kind = NEWS_LOST}};
    post(&none[kind]);
}

static void lost(void)
{
    if (up) {
        up = false;
        post_kind(NEWS_LOST);
    }
}

static void on_wifi(bool has_address)
{
    if (!has_address) {
        lost();
    }
}

/* Without it the last segment of a message waits until the segments before it are acknowledged (RFC 896). The client
 * keeps its socket to itself, and it is the only one here. */
static void send_at_once(void)
{
    const int on = 1;
    for (int s = LWIP_SOCKET_OFFSET; s < LWIP_SOCKET_OFFSET + CONFIG_LWIP_MAX_SOCKETS; s++) {
        (void)setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
}

/* A part of a message at its place; posted when it is whole. Longer ones are of no use: skipped. */
static void take_part(const esp_mqtt_event_t *event)
{
    if (event->total_data_len < 0 || (uint32_t)event->total_data_len > MESSAGE_ROOM || event->data_len < 0 ||
        event->current_data_offset < 0 || event->current_data_offset > event->total_data_len - event->data_len) {
        return;
    }
    memcpy(incoming.message + event->current_data_offset, event->data, (size_t)event->data_len);
    if (event->current_data_offset + event->data_len == event->total_data_len) {
        incoming.kind = NEWS_MESSAGE;
        incoming.bytes = (uint32_t)event->total_data_len;
        post(&incoming);
    }
}

/* Runs in the MQTT client's task. */
static void on_mqtt(void *unused, esp_event_base_t base, int32_t id, void *data)
{
    (void)unused;
    (void)base;
    switch (id) {
    case MQTT_EVENT_CONNECTED:
        send_at_once();
        post_kind(NEWS_CONNECTED);
        break;
    case MQTT_EVENT_SUBSCRIBED:
        post_kind(NEWS_SUBSCRIBED);
        break;
    case MQTT_EVENT_DATA:
        take_part(data);
        break;
    case MQTT_EVENT_DISCONNECTED:
        up = false;
        post_kind(NEWS_LOST);
        break;
    default:
        break;
    }
}

/* Waits for one kind of news, dropping messages; false when the connection is lost or the time is up. */
static bool await(news_kind_t kind, uint32_t timeout_ms)
{
    deadline_t end = deadline_in_ms(timeout_ms);
    while (!deadline_passed(end)) {
        if (xQueueReceive(queue, &taken, pdMS_TO_TICKS(10)) == pdTRUE) {
            if (taken.kind == kind) {
                return true;
            }
            if (taken.kind == NEWS_LOST) {
                return false;
            }
        }
    }
    return false;
}

static void hang_up(void)
{
    up = false;
    if (client != NULL) {
        (void)esp_mqtt_client_stop(client);
        (void)esp_mqtt_client_destroy(client);
        client = NULL;
    }
    (void)xQueueReset(queue);
}

static bool reach_broker(const settings_t *s)
{
    const esp_mqtt_client_config_t config = {
        .broker.address.hostname = s->host,
        .broker.address.port = s->port,
        .broker.address.transport = s->ca_bytes == 0 ? MQTT_TRANSPORT_OVER_TCP : MQTT_TRANSPORT_OVER_SSL,
        .broker.verification.certificate = s->ca_bytes == 0 ? NULL : (const char *)s->ca,
        .broker.verification.certificate_len = s->ca_bytes,
        .credentials.client_id = s->client,
        .credentials.username = s->user[0] == 0 ? NULL : s->user,
        .credentials.authentication.password = s->password[0] == 0 ? NULL : s->password,
        .session.keepalive = KEEPALIVE_S,
        .network.disable_auto_reconnect = true, /* a lost link ends the sample; CONNECT mends it */
        .network.timeout_ms = BROKER_MS,
        .buffer.size = IN_BYTES,
        .buffer.out_size = OUT_BYTES,
    };
    client = esp_mqtt_client_init(&config);
    return client != NULL && esp_mqtt_client_register_event(client, MQTT_EVENT_ANY, on_mqtt, NULL) == ESP_OK &&
           esp_mqtt_client_start(client) == ESP_OK && await(NEWS_CONNECTED, BROKER_MS);
}

static void topic_of(const settings_t *s, const char *end, char topic[TOPIC_BYTES])
{
    size_t length = strlen(s->prefix);
    memcpy(topic, s->prefix, length);
    memcpy(topic + length, end, strlen(end) + 1);
}

static char *put_number(char *out, int number)
{
    char digits[12];
    int count = 0;
    unsigned rest = number < 0 ? 0u - (unsigned)number : (unsigned)number;
    if (number < 0) {
        *out++ = '-';
    }
    do {
        digits[count++] = (char)('0' + rest % 10u);
        rest /= 10u;
    } while (rest != 0);
    while (count != 0) {
        *out++ = digits[--count];
    }
    return out;
}

/* With the strength of the signal, for whoever looks at the bench. */
static const char *connected_text(void)
{
    static char text[64] = "connected rssi=";
    char *end = text + sizeof "connected rssi=" - 1;
    int rssi_dbm;
    unsigned channel;
    if (!wifi_signal(&rssi_dbm, &channel)) {
        return "connected";
    }
    end = put_number(end, rssi_dbm);
    memcpy(end, " channel=", sizeof " channel=" - 1);
    end = put_number(end + sizeof " channel=" - 1, (int)channel);
    *end = 0;
    return text;
}

uint8_t net_connect(const settings_t *s, const char **step)
{
    char topic[TOPIC_BYTES];
    *step = "not configured: ssid, broker host, port, topic prefix and client id are needed";
    if (s->ssid[0] == 0 || s->host[0] == 0 || s->port == 0 || s->prefix[0] == 0 || s->client[0] == 0) {
        return CONNECT_NOT_CONFIGURED;
    }
    hang_up();
    const char *wrong = wifi_join(s, JOIN_MS, on_wifi);
    if (wrong != NULL) {
        *step = wrong;
        return CONNECT_WIFI;
    }
    *step = s->ca_bytes == 0 ? "MQTT: the broker was not reached, or refused" :
                               "MQTT: the broker was not reached by TLS, is not the certificate's, or refused";
    if (!reach_broker(s)) {
        hang_up();
        return CONNECT_BROKER;
    }
    *step = "MQTT: the broker did not take the subscription";
    topic_of(s, "/down", topic);
    if (esp_mqtt_client_subscribe(client, topic, 0) < 0 || !await(NEWS_SUBSCRIBED, BROKER_MS)) {
        hang_up();
        return CONNECT_SUBSCRIBE;
    }
    up = true;
    *step = connected_text();
    return CONNECT_OK;
}

net_send_t net_send(const settings_t *s, const uint8_t *bytes, size_t count, uint32_t timeout_ms)
{
    char topic[TOPIC_BYTES];
    (void)timeout_ms; /* the client's own, network.timeout_ms */
    if (!up) {
        return NET_DOWN;
    }
    topic_of(s, "/up", topic);
    return esp_mqtt_client_publish(client, topic, (const char *)bytes, (int)count, 0, 0) < 0 ? NET_DOWN : NET_SENT;
}

net_event_t net_poll(uint32_t *bytes)
{
    if (xQueueReceive(queue, &taken, pdMS_TO_TICKS(1)) != pdTRUE) {
        return NET_NOTHING;
    }
    if (taken.kind == NEWS_LOST) {
        return NET_LOST;
    }
    if (taken.kind != NEWS_MESSAGE || taken.bytes > reply_room) {
        return NET_NOTHING;
    }
    memcpy(reply, taken.message, taken.bytes);
    *bytes = taken.bytes;
    return NET_MESSAGE;
}
