"""Says in captions what the numbers of cells are: medians of the timed pictures, or means of the whole test set."""

from __future__ import annotations

from collections.abc import Sequence

from harness.analysis.cells import Cell
from harness.analysis.whole_set import TOLERANCE
from harness.runs.measurements import Statistic

_WHOLE = (
    "mean over the whole test set, early exits included (payloads counted on the host; times by a law in bytes from "
    "the timed pictures, off by at most {miss} on any)"
)


def rule(found: Sequence[Cell], *, ours: Statistic = "median") -> str:
    """Say what the middles of these cells are, for a caption."""
    told = [c for c in found if c.rows]
    if misses := [c.whole.worst_miss() or 0.0 for c in told if c.whole]:
        rest = [c for c in told if not c.whole]
        schemes = ", ".join(dict.fromkeys(c.scheme for c in rest))
        apart = f"; where no such law holds ({schemes}), {rule(rest, ours=ours)} that were timed" if rest else ""
        return _WHOLE.format(miss=f"{100 * max(misses):.2f} %") + apart
    exits = rule_of_exits(found, ours=ours)
    if any(c.exact for c in found):
        ours_text = f"{ours} over the pictures of what is to be expected of each, by the exact chance of every loss"
        return ours_text + (f"; {exits}" if exits else "")
    return f"{ours} over the pictures" + (f"; {exits}" if exits else "")


def sentence(clause: str) -> str:
    """Return what `rule` or `rule_of_exits` says as a sentence, for a note."""
    return f"{clause[0].upper()}{clause[1:]}."


def rule_of_exits(found: Sequence[Cell], *, ours: Statistic = "median") -> str:
    """Say what they are where pictures exit early; nothing where none does."""
    kinds = {c.statistic for c in found}
    if "weighted mean" in kinds:
        return "where pictures exit early, the mean weighted by the share of the whole test set that exits"
    return "where some of the timed pictures exit early, their mean" if "mean" in kinds and ours != "mean" else ""


def sources(found: Sequence[Cell], metric: str) -> list[str]:
    """Return where the values of a metric come from in any of these cells, sorted."""
    return sorted({source for cell in found for source in cell.source(metric).split("+") if source})


def complaints(cell: Cell) -> list[str]:
    """Return why a cell whose payloads were counted is not told of the whole test set; nothing where it is."""
    if cell.payloads is None or cell.whole or not cell.rows:
        return []
    if cell.law is None:
        return ["too few pictures that are sent were timed for a law in bytes: told of the timed ones alone (--images)"]
    miss = cell.law.worst_miss()
    if miss is None:
        return ["no timed picture checks the law in bytes: told of the timed ones alone (--images)"]
    return [
        f"the law in bytes misses a timed picture by {100 * miss:.1f} % of its latency, {100 * TOLERANCE:g} % may be: "
        "told of the timed ones alone"
    ]
