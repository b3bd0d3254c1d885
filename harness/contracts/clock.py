"""Time as a testbed tells it: virtual on an emulated board, the host's on a real one."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import Literal


class Clock(ABC):
    """Whoever needs time asks one of these, never `time`."""

    kind: Literal["virtual", "host"]

    @abstractmethod
    def now_ms(self) -> float:
        """Milliseconds since some fixed moment; never goes back."""


class HostClock(Clock):
    """The host's monotonic clock."""

    kind: Literal["virtual", "host"] = "host"

    def now_ms(self) -> float:
        return time.monotonic_ns() / 1e6
