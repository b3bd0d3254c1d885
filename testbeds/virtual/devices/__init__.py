"""Models peripherals of the STM32F746 (RM0385) and of its Cortex-M7 (ARMv7-M), as far as docs/board.md says."""
