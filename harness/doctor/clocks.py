"""Compares the device's clock with the host's by waits of known length: a reply that never comes is given up by the
device's own clock, and the host times how long that took. Whatever is constant (serial line, the local network) falls
out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.contracts.clock import Clock
from harness.power.clock_fit import ClockFit, fit_clocks

WAITS_MS = (200, 700, 1500, 2500)
REPEATS = 3
WARN_PPM, FAIL_PPM = 200.0, 1000.0


@dataclass(frozen=True)
class Wait:
    """Holds one wait, by both clocks, s."""

    host_s: float
    device_s: float


@dataclass(frozen=True)
class Drift:
    """Holds the drift of the device's clock as the host's sees it, with how finely it could be told."""

    fit: ClockFit
    resolution_ppm: float

    @property
    def verdict(self) -> str:
        """Return pass, warn or fail; skip where the host was too busy to tell."""
        off = abs(self.fit.drift_ppm)
        if self.resolution_ppm > WARN_PPM * 2 and off < FAIL_PPM + 3 * self.resolution_ppm:
            return "skip"
        if off > FAIL_PPM + self.resolution_ppm:
            return "fail"
        return "warn" if off > WARN_PPM + self.resolution_ppm else "pass"


def drift(waits: Sequence[Sequence[Wait]]) -> Drift | None:
    """Fit waits, grouped by their length; of each group the one that the host's own delays lengthened least.

    How finely that tells: by what the line leaves over, and by how far the two best of a group are apart (were the host
    late every time, they would hardly be late alike). None when they can't tell.
    """
    sorted_ = [sorted(group, key=lambda w: w.host_s - w.device_s) for group in waits if len(group) > 1]
    best = [group[0] for group in sorted_]
    fit = fit_clocks([w.host_s for w in best], [w.device_s for w in best])
    if fit is None:
        return None
    span = max(w.host_s for w in best) - min(w.host_s for w in best)
    apart = max((two.host_s - two.device_s) - (one.host_s - one.device_s) for one, two, *_ in sorted_)
    return Drift(fit, max(fit.residual_s * 2, apart) / span * 1e6)


class Stopwatch:
    """Times a call by a clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._begin_ms = clock.now_ms()

    @property
    def seconds(self) -> float:
        """Return the seconds since it was made."""
        return (self._clock.now_ms() - self._begin_ms) / 1e3
