"""Provides the virtual link: messages over `harness.contracts.tcp_line` in virtual time."""

from __future__ import annotations

from harness.contracts.tcp_line import Passage, Retransmission, TcpLine
from testbeds.timebase import SECOND

__all__ = ["Passage", "Retransmission", "VirtualLink"]


class VirtualLink(TcpLine):
    """Models a line whose times are in units of testbeds.timebase."""

    def __init__(self, retransmission: Retransmission | None = None) -> None:
        super().__init__(SECOND, retransmission)
