"""What tests/hil stand on: the testbed asked for, up and ready, and samples with everything that was seen of them."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import cli, lab, labfile, messages, pinned, registry
from harness.artefacts import Artefact
from harness.bringup import Board, BoardSettings, State
from harness.contracts.link import LinkSpec
from harness.contracts.testbed import SampleLog, TestbedDescription
from harness.images import Images
from harness.inference import measure
from harness.lab import BoardKind, Boards, Lab
from harness.messages import Stats
from harness.sample import Planned, Point
from harness.sweep import prepare
from harness.sweep.axes import Bandwidth, Setting
from harness.sweep.plan import MOST_IMAGES, choose_images
from testbeds.firmware.hostlib import HostLibrary

_REMOTE_LIMIT_MS = 1000.0


@dataclass(frozen=True)
class Asked:
    """The options of the session, parsed."""

    testbed: str
    dataset: str
    profile: str
    schemes: list[str]
    rate_bps: float | None
    images: int

    @classmethod
    def parse(cls, *, testbed: str, dataset: str, profile: str, schemes: str | None, rate: str, images: str) -> Asked:
        """From texts.

        Raises:
            BenchError: one of them is none of its kind.
        """
        count = cli.whole(1, MOST_IMAGES, "--hil-images")(str(images))
        names = cli.names(schemes) if schemes else registry.scheme_names()
        return cls(testbed, dataset, profile, names, cli.rate_or_none(rate), count)


@dataclass(frozen=True)
class Seen:
    """One sample: the row, the testbed's own account, and what the device held afterwards."""

    row: dict[str, Any]
    log: SampleLog
    link: LinkSpec | None
    local_logits: bytes  # int8 [classes], empty where the scheme has none
    combined_logits: bytes  # float32 [classes]
    payload: bytes  # as sent, header included; empty when nothing was
    stats: Stats


@dataclass
class Hil:
    """The testbed under test. `see` measures a sample once and remembers it."""

    asked: Asked
    ground: prepare.Ground
    lab: Lab
    data: Images
    firmware: dict[str, Path]
    boards: Boards
    pinned: pinned.Pinned | None
    images: list[int]
    _seen: dict[tuple[str, int, float | None], Seen] = field(default_factory=dict)
    _hosts: dict[str, HostLibrary] = field(default_factory=dict)
    _order: Iterator[int] = field(default_factory=itertools.count)

    @property
    def description(self) -> TestbedDescription:
        """What the testbed is."""
        return self.ground.testbed

    def artefact(self, scheme: str) -> Artefact:
        """The trained scheme."""
        return self.ground.artefacts[scheme]

    def host(self, scheme: str) -> HostLibrary:
        """The device's half on this host, from the same C sources."""
        if scheme not in self._hosts:
            self._hosts[scheme] = HostLibrary(prepare.library(self.artefact(scheme)))
        return self._hosts[scheme]

    def board(self, scheme: str) -> Board:
        """A ready board with the scheme's image."""
        return self.boards.get(BoardKind(scheme, BoardSettings())).to(State.READY)

    def see(self, scheme: str, image: int, rate_bps: float | None = None) -> Seen:
        """Measure one sample.

        Raises:
            BenchError: it could not be measured.
        """
        rate = rate_bps or self.asked.rate_bps
        key = (scheme, image, rate)
        if key not in self._seen:
            self._seen[key] = self._measure(scheme, image, rate)
        return self._seen[key]

    def _measure(self, scheme: str, image: int, rate: float | None) -> Seen:
        board, artefact = self.board(scheme), self.artefact(scheme)
        point = Point(scheme, self.asked.dataset, self.asked.profile, self.asked.testbed, rate)
        link = Setting(rate_bps=rate).link if rate else None
        row = measure(
            board,
            Planned(next(self._order), point, image, False, 0),
            self.data.picture(image),
            int(self.data.labels[image]),
            link=link,
            pinned_ms=self.pinned.remote_ms(artefact) if self.pinned else None,
            services=self.lab.services,
        )
        log = board.testbed.sample_log()
        classes, sent = artefact.description.classes, int(row["payload_bytes"])
        has_local = artefact.description.local_logits_output >= 0
        return Seen(
            row=row,
            log=log,
            link=link,
            local_logits=board.device.read(messages.LOCAL_LOGITS, classes) if has_local else b"",
            combined_logits=board.device.read(messages.COMBINED_LOGITS, 4 * classes),
            payload=board.device.read(messages.LAST_PAYLOAD, sent) if sent else b"",
            stats=board.device.stats(),
        )


@contextmanager
def opened(asked: Asked) -> Iterator[Hil]:
    """The testbed for the duration of the block.

    Raises:
        BenchError: it, a scheme or the data set can't be had.
    """
    request = prepare.Request(
        axis=Bandwidth(),
        values=[asked.rate_bps] if asked.rate_bps else [],
        testbed=asked.testbed,
        schemes=asked.schemes,
        dataset=asked.dataset,
        profile=asked.profile,
        images=asked.images,
        warmup=0,
        seed=0,
        lab=labfile.load(),
    )
    ground = prepare.ground(request)
    cancelled = threading.Event()
    with lab.opened(list(ground.artefacts.values()), request.lab) as up:
        data = prepare.loaded_images(request, [a.description for a in ground.artefacts.values()])
        firmware = prepare.firmware(ground)
        times = _times(ground, up)
        chosen, _ = choose_images(len(data), asked.images, 0, request.seed)
        boards = Boards(up, ground.make, ground.artefacts, firmware, numbers=itertools.count(), cancelled=cancelled)
        try:
            yield Hil(asked, ground, up, data, firmware, boards, times, chosen)
        finally:
            cancelled.set()
            boards.close()


def _times(ground: prepare.Ground, up: Lab) -> pinned.Pinned | None:
    """Remote times for this session only: tests leave no file behind."""
    calibrated = up.calibrated()
    if not ground.pins_remote:
        return None
    remote = {
        a.weights: pinned.Entry(
            label=a.description.label,
            remote_ms=min(_REMOTE_LIMIT_MS, round(calibrated[f"{a.u32:08x}"].service_us / 1e3, 3)),
            calibrated_at="this session",
        )
        for a in ground.artefacts.values()
        if a.offloads
    }
    return pinned.Pinned(remote=remote)
