"""Reads `[limits]` of a bench file, as tests of a testbed hold them against samples: metrics by scheme, in
their units.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.contracts.errors import BenchError
from harness.contracts.testbed import TestbedDescription
from harness.runs.measurements import METRICS

_SPOKEN = {"latency_ms": "total_ms"}  # as people call it
_MEMORY = ("flash_bytes", "ram_bytes")  # of the image, not of a sample


def check(description: TestbedDescription, schemes: Sequence[str]) -> None:
    """Check that every limit is one of a metric, and of a scheme that there is.

    Raises:
        BenchError: one is not. A limit that is never held against anything would look like one that holds.
    """
    for key in description.limits:
        scheme, _, name = key.rpartition(".")
        if _SPOKEN.get(name, name) not in METRICS and not (name in _MEMORY and not scheme):
            known = ", ".join([*_SPOKEN, *METRICS, *_MEMORY])
            raise BenchError(f"[limits] of testbed {description.name}: unknown '{name}'", cure=f"choose from {known}")
        if scheme and scheme not in schemes:
            raise BenchError(
                f"[limits] of testbed {description.name}: unknown scheme '{scheme}'",
                cure=f"choose from {', '.join(schemes)}",
            )


def of(description: TestbedDescription, scheme: str, end: str) -> dict[str, float]:
    """Return the limits of `scheme` by the name of their metric, of those whose name ends with `end` ("_ms", "_uj").

    A limit of the scheme itself stands before one of all schemes.
    """
    found: dict[str, float] = {}
    for own in ("", scheme):
        for key, limit in description.limits.items():
            owner, _, name = key.rpartition(".")
            if owner == own and name.endswith(end):
                found[_SPOKEN.get(name, name)] = limit
    return found
