"""Finds which samples of a trace belong to which stage: the runs of equal marker levels, and what is wrong with them.

Three pins carry the stage, Gray-coded, so that one pin changes at each step of the full path. A scheme that leaves
stages out changes two at once (idle 000 -> encode 011); pins are set by one store, yet a probe may catch one of them
first. A single sample of such an in-between level is counted as a glitch and given to the stage that follows.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from harness.contracts.probe import STAGE_CODES, Bools, Bytes

LOST = 0xFF  # level of a lost sample
_STAGE_OF = {code: stage for stage, code in STAGE_CODES.items()}
_ORDER = list(STAGE_CODES)  # idle, then the stages in the order of the path


@dataclass(frozen=True)
class Run:
    """Holds the samples [start, stop) of one marker level."""

    code: int
    start: int
    stop: int


@dataclass(frozen=True)
class Excursion:
    """Holds what lies between leaving idle and coming back: one inference, or what is left of one."""

    runs: tuple[Run, ...]
    glitches: int
    problem: str | None  # why its stages can't be told, None when they can

    @property
    def start(self) -> int:
        """Return the first sample."""
        return self.runs[0].start

    @property
    def stop(self) -> int:
        """Return one after the last sample."""
        return self.runs[-1].stop

    def stages(self) -> dict[str, Run]:
        """Return the run of each stage, in the order of the path. This is only for one without a problem."""
        return {_STAGE_OF[run.code]: run for run in self.runs}


def excursions(markers: Bytes, lost: Bools | None = None) -> list[Excursion]:
    """Return every departure from idle in `markers` (uint8 [n], bits 0..2), in order; nothing when the pins never
    moved.
    """
    runs, glitches_at = _fold_glitches(_runs(markers, lost))
    found: list[Excursion] = []
    current: list[Run] = []
    for run in runs:
        if run.code == STAGE_CODES["idle"]:
            if current:
                found.append(_judge(current, glitches_at, len(markers)))
            current = []
        else:
            current.append(run)
    if current:
        found.append(_judge(current, glitches_at, len(markers)))
    return [e for e in found if any(run.code != LOST for run in e.runs)]  # a loss between two inferences harms neither


def _runs(markers: Bytes, lost: Bools | None) -> list[Run]:
    if not len(markers):
        return []
    levels = markers & 0b111
    if lost is not None:
        levels = np.where(lost, np.uint8(LOST), levels)
    edges = np.flatnonzero(levels[1:] != levels[:-1]) + 1
    bounds = [0, *edges.tolist(), len(levels)]
    return [Run(int(levels[a]), a, b) for a, b in pairwise(bounds)]


def _fold_glitches(runs: list[Run]) -> tuple[list[Run], list[int]]:
    folded: list[Run] = []
    glitches: list[int] = []
    index = 0
    while index < len(runs):
        run = runs[index]
        if folded and index + 1 < len(runs) and _is_between(folded[-1].code, run, runs[index + 1].code):
            after = runs[index + 1]
            folded.append(Run(after.code, run.start, after.stop))
            glitches.append(run.start)
            index += 2
        else:
            folded.append(run)
            index += 1
    return folded, glitches


def _is_between(before: int, run: Run, after: int) -> bool:
    if LOST in (before, run.code, after) or run.stop - run.start > 1:
        return False
    changing = before ^ after
    return changing.bit_count() >= 2 and (run.code ^ before) & ~changing == 0


def _judge(runs: list[Run], glitches_at: list[int], samples: int) -> Excursion:
    glitches = sum(1 for at in glitches_at if runs[0].start <= at < runs[-1].stop)
    return Excursion(tuple(runs), glitches, _problem(runs, samples))


def _problem(runs: list[Run], samples: int) -> str | None:
    if lost := sum(run.stop - run.start for run in runs if run.code == LOST):
        return f"{lost} samples were lost during the inference"
    if runs[0].start == 0:
        return "the recording begins inside an inference"
    if runs[-1].stop == samples:
        return "the recording ends inside an inference"
    if unknown := [run.code for run in runs if run.code not in _STAGE_OF]:
        return f"marker level {unknown[0]:03b} is no stage"
    order = [_ORDER.index(_STAGE_OF[run.code]) for run in runs]
    if any(b <= a for a, b in pairwise(order)):
        return "markers out of order: " + " -> ".join(_STAGE_OF[run.code] for run in runs)
    return None
