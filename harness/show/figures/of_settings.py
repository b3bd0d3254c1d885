"""Draws AgileNN's own settings: accuracy against latency of what was trained or set, a panel a link rate."""

from __future__ import annotations

from pathlib import Path

from harness.analysis.material import Material
from harness.analysis.pareto import Choice
from harness.analysis.trainings import TrainedRow
from harness.host import cli
from harness.runs.trained_rows import RATES
from harness.show import style
from harness.show.figures import draw, front
from harness.show.figures.figure import Figure, Missing
from harness.show.figures.of_trainings import training_note, word

_MODEL = "Latency modelled: fitted to the bandwidth run (docs/agilenn.md)."


class Settings(Figure):
    """Draws rows with an accuracy and total latencies: steps of one setting as a line, others with their front."""

    def __init__(self, axis: str, title: str, *, joined: bool) -> None:
        self.name, self.title, self.paper = f"agilenn_{axis}", title, ""
        what = "a line through the steps" if joined else "the Pareto front as a step line"
        self.alt = f"Three panels, one a link rate: accuracy against mean latency, {what}"
        self._axis, self._joined = axis, joined

    def draw(self, material: Material, dataset: str, out: Path) -> None:
        """Draw from rows of the axis, with latencies."""
        rows = [
            r for r in material.rows(self._axis, dataset) if all(r.number(n) is not None for n in ("accuracy", *RATES))
        ]
        if not rows:
            raise Missing(f"no rows of the {self._axis} sweep of {dataset}")
        own = style.line("agilenn", 0)
        with draw.page(
            out, note=f"{training_note(rows)} {_MODEL}", width=2, height=1.3, ncols=len(RATES), sharey=True
        ) as panels:
            for axes, rate in zip(panels, RATES, strict=True):
                if self._joined:
                    found = sorted((r.number(rate) or 0.0, 100 * (r.number("accuracy") or 0.0)) for r in rows)
                    axes.plot(
                        [x for x, _ in found], [y for _, y in found], f"{own.marker}-", color=own.colour, markersize=3
                    )
                    axes.set_xlabel("mean latency (ms)")
                    axes.set_ylabel("accuracy (%)")
                else:
                    front.draw_front(axes, [_choice(r, rate) for r in rows])
                axes.set_title(cli.rate_text(RATES[rate]))
                if axes is not panels[0]:
                    axes.set_ylabel("")
            if not self._joined:
                draw.legend(panels[0], columns=4)


def _choice(row: TrainedRow, rate: str) -> Choice:
    source = row.columns.get("time_source") or "modelled"
    return Choice(row.value, word(row.value), row.number(rate) or 0.0, 100 * (row.number("accuracy") or 0.0), source)
