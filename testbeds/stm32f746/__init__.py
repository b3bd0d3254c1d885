"""The STM32F746G Discovery board with an ESP-AT module: the image that the emulated board runs, on the real chip."""

from pathlib import Path

from testbeds.absent import HardwareTestbed
from testbeds.firmware.clocks import STM32F746_CLOCKS_HZ


class Stm32F746Testbed(HardwareTestbed):
    """Found by its ST-Link."""

    name = "stm32f746"
    folder = Path(__file__).parent
    needs = "a 32F746GDISCOVERY by its ST-Link socket"

    @property
    def clocks_hz(self) -> tuple[int, ...]:
        return STM32F746_CLOCKS_HZ
