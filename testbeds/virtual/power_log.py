"""From the emulated board's log of one sample to what it drew: which stage when, and when the radio was on."""

from __future__ import annotations

from collections.abc import Mapping

from harness.contracts.errors import BenchError
from harness.contracts.link import LinkSpec
from harness.contracts.probe import STAGE_CODES, PowerTimeline
from harness.contracts.testbed import SampleLog
from testbeds.virtual.power_states import DEFAULT_PAD_MS, DEFAULT_WIFI, Interval, power_timeline


def sample_timeline(
    log: SampleLog, *, clock_mhz: float, link: LinkSpec, wifi: str = DEFAULT_WIFI, pad_ms: float = DEFAULT_PAD_MS
) -> PowerTimeline:
    """The power timeline of the sample in `log`.

    The radio sends for wire bytes * 8 / rate (its share of the link's time, without the delay), beginning when the
    message has come over the serial line and the module has worked on it; it receives as long as the reply's bytes
    take, ending when the reply goes out on the serial line.

    Raises:
        BenchError: the log has no marker times, or a link was used and it doesn't say for how many bytes.
    """
    stages = stage_starts(log.markers_ms)
    end_ms = sum(log.markers_ms.values())
    network = next((start for start, stage in stages if stage == "network"), None)
    tx: list[Interval] = []
    rx: list[Interval] = []
    if network is not None:
        after_ms = network + log.markers_ms["network"]
        tx_start = network + (log.serial_up_ms or 0.0) + (log.module_ms or 0.0)
        tx = [(tx_start, tx_start + _air_ms(log.wire_up_bytes, link.up.rate_bps))]
        rx_end = after_ms - (log.serial_down_ms or 0.0)
        rx = [(rx_end - _air_ms(log.wire_down_bytes, link.down.rate_bps), rx_end)]
    return power_timeline(stages, end_ms, clock_mhz=clock_mhz, tx=tx, rx=rx, wifi=wifi, pad_ms=pad_ms)


def stage_starts(markers_ms: Mapping[str, float]) -> list[tuple[float, str]]:
    """(start_ms, stage) of each stage that took time, in the order of the path, from stage durations."""
    starts: list[tuple[float, str]] = []
    now = 0.0
    for stage in STAGE_CODES:
        if markers_ms.get(stage, 0.0) > 0 and stage != "idle":
            starts.append((now, stage))
            now += markers_ms[stage]
    if not starts:
        raise BenchError("the board's log has no marker times", cure="does the firmware set its marker pins?")
    return starts


def _air_ms(wire_bytes: int | None, rate_bps: float) -> float:
    if wire_bytes is None:
        raise BenchError("the board's log doesn't say what went over the link", cure="report this: a board's log")
    return wire_bytes * 8 / rate_bps * 1e3
