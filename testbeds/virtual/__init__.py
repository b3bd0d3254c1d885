"""Emulates the STM32F746: runs the image of the real board in Unicorn, with a cycle model, in virtual time."""

from __future__ import annotations

from typing import Any

__all__ = ["VirtualTestbed"]


def __getattr__(name: str) -> Any:
    """Return VirtualTestbed, imported only when it is asked for: the harness lists testbeds without loading them."""
    if name == "VirtualTestbed":
        from testbeds.virtual.testbed import VirtualTestbed  # noqa: PLC0415

        return VirtualTestbed
    raise AttributeError(name)
