// Serial bridge for an INA226 or INA228 on I2C: lines as harness/power/ina_lines.py reads them.
//
// Wiring: SDA/SCL to the chip, VS 3.3 V, shunt in the high side of the board's supply, VBUS to the load side.
// Marker pins of the board to MARKER_0..2 (3.3 V logic; use a level shifter on a 5 V Arduino), grounds together.
// Not yet run on hardware.

#include <Wire.h>

#define CHIP_INA228 0               // 1 for an INA228
#define ADDRESS 0x40
#define SHUNT_MICROOHM 100000UL     // 0.1 ohm
#define PERIOD_US 1000UL            // one sample a millisecond
#define BAUD 500000UL
#define MARKER_0 2
#define MARKER_1 3
#define MARKER_2 4

#if CHIP_INA228
// INA228 data sheet (SBOS952), section 7.6: shunt 312.5 nV/bit (ADCRANGE 0, 20 bits), bus 195.3125 uV/bit.
static const char *const chip = "INA228";
static const double currentNaPerBit = 312.5 * 1e6 / SHUNT_MICROOHM;
static const double busUvPerBit = 195.3125;
static const uint8_t regShunt = 0x04, regBus = 0x05;
#else
// INA226 data sheet (SBOS547), section 7.6: shunt 2.5 uV/bit, bus 1.25 mV/bit, configuration register 0x00.
static const char *const chip = "INA226";
static const double currentNaPerBit = 2500.0 * 1e6 / SHUNT_MICROOHM;
static const double busUvPerBit = 1250.0;
static const uint8_t regShunt = 0x01, regBus = 0x02;
#endif

static bool streaming = false;
static uint32_t number = 0, nextUs = 0;

static uint8_t crc8(const char *text) {
  uint8_t value = 0;
  for (; *text; ++text) {
    value ^= (uint8_t)*text;
    for (uint8_t bit = 0; bit < 8; ++bit) value = value & 0x80 ? (uint8_t)(value << 1 ^ 0x07) : (uint8_t)(value << 1);
  }
  return value;
}

static void sendLine(const char *body) {
  char check[5];
  snprintf(check, sizeof check, "*%02X\n", crc8(body));
  Serial.print(body);
  Serial.print(check);
}

static void sendHeader() {
  char na[16], uv[16], body[80];
  dtostrf(currentNaPerBit, 1, 4, na);
  dtostrf(busUvPerBit, 1, 4, uv);
  snprintf(body, sizeof body, "H,1,%s,%s,%s,%lu", chip, na, uv, (unsigned long)PERIOD_US);
  sendLine(body);
}

static bool writeRegister(uint8_t reg, uint16_t value) {
  Wire.beginTransmission(ADDRESS);
  Wire.write(reg);
  Wire.write((uint8_t)(value >> 8));
  Wire.write((uint8_t)value);
  return Wire.endTransmission() == 0;
}

// Reads `bytes` bytes, most significant first; false when the chip does not answer.
static bool readRegister(uint8_t reg, uint8_t bytes, uint32_t *value) {
  Wire.beginTransmission(ADDRESS);
  Wire.write(reg);
  if (Wire.endTransmission() != 0 || Wire.requestFrom((uint8_t)ADDRESS, bytes) != bytes) return false;
  *value = 0;
  while (bytes--) *value = *value << 8 | (uint8_t)Wire.read();
  return true;
}

static bool configure() {
#if CHIP_INA228
  // ADC_CONFIG 0x01: continuous shunt and bus (MODE 0xB), 280 us each (VBUSCT = VSHCT = 3), no averaging.
  return writeRegister(0x00, 0x0000) && writeRegister(0x01, 0xB000 | 3 << 9 | 3 << 6);
#else
  // Continuous shunt and bus (MODE 7), 332 us each (VBUSCT = VSHCT = 2), no averaging: 664 us < PERIOD_US.
  return writeRegister(0x00, 0x4000 | 2 << 6 | 2 << 3 | 7);
#endif
}

static bool readSample(int32_t *current, uint32_t *bus) {
  uint32_t raw;
#if CHIP_INA228
  if (!readRegister(regShunt, 3, &raw)) return false;
  *current = (int32_t)(raw << 8) >> 12;  // 20 bits, left aligned in 24
  if (!readRegister(regBus, 3, &raw)) return false;
  *bus = raw >> 4;
#else
  if (!readRegister(regShunt, 2, &raw)) return false;
  *current = (int16_t)raw;
  if (!readRegister(regBus, 2, bus)) return false;
#endif
  return true;
}

void setup() {
  Serial.begin(BAUD);
  Wire.begin();
  Wire.setClock(400000);
  pinMode(MARKER_0, INPUT);
  pinMode(MARKER_1, INPUT);
  pinMode(MARKER_2, INPUT);
}

void loop() {
  while (Serial.available()) {
    switch (Serial.read()) {
      case '?': sendHeader(); break;
      case 'G':
        sendHeader();
        streaming = configure();
        if (!streaming) sendLine("E,no chip on the bus");
        nextUs = micros() + PERIOD_US;
        break;
      case 'X': streaming = false; break;
    }
  }
  if (!streaming || (int32_t)(micros() - nextUs) < 0) return;
  nextUs += PERIOD_US;
  int32_t current;
  uint32_t bus;
  const uint32_t now = micros();
  const unsigned markers = digitalRead(MARKER_0) | digitalRead(MARKER_1) << 1 | digitalRead(MARKER_2) << 2;
  if (!readSample(&current, &bus)) {
    streaming = false;
    sendLine("E,the chip stopped answering");
    return;
  }
  char body[72];
  snprintf(body, sizeof body, "S,%lu,%lu,%ld,%lu,%u", (unsigned long)number++, (unsigned long)now, (long)current,
           (unsigned long)bus, markers);
  sendLine(body);
}
