#include "wifi.h"

#include <string.h>

#include "deadline.h"
#include "esp_event.h"
#include "esp_netif.h"
#include "esp_wifi.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"

#define REFUSALS_MAX 3 /* a handshake may fail for other reasons than its password */

static volatile bool joined, wanted;
static volatile uint8_t reason, refusals;
static void (*tell)(bool up);
static char joined_ssid[33], joined_password[65];

static bool about_password(uint8_t code)
{
    return code == WIFI_REASON_AUTH_FAIL || code == WIFI_REASON_4WAY_HANDSHAKE_TIMEOUT ||
           code == WIFI_REASON_HANDSHAKE_TIMEOUT;
}

/* Runs in the event loop's task. A station that should be joined asks again by itself. */
static void on_event(void *unused, esp_event_base_t base, int32_t id, void *data)
{
    (void)unused;
    if (base == IP_EVENT && id == IP_EVENT_STA_GOT_IP) {
        joined = true;
        tell(true);
    } else if (base == WIFI_EVENT && id == WIFI_EVENT_STA_DISCONNECTED) {
        bool was = joined;
        reason = ((const wifi_event_sta_disconnected_t *)data)->reason;
        joined = false;
        refusals += about_password(reason);
        if (was) {
            tell(false);
        }
        if (wanted) {
            (void)esp_wifi_connect();
        }
    }
}

static bool step(unsigned number)
{
    const wifi_init_config_t config = WIFI_INIT_CONFIG_DEFAULT();
    switch (number) {
    case 0:
        return esp_netif_init() == ESP_OK;
    case 1:
        return esp_event_loop_create_default() == ESP_OK;
    case 2:
        return esp_netif_create_default_wifi_sta() != NULL;
    case 3:
        return esp_wifi_init(&config) == ESP_OK;
    case 4: /* nothing is kept in flash: no network name or password outlives a reset */
        return esp_wifi_set_storage(WIFI_STORAGE_RAM) == ESP_OK;
    case 5:
        return esp_wifi_set_mode(WIFI_MODE_STA) == ESP_OK;
    case 6:
        return esp_event_handler_instance_register(WIFI_EVENT, ESP_EVENT_ANY_ID, on_event, NULL, NULL) == ESP_OK;
    case 7:
        return esp_event_handler_instance_register(IP_EVENT, IP_EVENT_STA_GOT_IP, on_event, NULL, NULL) == ESP_OK;
    default:
        return esp_wifi_start() == ESP_OK;
    }
}

/* Once. Of a start that failed half-way only what is missing is done again: ESP-IDF refuses the rest a second time. */
static bool start(void)
{
    static unsigned done;
    while (done < 9 && step(done)) {
        done++;
    }
    return done == 9;
}

static const char *why(void)
{
    if (reason == WIFI_REASON_NO_AP_FOUND) {
        return "Wi-Fi: no network of this name in reach";
    }
    return about_password(reason) ? "Wi-Fi: the password is refused" : "Wi-Fi: the network was not joined";
}

static void pause(void) { vTaskDelay(pdMS_TO_TICKS(1)); }

/* Gives up an earlier network. */
static void leave(void)
{
    deadline_t end = deadline_in_ms(1000);
    wanted = false;
    (void)esp_wifi_disconnect();
    while (joined && !deadline_passed(end)) {
        pause();
    }
    joined = false;
}

static bool ask(const settings_t *settings)
{
    wifi_config_t config;
    memset(&config, 0, sizeof config);
    /* A name of 32 bytes has no closing 0 there. */
    memcpy(config.sta.ssid, settings->ssid, sizeof config.sta.ssid);
    memcpy(config.sta.password, settings->wifi_password, sizeof config.sta.password);
    config.sta.threshold.authmode = settings->wifi_password[0] == 0 ? WIFI_AUTH_OPEN : WIFI_AUTH_WPA2_PSK;
    memcpy(joined_ssid, settings->ssid, sizeof joined_ssid);
    memcpy(joined_password, settings->wifi_password, sizeof joined_password);
    reason = refusals = 0;
    wanted = true;
    return esp_wifi_set_config(WIFI_IF_STA, &config) == ESP_OK && esp_wifi_connect() == ESP_OK;
}

const char *wifi_join(const settings_t *settings, uint32_t timeout_ms, void (*changed)(bool up))
{
    static const wifi_ps_type_t modes[] = {WIFI_PS_NONE, WIFI_PS_MIN_MODEM, WIFI_PS_MAX_MODEM};
    tell = changed;
    if (!start()) {
        return "Wi-Fi: the radio does not start";
    }
    if (esp_wifi_set_ps(modes[settings->power_save]) != ESP_OK) {
        return "Wi-Fi: the power-save mode is refused";
    }
    if (joined && strcmp(joined_ssid, settings->ssid) == 0 && strcmp(joined_password, settings->wifi_password) == 0) {
        return NULL;
    }
    leave();
    deadline_t end = deadline_in_ms(timeout_ms);
    if (!ask(settings)) {
        return "Wi-Fi: the radio refuses these settings";
    }
    while (!joined && refusals < REFUSALS_MAX && !deadline_passed(end)) {
        pause();
    }
    if (!joined) {
        wanted = false;
        (void)esp_wifi_disconnect();
        return why();
    }
    return NULL;
}

bool wifi_signal(int *rssi_dbm, unsigned *channel)
{
    wifi_ap_record_t point;
    if (!joined || esp_wifi_sta_get_ap_info(&point) != ESP_OK) {
        return false;
    }
    *rssi_dbm = point.rssi;
    *channel = point.primary;
    return true;
}
