"""Turns the emulated board's log of one sample into what it drew: which stage when, and when the radio was on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.contracts.errors import BenchError
from harness.contracts.link import LinkSpec
from harness.contracts.probe import STAGE_CODES, PowerTimeline
from harness.contracts.testbed import SampleLog
from testbeds.virtual.power_states import DEFAULT_PAD_MS, DEFAULT_WIFI, Interval, power_timeline

Stages = list[tuple[float, str]]


def sample_timeline(
    log: SampleLog, *, clock_mhz: float, link: LinkSpec, wifi: str = DEFAULT_WIFI, pad_ms: float = DEFAULT_PAD_MS
) -> PowerTimeline:
    """Return the power timeline of the sample in `log`.

    Stages are between the marker edges of the log. The radio sends from the moment a message is handed to the link for
    wire bytes * 8 / rate (its share of the link's time, without the delay), and receives as long as the reply's bytes
    take, until the reply has arrived. An unshaped link takes no time, so that its radio costs nothing: shape it.

    Raises:
        BenchError: the log has no marker edges, or its inference did not end.
    """
    stages, end_ms = marker_stages(log.extra.get("markers", []))
    tx: list[Interval] = []
    rx: list[Interval] = []
    for message in log.extra.get("messages", []):
        if message["way"] == "up":
            sent = float(message["sent_ms"])
            tx.append((sent, sent + _air_ms(message, link.up.rate_bps)))
        else:
            arrived = float(message["arrived_ms"])
            rx.append((arrived - _air_ms(message, link.down.rate_bps), arrived))
    return power_timeline(stages, end_ms, clock_mhz=clock_mhz, tx=tx, rx=rx, wifi=wifi, pad_ms=pad_ms)


def marker_stages(markers: Sequence[Mapping[str, Any]]) -> tuple[Stages, float]:
    """Return (start_ms, stage) of each stage of the one inference in the log's marker edges, and when it ended.

    Stages of no length are left out. `markers` are {"ms", "stage"} in time order, the last one idle.
    """
    edges = [(float(marker["ms"]), str(marker["stage"])) for marker in markers]
    while edges and edges[0][1] == "idle":
        edges.pop(0)
    if not edges:
        raise BenchError("the board's log has no marker edges", cure="does the firmware set its marker pins?")
    idle = next((n for n, (_, stage) in enumerate(edges) if stage == "idle"), None)
    if idle is None:
        raise BenchError("the markers of the board's log do not come back to idle", cure="take the sample again")
    if idle + 1 < len(edges):
        raise BenchError("the board's log holds more than one inference", cure="restore the snapshot before each")
    end_ms = edges[idle][0]
    ends = [ms for ms, _ in edges[1 : idle + 1]]
    stages = [edge for edge, end in zip(edges[:idle], ends, strict=True) if end > edge[0]]
    if unknown := [stage for _, stage in stages if stage not in STAGE_CODES]:
        raise BenchError(f"the board's markers showed {unknown[0]!r}", cure="the firmware stopped there: see its log")
    if not stages:
        raise BenchError("the stages of the board's log take no time", cure="does the firmware set its marker pins?")
    return stages, end_ms


def _air_ms(message: Mapping[str, Any], rate_bps: float) -> float:
    return float(message["wire_bytes"]) * 8 / rate_bps * 1e3
