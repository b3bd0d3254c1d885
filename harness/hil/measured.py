"""Words what a session of `pytest --testbed X` measured, a line a scheme, for the end of the session."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from harness.runs.measurements import METRICS

# Figures of tests that are no metric of a sample: title, unit.
_OTHERS = {"flash_bytes": ("flash", "B"), "ram_bytes": ("RAM with stack", "B")}
_SHOWN = ("total_ms", "local_ms", "encode_ms", "network_ms", "remote_ms", "combine_ms", "payload_bytes", "energy_uj")


def lines(tests: Iterable[tuple[str, Iterable[tuple[str, Any]]]]) -> list[str]:
    """Return a line for each scheme of which something was measured.

    Args:
        tests: each test's id (`…[scheme]`) with its properties.
    """
    by_scheme: dict[str, dict[str, Any]] = {}
    for name, properties in tests:
        scheme = name.partition("[")[2].removesuffix("]")
        if scheme:
            by_scheme.setdefault(scheme, {}).update(dict(properties))
    return [line(scheme, figures) for scheme, figures in by_scheme.items() if figures]


def line(scheme: str, figures: Mapping[str, Any]) -> str:
    """Return `agilenn: latency 8.63 ms, local network 1.93 ms, … (modelled, n 3); accuracy 87.4 % of 10,000`."""
    shown = [name for name in _SHOWN if figures.get(name) is not None]
    parts = [f"{METRICS[n].title} {METRICS[n].show(figures[n])} {METRICS[n].unit}" for n in shown]
    sources = dict.fromkeys(
        str(figures[METRICS[n].source_column]) for n in shown if METRICS[n].source_column in figures
    )
    told = (
        [f"{', '.join(parts)} ({' or '.join(sources) or 'of unknown source'}, n {figures.get('n', 0)})"]
        if parts
        else []
    )
    if figures.get("accuracy") is not None:
        told.append(f"accuracy {100 * figures['accuracy']:.1f} % of {figures.get('accuracy_n', 0):,} pictures")
    told += [f"{title} {figures[n]:,} {unit}" for n, (title, unit) in _OTHERS.items() if figures.get(n) is not None]
    return f"{scheme}: {'; '.join(told)}"
