"""Lists the core clocks that the firmware's ports know how to set."""

from __future__ import annotations

STM32F746_CLOCKS_HZ = (64_000_000, 128_000_000, 216_000_000)  # ports/stm32f746/clocks.c, `settings`
