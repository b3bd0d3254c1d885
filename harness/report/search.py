"""Writes what a search leaves: every trial as CSV, the Pareto set as Markdown, a figure of both."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from harness.contracts.errors import BenchError
from harness.show.figures import draw
from harness.training.search.trials import Trial, pareto

COLUMNS = (
    "candidate", "latency_ms", "ram_bytes", "flash_bytes", "macs", "val_accuracy", "pareto", "refused", "train_s",
)  # fmt: skip


def write(folder: Path, trials: Sequence[Trial], *, note: str, budget_ms: float) -> list[Path]:
    """Write trials.csv, pareto.md and the figure into `folder`, and return the files written.

    Raises:
        BenchError: it can't be written.
    """
    best = pareto(trials)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "trials.csv").open("w", newline="", encoding="utf-8") as f:
            writer = csv.writer(f)
            writer.writerow(COLUMNS)
            writer.writerows(_row(t, best) for t in trials)
        lines = [note, "", "| network | ms | validation | RAM | flash | M MAC |", "|---|---|---|---|---|---|"]
        lines += ["| " + " | ".join(cells(t)) + " |" for t in best]
        (folder / "pareto.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return [folder / "trials.csv", folder / "pareto.md", *_figure(folder, trials, best, note, budget_ms)]
    except OSError as e:
        raise BenchError(f"can't write {folder} ({e.strerror})", cure="give another folder with --out") from e


def cells(trial: Trial) -> list[str]:
    """Return a trial as a line of a table."""
    c = trial.cost
    return [
        trial.candidate,
        "" if c.latency_ms is None else f"{c.latency_ms:.2f}",
        trial.refused or ("" if trial.accuracy is None else f"{100 * trial.accuracy:.2f} %"),
        f"{c.ram_bytes / 1024:.0f} KB",
        f"{c.flash_bytes / 1024:.0f} KB",
        f"{c.macs / 1e6:.2f}",
    ]


def _row(t: Trial, best: Sequence[Trial]) -> list[object]:
    c = t.cost
    return [
        t.candidate, c.latency_ms, c.ram_bytes, c.flash_bytes, c.macs, t.accuracy, int(t in best), t.refused, t.train_s,
    ]  # fmt: skip


def _places(trials: Sequence[Trial]) -> tuple[list[float], list[float]]:
    """Return latencies (ms) and accuracies (%) of the trials that have both."""
    both = [(t.cost.latency_ms, t.accuracy) for t in trials]
    known = [(ms, 100 * share) for ms, share in both if ms is not None and share is not None]
    return [x for x, _ in known], [y for _, y in known]


def _figure(folder: Path, trials: Sequence[Trial], best: Sequence[Trial], note: str, budget_ms: float) -> list[Path]:
    done = [t for t in trials if t.accuracy is not None]
    with draw.page(folder / "pareto", note=note) as axes:
        for chosen, colour, size, label in ((done, "#999999", 16, "trials"), (best, "#0072B2", 28, "Pareto set")):
            axes.scatter(*_places(chosen), s=size, color=colour, label=label, zorder=3 if chosen is best else 2)
        axes.step(*_places(best), where="post", color="#0072B2")
        axes.axvline(budget_ms, color="#000000", linestyle=":", linewidth=1.0, label="budget")
        axes.set_xlim(left=0)
        axes.set_xlabel("modelled latency on the STM32F746 at 216 MHz (ms)")
        axes.set_ylabel("accuracy on validation (%)")
        axes.figure.legend(loc="outside upper center", ncols=3, frameon=False)
    return draw.files(folder / "pareto")
