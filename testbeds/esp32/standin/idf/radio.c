/* Wi-Fi, TCP, TLS and the MQTT client: calls go to the board as messages, events come back and are handed out by one
 * thread, as by ESP-IDF's event and MQTT tasks. A message is a kind and its bytes, on a SOCK_SEQPACKET socket:
 *   J ssid[32] password[64]   L leave   C host 0 port 0 client 0 user 0 password 0 certificate   D disconnect
 *   S topic   P topic 0 payload   G pins u32 time_ns u64   N (TCP_NODELAY was asked for)
 * and back: j rssi i8 channel u8: joined   k reason u8   c connected   x disconnected   s subscribed   m topic 0 payload   p ppm i32 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "esp_netif.h"
#include "esp_wifi.h"
#include "lwip/sockets.h"
#include "mqtt_client.h"
#include "standin.h"

#define MESSAGE_MAX (160u * 1024u)
#define HANDLERS 4

esp_event_base_t const WIFI_EVENT = "WIFI_EVENT";
esp_event_base_t const IP_EVENT = "IP_EVENT";

struct esp_mqtt_client {
    char address[512]; /* the parts of C, zeros between and behind */
    size_t address_bytes;
    uint8_t certificate[4096];
    size_t certificate_bytes;
    int buffer_bytes;
    bool connected, started;
    esp_event_handler_t handler;
    void *argument;
};

typedef struct {
    esp_event_base_t base;
    int32_t id;
    esp_event_handler_t handler;
    void *argument;
} listener_t;

static int radio = -1;
static listener_t listeners[HANDLERS];
static unsigned listening;
static wifi_config_t network;
static wifi_ap_record_t joined;
static esp_mqtt_client_handle_t active;
static pthread_mutex_t active_lock = PTHREAD_MUTEX_INITIALIZER; /* held while its events are handed out */

void standin_say(char kind, const void *bytes, size_t count)
{
    struct iovec parts[2] = {{&kind, 1}, {(void *)(uintptr_t)bytes, count}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = count == 0 ? 1 : 2};
    if (sendmsg(radio, &message, MSG_NOSIGNAL) < 0) {
        standin_power_off();
    }
}

static void tell(esp_event_base_t base, int32_t id, void *data)
{
    for (unsigned i = 0; i < listening; i++) {
        if (listeners[i].base == base && (listeners[i].id == ESP_EVENT_ANY_ID || listeners[i].id == id)) {
            listeners[i].handler(listeners[i].argument, base, id, data);
        }
    }
}

static void tell_mqtt(esp_mqtt_event_t *event)
{
    if (active != NULL && active->handler != NULL) {
        event->client = active;
        active->handler(active->argument, "MQTT_EVENTS", event->event_id, event);
    }
}

static void tell_mqtt_kind(esp_mqtt_event_id_t id)
{
    esp_mqtt_event_t event = {.event_id = id};
    if (active != NULL) {
        active->connected = id == MQTT_EVENT_CONNECTED || (id == MQTT_EVENT_SUBSCRIBED && active->connected);
    }
    tell_mqtt(&event);
}

/* In parts of the client's buffer, the topic in front of the first, as the real client cuts them. */
static void tell_message(char *topic, size_t bytes)
{
    size_t topic_bytes = strnlen(topic, bytes), at = 0;
    char *data = topic + topic_bytes + 1;
    size_t total = bytes > topic_bytes ? bytes - topic_bytes - 1 : 0;
    do {
        size_t room = (size_t)(active == NULL ? 1024 : active->buffer_bytes) - (at == 0 ? topic_bytes : 0);
        size_t part = total - at < room ? total - at : room;
        esp_mqtt_event_t event = {
            .event_id = MQTT_EVENT_DATA,
            .data = data + at,
            .data_len = (int)part,
            .total_data_len = (int)total,
            .current_data_offset = (int)at,
            .topic = at == 0 ? topic : NULL,
            .topic_len = at == 0 ? (int)topic_bytes : 0,
        };
        tell_mqtt(&event);
        at += part;
    } while (at < total);
}

