"""An ESP32 development kit on USB."""

from pathlib import Path

from testbeds.absent import HardwareTestbed


class Esp32Testbed(HardwareTestbed):
    """Found by the USB serial converters that such kits carry."""

    name = "esp32"
    folder = Path(__file__).parent
    needs = "an ESP32 development kit by USB"
