"""Runs a session of `pytest --testbed X`: its options, the testbed for as long as it lasts, the run that it leaves."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.analysis.cells import Accuracy
from harness.artefacts import artefacts
from harness.contracts.testbed import Testbed
from harness.device.boardlog import Logs
from harness.doctor import examine
from harness.hil import limits
from harness.hil.measuring import Hil
from harness.hil.record import SessionRecord
from harness.host import cli, registry
from harness.lab import hooks, lab, labfile
from harness.lab.lab import Boards, Lab
from harness.measure import pinned
from harness.measure.axes import Axis, Bandwidth, Frequency, Setting
from harness.runs.provenance import host_text
from harness.sweep import facts, pictures, prepare
from harness.sweep import measure as taking
from harness.sweep.plan import MOST_IMAGES, make

_REMOTE_LIMIT_MS = 1000.0
_DEFAULT_RATE = "6M"  # where the testbed's link can be shaped; else it is left as it is


@dataclass(frozen=True)
class Asked:
    """Holds the options of the session, parsed."""

    testbed: str
    dataset: str
    profile: str
    schemes: list[str]
    rate_bps: float | None
    images: int
    energy: bool = False  # energies of every sample, where the testbed has a meter
    folder: Path | None = None  # where the session's run goes; None: nowhere
    argv: tuple[str, ...] = ()  # for the manifest
    compare: Path | None = None  # the run that the session's is held against

    @classmethod
    def parse(
        cls,
        *,
        testbed: str,
        dataset: str,
        profile: str,
        schemes: str | None,
        rate: str | None,
        images: str,
        **more: Any,
    ) -> Asked:
        """Parse texts; `more` is taken as it is.

        Raises:
            BenchError: one of them is none of its kind.
        """
        count = cli.whole(1, MOST_IMAGES, "--hil-images")(str(images))
        names = cli.names(schemes) if schemes else artefacts.trained(dataset, profile)
        wanted = rate or (_DEFAULT_RATE if _can_shape(testbed) else "none")
        return cls(testbed, dataset, profile, names, cli.rate_or_none(wanted), count, **more)


@contextmanager
def opened(asked: Asked) -> Iterator[Hil]:
    """Open the testbed for the duration of the block.

    Raises:
        BenchError: it, a scheme or the data set can't be had.
    """
    cancelled = threading.Event()
    with ExitStack() as held:
        held.enter_context(hooks.around(labfile.load().file.hooks, asked.testbed, asked.folder))
        request = _request(asked)
        ground = prepare.ground(request)
        limits.check(ground.testbed, registry.scheme_names())
        up = held.enter_context(lab.opened(list(ground.artefacts.values()), ground.request.lab))
        data = prepare.loaded_images(request, [a.description for a in ground.artefacts.values()])
        firmware = prepare.firmware(ground)
        times = _times(asked, ground, up)
        by_scheme = prepare.points(ground, data, firmware, times)
        chosen, _ = pictures.chosen(ground.artefacts.values(), data, asked.images, 0, request.seed)
        may_exit = [name for name, artefact in ground.artefacts.items() if pictures.may_exit(artefact)]
        shares = taking.accuracies(ground, data, cli.console(stderr=True), may_exit)  # what weighs both kinds
        points = [point for pairs in by_scheme.values() for point, _ in pairs]
        plan = make(points, chosen, [], request.seed, free=ground.free)
        record = None
        if asked.folder is not None:
            manifest = facts.manifest(
                ground,
                data=data,
                firmware_=firmware,
                plan=plan,
                by_scheme=by_scheme,
                argv=asked.argv,
                more=_more(ground, up, times, shares),
                kind="hil",
                module="pytest",
            )
            report = examine.cheap(ground.request.lab, asked.testbed, ground.make, up)
            record = held.enter_context(SessionRecord(asked.folder, manifest, report))
        boards = Boards(
            up,
            ground.make,
            ground.artefacts,
            firmware,
            numbers=itertools.count(),
            cancelled=cancelled,
            logs=Logs(asked.folder),
        )
        held.callback(boards.close)
        held.callback(cancelled.set)
        boards.meter = meter = held.enter_context(ground.meter()) if request.energy else None
        setting = request.axis.applied(request.base, request.values[0])
        yield Hil(ground, up, data, firmware, boards, times, plan, setting, shares, meter, record)


def _can_shape(testbed: str) -> bool:
    with labfile.load().factory(testbed)() as made:
        return made.link.can_shape


def _request(asked: Asked) -> prepare.Request:
    """Ask for one point a scheme: at the rate asked for, or where the link is left as it is at the testbed's
    own clock.
    """
    setup = labfile.load()
    registry.check_name(registry.TESTBEDS, "testbed", asked.testbed)
    axis: Axis = Bandwidth()
    values = [asked.rate_bps] if asked.rate_bps else []
    if not values:
        with setup.factory(asked.testbed)() as testbed:
            axis, values = Frequency(), [float(testbed.description.clock_hz)]
    modelled = registry.testbed_class(asked.testbed).power_timeline is not Testbed.power_timeline
    return prepare.Request(
        axis=axis,
        values=values,
        testbed=asked.testbed,
        schemes=asked.schemes,
        dataset=asked.dataset,
        profile=asked.profile,
        images=asked.images,
        warmup=0,
        seed=0,
        base=Setting(rate_bps=asked.rate_bps),
        # Where there is neither probe nor model, the energy tests say so one by one.
        energy=asked.energy and (setup.probe(asked.testbed) is not None or (modelled and asked.rate_bps is not None)),
        lab=setup,
    )


def _more(
    ground: prepare.Ground, up: Lab, times: pinned.Pinned | None, shares: Mapping[str, Accuracy]
) -> Mapping[str, Any]:
    return {
        "accuracy": taking.accuracy_facts(shares),
        "procedure": None,
        "jobs": 1,
        "broker": up.broker.title,
        "pinned": pinned.facts(pinned.Chosen(None, times), times, ground.artefacts) if times is not None else None,
        "energy": {"idle_subtracted": False} if ground.request.energy else None,
    }


def _times(asked: Asked, ground: prepare.Ground, up: Lab) -> pinned.Pinned | None:
    """Return the remote times that a session charges: those of the run it is compared with, else the shipped ones or
    those of this host's file, else measured now and kept for this session only. A test leaves no file behind.
    """
    calibrated = up.calibrated()
    if not ground.pins_remote:
        return None
    own = pinned.default_path(Path("results"), asked.dataset, asked.profile)
    known = dict(pinned.choose(own, list(ground.artefacts.values())).times.remote)
    known |= pinned.of_run(asked.compare) if asked.compare else {}
    for a in ground.artefacts.values():
        if a.offloads and a.weights not in known:
            remote_ms = min(_REMOTE_LIMIT_MS, round(calibrated[f"{a.u32:08x}"].service_us / 1e3, 3))
            known[a.weights] = pinned.Entry(
                label=a.description.label,
                remote_ms=remote_ms,
                calibrated_at="this session",
                host=host_text(),
            )
    return pinned.Pinned(remote=known)
