"""Defines one planned sample with what it needs."""

from __future__ import annotations

from dataclasses import dataclass

from harness.contracts.link import LinkSpec
from harness.lab.lab import BoardKind
from harness.runs.sample import Planned


@dataclass(frozen=True)
class Job:
    """Holds one planned sample with what it needs."""

    planned: Planned
    kind: BoardKind
    link: LinkSpec | None  # None: left as it is
    pinned_ms: float | None
