/* CRC-32 of IEEE 802.3 (reflected, polynomial 0xEDB88320), the same as zlib's. */
#ifndef CRC32_H
#define CRC32_H

#include <stddef.h>
#include <stdint.h>

/* Continues `crc` (0 at the start) over `count` bytes. */
uint32_t crc32_update(uint32_t crc, const uint8_t *bytes, size_t count);

#endif
