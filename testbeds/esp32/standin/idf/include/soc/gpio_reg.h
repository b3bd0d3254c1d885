#ifndef SOC_GPIO_REG_H
#define SOC_GPIO_REG_H
#include <stdint.h>
#define GPIO_OUT_REG 0x3ff44004u
uint32_t standin_register_read(uint32_t address);
void standin_register_write(uint32_t address, uint32_t value);
#define REG_READ(address) standin_register_read(address)
#define REG_WRITE(address, value) standin_register_write(address, value)
#endif
