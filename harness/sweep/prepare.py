"""Turns options into a run: checks everything before anything starts, and makes points and jobs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.artefacts import images
from harness.artefacts.artefacts import Artefact
from harness.artefacts.images import Images
from harness.artefacts.settings import setting_text
from harness.contracts.description import DeviceDescription
from harness.contracts.errors import BenchError
from harness.contracts.scheme import Scheme
from harness.contracts.testbed import Testbed, TestbedDescription
from harness.host import locks, registry
from harness.lab.lab import BoardKind, many
from harness.lab.labfile import EMPTY, LabSetup
from harness.measure.axes import Axis, Setting
from harness.measure.inference_energy import check_link, meter_for
from harness.measure.pinned import Pinned
from harness.power.sampling import EnergyMeter
from harness.runs.provenance import file_sha256
from harness.runs.sample import Planned, Point
from harness.sweep import afar
from harness.sweep.plan import Plan
from harness.sweep.runner import Job


@dataclass(frozen=True)
class Request:
    """Holds what was asked for, already parsed."""

    axis: Axis
    values: Sequence[float]
    testbed: str
    schemes: Sequence[str]
    dataset: str
    profile: str
    images: int
    warmup: int
    seed: int
    base: Setting = field(default_factory=Setting)
    energy: bool = False
    lab: LabSetup = EMPTY
    afar: bool = False  # on the workers of a cluster


@dataclass(frozen=True)
class Ground:
    """Holds everything that a sweep stands on, checked."""

    request: Request
    schemes: Mapping[str, Scheme]
    artefacts: Mapping[str, Artefact]
    make: Callable[[], Testbed]
    kind: type[Testbed]
    testbed: TestbedDescription
    pins_remote: bool
    free: bool  # several boards at once, schemes interleaved sample by sample
    probe: Mapping[str, Any] | None = None  # the instrument that measures energies, where they were asked for

    def meter(self) -> EnergyMeter:
        """Return a meter for one board of this testbed. Raises BenchError when it has neither probe nor model."""
        return meter_for(self.kind, self.request.lab.probe(self.request.testbed))

    @property
    def titles(self) -> dict[str, str]:
        """Return how tables and plots call the schemes."""
        return {
            name: s.title if name == s.name else f"{s.title}, {setting_text(self.artefacts[name])}"
            for name, s in self.schemes.items()
        }


def ground(request: Request) -> Ground:
    """Check names, artefacts and the testbed, cheapest first.

    Raises:
        BenchError: something is unknown, missing or does not fit.
    """
    for name in request.schemes:
        registry.check_name(registry.SCHEMES, "scheme", name)
    registry.check_name(registry.TESTBEDS, "testbed", request.testbed)
    images.check_name(request.dataset)
    schemes: dict[str, Scheme] = {}
    found: dict[str, Artefact] = {}
    for scheme in map(registry.scheme, request.schemes):
        own = request.axis.artefacts(scheme, request.dataset, request.profile)
        found |= own
        schemes |= dict.fromkeys(own, scheme)
    kind, make = registry.testbed_class(request.testbed), request.lab.factory(request.testbed)
    with make() as testbed:
        if request.afar:
            afar.check(request.lab, testbed)
        if testbed.link.modelled:
            request = replace(request, lab=request.lab.emulated())
        testbed.check()
        with locks.held(testbed.identity):  # a board that another run has is told of before anything takes time
            request.axis.check(request.values, testbed)
            for value in request.values:
                if (spec := request.axis.applied(request.base, value).link) is not None:
                    testbed.link.check(spec)
        ground_ = Ground(request, schemes, found, make, kind, testbed.description, testbed.pins_remote, many(testbed))
        if request.energy:
            with ground_.meter() as meter:
                check_link(meter, request.base.link)
                ground_ = replace(ground_, probe=meter.facts())
        return ground_


def loaded_images(request: Request, descriptions: Sequence[DeviceDescription]) -> Images:
    """Load the test set, which must fit the networks.

    Raises:
        BenchError: it is not to be had, or its pictures or classes are other than the networks'.
    """
    data = images.load(request.dataset)
    fitted = [data.fitting(d) for d in descriptions]
    if len({one.pictures.shape for one in fitted}) > 1:
        raise BenchError("the schemes take pictures of different sizes", cure="measure them in runs of their own")
    return fitted[0] if fitted else data


def firmware(ground_: Ground) -> dict[str, Path]:
    """Return the image of every scheme for this testbed, built where it is not in the cache.

    Raises:
        BenchError: no compiler, an operator that the generator lacks, code that does not fit.
    """
    from testbeds.firmware.toolchain.build import build  # noqa: PLC0415 - found late, like every testbed

    return {name: build(a.folder, ground_.testbed.target) for name, a in ground_.artefacts.items()}


def library(artefact: Artefact) -> Path:
    """Return the host build of an artefact's firmware. Raises as `firmware`."""
    from testbeds.firmware.toolchain.build import build  # noqa: PLC0415

    return build(artefact.folder, "host")


def points(
    ground_: Ground, data: Images, firmware_: Mapping[str, Path], pinned: Pinned | None
) -> dict[str, list[tuple[Point, Setting]]]:
    """Return the points of every scheme with their settings, with values in the order asked for."""
    request = ground_.request
    out: dict[str, list[tuple[Point, Setting]]] = {}
    for name, artefact in ground_.artefacts.items():
        facts = {
            "scheme_version": ground_.schemes[name].version,
            "weights": artefact.weights,
            "firmware": file_sha256(firmware_[name]),
            "images": data.checksum,
            "seed": request.seed,
            "module_baud": ground_.testbed.module_baud,
            "pinned_remote_ms": pinned.remote_ms(artefact) if pinned else None,
        }
        out[name] = [
            (_point(ground_, name, setting, facts), setting)
            for setting in (request.axis.applied(request.base, value) for value in request.values)
        ]
    return out


def jobs(
    plan: Plan, ground_: Ground, by_scheme: Mapping[str, Sequence[tuple[Point, Setting]]], pinned: Pinned | None
) -> list[Job]:
    """Return the plan's samples with what each needs."""
    settings = {point.point_id: setting for pairs in by_scheme.values() for point, setting in pairs}

    def job(planned: Planned) -> Job:
        setting = settings[planned.point.point_id]
        charge = pinned.remote_ms(ground_.artefacts[planned.point.scheme]) if pinned else None
        return Job(planned, BoardKind(planned.point.scheme, setting.board), setting.link, charge)

    return [job(planned) for planned in plan.samples]


def _point(ground_: Ground, scheme: str, setting: Setting, facts: Mapping[str, Any]) -> Point:
    request = ground_.request
    own: dict[str, Any] = {**facts} | {"alpha": setting.board.alpha, "exit_threshold": setting.board.exit_threshold}
    link = setting.link
    if link:
        own |= {"segment_bytes": link.segment_bytes, "header_bytes": link.header_bytes}
    return Point(
        scheme=scheme,
        dataset=request.dataset,
        profile=request.profile,
        testbed=request.testbed,
        rate_bps=setting.rate_bps,
        delay_ms=setting.delay_ms,
        jitter_ms=setting.jitter_ms,
        loss=setting.loss,
        limit_packets=setting.limit_packets,
        clock_hz=setting.board.clock_hz or ground_.testbed.clock_hz,
        facts=own,
    )
