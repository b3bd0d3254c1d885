"""Tells what lost packets cost on a modelled link: exactly, over everything that chance may do, with no emulation.

The link is arithmetic (`harness.contracts.tcp_line`), and all that chance decides is which packets are lost. So every
way that losses may fall is gone through, each with its probability, until what is left is rarer than `_RAREST`. A few
timed pictures share a few losses by luck, and their mean says more of that luck than of the link.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from harness.contracts.link import LinkSpec
from harness.contracts.tcp_line import Retransmission, TcpLine

if TYPE_CHECKING:
    from harness.runs.manifest import Manifest

_SECOND = 1_000_000_000  # units of the line's time
_RAREST = 1e-8
_COUNTER = 2**32  # cycles that the device's counter holds
_PATIENCE_MS = 60_000.0  # of the firmware, for a reply over an emulated link

Outcomes = tuple[tuple[float, float], ...]  # (ms, probability)
Passages = tuple[tuple[float, float, int], ...]  # (ms, probability, bytes on the wire)


class _Scripted(random.Random):
    """Gives the outcomes of a script, then keeps every packet; remembers how often it was asked."""

    def __init__(self, script: Sequence[bool]) -> None:
        super().__init__(0)
        self._script, self.asked = script, 0

    def random(self) -> float:
        """Return 0 for a packet that is lost, 1 for one that is kept."""
        lost = self.asked < len(self._script) and self._script[self.asked]
        self.asked += 1
        return 0.0 if lost else 1.0


@dataclass(frozen=True)
class Chance:
    """Holds what a run's modelled link does with losses: its time-outs and headers, and what the device waits for."""

    retransmission: Retransmission
    segment_bytes: int
    header_bytes: int
    write_bytes: int = 0  # of the module's MQTT client, which hands over a message in pieces; 0: in one

    def passage_ms(self, way: Literal["up", "down"], message_bytes: int, row: Mapping[str, Any]) -> Outcomes:
        """Return what a message may take over the link of a sample, ms, with probabilities that add up to 1."""
        return tuple((ms, p) for ms, p, _ in self._passages(way, message_bytes, row))

    def wire_bytes(self, message_bytes: int, row: Mapping[str, Any]) -> float:
        """Return what a message on its way up is expected to be on the wire of a sample, headers included."""
        return sum(wire * p for _, p, wire in self._passages("up", message_bytes, row))

    def both_ways_ms(self, message_bytes: int, row: Mapping[str, Any]) -> Outcomes:
        """Return what the link may take for a message and for the answer of a sample, ms, with probabilities.

        What the device would not wait for is left out: such a sample fails (docs/link.md), and has no latency. The
        probabilities of what is left add up to 1.
        """
        up = self.passage_ms("up", message_bytes, row)
        down = self.passage_ms("down", int(row["mqtt_down_bytes"]), row)
        most_ms = min(_PATIENCE_MS, _COUNTER / float(row["clock_hz"]) * 1e3)
        found = [(a + b, p * q) for a, p in up for b, q in down if a + b <= most_ms]
        through = sum(p for _, p in found)
        return tuple((ms, p / through) for ms, p in found)

    def _passages(self, way: Literal["up", "down"], message_bytes: int, row: Mapping[str, Any]) -> Passages:
        plain = float(row["rate_bps"]), float(row["delay_ms"] or 0.0), float(row["loss"] or 0.0), row["limit_packets"]
        link = self.segment_bytes, self.header_bytes, self.write_bytes if way == "up" else 0
        return _passages(way, message_bytes, *plain, *link, self.retransmission)

    def total_ms(self, row: Mapping[str, Any]) -> Outcomes:
        """Return what a measured sample may take, its own luck replaced by all there is (`both_ways_ms`)."""
        if not row.get("mqtt_bytes"):
            return ((float(row["total_ms"]), 1.0),)
        rest = float(row["total_ms"]) - float(row["link_up_ms"]) - float(row["link_down_ms"])
        return tuple((rest + ms, p) for ms, p in self.both_ways_ms(int(row["mqtt_bytes"]), row))


def of_run(facts: Manifest) -> Chance | None:
    """Return the chance of a run's link; None where it is no modelled one, or has a chance of another kind (jitter)."""
    told = facts.testbed.extra.get("retransmission")
    jitter = any(getattr(point, "jitter_ms", 0.0) for point in facts.points.values())
    if not facts.testbed.pins_remote or told is None or facts.link is None or jitter:
        return None
    pieces = int((facts.testbed.extra.get("module") or {}).get("write_bytes") or 0)  # earlier runs knew none
    return Chance(Retransmission(**told), facts.link.segment_bytes, facts.link.header_bytes, pieces)


def mean(outcomes: Outcomes) -> float:
    """Return the expectation, of the outcomes that there are."""
    return sum(ms * p for ms, p in outcomes) / sum(p for _, p in outcomes)


def quantile(mixed: Sequence[tuple[float, float]], share: float) -> float:
    """Return the least value that at least `share` of the weight does not exceed."""
    least = share * sum(weight for _, weight in mixed) - 1e-12
    reached = 0.0
    for value, weight in sorted(mixed):
        reached += weight
        if reached >= least:
            return value
    return max(value for value, _ in mixed)


@lru_cache(maxsize=65536)
def _passages(
    way: Literal["up", "down"],
    message_bytes: int,
    rate_bps: float,
    delay_ms: float,
    loss: float,
    limit_packets: int | None,
    segment_bytes: int,
    header_bytes: int,
    write_bytes: int,
    retransmission: Retransmission,
) -> Passages:
    plain = LinkSpec.symmetric(rate_bps, delay_ms, 0.0, loss, limit_packets)
    spec = plain.model_copy(update={"segment_bytes": segment_bytes, "header_bytes": header_bytes})
    found: dict[tuple[float, int], float] = {}
    todo: list[list[bool]] = [[]]
    while todo:
        script = todo.pop()
        chance = _Scripted(script)
        line = TcpLine(_SECOND, retransmission, chance=lambda _seed, own=chance: own)  # type: ignore[misc]
        line.apply(spec)
        passage = line.send_in_writes(way, message_bytes, 0, write_bytes)
        kept = chance.asked - sum(script)
        probability = loss ** sum(script) * (1 - loss) ** kept
        if not passage.lost:
            came = passage.arrived * 1e3 / _SECOND, passage.wire_bytes
            found[came] = found.get(came, 0.0) + probability
        for place in range(len(script), chance.asked):
            branch = [*script, *[False] * (place - len(script)), True]
            if loss ** sum(branch) * (1 - loss) ** (len(branch) - sum(branch)) > _RAREST:
                todo.append(branch)
    whole = sum(found.values())
    return tuple((ms, p / whole, wire) for (ms, wire), p in sorted(found.items()))
