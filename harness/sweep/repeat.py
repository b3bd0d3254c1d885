"""Decides how many samples a point gets where time is real: until the interval of its median is narrow enough, or a
cap.

A further sample is a further image of the seeded order, not the same image again: so an interval stays one over
independent images, and the noise of measuring and what images differ in are both in it. On an emulated board equal
samples are equal; more of them would tell nothing, so n is fixed there.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.analysis import stats
from harness.contracts.errors import BenchError
from harness.runs.sample import Planned

DEFAULT_SHARE = 0.05
DEFAULT_MOST = 100


@dataclass(frozen=True)
class Procedure:
    """Holds what decides how many samples there are, and what they are held against."""

    repeat_until: float | None = None  # width of the median's 95 % interval as a share of the median; None: n fixed
    max_samples: int | None = None  # a point, warm-ups aside
    deadline_ms: float | None = None


def procedure(
    repeat_until: float | str | None, max_samples: int | None, deadline_ms: float | None, *, images: int, free: bool
) -> Procedure:
    """Make the procedure of a run from its options.

    Args:
        repeat_until: share; "none" for n fixed; None = not given: 5 % where time is real.
        free: the testbed is emulated.

    Raises:
        BenchError: repetitions of an emulated board, or a cap under the number of images.
    """
    if free:
        if isinstance(repeat_until, float) or max_samples is not None:
            raise BenchError(
                "equal samples of an emulated board are equal: repeating them tells nothing",
                cure="leave --repeat-until and --max-samples out, and ask for more --images",
            )
        return Procedure(deadline_ms=deadline_ms)
    if repeat_until == "none":
        if max_samples is not None:
            raise BenchError("--max-samples without --repeat-until", cure="leave one of them out")
        return Procedure(deadline_ms=deadline_ms)
    most = max(DEFAULT_MOST, images) if max_samples is None else max_samples
    if most < images:
        raise BenchError(f"--max-samples {most} is less than --images {images}", cure="raise it, or lower --images")
    share = repeat_until if isinstance(repeat_until, float) else DEFAULT_SHARE
    return Procedure(share, most, deadline_ms)


class Enough:
    """Decides, sample by sample, whether a point needs more. It is told of every sample before the next begins, and
    locks.
    """

    def __init__(self, wanted: Procedure, earlier: Iterable[Mapping[str, Any]] = ()) -> None:
        self._share = wanted.repeat_until
        self._most = wanted.max_samples or 0
        self._lock = threading.Lock()
        self._latencies: dict[str, list[float]] = {}
        self._taken: dict[str, int] = {}
        for row in earlier:
            self.note(row)

    def note(self, row: Mapping[str, Any]) -> None:
        """Note that a sample is there, measured or failed."""
        if row["warmup"]:
            return
        with self._lock:
            point = str(row["point_id"])
            self._taken[point] = self._taken.get(point, 0) + 1
            if row["status"] == "ok":
                self._latencies.setdefault(point, []).append(float(row["total_ms"]))

    def wants(self, planned: Planned) -> bool:
        """Say whether a sample is still to be taken. A picture that was asked for always is."""
        if not planned.extra:
            return True
        if self._share is None:
            return False
        with self._lock:
            point = planned.point.point_id
            if self._taken.get(point, 0) >= self._most:
                return False
            width = interval_share(self._latencies.get(point, []))
            return width is None or width > self._share


def interval_share(latencies_ms: list[float]) -> float | None:
    """Return the width of the median's interval as a share of the median; None where n carries no interval."""
    found = stats.median_interval(latencies_ms)
    return found.width_share if found else None
