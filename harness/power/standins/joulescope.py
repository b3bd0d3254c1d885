"""Stands in for the package `pyjoulescope_driver` with one JS220 attached: the topics that the probe uses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from harness.contracts.probe import PowerTimeline
from harness.power.standins.render import render

_BLOCK = 1000
DEVICE = "u/js220/000415"


class StandinJoulescopePackage:
    """Plays the package: `Driver()` gives the one driver; `play` publishes a timeline's blocks to whoever
    subscribed.
    """

    def __init__(
        self, devices: tuple[str, ...] = (DEVICE,), *, packed_inputs: bool = True, drop_blocks: tuple[int, ...] = ()
    ) -> None:
        self.devices = devices
        self.settings: dict[str, Any] = {}
        self.finalized = False
        self._subscribers: dict[str, Callable[[str, dict[str, Any]], None]] = {}
        self._packed = packed_inputs
        self._drop = drop_blocks
        self._next = 8 * _BLOCK  # a running instrument doesn't begin at 0

    def Driver(self) -> StandinJoulescopePackage:
        """Return the driver, as the package's class does."""
        return self

    def device_paths(self) -> list[str]:
        """Return the attached devices."""
        return list(self.devices)

    def open(self, device: str, mode: str | None = None) -> None:
        """Open a device."""
        if device not in self.devices:
            raise RuntimeError(f"no device {device}")

    def close(self, device: str) -> None:
        """Close the device."""

    def finalize(self) -> None:
        """End the driver."""
        self.finalized = True

    def publish(self, topic: str, value: Any) -> None:
        """Set a topic."""
        self.settings[topic] = value

    def subscribe(self, topic: str, flags: list[str], call: Callable[[str, dict[str, Any]], None]) -> None:
        """Have `call` called with what is published on `topic`."""
        self._subscribers[topic] = call

    def unsubscribe(self, topic: str, call: Callable[[str, dict[str, Any]], None]) -> None:
        """Publish no more of it."""
        self._subscribers.pop(topic, None)

    def play(self, timeline: PowerTimeline) -> int:
        """Publish `timeline`, a block at a time, and return the number of samples."""
        rate = float(self.settings[f"{DEVICE}/h/fs"])
        current, markers = render(timeline, rate)
        signals: dict[str, np.ndarray[Any, Any]] = {
            "s/i": current.astype(np.float32),
            "s/v": np.full(len(current), timeline.voltage_v, dtype=np.float32),
        }
        signals |= {f"s/gpi/{pin}": (markers >> np.uint8(pin)) & np.uint8(1) for pin in range(3)}
        for number, at in enumerate(range(0, len(current), _BLOCK)):
            for signal, values in signals.items():
                if number in self._drop:
                    continue
                block = values[at : at + _BLOCK]
                if self._packed and "gpi" in signal:
                    block = np.packbits(block, bitorder="little")
                topic = f"{DEVICE}/{signal}/!data"
                if topic in self._subscribers and self.settings.get(f"{DEVICE}/{signal}/ctrl"):
                    factor = int(2_000_000 / rate)
                    self._subscribers[topic](
                        topic,
                        {
                            "sample_id": (self._next + at) * factor,
                            "sample_rate": 2_000_000,
                            "decimate_factor": factor,
                            "data": block,
                        },
                    )
        self._next += -(-len(current) // 8) * 8  # packed inputs come in whole bytes
        return len(current)
