"""The virtual link: every packet charged size / rate, then delayed, as netem does, in virtual time.

A message of n bytes goes out as ceil(n / segment_bytes) TCP segments of header_bytes more each; a direction is a queue:
a message waits for the one before it. Acknowledgements, slow start and the MQTT session's own packets are not charged:
messages here are below TCP's initial window and QoS is 0.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.contracts.errors import BenchError
from harness.contracts.link import Direction, LinkSpec
from testbeds.timebase import SECOND


def check_spec(spec: LinkSpec) -> None:
    """Refuse what the virtual link does not do.

    Raises:
        BenchError: jitter, loss or a queue limit is asked for.
    """
    for name, direction in (("up", spec.up), ("down", spec.down)):
        if direction.jitter_ms or direction.loss or direction.limit_packets is not None:
            raise BenchError(
                f"the virtual link does not do jitter, loss or a queue limit yet ({name})",
                cure="set only rate and delay",
            )


@dataclass(frozen=True)
class Passage:
    """One message's way over the link, times in units of testbeds.timebase."""

    sent: int
    arrived: int
    wire_bytes: int
    busy: int  # wire_bytes * 8 / rate: time that the line was held
    delay: int


class VirtualLink:
    """Both directions. Unshaped (no spec): a message arrives as it is sent."""

    def __init__(self) -> None:
        self.spec: LinkSpec | None = None
        self._free = {"up": 0, "down": 0}

    def apply(self, spec: LinkSpec | None) -> None:
        if spec is not None:
            check_spec(spec)
        self.spec = spec

    def send(self, direction: str, message_bytes: int, at: int) -> Passage:
        """A message of `message_bytes` (MQTT packet) is handed to the link at `at`."""
        if self.spec is None:
            return Passage(at, at, message_bytes, 0, 0)
        shape: Direction = self.spec.up if direction == "up" else self.spec.down
        wire = self.spec.wire_bytes(message_bytes)
        busy = round(wire * 8 * SECOND / shape.rate_bps)
        delay = round(shape.delay_ms * SECOND / 1000)
        start = max(at, self._free[direction])
        self._free[direction] = start + busy
        return Passage(at, start + busy + delay, wire, busy, delay)

    def reset(self) -> None:
        """Nothing is on its way."""
        self._free = {"up": 0, "down": 0}

    def state(self) -> dict[str, int]:
        return dict(self._free)

    def restore(self, state: dict[str, int]) -> None:
        """Back to a snapshot's queues; the spec stays as applied."""
        self._free = dict(state)
