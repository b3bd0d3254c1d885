"""Takes a sample, and takes it again where the bench lost it: a process, a cable, the broker, a bad account.

What the scheme or its link decides is never taken again: a sample that a lossy link loses would otherwise be tried
until it gets through, and the slow ones would be missing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from harness.contracts.errors import BenchFailed
from harness.device.bringup import Board
from harness.runs.sample import checked

log = logging.getLogger(__name__)

RETAKES = 2  # times that a sample is taken again


def taken(
    board: Board, what: str, take: Callable[[], dict[str, Any]], lost: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Take a sample on `board`, which is made ready first; return its row, with how often it was taken.

    Args:
        what: names the sample, for the log.
        take: takes it once.
        lost: told why, whenever it is taken again.

    Raises:
        SampleFailed: it could not be measured, or was lost to the bench `RETAKES` times and once more.
        BoardGone: the board did not come to ready.
    """
    for attempt in range(1, RETAKES + 2):
        board.for_sample()
        try:
            return possible(take() | {"attempts": attempt})
        except BenchFailed as e:
            board.lost()
            if attempt > RETAKES:
                raise BenchFailed(f"{e.what} (taken {attempt} times)", cure=e.cure) from e
            log.warning("%s: %s; taken again", what, e.what)
            lost(e.what)
    raise AssertionError("not reached")


def possible(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row of a sample. Raises BenchFailed for a value that its column does not take: NaN, infinite, another
    type.
    """
    try:
        return checked(row)
    except ValueError as e:
        raise BenchFailed(f"the sample holds what can not be: {e}") from e
