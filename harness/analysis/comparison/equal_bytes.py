"""Holds two curves of trainings against each other at equal bytes, seed by seed."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from harness.analysis import shaping
from harness.analysis.comparison.looked import Looked
from harness.analysis.shaping import Gain
from harness.analysis.stats import share_error
from harness.runs.trained_rows import Row


def over_curve(rows: Sequence[Row], one: str, other: str, column: str, centroids: Sequence[int]) -> Looked:
    """Return by how much (0..1) curve `one` is more accurate than curve `other` at equal bytes.

    It is the mean over seeds. Its error is that of the seeds where there are several, else that of the test pictures,
    as of two independent shares. A seed with a point missing says nothing, and is told.

    Args:
        rows: of the sweep over channels, shaping and centroids.
        column: `bytes_lzw` or `bytes_context`.
        centroids: the points that each curve must have.
    """
    trained = {(t.curve, t.centroids, t.seed): t for t in shaping.read(rows, column)}
    wanted = [(curve, n) for curve in (one, other) for n in centroids]
    seeds = sorted({seed for curve, n, seed in trained if (curve, n) in wanted})
    if not seeds:
        return Looked(lacks=f"{shaping.AXIS} {one} and {other}")
    lacking = {seed: [f"{curve}-{n}" for curve, n in wanted if (curve, n, seed) not in trained] for seed in seeds}
    whole = [seed for seed in seeds if not lacking[seed]]
    told = tuple(f"seed {seed} lacks {', '.join(names)}" for seed, names in lacking.items() if names)
    if not whole:
        return Looked(lacks=f"{shaping.AXIS} ({column}): {'; '.join(told)}")
    found: list[Gain] = []
    for seed in whole:
        lines = [[(t.sent_bytes, t.accuracy) for n in centroids if (t := trained[curve, n, seed])]
                 for curve in (one, other)]  # fmt: skip
        if (gained := shaping.gain(lines[0], lines[1])) is None:
            return Looked(apart=f"{one} and {other} have no bytes in common by {shaping.CODECS[column]} (seed {seed})")
        found.append(gained)
    behind = tuple(r for r in rows if r["seed"] in whole and any(str(r["value"]) == f"{c}-{n}" for c, n in wanted))
    values = [g.value for g in found]
    n_test = behind[0].get("n_test") if behind else None
    if len(values) > 1:
        error = statistics.stdev(values) / math.sqrt(len(values))
    else:
        means = [statistics.fmean(trained[c, n, whole[0]].accuracy for n in centroids) for c in (one, other)]
        error = math.hypot(*(share_error(mean, n_test) for mean in means)) if n_test else 0.0
    low, high = max(g.least_bytes for g in found), min(g.most_bytes for g in found)
    at = f"bytes by {shaping.CODECS[column]}, {low:,.0f} to {high:,.0f} B, lines between neighbouring points"
    left_out = f" ({'; '.join(told)}: left out)" if told else ""
    identity = f"{one} over {other} {column}"
    return Looked(statistics.fmean(values), error, identity, behind, n=n_test, at=at + left_out)
