// I2C with one chip on it: an INA226 or INA228 whose registers hold a known current and voltage.
#pragma once
#include "Arduino.h"

struct HostWire {
  bool chip_there = true;
  uint8_t reg = 0, at = 0;
  int written = 0;
  uint8_t out[3] = {0, 0, 0};
  void begin() {}
  void setClock(unsigned long) {}
  void beginTransmission(uint8_t) { written = 0; }
  void write(uint8_t value) {
    if (written++ == 0) reg = value;
  }
  uint8_t endTransmission() { return chip_there ? 0 : 2; }
  uint8_t requestFrom(uint8_t, uint8_t count) {
    at = 0;
    if (count == 3) {  // INA228: 20 bits, left aligned
      const uint32_t raw = (reg == 0x04 ? (uint32_t)-1600 & 0xFFFFFu : 16896u) << 4;
      out[0] = raw >> 16, out[1] = raw >> 8, out[2] = raw;
    } else {  // INA226: 16 bits
      const uint16_t raw = reg == 0x01 ? (uint16_t)-200 : 2640u;
      out[0] = raw >> 8, out[1] = raw;
    }
    return count;
  }
  int read() { return out[at++]; }
};
extern HostWire Wire;
