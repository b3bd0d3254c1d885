"""Drives the STM32F746G Discovery board with an ESP-AT module: the image that the emulated board runs, on the real
chip.
"""

from testbeds.stm32f746.testbed import Stm32F746Testbed

__all__ = ["Stm32F746Testbed"]
