"""Collects what a run says of itself before its first sample: the manifest, from what it stands on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from harness.analysis.costs import Cost, cost_of
from harness.artefacts.images import Images
from harness.artefacts.settings import setting_text
from harness.contracts import reading
from harness.contracts.errors import BenchError
from harness.measure.axes import Setting
from harness.runs.provenance import file_sha256, provenance
from harness.runs.sample import Point
from harness.runs.store import now_text
from harness.sweep.plan import Plan
from harness.sweep.prepare import Ground


def manifest(
    ground_: Ground,
    *,
    data: Images,
    firmware_: Mapping[str, Path],
    plan: Plan,
    by_scheme: Mapping[str, Sequence[tuple[Point, Setting]]],
    argv: Sequence[str],
    more: Mapping[str, Any],
    kind: Literal["sweep", "hil"] = "sweep",
    module: str = "harness.sweep",
) -> dict[str, Any]:
    """Return the manifest at the start of a run; docs/results.md explains its keys.

    Args:
        module: what `python -m` ran with `argv`.
        more: what only the caller knows: procedure, jobs, broker, pinned, energy.
    """
    request = ground_.request
    link = request.base.link
    return {
        "kind": kind,
        "status": "running",
        "began_at": now_text(),
        "ended_at": None,
        **provenance(argv, module),
        "lab": request.lab.facts(),
        "axis": {"name": request.axis.name, "column": request.axis.column, "values": list(request.values)},
        "seed": request.seed,
        "images": list(plan.images),
        "warmup_images": request.warmup,
        "order_rule": plan.order_rule,
        "order": [planned.key for planned in plan.samples],
        "dataset": {"name": data.name, "checksum": data.checksum, "test_n": len(data), "profile": request.profile},
        "testbed": asdict(ground_.testbed) | {"pins_remote": ground_.pins_remote},
        "link": {"segment_bytes": link.segment_bytes, "header_bytes": link.header_bytes, "both_directions": True}
        if link
        else None,
        "probe": ground_.probe,
        "schemes": {
            name: {
                "title": ground_.titles[name],
                "version": ground_.schemes[name].version,
                "weights": artefact.weights,
                "firmware": firmware_facts(firmware_[name]),
                "codec": artefact.description.codec,
                "alpha": artefact.description.alpha,
                "exit_threshold": artefact.description.exit_threshold,
                "split": artefact.description.split,
                "base": ground_.schemes[name].name,
                "setting": setting_text(artefact),
                "training": training_cost(artefact.folder),
            }
            for name, artefact in ground_.artefacts.items()
        },
        "points": {
            point.point_id: {"scheme": name, **{k: v for k, v in asdict(point).items() if k not in ("scheme", "facts")}}
            for name, pairs in by_scheme.items()
            for point, _ in pairs
        },
        **more,
    }


def training_cost(folder: Path) -> dict[str, float | None]:
    """Return what the training of an artefact took by its summary.toml: `flop` and `cpu_s`, None where not recorded."""
    try:
        found = cost_of(reading.toml_of(folder / "summary.toml", "train again"))
    except BenchError:
        found = Cost()  # an artefact needs no summary to be measured
    return asdict(found)


def firmware_facts(image: Path) -> dict[str, Any]:
    """Return what the manifest says of an image: its hash, compiler, kernel variant and sizes."""
    from testbeds.firmware.toolchain.build import read_record  # noqa: PLC0415

    record = read_record(image)
    kept: dict[str, Any] = {
        key: record[key] for key in ("target", "compiler", "variant", "flags", "sizes") if key in record
    }
    kept["macs"] = sum(int(layer["macs"]) for layer in (record.get("graph") or {}).get("layers", ()))
    return {"file": image.name, "sha256": file_sha256(image), **kept}
