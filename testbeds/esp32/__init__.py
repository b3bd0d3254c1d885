"""Drives an ESP32 development kit on USB, or its stand-in (docs/esp32.md)."""

from testbeds.esp32.testbed import Esp32Testbed

__all__ = ["Esp32Testbed"]
