"""Looks numbers up for claims about the method: in rows of the training sweeps and in summaries of trained weights.

Each comes with what its chance error is, and with the rows behind it: seeds, budget, bytes, and whether a row reached
the skewness that it was trained for. One that did not is no example of its setting, and is not compared.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.analysis.comparison.basis import ERRORS, Basis
from harness.analysis.costs import Cost, cost_of
from harness.analysis.stats import share_error
from harness.runs.trained_rows import AT_RUN_TIME, Row

WITHIN = 0.03  # of the skewness that was asked for (rho), by which a training may miss it
_ALIKE = 0.1  # of the payloads, by which they may differ and count as equal
_N_OF = {"accuracy": "n_test", "local_accuracy": "n_test", "remote_accuracy": "n_test", "skewness": "n_attention",
         "violations": "n_attention", "validation_accuracy": "n_validation", "share_sent": "n_test"}  # fmt: skip
_SAME_SETTING = ("k", "rho", "lambda", "temperature", "centroids", "method", "ordering")


@dataclass(frozen=True)
class Looked:
    """Holds a number, or None; its standard error (0: it is counted, or nobody knows), and what it came from."""

    value: float | None = None
    error: float = 0.0
    identity: str = ""  # equal for names of the same measured value
    rows: tuple[Row, ...] = ()
    candidates: tuple[float, ...] = ()  # places of an axis that chance leaves as the best
    left_out: tuple[str, ...] = ()  # rows that a pick passed over
    n: float | None = None
    cost: Cost = field(default_factory=Cost)
    at: str = ""  # what the number itself was held equal at, where it is a comparison
    lacks: str = ""  # why there is none: rows that are missing
    apart: str = ""  # why there is none: what can't be held equal


def of_summary(summary: Mapping[str, Any], key: str) -> Looked:
    """Return a number of a summary.toml, such as `test_int8.combined`."""
    at: Any = summary
    for part in key.split("."):
        at = at.get(part) if isinstance(at, Mapping) else None
    if not isinstance(at, (int, float)) or isinstance(at, bool):
        return Looked()
    n = summary.get("validation_n" if key.startswith("validation") else "test_n")
    known = float(n) if isinstance(n, (int, float)) and 0 <= at <= 1 and not key.startswith("test_attention") else None
    error = share_error(float(at), known) if known else 0.0
    return Looked(float(at), error, f"{summary.get('scheme')} {key}", n=known, cost=cost_of(summary))


def of_rows(rows: Sequence[Row], value: str, column: str, pick: str, *, keeping: bool) -> Looked:
    """Return a column of the row of a value, its mean over seeds; or the best of an axis and where that is.

    Args:
        pick: `max`, `argmax` or nothing.
        keeping: rows that miss their constraint are left out of a pick.
    """
    own = [row for row in rows if row.get(column) is not None]
    groups: dict[str, list[Row]] = {}
    for row in own:
        first = groups.setdefault(str(row["value"]), [])
        if not first or all(row.get(name) == first[0].get(name) for name in _SAME_SETTING):
            first.append(row)
    if not pick:
        return _of_seeds(groups[value], column) if value in groups else Looked()
    left_out = [name for name, group in groups.items() if keeping and missed(group[0])]
    kept = {name: _of_seeds(group, column) for name, group in groups.items() if name not in left_out}
    if not kept:
        return Looked()
    name, best = max(kept.items(), key=lambda one: one[1].value or 0.0)
    told = tuple(f"{one} {100 * groups[one][0]['skewness']:.0f} %" for one in left_out)
    if pick == "max":
        return Looked(best.value, best.error, best.identity, best.rows, (), told, best.n, best.cost)
    near = tuple(
        float(other)
        for other, one in kept.items()
        if (best.value or 0.0) - (one.value or 0.0) <= ERRORS * math.hypot(best.error, one.error) * (other != name)
    )
    return Looked(float(name), 0.0, best.identity, best.rows, near, told, best.n, best.cost)


def missed(row: Row) -> bool:
    """Say whether a row was trained for a share of importance that it did not reach."""
    rho, skewness = row.get("rho"), row.get("skewness")
    return rho is not None and skewness is not None and skewness < rho - WITHIN


def unequal(found: Sequence[Looked], equal: str) -> list[str]:
    """Return why the numbers are not to be compared: constraints that were missed, payloads that are not alike."""
    rows = list({id(row): row for one in found if not one.at for row in one.rows}.values())
    if equal == "bytes" and all(one.at for one in found):
        return []
    if equal == "skewness":
        return [_told(row) for row in rows if missed(row)]
    sizes = _sizes(rows)
    if equal == "bytes" and (not sizes or len(sizes) < len(rows) or any(not one.rows for one in found)):
        return ["a payload is not recorded"]
    if equal == "bytes" and sizes[-1] > (1 + _ALIKE) * sizes[0]:
        return ["payloads are not alike"]
    return []


def _sizes(rows: Sequence[Row]) -> list[float]:
    return sorted(float(row["payload_bytes_mean"]) for row in rows if row.get("payload_bytes_mean"))


def basis(found: Sequence[Looked], equal: str) -> Basis:
    """Return what a comparison of the numbers stands on."""
    rows = list({id(row): row for one in found for row in one.rows}.values())
    if equal == "skewness":
        at = f"skewness as asked for, to {100 * WITHIN:g} points"
    elif any(one.at for one in found):
        at = "; ".join(dict.fromkeys(one.at for one in found if one.at))
    elif equal == "bytes":
        sizes = " and ".join(f"{size:,.0f}" for size in _sizes(rows)) or "not recorded"
        at = f"{'nothing, payloads' if unequal(found, equal) else 'payload,'} {sizes} B"
    else:
        at = "nothing else"
    left_out = [text for one in found for text in one.left_out]
    at += f" (left out, with what they reached: {', '.join(left_out)})" if left_out else ""
    counts = sorted({one.n for one in found if one.n})
    n = " and ".join(f"{count:,.0f}" for count in counts) + " pictures" if counts else "–"
    seeds = sorted({len({row.get("seed") for row in one.rows}) or 1 for one in found})
    return Basis(at, n, " and ".join(map(str, seeds)) or "–", _budget(found, rows))


def _budget(found: Sequence[Looked], rows: Sequence[Row]) -> str:
    trained = [row for row in rows if not str(row["value"]).endswith(AT_RUN_TIME)]
    short = {(row.get("epochs"), row.get("samples")) for row in trained}
    told = [f"{e} epochs of {s:,} pictures" for e, s in sorted(short, key=str) if e and s]
    told += list(dict.fromkeys(one.cost.told for one in found if not one.at))
    told += _spent([row for one in found if one.at for row in one.rows])
    return ", ".join(told) or "–"


def _spent(rows: Sequence[Row]) -> list[str]:
    """Tell what the dearest of several trainings took."""
    known = [row for row in rows if row.get("train_flop")]
    if not known:
        return [Cost().told] if rows else []
    dearest = max(known, key=lambda row: float(row["train_flop"]))
    return [f"at most {Cost(dearest['train_flop'], dearest.get('train_cpu_s')).told} a point"]


def _of_seeds(group: Sequence[Row], column: str) -> Looked:
    """Return the mean over seeds; its error is that of the seeds where there are several, else of the pictures."""
    values = [float(row[column]) for row in group]
    mean, n = statistics.fmean(values), group[0].get(_N_OF.get(column, ""))
    if len(values) > 1:
        error = statistics.stdev(values) / math.sqrt(len(values))
    else:
        error = share_error(mean, n) if n and 0 <= mean <= 1 else 0.0
    identity = f"{group[0].get('axis', '')} {group[0]['value']} {column}"
    spent = [Cost(row.get("train_flop"), row.get("train_cpu_s")) for row in group]
    return Looked(mean, error, identity, tuple(group), n=n, cost=spent[0])


def _told(row: Row) -> str:
    return f"{row['value']} reached {100 * row['skewness']:.1f} % of the {100 * row['rho']:g} % asked for"
