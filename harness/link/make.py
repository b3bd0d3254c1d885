"""Makes a Link from `[link]` of a lab file."""

from __future__ import annotations

from typing import assert_never

from harness.contracts.link import Link
from harness.link.config import LinkSection


def link_for(section: LinkSection) -> Link | None:
    """Return the link that a section asks for, not yet started; None for kind `none`."""
    match section.kind:
        case "none":
            return None
        case "netem":
            from harness.link.kernel import NetemLink  # noqa: PLC0415 - only who needs it

            return NetemLink(section)
        case "userspace" | "proxy":
            from harness.link.detour.link import DetourLink  # noqa: PLC0415

            return DetourLink(section)
    assert_never(section.kind)
