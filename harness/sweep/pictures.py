"""Chooses the pictures of a sweep or session: by seed, and so that each way through every scheme is among them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.artefacts.artefacts import Artefact
from harness.artefacts.images import Images
from harness.runs.store import Store
from harness.sweep import prepare
from harness.sweep.plan import MOST_LOOKED_AT, Exits, choose_images
from testbeds.firmware.host.schemelib import HostLibrary

_FEW = 16  # pictures that go through a library in one call


def exits(artefacts: Iterable[Artefact], data: Images) -> Exits | None:
    """Return what tells which pictures of `data` exit early, by the C code that the device runs; None where no scheme
    may.

    Raises:
        BenchError: the host build of a scheme's firmware can't be made.
    """
    may = [a for a in artefacts if may_exit(a)]
    if not may:
        return None
    hosts = [HostLibrary(prepare.library(a)) for a in may]

    def of(numbers: Sequence[int]) -> npt.NDArray[np.bool_]:
        pictures = data.pictures[list(numbers)]
        return np.stack([host.run_many(pictures).exited for host in hosts], axis=1)

    return of


def of_the_other_kind(artefact: Artefact, data: Images, number: int) -> int | None:
    """Return the next picture after `number` (round the end of the test set) that is sent where `number` exits early,
    or the other way round; None where there is none near, or the scheme sends all pictures alike.
    """
    decide = exits([artefact], data)
    if decide is None:
        return None
    near = [(number + i) % len(data) for i in range(min(MOST_LOOKED_AT, len(data)))]
    own = decide(near[:1])[0, 0]
    for start in range(1, len(near), _FEW):
        some = near[start : start + _FEW]
        for found, leaves in zip(some, decide(some)[:, 0], strict=True):
            if leaves != own:
                return found
    return None


def may_exit(artefact: Artefact) -> bool:
    """Say whether a scheme sends some pictures and lets others exit early."""
    return artefact.offloads and artefact.description.exit_threshold <= 1


def chosen(
    artefacts: Iterable[Artefact],
    data: Images,
    count: int,
    warmups: int,
    seed: int,
    *,
    weighted: bool = True,
    resumed: Path | None = None,
) -> tuple[list[int], list[int]]:
    """Return the pictures and those for warm-up, as `choose_images` does.

    Args:
        weighted: whether the test set's share of exits will weigh both kinds. Where it is not taken, the mean is that
            of the timed pictures, so these are left as the seed draws them.
        resumed: folder of the run that is gone on with, whose pictures are kept: an earlier bench may have chosen
            others.

    Raises:
        BenchError: the test set is too small, or what `exits` raises.
    """
    if resumed is not None and (kept := Store.reopen(resumed).facts()).seed == seed and len(kept.images) == count:
        return list(kept.images), choose_images(len(data), count, warmups, seed)[1]
    return choose_images(len(data), count, warmups, seed, exits(artefacts, data) if weighted else None)
