"""Runs all checks of a testbed, in the order in which a fault in one explains those that follow."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.artefacts import artefacts
from harness.artefacts.artefacts import Artefact
from harness.contracts.errors import BenchError
from harness.contracts.paths import weights_dir
from harness.contracts.testbed import Testbed
from harness.doctor import board, clocks, host, link, network, probe
from harness.doctor.report import Finding, Report, guarded
from harness.edge import elsewhere
from harness.host import registry
from harness.lab import lab
from harness.lab.lab import Lab
from harness.lab.labfile import LabSetup
from harness.runs.provenance import file_sha256
from harness.runs.store import Store

log = logging.getLogger(__name__)

REPORT = "doctor.json"


@dataclass(frozen=True)
class Wanted:
    """Says how far to look."""

    flash: bool = False
    zero: bool = False
    ohms: float | None = None
    quick: bool = False


def full(setup: LabSetup, name: str, wanted: Wanted) -> Report:
    """Run all checks: a broker is started (or the given one used), the board is booted and associated.

    Raises:
        BenchError: there is no such testbed.
    """
    make = setup.factory(name)
    with make() as testbed:
        setup = setup.emulated() if testbed.link.modelled else setup
        found = _of_host(setup, name) + host.flashing(testbed)
        there = guarded("board", lambda: board.presence(testbed))
        found += there
        found += guarded("broker", lambda: _with_lab(setup, testbed, wanted, able=there[0].status == "pass"))
    found += guarded("probe", lambda: probe.probe(setup.probe(name), zero=wanted.zero, ohms=wanted.ohms))
    return Report(name, tuple(found))


def _of_host(setup: LabSetup, name: str) -> list[Finding]:
    found = host.programs(setup) + host.secrets(setup, name)
    return found + host.permissions(setup, name) + host.shaping(setup, name)


def cheap(setup: LabSetup, name: str, make: Callable[[], Testbed], up: Lab) -> Report:
    """Run the checks that cost no time and touch no board; they are attached to every run."""
    found = _of_host(setup, name)
    found += guarded("broker", lambda: network.round_trips(up))
    with make() as testbed:
        found += guarded("board", lambda: board.presence(testbed))
    return Report(name, tuple(found))


def attached(store: Store, report: Report) -> dict[str, Any]:
    """Put a report into a run's folder, and return what the manifest says of it."""
    path = store.write_text(REPORT, report.text())
    return report.facts(REPORT, file_sha256(path))


def _with_lab(setup: LabSetup, testbed: Testbed, wanted: Wanted, *, able: bool) -> list[Finding]:
    with lab.opened([], setup) as up:
        found = network.broker(up)
        found += guarded("broker rules", lambda: network.rules(up))
        found += guarded("round trip", lambda: network.round_trips(up))
        if setup.file.edge.host:
            found += guarded("edge", lambda: _edge(setup, up))
        if not able:
            return [*found, Finding("firmware", "skip", "the board is not there")]
        waits = () if wanted.quick else clocks.WAITS_MS
        found += guarded(
            "firmware",
            lambda: board.examined(testbed, up, lambda: _image(testbed), flash=wanted.flash, waits_ms=waits),
        )
        found += guarded("link", lambda: link.shaped(testbed))
        return found


def _edge(setup: LabSetup, up: Lab) -> list[Finding]:
    name = setup.file.edge.host or ""
    with elsewhere.watching(up.broker.address, name, {}) as edge:
        served = edge.calibrated()
    said = ", ".join(f"{one.scheme} {one.service_us / 1e3:.2f} ms" for one in served)
    return [Finding("edge", "pass", f"'{name}' serves {said}", values={"served": len(served)})]


def _image(testbed: Testbed) -> Path | None:
    """Return an image for the testbed: of a scheme that offloads where there is one, since its device waits for a
    reply.
    """
    from testbeds.firmware.toolchain.build import build  # noqa: PLC0415 - found late, like every testbed

    chosen = _artefact()
    return None if chosen is None else build(chosen.folder, testbed.description.target)


def _artefact() -> Artefact | None:
    found = []
    for path in sorted(weights_dir().glob("*/*/description.toml")):
        if path.parent.name not in registry.scheme_names():
            continue
        try:
            found.append(artefacts.load(path.parent))
        except BenchError as e:
            log.info("%s", e)
    offloading = [a for a in found if a.offloads]
    return next(iter(offloading or found), None)
