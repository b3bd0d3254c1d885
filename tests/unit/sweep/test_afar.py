"""Samples that are taken elsewhere: what goes along, what is refused, and the rows, which are those of here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.artefacts.images import Images
from harness.cluster.worker import AsOneself
from harness.commands import sweep as way_in
from harness.contracts.errors import BenchError
from harness.host import registry
from harness.lab.labfile import EMPTY, LabFile, LabSetup
from harness.runs.sample import Planned
from harness.sweep import afar
from harness.sweep.runner import Watcher
from harness.sweep.stand import Bench

from ...support.benches import make_jobs, rows_of


@pytest.fixture
def packed(make_bench: Callable[..., Any], data: Images, tmp_path: Path) -> afar.Parcel:
    bench, _ = make_bench()
    for path in bench.firmware.values():
        path.write_bytes(b"elf of " + path.name.encode())
    return afar.parcel(bench.artefacts, bench.firmware, data, make_jobs([0, 3]), "virtual", energy=False)


def test_a_worker_gets_weights_firmware_and_the_pictures_of_the_plan(packed: afar.Parcel) -> None:
    assert sorted(packed.files) == [
        "firmware/far/far.elf", "firmware/near/near.elf",
        "weights/tiny-compact/far/description.toml", "weights/tiny-compact/far/server.npz",
        "weights/tiny-compact/near/description.toml", "weights/tiny-compact/near/device.tflite",
    ]  # fmt: skip
    assert sorted(packed.pictures.pictures) == [0, 3, 11]
    with pytest.raises(BenchError, match="image 1 is not"):
        packed.pictures.label(1)


@pytest.mark.parametrize("part", ["weights/tiny-compact/far/server.npz", "firmware/near/near.elf", "pictures"])
def test_what_does_not_come_whole_is_refused_and_not_tried_elsewhere(packed: afar.Parcel, part: str) -> None:
    if part == "pictures":
        spoiled = {i: p ^ 1 for i, p in packed.pictures.pictures.items()}
        packed = replace(packed, pictures=replace(packed.pictures, pictures=spoiled))
    else:
        packed = replace(packed, files={**packed.files, part: packed.files[part] + b"!"})
    with ExitStack() as held, pytest.raises(AsOneself, match="did not come whole"):
        afar.opened(packed, held)


class Workers:
    """Does every call here, last one first, each on what a worker would open."""

    def __init__(self, bench: Bench) -> None:
        self.outpost = afar.Outpost(bench)

    def each(self, call: Any, items: list[Any], shared: Any) -> Iterator[tuple[int, Any]]:
        assert call is afar.taken
        for index in reversed(range(len(items))):
            yield index, self.outpost.take(items[index])


def test_rows_are_those_of_here_and_all_are_kept(make_bench: Callable[..., Any], packed: afar.Parcel) -> None:
    jobs = make_jobs([0, 3])
    here = rows_of(make_bench()[0], jobs, 1)
    bench, made = make_bench()
    workers = Workers(replace(bench, images=packed.pictures))
    kept: list[str] = []

    class Keeping(Watcher):
        def wants(self, planned: Planned) -> bool:
            return not planned.warmup

        def finished(self, planned: Planned, row: dict[str, Any]) -> None:
            kept.append(planned.key)

    found = list(afar.there(workers, packed)(jobs, Keeping()))  # type: ignore[arg-type]
    rows = sorted((row for _, row in found if row is not None), key=lambda row: row["order"])
    assert rows == [row for row in here if not row["warmup"]]
    assert sorted(kept) == sorted(job.planned.key for job in jobs if not job.planned.warmup)
    assert sum(row is None for _, row in found) == sum(job.planned.warmup for job in jobs)
    workers.outpost.close()
    assert all(testbed.steps[-1] == "close" for testbed in made)


@pytest.mark.parametrize("testbed", ["esp32", "stm32f746", "native"])
def test_what_measures_this_machine_or_a_board_is_refused(testbed: str, tmp_path: Path) -> None:
    argv = ["bandwidth", "--testbed", testbed, "--cluster", "local:1", "--out", str(tmp_path / "run")]
    with pytest.raises(BenchError, match="--cluster is for emulated boards"):
        way_in.main(argv)


@pytest.mark.parametrize(
    ("told", "what"),
    [
        ({"broker": {"url": "mqtt://lab:1883"}}, r"\[broker\] url"),
        ({"testbeds": {"virtual": {"probe": {"kind": "ppk2"}}}}, "probe"),
    ],
)
def test_what_only_this_lab_has_is_refused(told: dict[str, Any], what: str) -> None:
    with registry.testbed_class("virtual")() as testbed:
        afar.check(EMPTY, testbed)
        with pytest.raises(BenchError, match=what):
            afar.check(LabSetup(LabFile.model_validate(told)), testbed)
