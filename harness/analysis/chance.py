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

    def passage_ms(self, way: Literal["up", "down"], message_bytes: int, row: Mapping[str, Any]) -> Outcomes:
        """Return what a message may take over the link of a sample, ms, with probabilities that add up to 1."""
        plain = float(row["rate_bps"]), float(row["delay_ms"] or 0.0), float(row["loss"] or 0.0), row["limit_packets"]
        return _passages(way, message_bytes, *plain, self.segment_bytes, self.header_bytes, self.retransmission)

    def total_ms(self, row: Mapping[str, Any]) -> Outcomes:
        """Return what a measured sample may take, its own luck replaced by all there is.

        What the device would not wait for is left out: such a sample fails (docs/link.md), and has no latency.
        """
        if not row.get("mqtt_bytes"):
            return ((float(row["total_ms"]), 1.0),)
        up = self.passage_ms("up", int(row["mqtt_bytes"]), row)
        down = self.passage_ms("down", int(row["mqtt_down_bytes"]), row)
        rest = float(row["total_ms"]) - float(row["link_up_ms"]) - float(row["link_down_ms"])
        most_ms = min(_PATIENCE_MS, _COUNTER / float(row["clock_hz"]) * 1e3)
        return tuple((rest + a + b, p * q) for a, p in up for b, q in down if a + b <= most_ms)


def of_run(facts: Manifest) -> Chance | None:
    """Return the chance of a run's link; None where it is no modelled one, or has a chance of another kind (jitter)."""
    told = facts.testbed.extra.get("retransmission")
    jitter = any(getattr(point, "jitter_ms", 0.0) for point in facts.points.values())
    if not facts.testbed.pins_remote or told is None or facts.link is None or jitter:
        return None
    return Chance(Retransmission(**told), facts.link.segment_bytes, facts.link.header_bytes)


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


@lru_cache(maxsize=4096)
def _passages(
    way: Literal["up", "down"],
    message_bytes: int,
    rate_bps: float,
    delay_ms: float,
    loss: float,
    limit_packets: int | None,
    segment_bytes: int,
    header_bytes: int,
    retransmission: Retransmission,
) -> Outcomes:
    plain = LinkSpec.symmetric(rate_bps, delay_ms, 0.0, loss, limit_packets)
    spec = plain.model_copy(update={"segment_bytes": segment_bytes, "header_bytes": header_bytes})
    found: dict[float, float] = {}
    todo: list[list[bool]] = [[]]
    while todo:
        script = todo.pop()
        chance = _Scripted(script)
        line = TcpLine(_SECOND, retransmission, chance=lambda _seed, own=chance: own)  # type: ignore[misc]
        line.apply(spec)
        passage = line.send(way, message_bytes, 0)
        kept = chance.asked - sum(script)
        probability = loss ** sum(script) * (1 - loss) ** kept
        if not passage.lost:
            ms = passage.arrived * 1e3 / _SECOND
            found[ms] = found.get(ms, 0.0) + probability
        for place in range(len(script), chance.asked):
            branch = [*script, *[False] * (place - len(script)), True]
            if loss ** sum(branch) * (1 - loss) ** (len(branch) - sum(branch)) > _RAREST:
                todo.append(branch)
    whole = sum(found.values())
    return tuple((ms, p / whole) for ms, p in sorted(found.items()))
