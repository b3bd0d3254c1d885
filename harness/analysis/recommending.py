"""Chooses which scheme to ship on a board and link, from stored runs: the choice, the runners-up, and why each lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.analysis import stats
from harness.analysis.captions import sources
from harness.analysis.cells import Cell
from harness.analysis.curves import base_of
from harness.analysis.datum import RunData
from harness.analysis.digits import told_apart
from harness.analysis.pareto import Choice, pareto
from harness.contracts.errors import BenchError
from harness.host import cli
from harness.measure.axes import AXES

_SAME_RATE = 1e-3
MOST_LATE = 0.05  # share of the pictures that may miss the deadline, unless the user says another
# What the emulated board's modelled stages may be off by (docs/board.md): generated network code, other code.
_MODEL_ERROR = {"local_ms": 0.05, "encode_ms": 0.15, "combine_ms": 0.15}


@dataclass(frozen=True)
class Wanted:
    """Holds what the user asks for; `min_accuracy` is in percent."""

    testbed: str
    dataset: str
    rate_bps: float
    min_accuracy: float
    deadline_ms: float | None = None
    by_energy: bool = False
    most_late: float = MOST_LATE


@dataclass(frozen=True)
class Option:
    """Holds one scheme with one set of weights and settings, at the rate asked for."""

    scheme: str
    title: str
    setting: str
    latency_ms: float
    late_share: float | None  # of the images, over the deadline; None without a deadline or where interpolated
    accuracy: float
    accuracy_low: float
    energy_uj: float | None
    interpolated: bool
    source: str
    run: str
    ended_at: str
    p95_ms: float | None = None  # of the whole test set, or of enough timed pictures; None where interpolated
    curve: str = ""  # the scheme of which it is a setting
    n: int = 0  # test pictures
    margin_ms: float = 0.0  # what the latency may be off by: the model's error, or the interval of what was measured


@dataclass(frozen=True)
class Verdict:
    """Holds an option and why it lost; `reasons` of the chosen one are what to know about it."""

    option: Option
    fits: bool
    reasons: tuple[str, ...]


def options(runs: Sequence[RunData], wanted: Wanted) -> list[Option]:
    """Return every scheme and setting that the bandwidth runs of this testbed and data set know at this rate, newest
    first.

    Raises:
        BenchError: there is none.
    """
    found: dict[tuple[str, str], Option] = {}
    own = _runs_over_rates(runs, wanted)
    own.sort(key=lambda r: str(r.manifest.get("ended_at") or r.manifest.get("began_at")), reverse=True)
    for run in own:
        for scheme in run.manifest["schemes"]:
            option = _option(run, scheme, wanted)
            if option is not None:
                found.setdefault((scheme, option.setting), option)
    if not found:
        known = sorted({(r.testbed, r.dataset) for r in runs if r.axis == "bandwidth"})
        there = "; ".join(f"{bed} with {dataset}" for bed, dataset in known) or "none"
        raise BenchError(
            f"no stored bandwidth run of {wanted.testbed} with {wanted.dataset} and accuracies (there: {there})",
            cure=f"python -m harness.sweep bandwidth --testbed {wanted.testbed} --dataset {wanted.dataset}",
        )
    return list(found.values())


def _runs_over_rates(runs: Sequence[RunData], wanted: Wanted) -> list[RunData]:
    """Return the runs whose axis is the rate, of the testbed and data set: bandwidth runs, and those over settings."""
    kinds = {name for name, axis in AXES.items() if axis.column == "rate_bps"}
    return [r for r in runs if r.axis in kinds and (r.dataset, r.testbed) == (wanted.dataset, wanted.testbed)]


def on_front(found: Sequence[Option], more: Sequence[Choice] = ()) -> set[int]:
    """Return the identities of the options on the front of all curves, of latency and accuracy.

    Args:
        more: further points of the schemes' curves, which are no options themselves.
    """
    choices = {Choice(f"{i}", o.title, o.latency_ms, o.accuracy, o.source, o.curve): o for i, o in enumerate(found)}
    there = {o.scheme for o in found}
    further = [c for c in more if c.scheme not in there and c.curve in {o.curve for o in found}]
    return {id(choices[c]) for c in pareto([*choices, *further]) if c in choices}


def judge(found: Sequence[Option], wanted: Wanted) -> list[Verdict]:
    """Return the options from the best to the worst: those that fit by latency (or energy), then the others by
    accuracy.
    """
    reasons = {id(o): _reasons(o, wanted) for o in found}
    fitting = [o for o in found if not reasons[id(o)]]
    fitting.sort(key=lambda o: (_cost(o, wanted), -o.accuracy))
    if fitting and not wanted.by_energy:  # of those that can't be told from the quickest, the most accurate
        quickest = fitting[0]
        fitting = sorted((o for o in fitting if tied(o, quickest)), key=lambda o: -o.accuracy) + [
            o for o in fitting if not tied(o, quickest)
        ]
    rest = sorted((o for o in found if reasons[id(o)]), key=lambda o: -o.accuracy)
    verdicts = []
    for place, o in enumerate(fitting):
        said = _notes(o, wanted) if place == 0 else (_behind(o, fitting[0], wanted), *_notes(o, wanted))
        verdicts.append(Verdict(o, True, tuple(said)))
    return verdicts + [Verdict(o, False, tuple(reasons[id(o)])) for o in rest]


def tied(one: Option, other: Option) -> bool:
    """Say whether the latencies of two options lie within what they may be off by."""
    return abs(one.latency_ms - other.latency_ms) <= one.margin_ms + other.margin_ms


def left_out(runs: Sequence[RunData], found: Sequence[Option], installed: Sequence[str], wanted: Wanted) -> list[str]:
    """Return a line for each scheme that is no option: its name and the reason."""
    own = _runs_over_rates(runs, wanted)
    there = dict.fromkeys(scheme for run in own for scheme in run.manifest["schemes"])
    return [
        f"{scheme}: {_why_not(own, scheme)}"
        for scheme in dict.fromkeys((*there, *installed))
        if scheme not in {o.scheme for o in found}
    ]


def _why_not(own: Sequence[RunData], scheme: str) -> str:
    having = [run for run in own if scheme in run.manifest["schemes"]]
    if not having:
        return "in no stored bandwidth run of this testbed and data set"
    known = [run for run in having if scheme in (run.manifest.get("accuracy") or {})]
    if not known:
        return "its accuracy over the test set is not stored (sweep without --no-accuracy)"
    rates = sorted({c.value for run in known for c in run.cells if c.scheme == scheme and c.rows})
    if not rates:
        return "no sample of it was measured"
    return f"measured from {cli.rate_text(rates[0])} to {cli.rate_text(rates[-1])} only"


def _margin_ms(cell: Cell) -> float:
    """Return what the latency of a cell may be off by: the model's error of modelled stages, half the interval else."""
    if "modelled" in cell.source("total_ms"):
        return sum(share * (cell.middle(stage) or 0.0) for stage, share in _MODEL_ERROR.items())
    found = cell.latency
    return 0.0 if found is None or found.low is None or found.high is None else (found.high - found.low) / 2


