"""Defines `[link]` of a lab file: who shapes the link of boards that have none of their own, and how strictly it is
held.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from harness.contracts.toml import Strict

Kind = Literal["none", "netem", "userspace", "proxy"]
_INTERFACE = r"^[A-Za-z0-9._-]{1,15}$"  # IFNAMSIZ


class LinkSection(Strict):
    """Says who shapes the link. Everything may be left out: the link is then as the testbed has it (the emulated
    board's own, or unshaped).

    `netem` shapes `interface` (left out: that of [wifi]), this host's access point, in both directions (root;
    docs/link.md). `userspace` and `proxy` are a detour: boards connect to `listen`:`port` of this host and go on from
    there to the broker.
    """

    kind: Kind = "none"
    interface: str | None = Field(default=None, pattern=_INTERFACE)
    ifb: str = Field(default="agnn-ifb0", pattern=_INTERFACE)
    probe_host: str | None = None  # a board's address: netem is measured by ICMP echoes from there
    listen: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65_535)  # 0: any free one
    seed: int = Field(default=0, ge=0, le=2**31 - 1)  # of losses and jitter
    tolerance: float = Field(default=0.10, gt=0, le=1)  # of the ideal time of a probe
    allowance_ms: float = Field(default=2.0, ge=0, le=1000)  # what stack and relays may take beyond it
    on_deviation: Literal["refuse", "flag"] = "refuse"
    probes: int = Field(default=9, ge=3, le=1000)  # of each size and direction

    @model_validator(mode="after")
    def _whole(self) -> LinkSection:
        if self.kind != "netem" and (self.interface or self.probe_host):
            raise ValueError("interface and probe_host belong to kind netem")
        return self
