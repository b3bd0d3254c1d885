"""Takes samples one after another on boards of its own: what a thread of this process does, or a worker elsewhere."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.artefacts.artefacts import Artefact
from harness.artefacts.images import Pictures
from harness.contracts.errors import BenchFailed, SampleFailed
from harness.contracts.link import Certificate
from harness.contracts.testbed import Testbed
from harness.device.boardlog import Logs
from harness.device.bringup import Board
from harness.device.device import Cancelled
from harness.lab.lab import BoardKind, Boards, Lab
from harness.measure import again
from harness.measure.inference import measure
from harness.measure.inference_energy import measure_with_energy
from harness.power.sampling import EnergyMeter
from harness.runs.sample import failed
from harness.sweep.job import Job

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Bench:
    """Holds what the workers share."""

    lab: Lab
    make: Callable[[], Testbed]
    artefacts: Mapping[str, Artefact]
    firmware: Mapping[str, Path]
    images: Pictures
    meter: Callable[[], EnergyMeter] | None = None  # energy of every sample, where asked for
    certified: Callable[[str, Certificate], None] | None = None  # told what the link was at a point, where measured
    logs: Logs | None = None  # of the boards; none where there is no run to keep them


class Stand:
    """Holds one worker's boards, a board a kind, and its energy meter. One thread uses it.

    Args:
        numbers: of boards, shared by all stands at one lab; `next` on it must be atomic.
        cancelled: ends whatever a board waits for.
    """

    def __init__(self, bench: Bench, numbers: Iterator[int], cancelled: threading.Event) -> None:
        self._bench = bench
        self._boards = Boards(
            bench.lab,
            bench.make,
            bench.artefacts,
            bench.firmware,
            numbers=numbers,
            cancelled=cancelled,
            logs=bench.logs,
        )
        self._meter = bench.meter() if bench.meter else None
        self._boards.meter = self._meter

    def board(self, kind: BoardKind) -> Board:
        """Return the board of this kind, not necessarily ready."""
        return self._boards.get(kind)

    def drop(self, kind: BoardKind) -> None:
        """Give one board back; the next one of its kind is opened anew."""
        self._boards.drop(kind)

    def close(self) -> None:
        """Give boards and meter back."""
        try:
            if self._meter is not None:
                self._meter.close()
        finally:
            self._boards.close()

    def take(self, job: Job, lost: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
        """Take a sample and return its row, also that of one that failed.

        Args:
            lost: told why, whenever the sample was lost to the bench and is taken again.

        Raises:
            BoardGone: the board can't be made ready.
        """
        bench, meter, planned = self._bench, self._meter, job.planned
        board = self._boards.get(job.kind)
        label = bench.images.label(planned.image)
        picture, services = bench.images.picture(planned.image), bench.lab.services

        def once() -> dict[str, Any]:
            if meter is None:
                return measure(
                    board, planned, picture, label, link=job.link, pinned_ms=job.pinned_ms, services=services
                )
            return measure_with_energy(
                meter, board, planned, picture, label, link=job.link, pinned_ms=job.pinned_ms, services=services
            )

        try:
            row = again.taken(board, f"{planned.point.scheme}, image {planned.image}", once, lost)
        except SampleFailed as e:
            if isinstance(e.__cause__, Cancelled):
                raise
            log.warning("%s, image %d failed: %s", planned.point.scheme, planned.image, e)
            board.lost()  # comes back through reset before its next sample
            board.lost_samples = board.lost_samples + 1 if isinstance(e, BenchFailed) else 0
            return failed(planned, label, str(e))
        board.lost_samples = 0
        if bench.certified and job.link is not None and (certificate := board.testbed.link.certificate):
            bench.certified(planned.point.point_id, certificate)
        return row