static void hand_out(char *message, size_t bytes)
{
    wifi_event_sta_disconnected_t left = {.reason = (uint8_t)message[1]};
    int32_t ppm;
    switch (message[0]) {
    case 'j':
        joined = (wifi_ap_record_t){.rssi = (int8_t)message[1], .primary = bytes > 2 ? (uint8_t)message[2] : 0};
        tell(WIFI_EVENT, WIFI_EVENT_STA_CONNECTED, NULL);
        tell(IP_EVENT, IP_EVENT_STA_GOT_IP, NULL);
        break;
    case 'k':
        tell(WIFI_EVENT, WIFI_EVENT_STA_DISCONNECTED, &left);
        break;
    case 'c':
        tell_mqtt_kind(MQTT_EVENT_CONNECTED);
        break;
    case 'x':
        tell_mqtt_kind(MQTT_EVENT_DISCONNECTED);
        break;
    case 's':
        tell_mqtt_kind(MQTT_EVENT_SUBSCRIBED);
        break;
    case 'm':
        tell_message(message + 1, bytes - 1);
        break;
    case 'p':
        memcpy(&ppm, message + 1, 4);
        standin_clock_ppm(ppm);
        break;
    default:
        break;
    }
}

static void *listen_to_board(void *unused)
{
    static char message[MESSAGE_MAX + 1];
    (void)unused;
    for (;;) {
        ssize_t bytes = recv(radio, message, MESSAGE_MAX, 0);
        if (bytes <= 0) {
            standin_power_off();
        }
        message[bytes] = 0;
        pthread_mutex_lock(&active_lock);
        hand_out(message, (size_t)bytes);
        pthread_mutex_unlock(&active_lock);
    }
}

void standin_radio_open(int fd)
{
    pthread_t thread;
    radio = fd;
    if (pthread_create(&thread, NULL, listen_to_board, NULL) != 0) {
        standin_power_off();
    }
}

esp_err_t esp_netif_init(void) { return ESP_OK; }
/* A second time it is refused, as by ESP-IDF (ESP_ERR_INVALID_STATE). */
esp_err_t esp_event_loop_create_default(void)
{
    static bool created;
    bool first = !created;
    created = true;
    return first ? ESP_OK : ESP_FAIL;
}
esp_netif_t *esp_netif_create_default_wifi_sta(void) { return (esp_netif_t *)&network; }

esp_err_t esp_event_handler_instance_register(esp_event_base_t base, int32_t id, esp_event_handler_t handler,
                                              void *argument, esp_event_handler_instance_t *instance)
{
    (void)instance;
    if (listening == HANDLERS) {
        return ESP_FAIL;
    }
    listeners[listening++] = (listener_t){base, id, handler, argument};
    return ESP_OK;
}

esp_err_t esp_wifi_init(const wifi_init_config_t *config) { return config == NULL ? ESP_FAIL : ESP_OK; }
esp_err_t esp_wifi_set_storage(int storage) { return storage == WIFI_STORAGE_RAM ? ESP_OK : ESP_FAIL; }
esp_err_t esp_wifi_set_mode(int mode) { return mode == WIFI_MODE_STA ? ESP_OK : ESP_FAIL; }
esp_err_t esp_wifi_set_ps(wifi_ps_type_t type) { return type <= WIFI_PS_MAX_MODEM ? ESP_OK : ESP_FAIL; }
/* AGILENN_STANDIN_START_FAILS: so many times, as where memory is short for a moment. */
esp_err_t esp_wifi_start(void)
{
    static long failures = -1;
    if (failures < 0) {
        const char *given = getenv("AGILENN_STANDIN_START_FAILS");
        failures = given == NULL ? 0 : strtol(given, NULL, 10);
    }
    return failures > 0 && failures-- > 0 ? ESP_FAIL : ESP_OK;
}

esp_err_t esp_wifi_set_config(int interface, wifi_config_t *config)
{
    network = *config;
    return interface == WIFI_IF_STA ? ESP_OK : ESP_FAIL;
}

esp_err_t esp_wifi_sta_get_ap_info(wifi_ap_record_t *info)
{
    *info = joined;
    return joined.primary == 0 ? ESP_FAIL : ESP_OK;
}

esp_err_t esp_wifi_connect(void)
{
    uint8_t asked[96];
    memcpy(asked, network.sta.ssid, 32);
    memcpy(asked + 32, network.sta.password, 64);
    standin_say('J', asked, sizeof asked);
    return ESP_OK;
}

