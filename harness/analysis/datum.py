"""Defines what figures and comparisons are made of: one value with its setting and its source, wherever it was read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness.analysis.cells import Accuracy, Cell, accuracies_of, cells
from harness.analysis.chance import of_run
from harness.analysis.stats import share_interval
from harness.contracts.errors import BenchError
from harness.measure.axes import AXES, Axis
from harness.runs import published as papers
from harness.runs.manifest import PinnedFacts
from harness.runs.measurements import ENERGY_METRICS, METRICS
from harness.runs.store import Store

PUBLISHED = "published"
NOWHERE = math.nan  # the x of a value that lies on no axis
_BY_STAGE = ("local_ms", "encode_ms", "network_ms", "remote_ms", "combine_ms", "payload_bytes", "device_cycles")


@dataclass(frozen=True)
class Datum:
    """Holds one value; `x` is its place on the axis `axis` (nan: on none), `low` and `high` its 95 % interval where
    known.
    """

    dataset: str
    scheme: str
    title: str
    metric: str
    unit: str
    axis: str
    x: float
    value: float
    source: str  # measured, modelled, assumed, published, or several joined by +
    low: float | None = None
    high: float | None = None
    n: int = 0
    testbed: str = ""


@dataclass(frozen=True)
class RunData:
    """Holds a stored run as figures see it."""

    folder: Path
    manifest: dict[str, Any]
    data: tuple[Datum, ...]
    rows: tuple[dict[str, Any], ...] = field(repr=False, default=())
    cells: tuple[Cell, ...] = field(repr=False, default=())

    @property
    def axis(self) -> str:
        """Return what the run varied."""
        return str(self.manifest["axis"]["name"])

    @property
    def dataset(self) -> str:
        """Return the name of its data set."""
        return str(self.manifest["dataset"]["name"])

    @property
    def testbed(self) -> str:
        """Return the name of its testbed."""
        return str(self.manifest["testbed"]["name"])

    @property
    def note(self) -> str:
        """Say where its times come from and how far they can be trusted."""
        bed = self.manifest["testbed"]
        remarks = f" ({bed['remarks']})" if bed.get("remarks") else ""
        pinned = self.manifest.get("pinned")
        remote = f"; {PinnedFacts(**pinned).told}" if pinned else ""
        return f"Times {bed['time_source']} on {bed['title']}{remarks}{remote}."


def read_run(folder: Path) -> RunData:
    """Read a run folder's values: latency with its interval, stages, bytes, energy, accuracy, memory.

    Raises:
        BenchError: no run there, a damaged one, or one without a single measured sample.
    """
    store = Store.reopen(folder)
    facts, rows = store.facts(), store.rows()
    manifest = facts.model_dump(mode="json")
    try:
        axis, column = str(manifest["axis"]["name"]), str(manifest["axis"]["column"])
        dataset, testbed = str(manifest["dataset"]["name"]), str(manifest["testbed"]["name"])
        schemes = {str(name): dict(told) for name, told in manifest["schemes"].items()}
    except (KeyError, TypeError, AttributeError) as e:
        raise BenchError(f"{folder} is no sweep's run ({e} is missing in its manifest)", cure="give a sweep's") from e
    found: list[Datum] = []
    known = AXES.get(axis)
    accuracies = accuracies_of(facts)
    grouped = cells(rows, column, list(schemes), known.statistic if known else "median", accuracies, of_run(facts))
    for cell in grouped:
        title = str(schemes.get(cell.scheme, {}).get("title", cell.scheme))
        for name in ("total_ms", *_BY_STAGE, *ENERGY_METRICS):
            interval = cell.latency if name == "total_ms" else cell.interval(name)
            if interval is None:
                continue
            metric = METRICS[name]
            found.append(
                Datum(
                    dataset, cell.scheme, title, name, metric.unit, axis, cell.value, interval.median,
                    cell.source(name), interval.low, interval.high, interval.n, testbed,
                )
            )  # fmt: skip
        if (cell.exact or cell.whole) and (p95 := cell.percentile(95)) is not None:
            source = cell.source("total_ms")
            plain = (dataset, cell.scheme, title, "total_ms_p95", "ms", axis, cell.value, p95, source)
            found.append(Datum(*plain, testbed=testbed))
    if not found:
        raise BenchError(f"{folder} has no measured sample", cure="finish it with --resume")
    found += _of_schemes(dataset, testbed, schemes, accuracies)
    return RunData(folder, manifest, tuple(found), tuple(rows), tuple(grouped))


def _of_schemes(
    dataset: str, testbed: str, schemes: dict[str, dict[str, Any]], accuracies: dict[str, Accuracy]
) -> Iterable[Datum]:
    for name, facts in schemes.items():
        title = str(facts.get("title", name))
        if name in accuracies:
            right, n = accuracies[name].right, accuracies[name].n
            low, high = share_interval(right, n) or (None, None)
            yield Datum(
                dataset, name, title, "accuracy", "%", "", NOWHERE, 100 * (right / n), "measured",
                low and 100 * low, high and 100 * high, n, testbed,
            )  # fmt: skip
        sizes = (facts.get("firmware") or {}).get("sizes") or {}
        for key, metric in (("flash_bytes", "flash_kb"), ("ram_static_bytes", "ram_kb")):
            if key in sizes:
                kb = int(sizes[key]) / 1024
                yield Datum(dataset, name, title, metric, "KB", "", NOWHERE, kb, "measured", testbed=testbed)


_SAME = {"energy_mj": ("energy_uj", 1e3, "uJ"), "flash": ("flash_kb", 1.0, "KB"), "ram": ("ram_kb", 1.0, "KB")}


def beside(figure: str, dataset: str) -> list[Datum]:
    """Return what a figure of the paper has beside a run (`harness.runs.published.beside`), in this bench's metrics and
    units.
    """
    return _of_paper(papers.beside(figure, dataset), "")


def along(axis: Axis, dataset: str) -> list[Datum]:
    """Return the paper's latencies along an axis, as `beside`."""
    return _of_paper(axis.published(dataset), axis.name)


def _of_paper(values: Iterable[papers.Value], axis: str) -> list[Datum]:
    found = []
    for v in values:
        metric, factor, unit = _SAME.get(v.metric, (v.metric, 1.0, v.unit))
        found.append(Datum(v.dataset, v.scheme, v.title, metric, unit, axis, v.x, v.value * factor, PUBLISHED))
    return found


def pick(data: Sequence[Datum], metric: str, *, scheme: str | None = None, dataset: str | None = None) -> list[Datum]:
    """Return the values of one metric, of one scheme and data set where given."""
    return [
        d
        for d in data
        if d.metric == metric and scheme in (None, d.scheme) and dataset in (None, d.dataset)
    ]  # fmt: skip


def at(data: Sequence[Datum], x: float) -> list[Datum]:
    """Return the values at `x` of the axis (within 0.1 %)."""
    return [d for d in data if abs(d.x - x) <= 1e-3 * abs(x)]


def record(run: RunData) -> dict[str, Any]:
    """Return the figures of a run for JSON: what was not measured is not there, a place on no axis is null."""
    figures = [asdict(d) | {"x": None if math.isnan(d.x) else d.x} for d in run.data]
    return {
        "run": str(run.folder),
        "status": run.manifest["status"],
        "began_at": run.manifest["began_at"],
        "command": run.manifest["command"],
        "axis": run.axis,
        "dataset": run.dataset,
        "testbed": run.testbed,
        "note": run.note,
        "figures": figures,
    }
