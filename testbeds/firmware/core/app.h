/* The firmware above its port: app_init once, app_poll for ever. */
#ifndef APP_H
#define APP_H

void app_init(void);
void app_poll(void);

#endif
