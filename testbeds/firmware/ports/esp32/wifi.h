/* The ESP32's own radio as a station. */
#ifndef WIFI_H
#define WIFI_H

#include <stdbool.h>
#include <stdint.h>

#include "settings.h"

/* Joins the network of `settings`, unless it is joined already. `changed` is called from another task whenever the
 * station has got an address or lost it. NULL when joined, else what is wrong. */
const char *wifi_join(const settings_t *settings, uint32_t timeout_ms, void (*changed)(bool up));

/* Strength in dBm and channel of the network that is joined; false when there is none. */
bool wifi_signal(int *rssi_dbm, unsigned *channel);

#endif
