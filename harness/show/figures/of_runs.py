"""Draws figures of stored runs: latency by stage, along an axis and against accuracy, energy, memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.analysis.captions import rule, sentence
from harness.analysis.curves import choices_at
from harness.analysis.datum import Datum, along, at, beside, pick
from harness.analysis.material import Material
from harness.analysis.pareto import curves
from harness.host import cli
from harness.measure import axes as axes_
from harness.measure.axes import WIFI_BPS
from harness.show.figures import bars, draw, front, lines
from harness.show.figures.along import page
from harness.show.figures.figure import Figure, Missing, pick_scheme

FRONT_RATES = (270e3, 2e6, 6e6)
_BELOW = 2.0  # points of accuracy under the least curve's best that are shown
_FRONT = "Small marks: further settings of a scheme. Grey: the front of all curves."


class Breakdown(Figure):
    """Draws the stages of one inference, a bar a scheme, ours over the paper's."""

    name, title, paper = "latency_breakdown", "Latency by stage at 6 Mbit/s", "Fig 16"
    alt = "Stacked bars: milliseconds of local network, encoding, network, remote network and combining per scheme"

    def draw(self, material: Material, dataset: str, out: Path) -> None:
        """Draw from a bandwidth run that has 6 Mbit/s."""
        run = material.run("bandwidth", dataset)
        ours = at([d for d in run.data if d.axis], WIFI_BPS) if run else []
        if run is None or not ours:
            raise Missing(f"no bandwidth run of {dataset} with 6 Mbit/s")
        published = beside("fig16", dataset)
        panels = [self._groups(ours, run.data)]
        if published:
            panels.append(self._groups(published, published))
        here = [c for c in run.cells if abs(c.value - WIFI_BPS) <= 1e-3 * WIFI_BPS]
        note = (
            f"{run.note} {sentence(rule(here, ours=axes_.axis('bandwidth').statistic))} Accuracy of the whole test set."
        )
        heights = [len(groups) for groups in panels]
        shape: Any = {"nrows": len(panels), "height_ratios": heights, "squeeze": False}
        with draw.page(out, note=note, height=0.5 + 0.085 * sum(heights), **shape) as all_axes:
            for axes, groups in zip(all_axes[:, 0], panels, strict=True):
                bars.breakdown(axes, groups)
            all_axes[0, 0].set_title("this bench" if published else "", loc="left", fontsize=7)
            if published:
                all_axes[1, 0].set_title("paper (another scale)", loc="left", fontsize=7)
            all_axes[-1, 0].set_xlabel("latency (ms)")
            draw.legend(all_axes[0, 0], columns=3, handles=bars.stage_handles())

    def _groups(self, data: Sequence[Datum], accuracies: Sequence[Datum]) -> list[tuple[str, list[Datum]]]:
        found = []
        for scheme in dict.fromkeys(d.scheme for d in data):
            own = pick_scheme(data, scheme)
            found.append((self._label(scheme, pick(accuracies, "accuracy", scheme=scheme), own), own))
        return found

    @staticmethod
    def _label(scheme: str, accuracy: Sequence[Datum], own: Sequence[Datum]) -> str:
        title = next(d.title for d in own if d.scheme == scheme)
        return f"{title}, {accuracy[0].value:.1f} %" if accuracy else title


class Latency(Figure):
    """Draws end-to-end latency along the axis of a run."""

    def __init__(self, axis: str, paper: str = "") -> None:
        self._axis = axes_.axis(axis)
        self.name, self.title, self.paper = f"latency_vs_{axis}", f"Latency against {self._axis.title}", paper
        self.alt = f"Lines: end-to-end latency of each scheme against {self._axis.title}"

    def draw(self, material: Material, dataset: str, out: Path) -> None:
        """Draw from a run over the axis."""
        axis = self._axis
        run = material.run(axis.name, dataset)
        if run is None:
            raise Missing(f"no {axis.name} run of {dataset}")
        ours = [d for d in run.data if d.metric in ("total_ms", "total_ms_p95") and d.axis == axis.name]
        places = lines.places(ours)
        mean = "mean" if axis.statistic == "mean" else "end-to-end"
        page(
            out,
            ours,
            pick(along(axis, dataset), "total_ms"),
            title=axis.title,
            ticks={x: axis.show(x) for x in places},
            log=axis.log_scale and places[0] > 0,
            y_label=f"{mean} latency (ms)",
            note=f"{run.note} {sentence(rule(run.cells, ours=axis.statistic))}",
            tails=axis.statistic == "mean",
        )