esp_err_t esp_wifi_disconnect(void)
{
    standin_say('L', NULL, 0);
    return ESP_OK;
}

int standin_setsockopt(int socket, int level, int option, const void *value, uint32_t bytes)
{
    int on = 0;
    if (bytes == sizeof on) {
        memcpy(&on, value, sizeof on);
    }
    if (socket == LWIP_SOCKET_OFFSET && level == IPPROTO_TCP && option == TCP_NODELAY && on) {
        standin_say('N', NULL, 0);
        return 0;
    }
    return -1; /* no such socket is open */
}

/* Appends text and a 0. */
static bool add(esp_mqtt_client_handle_t c, const char *text)
{
    size_t bytes = text == NULL ? 1 : strlen(text) + 1;
    if (bytes > sizeof c->address - c->address_bytes) {
        return false;
    }
    memcpy(c->address + c->address_bytes, text == NULL ? "" : text, bytes);
    c->address_bytes += bytes;
    return true;
}

esp_mqtt_client_handle_t esp_mqtt_client_init(const esp_mqtt_client_config_t *config)
{
    esp_mqtt_client_handle_t c = calloc(1, sizeof *c);
    char port[12];
    bool tls = config->broker.address.transport == MQTT_TRANSPORT_OVER_SSL;
    snprintf(port, sizeof port, "%u", (unsigned)config->broker.address.port);
    if (c == NULL || !add(c, config->broker.address.hostname) || !add(c, port) ||
        !add(c, config->credentials.client_id) || !add(c, config->credentials.username) ||
        !add(c, config->credentials.authentication.password) ||
        config->broker.verification.certificate_len > sizeof c->certificate || config->buffer.size < 128) {
        free(c);
        return NULL;
    }
    if (tls) {
        c->certificate_bytes = config->broker.verification.certificate_len;
        memcpy(c->certificate, config->broker.verification.certificate, c->certificate_bytes);
    }
    c->buffer_bytes = config->buffer.size;
    return c;
}

esp_err_t esp_mqtt_client_register_event(esp_mqtt_client_handle_t c, esp_mqtt_event_id_t event,
                                         esp_event_handler_t handler, void *argument)
{
    c->handler = handler;
    c->argument = argument;
    return event == MQTT_EVENT_ANY ? ESP_OK : ESP_FAIL;
}

esp_err_t esp_mqtt_client_start(esp_mqtt_client_handle_t c)
{
    uint8_t asked[sizeof c->address + sizeof c->certificate];
    memcpy(asked, c->address, c->address_bytes);
    memcpy(asked + c->address_bytes, c->certificate, c->certificate_bytes);
    pthread_mutex_lock(&active_lock);
    active = c;
    c->started = true;
    pthread_mutex_unlock(&active_lock);
    standin_say('C', asked, c->address_bytes + c->certificate_bytes);
    return ESP_OK;
}

esp_err_t esp_mqtt_client_stop(esp_mqtt_client_handle_t c)
{
    if (!c->started) {
        return ESP_FAIL;
    }
    pthread_mutex_lock(&active_lock); /* no event of it is on its way any more */
    active = NULL;
    c->started = c->connected = false;
    pthread_mutex_unlock(&active_lock);
    standin_say('D', NULL, 0);
    return ESP_OK;
}

esp_err_t esp_mqtt_client_destroy(esp_mqtt_client_handle_t c)
{
    (void)esp_mqtt_client_stop(c);
    free(c);
    return ESP_OK;
}

int esp_mqtt_client_subscribe(esp_mqtt_client_handle_t c, const char *topic, int qos)
{
    if (!c->connected || qos != 0) {
        return -1;
    }
    standin_say('S', topic, strlen(topic));
    return 1;
}

int esp_mqtt_client_publish(esp_mqtt_client_handle_t c, const char *topic, const char *data, int count, int qos,
                            int retain)
{
    static uint8_t packet[MESSAGE_MAX];
    size_t topic_bytes = strlen(topic) + 1;
    if (!c->connected || qos != 0 || retain != 0 || count < 0 || (size_t)count > sizeof packet - topic_bytes) {
        return -1;
    }
    memcpy(packet, topic, topic_bytes);
    memcpy(packet + topic_bytes, data, (size_t)count);
    standin_say('P', packet, topic_bytes + (size_t)count);
    return 0;
}
