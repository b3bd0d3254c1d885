"""Gives time as a testbed tells it: virtual on an emulated board, the host's on a real one."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import Literal


class Clock(ABC):
    """Tells the time. Whoever needs time asks a clock, never `time`."""

    kind: Literal["virtual", "host"]

    @abstractmethod
    def now_ms(self) -> float:
        """Return the milliseconds since some fixed moment; they never go back."""


class HostClock(Clock):
    """Tells the time of the host's monotonic clock."""

    kind: Literal["virtual", "host"] = "host"

    def now_ms(self) -> float:
        return time.monotonic_ns() / 1e6