class Energy(Figure):
    """Draws the energy of one inference at the highest clock, as ratios to AgileNN beside the paper's."""

    name, title, paper = "energy", "Energy of an inference against AgileNN's", "Fig 19"
    alt = "Bars: energy of an inference per scheme divided by AgileNN's, ours and the paper's"

    def draw(self, material: Material, dataset: str, out: Path) -> None:
        """Draw from a run of any axis with energies."""
        runs = [r for r in material.runs if r.dataset == dataset and pick(r.data, "energy_uj")]
        if not runs:
            raise Missing(f"no run of {dataset} with energies (--energy)")
        run = runs[-1]
        found = pick(run.data, "energy_uj")
        base_x = max(d.x for d in found) if run.axis == "frequency" else min(
            (d.x for d in found), key=lambda x: abs(x - WIFI_BPS)
        )  # fmt: skip
        ours, published = at(found, base_x), pick(beside("fig19", dataset), "energy_uj")
        data = [*ratios(ours), *ratios(published)]
        if not data:
            raise Missing(f"AgileNN's energy of {dataset} is not told")
        mj = ", ".join(f"{d.title} {d.value / 1e3:.1f}" for d in ours)
        where = cli.clock_text(base_x) if run.axis == "frequency" else cli.rate_text(base_x)
        note = (
            f"Ours modelled or measured as the bars say, at {where}: {mj} mJ. The paper names neither "
            f"instrument nor rail, so only ratios compare (docs/power.md)."
        )
        with draw.page(out, note=note, height=1.1) as axes:
            places = ["ours", "paper"] if published else ["ours"]  # of this data set, or none
            bars.grouped(axes, data, places, lambda d: "paper" if d.source == "published" else "ours", digits=2)
            axes.set_ylabel("energy / AgileNN's")
            draw.legend(axes)


def ratios(data: Sequence[Datum]) -> list[Datum]:
    """Return the values divided by AgileNN's; none where that is not there."""
    base = next((d.value for d in data if d.scheme == "agilenn"), None)
    if not base:
        return []
    return [
        Datum(d.dataset, d.scheme, d.title, f"{d.metric}_ratio", "", d.axis, d.x, d.value / base, d.source)
        for d in data
    ]  # fmt: skip


class Memory(Figure):
    """Draws RAM and flash of each scheme's image."""

    name, title, paper = "memory", "Memory of the device", "Fig 20"
    alt = "Bars: RAM and flash in KB per scheme, ours and the paper's"

    def draw(self, material: Material, dataset: str, out: Path) -> None:
        """Draw from any run."""
        run = next((r for r in reversed(material.runs) if r.dataset == dataset and pick(r.data, "flash_kb")), None)
        if run is None:
            raise Missing(f"no run of {dataset} that names its firmware's sizes")
        published = beside("fig20", dataset)
        data = [d for d in [*run.data, *published] if d.metric in ("ram_kb", "flash_kb")]
        names = {"ram_kb": "RAM", "flash_kb": "flash"}
        note = (
            "Ours from the linker's sections: RAM is static data with the arena of the network, the stack not counted "
            "(pytest -m memory measures that). Board: 320 KB and 1024 KB."
        )
        with draw.page(out, note=note, height=1.1) as axes:
            bars.grouped(axes, data, ["RAM", "flash"], lambda d: names[d.metric])
            axes.set_ylabel("KB")
            draw.legend(axes)


class Front(Figure):
    """Draws accuracy against latency at three rates, a curve a scheme, with the front of the curves."""

    name, title, paper = "accuracy_vs_latency", "Accuracy against latency, front of all curves", ""
    alt = "Three panels, one a link rate: accuracy against end-to-end latency, a curve a scheme, the front in grey"

    def draw(self, material: Material, dataset: str, out: Path) -> None:
        """Draw from a bandwidth run with accuracies."""
        run = material.run("bandwidth", dataset)
        panels = [(rate, choices_at(material, dataset, rate)) for rate in FRONT_RATES]
        panels = [(rate, found) for rate, found in panels if found]
        if run is None or not panels:
            raise Missing(f"no bandwidth run of {dataset} with accuracies at 270 kbit/s, 2 or 6 Mbit/s")
        with draw.page(
            out, note=f"{run.note} {_FRONT}", width=2, height=1.05, ncols=len(panels), sharey=True, squeeze=False
        ) as all_axes:
            lowest = min(curve.points[-1].accuracy for _, found in panels for curve in curves(found)) - _BELOW
            for axes, (rate, found) in zip(all_axes[0], panels, strict=True):
                front.draw_front(axes, found, lowest=lowest)
                axes.set_title(cli.rate_text(rate))
                if axes is not all_axes[0][0]:
                    axes.set_ylabel("")
            draw.legend(all_axes[0][0], columns=4)
