"""Shows a person a run: a table with a source for each figure."""

from __future__ import annotations

from rich.table import Table

from harness.mlperf.client import Identity
from harness.mlperf.procedures import WINDOW_S, Accuracy, Performance


def table(
    identity: Identity,
    performance: Performance | None,
    accuracy: Accuracy | None,
    *,
    time_source: str,
    score_source: str,
    inputs: str,
    recovered: int,
) -> Table:
    """Return rows of figure, value, n and source."""
    shown = Table(title=f"{identity.model} on {identity.name} ({identity.profile})", title_justify="left")
    for name in ("figure", "value", "n", "source"):
        shown.add_column(name, justify="right" if name in ("value", "n") else "left")
    if performance:
        runs = f"{len(performance.windows)} windows"
        shown.add_row("median throughput", f"{performance.median_inferences_per_s:.3f} inf./s", runs, time_source)
        shown.add_row("median latency", f"{performance.median_latency_ms:.3f} ms", runs, time_source)
        shortest = min(w.elapsed_us for w in performance.windows) / 1e6
        iterations = ", ".join(dict.fromkeys(str(w.iterations) for w in performance.windows))
        rule = f"of {WINDOW_S:g} s or more" if performance.meets_rules else f"below the rules' {WINDOW_S:g} s"
        shown.add_row(f"shortest window ({rule})", f"{shortest:.3f} s", f"{iterations} inferences", time_source)
    if accuracy:
        shown.add_row("top-1", f"{100 * accuracy.top1:.1f} %", f"{accuracy.n} of {inputs}", score_source)
        area = "one class only" if accuracy.auc is None else f"{accuracy.auc:.3f}"
        shown.add_row("AUC", area, f"{accuracy.n} of {inputs}", score_source)
    shown.add_row("repeated after lost or damaged bytes", str(recovered), "", "measured")
    return shown
