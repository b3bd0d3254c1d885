// The few calls of the Arduino core that the INA bridge's sketch makes, on a host: commands from the command line,
// virtual microseconds, marker pins that count up.
#pragma once
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT 0

extern uint32_t virtual_us;
inline uint32_t micros() { return virtual_us += 50; }
inline void pinMode(int, int) {}
inline int digitalRead(int pin) { return (virtual_us / 4000u >> (pin - 2)) & 1u; }

// AVR's: a number with a fixed count of digits after the point.
inline char *dtostrf(double value, signed char width, unsigned char digits, char *out) {
  sprintf(out, "%*.*f", width, digits, value);
  return out;
}

struct HostSerial {
  const char *commands = "";
  void begin(unsigned long) {}
  int available() const { return *commands != 0; }
  int read() { return *commands ? *commands++ : -1; }
  void print(const char *text) { fputs(text, stdout); }
};
extern HostSerial Serial;
