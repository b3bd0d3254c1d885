"""Rows and manifests for tests of what runs leave behind."""

from __future__ import annotations

from typing import Any

from harness.contracts.link import Certificate, LinkProbe, LinkSpec
from harness.runs.sample import Planned, Point, row

POINT = Point("agilenn", "tiny", "compact", "virtual", 6e6, clock_hz=216_000_000)
STAGES = {"local_ms": 5.0, "encode_ms": 1.0, "network_ms": 3.0, "remote_ms": 2.0, "combine_ms": 0.5}


def planned(order: int = 0, image: int = 3, *, warmup: bool = False, point: Point = POINT) -> Planned:
    """A sample to take."""
    return Planned(order, point, image, warmup, 7)


def measured(order: int = 0, image: int = 3, *, point: Point = POINT, **more: Any) -> dict[str, Any]:
    """A row as a board would give it."""
    stages = STAGES | {k: v for k, v in more.items() if k in STAGES}
    values = {"status": "ok", "predicted": 1, "exited": False, "total_ms": sum(stages.values()), "retries": 0}
    sizes = {"payload_bytes": 500, "mqtt_bytes": 520, "wire_bytes": 586, "device_cycles": 1_404_000}
    sources = {"total_ms_source": "modelled"}
    warmup = bool(more.get("warmup", False))
    return row(planned(order, image, warmup=warmup, point=point), 1) | values | stages | sizes | sources | more


def manifest(**more: Any) -> dict[str, Any]:
    """A whole manifest of a sweep."""
    found: dict[str, Any] = {
        "kind": "sweep",
        "status": "finished",
        "began_at": "2026-01-01T00:00:00+00:00",
        "ended_at": "2026-01-01T00:01:00+00:00",
        "argv": ["python", "-m", "harness.sweep", "bandwidth"],
        "command": "python -m harness.sweep bandwidth",
        "commit": {"hash": "0" * 40, "dirty": False, "diff_sha256": None},
        "python": "3.11.7",
        "packages": {"numpy": "2.0"},
        "host": {"system": "Linux", "kernel": "6", "machine": "x86_64", "cores": 2},
        "axis": {"name": "bandwidth", "column": "rate_bps", "values": [6e6]},
        "seed": 0,
        "images": [3],
        "warmup_images": 0,
        "order_rule": "image by image",
        "order": [planned().key],
        "dataset": {"name": "tiny", "checksum": "0" * 64, "test_n": 12, "profile": "compact"},
        "testbed": {
            "name": "virtual",
            "title": "emulated",
            "target": "stm32f746",
            "clock_hz": 216_000_000,
            "ram_bytes": 327_680,
            "flash_bytes": 1_048_576,
            "console_baud": 1_000_000,
            "module_baud": 4_000_000,
            "time_source": "modelled",
            "pins_remote": True,
        },
        "link": {"segment_bytes": 1448, "header_bytes": 66, "both_directions": True},
        "schemes": {
            "agilenn": {
                "title": "AgileNN",
                "weights": "a" * 64,
                "firmware": {"file": "agilenn.elf", "sha256": "b" * 64},
                "codec": "lzw",
                "alpha": 0.5,
                "exit_threshold": 2.0,
            }
        },
        "points": {
            POINT.point_id: {
                "scheme": "agilenn",
                "dataset": "tiny",
                "profile": "compact",
                "testbed": "virtual",
                "rate_bps": 6e6,
                "delay_ms": 0.0,
                "clock_hz": 216_000_000,
            }
        },
        "pinned": None,
        "energy": None,
        "jobs": 1,
        "broker": "stub",
    }
    return found | more


def certificate() -> Certificate:
    """Of a link of 6 Mbit/s and 2 ms that was measured right."""
    asked = LinkSpec.symmetric(6e6, 2.0)
    probe = LinkProbe(
        way="both", message_bytes=100, rounds=1, n=3, lost=0, ideal_ms=1.0, median_ms=1.1, least_ms=1.0, most_ms=1.2,
        ok=True,
    )  # fmt: skip
    return Certificate(
        kind="userspace", asked=asked, installed=asked, probes=(probe,), tolerance=0.1, allowance_ms=1.0, verdict="ok"
    )
