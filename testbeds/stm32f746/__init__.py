"""Drives the STM32F746G Discovery board with an ESP-AT module: the emulated board's image, on the real chip."""

from testbeds.stm32f746.testbed import Stm32F746Testbed

__all__ = ["Stm32F746Testbed"]
