"""Holds what the checks stand on: a testbed that is up and ready, and samples with everything that was seen of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.analysis.cells import Accuracy, Cell
from harness.artefacts.artefacts import Artefact
from harness.artefacts.images import Images
from harness.contracts.errors import SampleFailed
from harness.contracts.link import LinkSpec
from harness.contracts.testbed import SampleLog, TestbedDescription
from harness.device import messages
from harness.device.bringup import Board, State
from harness.device.messages import Stats
from harness.hil import limits
from harness.hil.record import SessionRecord
from harness.lab.lab import BoardKind, Boards, Lab
from harness.measure import again, pinned
from harness.measure.axes import Setting
from harness.measure.inference import measure
from harness.measure.inference_energy import measure_with_energy
from harness.power.sampling import EnergyMeter
from harness.runs.measurements import METRICS
from harness.runs.sample import Planned, failed
from harness.sweep import prepare
from harness.sweep.plan import Plan
from testbeds.firmware.host.schemelib import HostLibrary


@dataclass(frozen=True)
class Seen:
    """Holds one sample: the row, the testbed's own account, and what the device held afterwards."""

    row: dict[str, Any]
    log: SampleLog
    link: LinkSpec | None
    local_logits: bytes  # int8 [classes], empty where the scheme has none
    combined_logits: bytes  # float32 [classes]
    payload: bytes  # as sent, header included; empty when nothing was
    stats: Stats


@dataclass
class Hil:
    """Holds the testbed under test. `see` measures a sample once and remembers it."""

    ground: prepare.Ground
    lab: Lab
    data: Images
    firmware: dict[str, Path]
    boards: Boards
    pinned: pinned.Pinned | None
    plan: Plan
    setting: Setting
    shares: Mapping[str, Accuracy] = field(default_factory=dict)  # of the whole test set, where pictures exit early
    meter: EnergyMeter | None = None  # of a single board; an emulated one may have several at once
    record: SessionRecord | None = None
    _seen: dict[tuple[str, int], Seen] = field(default_factory=dict)
    _hosts: dict[str, HostLibrary] = field(default_factory=dict)

    @property
    def description(self) -> TestbedDescription:
        """Return what the testbed is."""
        return self.ground.testbed

    @property
    def images(self) -> list[int]:
        """Return the pictures that every scheme is measured with."""
        return list(self.plan.images)

    def limits(self, scheme: str, end: str) -> dict[str, float]:
        """Return the limits of the bench file by metric, of those whose name ends with `end` ("_ms", "_uj")."""
        return limits.of(self.description, scheme, end)

    def artefact(self, scheme: str) -> Artefact:
        """Return the trained scheme."""
        return self.ground.artefacts[scheme]

    def host(self, scheme: str) -> HostLibrary:
        """Return the device's half on this host, from the same C sources."""
        if scheme not in self._hosts:
            self._hosts[scheme] = HostLibrary(prepare.library(self.artefact(scheme)))
        return self._hosts[scheme]

    def board(self, scheme: str) -> Board:
        """Return a ready board with the scheme's image."""
        return self.boards.get(BoardKind(scheme, self.setting.board)).up()

    def see(self, scheme: str, image: int) -> Seen:
        """Measure one sample.

        Raises:
            BenchError: it could not be measured.
        """
        if (scheme, image) not in self._seen:
            self._seen[scheme, image] = self._measure(scheme, image)
        return self._seen[scheme, image]

    def figures(self, scheme: str) -> dict[str, float | int | str]:
        """Return what was measured of a scheme so far: the middle of every metric, its source, and over how many
        pictures.
        """
        rows = [seen.row for (name, _), seen in self._seen.items() if name == scheme]
        known = self.shares.get(scheme)
        return figures(rows, known.exited_share if known else None)

    def _measure(self, scheme: str, image: int) -> Seen:
        board, artefact = self.board(scheme), self.artefact(scheme)
        planned = next(p for p in self.plan.samples if (p.point.scheme, p.image) == (scheme, image))
        row = self._row(board, planned)
        log = board.testbed.sample_log()
        classes, sent = artefact.description.classes, int(row["payload_bytes"])
        has_local = artefact.description.local_logits_output >= 0
        return Seen(
            row=row,
            log=log,
            link=self.setting.link,
            local_logits=board.device.read(messages.LOCAL_LOGITS, classes) if has_local else b"",
            combined_logits=board.device.read(messages.COMBINED_LOGITS, 4 * classes),
            payload=board.device.read(messages.LAST_PAYLOAD, sent) if sent else b"",
            stats=board.device.stats(),
        )

    def _row(self, board: Board, planned: Planned) -> dict[str, Any]:
        picture, label = self.data.picture(planned.image), int(self.data.labels[planned.image])
        link, services = self.setting.link, self.lab.services
        pinned_ms = self.pinned.remote_ms(board.artefact) if self.pinned else None

        def once() -> dict[str, Any]:
            if self.meter is None:
                return measure(board, planned, picture, label, link=link, pinned_ms=pinned_ms, services=services)
            return measure_with_energy(
                self.meter, board, planned, picture, label, link=link, pinned_ms=pinned_ms, services=services
            )

        try:
            row = again.taken(board, f"{planned.point.scheme}, image {planned.image}", once)
        except SampleFailed as e:
            board.state = State.FLASHED  # comes back through reset before its next sample
            if self.record:
                self.record.keep(planned, failed(planned, label, str(e)))
            raise
        if self.record:
            self.record.keep(planned, row, board.testbed.link.certificate if link else None)
        return row


def figures(rows: list[dict[str, Any]], test_exits: float | None = None) -> dict[str, float | int | str]:
    """Return every metric over `rows` of one scheme, with its source; `n` is their number. Nothing gives nothing.

    The median; where pictures exit early, the mean of both kinds, weighted as in every table.

    Args:
        test_exits: share of the whole test set that exits early, 0..1, where it is known.
    """
    cell = Cell("", 0.0, tuple(rows), test_exits=test_exits)
    found: dict[str, float | int | str] = {"n": len(rows)} if rows else {}
    for name, metric in METRICS.items():
        middle = cell.middle(name)
        if middle is not None:
            found[name] = round(middle) if metric.whole else round(middle, 6)
            sources = {str(r[metric.source_column]) for r in rows if r.get(metric.source_column)}
            found[metric.source_column] = "+".join(sorted(sources))
    return found
