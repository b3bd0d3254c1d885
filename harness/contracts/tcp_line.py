"""Computes messages over a link: `harness.contracts.queueing`, and what TCP makes of a lost segment.

A message of n bytes goes out as ceil(n / segment_bytes) TCP segments of header_bytes more each, all at once: messages
here are below TCP's initial window (10 segments, RFC 6928). A direction is a queue: a message waits for the one before
it. Acknowledgements that go well and the MQTT session's own packets are not charged (QoS is 0).

A lost segment (stated in docs/link.md, assumed, after RFC 5681, 6298 and 6582):
- Three later segments of its message arrive: it is sent again as soon as the third one's acknowledgement is back.
- Fewer do: it is sent again a time-out after the last acknowledgement of what came before it, or after the sending.
- Further ones of the same message follow one by one, each when the one before it is acknowledged.
- One that is lost again waits for the time-out, doubled each time; after 15 the connection is given up.
An acknowledgement takes the other direction's delay and `header_bytes` at its rate, and is never lost.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from harness.contracts.link import WAYS, LinkSpec
from harness.contracts.queueing import Queue

MOST_REPEATS = 15  # Linux' tcp_retries2
LONGEST_TIMEOUT_MS = 60_000.0  # RFC 6298, section 2.5


@dataclass(frozen=True)
class Retransmission:
    """Holds the time-outs of the two senders, in ms: the device's TCP and the broker's. They are assumed."""

    up_rto_ms: float = 1000.0
    down_rto_ms: float = 200.0


@dataclass(frozen=True)
class Passage:
    """Records one message's way over the link, with times in the units of its line."""

    sent: int
    arrived: int  # of its last segment; where `lost`, when the sender gives up
    wire_bytes: int  # with every segment sent again
    repeated: int = 0  # segments sent again
    lost: bool = False


class TcpLine:
    """Models both directions. Unshaped (with no spec), a message arrives as it is sent.

    Args:
        second: units of time in a second; all times are whole numbers of it.
        chance: makes the source of all chance of a direction from its seed; by default Python's own generator.
    """

    def __init__(
        self,
        second: int,
        retransmission: Retransmission | None = None,
        *,
        chance: Callable[[str], random.Random] = random.Random,
    ) -> None:
        self._chance = chance
        self._second = second
        self.spec: LinkSpec | None = None
        self.seed = 0
        self.retransmission = retransmission or Retransmission()
        self._queues: dict[str, Queue] = {}
        self._in_order = {"up": 0, "down": 0}  # TCP hands over nothing before what was sent earlier

    def apply(self, spec: LinkSpec | None) -> None:
        """Take a spec, and begin with empty queues."""
        self.spec = spec
        self.reset()

    def reset(self) -> None:
        """Empty the queues, and start chance anew from `seed`."""
        self._in_order = {"up": 0, "down": 0}
        if self.spec is not None:
            self._queues = {
                way: Queue(self.spec.direction(way), self._second, self._chance(f"{self.seed} {way}")) for way in WAYS
            }

    def send(self, way: Literal["up", "down"], message_bytes: int, at: int) -> Passage:
        """Hand a message of `message_bytes` (as an MQTT packet) to the link at `at`."""
        if self.spec is None:
            return Passage(at, at, message_bytes)
        sizes = self._segments(message_bytes)
        queue = self._queues[way]
        times = [queue.offer(size, at) for size in sizes]
        missing = [n for n, t in enumerate(times) if t is None]
        arrived = max((t for t in times if t is not None), default=at)
        again: list[int] = []
        gone = False
        if missing:
            arrived, again, gone = self._repeat(way, sizes, times, missing, at=at)
        arrived = max(arrived, self._in_order[way])
        self._in_order[way] = arrived
        return Passage(at, arrived, sum(sizes) + sum(again), len(again), gone)

    def send_in_writes(self, way: Literal["up", "down"], message_bytes: int, at: int, write_bytes: int) -> Passage:
        """Hand over a message that its sender writes in pieces of `write_bytes`, with Nagle's algorithm on (RFC 896).

        The first piece goes at once, and of the rest what fills whole segments; what is left waits until all of that is
        acknowledged. Acknowledgements are not held back here: where the peer delays them (RFC 1122: up to 500 ms,
        Linux: 40 ms) it waits longer. `write_bytes` 0: one write.
        """
        rest = message_bytes - write_bytes
        if write_bytes == 0 or rest <= 0 or self.spec is None:
            return self.send(way, message_bytes, at)
        tail = rest % self.spec.segment_bytes
        parts = [self.send(way, size, at) for size in (write_bytes, rest - tail) if size]
        if tail and not parts[-1].lost:
            parts.append(self.send(way, tail, parts[-1].arrived + self._acknowledgement(way)))
        return Passage(
            at,
            parts[-1].arrived,
            sum(p.wire_bytes for p in parts),
            sum(p.repeated for p in parts),
            any(p.lost for p in parts),
        )

    def state(self) -> dict[str, tuple[int, int]]:
        """Return, for a snapshot, until when each direction is taken."""
        return {way: (queue.free, self._in_order[way]) for way, queue in self._queues.items()}

    def restore(self, state: dict[str, tuple[int, int]]) -> None:
        """Bring back a snapshot's queues; the spec stays as applied, and chance starts anew from `seed`."""
        self.reset()
        for way, (free, in_order) in state.items():
            if way in self._queues:
                self._queues[way].free, self._in_order[way] = free, in_order

    def _segments(self, message_bytes: int) -> list[int]:
        assert self.spec is not None
        most, head = self.spec.segment_bytes, self.spec.header_bytes
        return [min(most, message_bytes - n * most) + head for n in range(self.spec.segments(message_bytes))]

    def _repeat(
        self, way: Literal["up", "down"], sizes: list[int], times: list[int | None], missing: list[int], *, at: int
    ) -> tuple[int, list[int], bool]:
        """Return when all is there, the sizes of what was sent again, and whether the sender gave up."""
        queue, acknowledged = self._queues[way], self._acknowledgement(way)
        rto = self._rto(way)
        first = missing[0]
        later = [t for t in times[first + 1 :] if t is not None]
        before = [t for t in times[:first] if t is not None]
        if len(later) >= 3:
            now, timeout = later[2] + acknowledged, rto
        else:
            now = (before[-1] + acknowledged if before else at) + rto
            timeout = 2 * rto
        arrived, again = max((t for t in times if t is not None), default=at), list[int]()
        for n in missing:
            for _ in range(MOST_REPEATS):
                again.append(sizes[n])
                came = queue.offer(sizes[n], now)
                if came is not None:
                    break
                now += timeout
                timeout = min(2 * timeout, round(LONGEST_TIMEOUT_MS * self._second / 1000))
            else:
                return now, again, True
            arrived, now, timeout = max(arrived, came), came + acknowledged, rto
        return arrived, again, False

    def _rto(self, way: str) -> int:
        both = self.retransmission
        return round((both.up_rto_ms if way == "up" else both.down_rto_ms) * self._second / 1000)

    def _acknowledgement(self, way: str) -> int:
        assert self.spec is not None
        back = self.spec.down if way == "up" else self.spec.up
        return round((self.spec.header_bytes * 8 / back.rate_bps + back.delay_ms / 1000) * self._second)