def _option(run: RunData, scheme: str, wanted: Wanted) -> Option | None:
    facts, accuracy = run.manifest["schemes"][scheme], (run.manifest.get("accuracy") or {}).get(scheme)
    if accuracy is None:
        return None
    own = [c for c in run.cells if c.scheme == scheme]
    latency, interpolated = _at_rate(_middles(own, "total_ms"), wanted.rate_bps)
    if latency is None:
        return None
    energy, _ = _at_rate(_middles(own, "energy_uj"), wanted.rate_bps)
    late = p95 = None
    if not interpolated:
        here = next(c for c in own if _same(c.value, wanted.rate_bps))
        p95 = here.percentile(95)
        late = None if wanted.deadline_ms is None else here.late_share(wanted.deadline_ms)
    nearest = min((c for c in own if c.rows), key=lambda c: abs(c.value - wanted.rate_bps))
    low, _ = stats.share_interval(accuracy["right"], accuracy["n"]) or (0.0, 1.0)
    knob = f"{facts['setting']}, " if facts.get("setting") else ""
    setting = f"{knob}codec {facts['codec']}, alpha {facts['alpha']:g}"
    if facts["exit_threshold"] <= 1:
        setting += f", exit at {facts['exit_threshold']:g}"
    return Option(
        scheme, str(facts["title"]), f"{setting}, weights {str(facts['weights'])[:8]}", latency, late,
        100 * accuracy["share"], 100 * low, energy, interpolated, "+".join(sources(own, "total_ms")), str(run.folder),
        str(run.manifest.get("ended_at") or ""), p95, base_of(scheme, facts), accuracy["n"], _margin_ms(nearest),
    )  # fmt: skip


