#ifndef LWIP_SOCKETS_H
#define LWIP_SOCKETS_H
#include <stdint.h>
#define LWIP_SOCKET_OFFSET 54
enum { IPPROTO_TCP = 6, TCP_NODELAY = 1 };
#define setsockopt standin_setsockopt
int standin_setsockopt(int socket, int level, int option, const void *value, uint32_t bytes);
#endif
