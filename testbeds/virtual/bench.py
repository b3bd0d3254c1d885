"""Describes what testbeds/virtual/bench.toml may say."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness.contracts.quantities import Limits
from harness.contracts.toml import Strict
from testbeds.espat.host import ModuleTiming
from testbeds.virtual.link import Retransmission


class ModuleBench(Strict):
    """Holds the Wi-Fi module's own times, which are assumed."""

    command_us: float = Field(ge=0, le=1e6)
    publish_us: float = Field(ge=0, le=1e6)
    receive_us: float = Field(ge=0, le=1e6)
    join_ms: float = Field(ge=0, le=60_000)
    boot_ms: float = Field(ge=0, le=60_000)
    clean_ms: float = Field(ge=0, le=60_000)
    clean_lost_ms: float = Field(ge=0, le=60_000)
    beacon_ms: float = Field(ge=0, le=10_000)
    write_bytes: int = Field(ge=0, le=1 << 20)
    max_publish_bytes: int = Field(ge=1, le=1 << 20)

    def timing(self) -> ModuleTiming:
        return ModuleTiming(**self.model_dump())


class RetransmissionBench(Strict):
    """Holds when a sender repeats a segment that nobody acknowledged, which is assumed."""

    up_rto_ms: float = Field(ge=1, le=60_000)
    down_rto_ms: float = Field(ge=1, le=60_000)

    def model(self) -> Retransmission:
        return Retransmission(**self.model_dump())


class WatchdogBench(Strict):
    """Holds the limits of wall time that guard against hangs."""

    reply_s: float = Field(gt=0, le=3600)
    command_s: float = Field(gt=0, le=3600)


class VirtualBench(Strict):
    """Holds the emulated board's bench file."""

    title: str
    target: Literal["stm32f746"]
    clock_hz: int = Field(ge=1_000_000, le=216_000_000)
    ram_bytes: int = Field(ge=1)
    flash_bytes: int = Field(ge=1)
    console_baud: int = Field(ge=300, le=6_750_000)
    module_baud: int = Field(ge=9600, le=5_000_000)
    module_flow_control: bool
    time_source: Literal["modelled"]
    remarks: str = ""
    module: ModuleBench
    retransmission: RetransmissionBench
    watchdog: WatchdogBench
    limits: Limits = Field(default_factory=dict)
