"""Says what a link should be in each direction, who can make it so, and what it then was."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from harness.contracts.toml import Strict

Distribution = Literal["normal", "uniform"]
Way = Literal["up", "down", "both"]  # both: there and back, one after the other
Verdict = Literal["ok", "deviates", "unmeasured"]
WAYS: tuple[Literal["up"], Literal["down"]] = ("up", "down")


class Direction(Strict):
    """Describes one direction of a link as tc-netem(8) makes it; `harness.contracts.queueing` states the rule.

    `jitter_ms` is the standard deviation of the delay (`normal`, cut at 4 of them) or half its range (`uniform`).
    `loss` is the chance of each packet. `limit_packets` are those that may wait; None = 1000, as netem.
    """

    rate_bps: float = Field(gt=0, le=1e11, allow_inf_nan=False)
    delay_ms: float = Field(default=0.0, ge=0, le=60_000, allow_inf_nan=False)
    jitter_ms: float = Field(default=0.0, ge=0, le=60_000, allow_inf_nan=False)
    distribution: Distribution = "normal"
    loss: float = Field(default=0.0, ge=0, lt=1, allow_inf_nan=False)
    limit_packets: int | None = Field(default=None, ge=1, le=1_000_000)

    @model_validator(mode="after")
    def _possible(self) -> Direction:
        if self.jitter_ms > self.delay_ms:
            raise ValueError("jitter_ms is more than delay_ms: a packet can't arrive before it was sent")
        return self

    @property
    def limit(self) -> int:
        """Return how many packets may wait."""
        return self.limit_packets or 1000


class LinkSpec(Strict):
    """Describes a link in both directions. On the wire there are TCP segments of `segment_bytes` with `header_bytes`
    each.

    66 header bytes = 14 Ethernet + 20 IPv4 + 32 TCP with timestamps (RFC 894, 791, 7323); 1448 = 1500 - 52.
    """

    up: Direction
    down: Direction
    segment_bytes: int = Field(default=1448, ge=64, le=9000)
    header_bytes: int = Field(default=66, ge=0, le=256)

    @classmethod
    def symmetric(
        cls,
        rate_bps: float,
        delay_ms: float = 0.0,
        jitter_ms: float = 0.0,
        loss: float = 0.0,
        limit_packets: int | None = None,
    ) -> LinkSpec:
        """Make a link that is the same in both directions."""
        one = Direction(
            rate_bps=rate_bps, delay_ms=delay_ms, jitter_ms=jitter_ms, loss=loss, limit_packets=limit_packets
        )
        return cls(up=one, down=one)

    def direction(self, way: Literal["up", "down"]) -> Direction:
        """Return one of the two directions."""
        return self.up if way == "up" else self.down

    def segments(self, message_bytes: int) -> int:
        """Count the TCP segments that a message of `message_bytes` takes."""
        return max(1, -(-message_bytes // self.segment_bytes))

    def wire_bytes(self, message_bytes: int) -> int:
        """Return the bytes on the wire of a message with the headers of its segments."""
        return message_bytes + self.header_bytes * self.segments(message_bytes)

    def ideal_ms(self, way: Way, message_bytes: int) -> float:
        """Return what a message takes one way (`both`: there and back) when nothing is lost, in ms: wire bytes x 8 /
        rate + delay.
        """
        if way == "both":
            return self.ideal_ms("up", message_bytes) + self.ideal_ms("down", message_bytes)
        one = self.direction(way)
        return self.wire_bytes(message_bytes) * 8e3 / one.rate_bps + one.delay_ms


class LinkProbe(Strict):
    """Records messages of one size that were sent over the link as it stood: median and extremes of their times."""

    way: Way
    message_bytes: int
    rounds: int = 1  # times that this size was tried; the figures are the last one's
    n: int
    lost: int
    ideal_ms: float
    median_ms: float | None  # None: none came through
    least_ms: float | None
    most_ms: float | None
    ok: bool

    def __str__(self) -> str:
        got = "nothing came through"
        if self.median_ms is not None:
            got = f"{self.median_ms:.2f} ms (quickest {self.least_ms:.2f})"
        return f"{self.message_bytes} B {self.way}: {got}, asked {self.ideal_ms:.2f} ms"


class Certificate(Strict):
    """Records a link as asked for, installed and measured, kept with the points that were taken over it.

    A probe is right when its median differs from the ideal by at most `tolerance` of it and `allowance_ms` (stack,
    relays and the wake-up of processes, which are there without a link too).
    """

    kind: str  # netem | userspace | proxy
    asked: LinkSpec
    installed: LinkSpec | None  # as the link itself told it
    argv: tuple[tuple[str, ...], ...] = ()  # commands that installed it
    probes: tuple[LinkProbe, ...] = ()
    tolerance: float
    allowance_ms: float
    verdict: Verdict
    remarks: str = ""


class Link(ABC):
    """Applies a LinkSpec to a testbed's link."""

    modelled: ClassVar[bool] = False  # part of an emulated board: nothing on this host to be shaped or measured

    @property
    def can_shape(self) -> bool:
        """Say whether `apply` takes any spec at all; where it does not, a link that nobody asked for is left as
        it is.
        """
        return True

    @contextmanager
    def applied(self, spec: LinkSpec) -> Iterator[None]:
        """Apply `spec` for the duration of the block."""
        self.apply(spec)
        try:
            yield
        finally:
            self.clear()

    def check(self, spec: LinkSpec) -> None:  # noqa: B027 - most links can do all that a LinkSpec says
        """Check that this link can be made so. The check is cheap and changes nothing.

        Raises:
            BenchError: it can't, with the reason.
        """

    @abstractmethod
    def apply(self, spec: LinkSpec) -> None:
        """Make the link so. Raises BenchError for what this link can't do, or when it did not come to be."""

    @abstractmethod
    def read_back(self) -> LinkSpec | None:
        """Return the spec in force, as the link itself tells it; None when unshaped."""

    @abstractmethod
    def clear(self) -> None:
        """Bring the link back to unshaped. It must not raise when nothing was applied."""

    def verify(self, message_bytes: Sequence[int] = ()) -> Certificate | None:
        """Measure the link in force with messages of these sizes (none given: its own). Return None for a modelled
        link.

        Raises:
            BenchError: it is not as asked for and its settings say to refuse that.
        """
        return None

    @property
    def certificate(self) -> Certificate | None:
        """Return the record of the spec in force, or of the last one; None where a link is modelled or nothing was
        applied.
        """
        return None

    def door(self, host: str, port: int) -> tuple[str, int]:
        """Return where a device finds what is at host:port so that it goes over this link: the same address, unless
        there is a detour.
        """
        return host, port

    def close(self) -> None:
        """Bring the link back to unshaped, and give back what the link itself runs on. It is safe to call this
        twice.
        """
        self.clear()
