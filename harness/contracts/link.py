"""What a link should be, per direction, and who can make it so."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import Field

from harness.contracts.toml import Strict


class Direction(Strict):
    """One direction of a link, as `netem` understands it: every packet is charged size / rate, then delayed."""

    rate_bps: float = Field(gt=0, le=1e11, allow_inf_nan=False)
    delay_ms: float = Field(default=0.0, ge=0, le=60_000, allow_inf_nan=False)
    jitter_ms: float = Field(default=0.0, ge=0, le=60_000, allow_inf_nan=False)
    loss: float = Field(default=0.0, ge=0, lt=1)
    limit_packets: int | None = Field(default=None, ge=1)


class LinkSpec(Strict):
    """A link in both directions. Sizes on the wire: TCP segments of `segment_bytes` with `header_bytes` each.

    66 header bytes = 14 Ethernet + 20 IPv4 + 32 TCP with timestamps (RFC 894, 791, 7323); 1448 = 1500 - 52.
    """

    up: Direction
    down: Direction
    segment_bytes: int = Field(default=1448, ge=64, le=9000)
    header_bytes: int = Field(default=66, ge=0, le=256)

    @classmethod
    def symmetric(cls, rate_bps: float, delay_ms: float = 0.0) -> LinkSpec:
        """The same rate and one-way delay in both directions."""
        one = Direction(rate_bps=rate_bps, delay_ms=delay_ms)
        return cls(up=one, down=one)

    def segments(self, message_bytes: int) -> int:
        """TCP segments that a message of `message_bytes` takes."""
        return max(1, -(-message_bytes // self.segment_bytes))

    def wire_bytes(self, message_bytes: int) -> int:
        """Bytes on the wire of a message with the headers of its segments."""
        return message_bytes + self.header_bytes * self.segments(message_bytes)


class Link(ABC):
    """Applies a LinkSpec to a testbed's link."""

    @contextmanager
    def applied(self, spec: LinkSpec) -> Iterator[None]:
        """Apply `spec` for the duration of the block."""
        self.apply(spec)
        try:
            yield
        finally:
            self.clear()

    @abstractmethod
    def apply(self, spec: LinkSpec) -> None:
        """Make the link so. Raises BenchError for what this link can't do (jitter on the virtual one, say)."""

    @abstractmethod
    def read_back(self) -> LinkSpec | None:
        """The spec in force, as the link itself tells it; None when unshaped."""

    @abstractmethod
    def clear(self) -> None:
        """Back to unshaped. Must not raise when nothing was applied."""
