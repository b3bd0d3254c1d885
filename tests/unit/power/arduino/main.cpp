// host <commands> <loops> [nochip]: runs the sketch.
#include "Arduino.h"
#include "Wire.h"

uint32_t virtual_us = 0;
HostSerial Serial;
HostWire Wire;

#include SKETCH

int main(int argc, char **argv) {
  Serial.commands = argv[1];
  Wire.chip_there = argc < 4;
  setup();
  for (long n = atol(argv[2]); n > 0; --n) loop();
  return 0;
}
