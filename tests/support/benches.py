"""A bench whose boards are stand-ins: for tests of what takes samples and keeps them."""

from __future__ import annotations

from typing import Any

from harness.broker.mqtt import BrokerAddress
from harness.broker.roles import Role
from harness.contracts.errors import BenchError
from harness.contracts.link import LinkSpec
from harness.device.bringup import BoardSettings
from harness.lab.lab import BoardKind
from harness.runs.sample import Planned, Point
from harness.sweep.plan import make
from harness.sweep.runner import Bench, Job, Watcher, run


class StubBroker:
    """Alive until told otherwise."""

    address = BrokerAddress("127.0.0.1", 1883, "bench", "hush")
    title = "stub"
    dead = False

    def entered_by(self, role: Role) -> BrokerAddress:
        return self.address

    def check(self) -> None:
        if self.dead:
            raise BenchError("the broker (stub) died")


def make_jobs(images: list[int], extra: list[int] | None = None) -> list[Job]:
    """Warm-up image 11, then `images`, of two schemes at two rates."""
    points = [Point(s, "tiny", "compact", "stand_in", r) for s in ("near", "far") for r in (1e6, 6e6)]
    plan = make(points, images, [11], 0, free=True, extra_images=extra or [])

    def job(p: Planned) -> Job:
        pinned = 2.5 if p.point.scheme == "far" else None
        return Job(p, BoardKind(p.point.scheme, BoardSettings()), LinkSpec.symmetric(p.point.rate_bps), pinned)

    return [job(p) for p in plan.samples]


def rows_of(bench: Bench, jobs: list[Job], workers: int) -> list[dict[str, Any]]:
    """Take them all; the rows in planned order."""
    return sorted((row for _, row in run(bench, jobs, workers, Watcher()) if row), key=lambda r: r["order"])