def _middles(own: Sequence[Cell], metric: str) -> dict[float, float]:
    middles = {c.value: c.middle(metric) for c in own}
    return {x: value for x, value in middles.items() if value is not None}


def _same(x: float, rate_bps: float) -> bool:
    return abs(x - rate_bps) <= _SAME_RATE * rate_bps


def _at_rate(middles: dict[float, float], rate_bps: float) -> tuple[float | None, bool]:
    """Return the value at a rate, or between the two nearest ones on a line over 1 / rate, as a link's time is."""
    for x, value in middles.items():
        if _same(x, rate_bps):
            return value, False
    below = [x for x in middles if x < rate_bps]
    above = [x for x in middles if x > rate_bps]
    if not below or not above:
        return None, False
    a, b = max(below), min(above)
    share = (1 / rate_bps - 1 / a) / (1 / b - 1 / a)
    return middles[a] + share * (middles[b] - middles[a]), True


def _cost(o: Option, wanted: Wanted) -> float:
    return float(o.energy_uj if wanted.by_energy and o.energy_uj is not None else o.latency_ms)


def _reasons(o: Option, wanted: Wanted) -> list[str]:
    """Say why it does not fit at all."""
    said = []
    if o.accuracy < wanted.min_accuracy:
        said.append(f"accuracy {told_apart(o.accuracy, wanted.min_accuracy)} % is below {wanted.min_accuracy:g} %")
    if wanted.deadline_ms is not None and o.latency_ms > wanted.deadline_ms:
        latency = told_apart(o.latency_ms, wanted.deadline_ms)
        said.append(f"latency {latency} ms is over the deadline of {wanted.deadline_ms:g} ms")
    elif o.late_share is not None and o.late_share > wanted.most_late:
        share = told_apart(100 * o.late_share, 100 * wanted.most_late, 0)
        said.append(
            f"{share} % of the images miss the deadline of {wanted.deadline_ms:g} ms, {100 * wanted.most_late:g} % may"
        )
    if wanted.by_energy and o.energy_uj is None:
        said.append("its energy at this rate is not stored (sweep with --energy)")
    return said


def _notes(o: Option, wanted: Wanted) -> list[str]:
    said = []
    if o.accuracy_low < wanted.min_accuracy:
        low = told_apart(o.accuracy_low, wanted.min_accuracy)
        said.append(f"its accuracy may be below {wanted.min_accuracy:g} % (95 % interval from {low} %)")
    if o.interpolated:
        said.append("latency taken between two measured rates")
    if o.late_share:
        said.append(f"{told_apart(100 * o.late_share, 0, 0)} % of the images miss the deadline")
    return said


def _behind(o: Option, best: Option, wanted: Wanted) -> str:
    if wanted.by_energy and o.energy_uj is not None and best.energy_uj is not None:
        apart = f"{told_apart(o.energy_uj / best.energy_uj, 1, 2)} times the energy"
    else:
        slower = o.latency_ms - best.latency_ms
        apart = f"{told_apart(abs(slower), 0)} ms {'slower' if slower >= 0 else 'quicker'}"
        if tied(o, best):
            apart = f"a tie: {apart}, within what both may be off by ({o.margin_ms + best.margin_ms:.1f} ms)"
    more = o.accuracy - best.accuracy
    if not more:
        return f"{apart}, as accurate"
    return f"{apart}, {told_apart(abs(more), 0)} points {'more' if more > 0 else 'less'} accurate"
