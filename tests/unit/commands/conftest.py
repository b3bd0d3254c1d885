"""Runs made of numbers chosen by the tests, stored as a sweep stores them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from harness.runs.journal import Journal
from harness.runs.sample import Planned, Point, row
from harness.runs.store import Store

from ...support import runs

COLUMN = {"bandwidth": "rate_bps", "frequency": "clock_hz"}
TITLES = {
    "agilenn": "AgileNN",
    "local_only": "Local only",
    "full_offload": "Full offloading",
    "deepcod": "DeepCOD",
    "hierarchical": "Hierarchical",
}
STAGES = {"local_ms": 0.5, "encode_ms": 0.1, "network_ms": 0.3, "remote_ms": 0.1, "combine_ms": 0.0}

Latencies = Mapping[str, Mapping[float, list[float]]]  # scheme -> value of the axis -> total_ms by image


def manifest(axis: str, dataset: str, latencies: Latencies, accuracy: Mapping[str, float]) -> dict[str, Any]:
    firmware = {"file": "x.elf", "sha256": "b" * 64, "sizes": {"flash_bytes": 40960, "ram_static_bytes": 61440}}
    scheme = {"firmware": firmware, "codec": "lzw", "alpha": 0.5, "exit_threshold": 2.0}
    plain = runs.manifest()
    return plain | {
        "axis": {"name": axis, "column": COLUMN[axis], "values": sorted({x for v in latencies.values() for x in v})},
        "dataset": plain["dataset"] | {"name": dataset},
        "schemes": {name: scheme | {"title": TITLES[name], "weights": name} for name in latencies},
        "points": {},
        "accuracy": {
            name: {"right": round(share * 10000), "n": 10000, "share": share} for name, share in accuracy.items()
        },
    }


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Path]:
    """Stores a run; every sample splits its latency by `STAGES`, payload 900 B, energy 1 mJ a ms."""

    def make(
        name: str,
        latencies: Latencies,
        *,
        axis: str = "bandwidth",
        dataset: str = "cifar100",
        accuracy: Mapping[str, float] | None = None,
        **changed: Any,
    ) -> Path:
        store = Store.create(tmp_path / name)
        store.write_manifest(manifest(axis, dataset, latencies, accuracy or {}) | changed)
        order = 0
        with closing(Journal(store.folder)) as journal:
            for scheme, values in latencies.items():
                for x, totals in values.items():
                    setting = {"rate_bps": x} if axis == "bandwidth" else {"rate_bps": 6e6, "clock_hz": int(x)}
                    point = Point(scheme, dataset, "compact", "virtual", **setting)  # type: ignore[arg-type]
                    for image, total in enumerate(totals):
                        planned = Planned(order, point, image, False, 0)
                        values_ = {stage: share * total for stage, share in STAGES.items()}
                        values_ |= {"total_ms": total, "payload_bytes": 900, "energy_uj": 1000 * total}
                        sources = {f"{metric}_source": "modelled" for metric in values_}
                        journal.append(planned.key, row(planned, 1) | {"status": "ok"} | values_ | sources)
                        order += 1
        return store.folder

    return make
