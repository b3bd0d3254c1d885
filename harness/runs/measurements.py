"""Registers everything that is measured: name, unit, stage, direction, how it is shown.

Metrics are declared here before anything takes them, so that table, plot, store and check agree on a metric's unit and
on which way is better, and a new one (energy, say) is added in one place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from harness.contracts.errors import BenchError

Stage = Literal["local", "encode", "network", "remote", "combine", "total", ""]
Direction = Literal["lower", "higher", "none"]  # which way is better
# What is told of the images of a point. `test-set mean`: of all pictures of the test set, by their counted payloads.
Statistic = Literal["median", "mean", "weighted mean", "test-set mean"]


@dataclass(frozen=True)
class Metric:
    """Describes one measured quantity. `column` in samples.csv equals `name`; its source is in `<name>_source`."""

    name: str
    unit: str
    title: str
    stage: Stage = ""
    direction: Direction = "lower"
    digits: int = 2
    whole: bool = False

    @property
    def source_column(self) -> str:
        """Return the column that says where each value comes from."""
        return f"{self.name}_source"

    @property
    def worse(self) -> Literal["higher", "lower"] | None:
        """Return which change of it is for the worse; None where neither is."""
        if self.direction == "none":
            return None
        return "higher" if self.direction == "lower" else "lower"

    def show(self, value: float | None) -> str:
        """Return `value` as people read it; a dash for none."""
        if value is None:
            return "–"
        return f"{value:,.0f}" if self.whole else f"{value:,.{self.digits}f}"


STAGES = ("local", "encode", "network", "remote", "combine")

_ALL = (
    Metric("local_ms", "ms", "local network", "local"),
    Metric("encode_ms", "ms", "quantise and encode", "encode"),
    Metric("network_ms", "ms", "network", "network"),
    Metric("remote_ms", "ms", "remote network", "remote"),
    Metric("combine_ms", "ms", "combine", "combine"),
    Metric("total_ms", "ms", "latency", "total"),
    Metric("remote_wall_ms", "ms", "service time on this host", "remote", "none"),
    Metric("payload_bytes", "B", "payload", whole=True),
    Metric("mqtt_bytes", "B", "MQTT packet up", whole=True),
    Metric("wire_bytes", "B", "wire up", whole=True),
    Metric("device_cycles", "cycles", "device cycles", whole=True),
)
# Where a meter was asked for (--energy). `network` covers all waiting, the remote service included (docs/power.md).
_ENERGY = (
    Metric("energy_uj", "uJ", "energy", "total", digits=1),
    Metric("energy_local_uj", "uJ", "energy of the local network", "local", digits=1),
    Metric("energy_encode_uj", "uJ", "energy of encoding", "encode", digits=1),
    Metric("energy_network_uj", "uJ", "energy while waiting", "network", digits=1),
    Metric("energy_combine_uj", "uJ", "energy of combining", "combine", digits=1),
)
# What a board draws while nothing is to be done, seen around the inference by the meter of its energy.
_POWER = (Metric("idle_mw", "mW", "idle power", direction="lower"),)
POWER_METRICS = {metric.name: metric for metric in _POWER}
ENERGY_METRICS = {metric.name: metric for metric in _ENERGY}
SAMPLE_METRICS = {metric.name: metric for metric in _ALL}
METRICS = SAMPLE_METRICS | ENERGY_METRICS | POWER_METRICS

# Told by a testbed that can, beside the metrics; null elsewhere. They take the source of the metric named.
DETAILS = {
    "mqtt_down_bytes": "mqtt_bytes",
    "wire_down_bytes": "wire_bytes",
    "link_up_ms": "network_ms",
    "link_down_ms": "network_ms",
    "serial_up_bytes": "network_ms",
    "serial_down_bytes": "network_ms",
    "serial_up_ms": "network_ms",
    "serial_down_ms": "network_ms",
    "module_ms": "network_ms",
    "repeated_segments": "network_ms",
}


def metric(name: str) -> Metric:
    """Return the metric called `name`.

    Raises:
        BenchError: there is none.
    """
    try:
        return METRICS[name]
    except KeyError:
        raise BenchError(f"unknown metric '{name}'", cure=f"choose from {', '.join(METRICS)}") from None
