"""Checks the claims about the whole system one by one: what the runs say, whether it holds, and what that stands on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.analysis.cells import Accuracy
from harness.analysis.comparison.basis import ERRORS, Basis, accuracy_difference, all_of, reaches
from harness.analysis.costs import cost_of
from harness.analysis.curves import choices_at
from harness.analysis.datum import Datum, RunData, at, pick
from harness.analysis.digits import significant
from harness.analysis.material import Material
from harness.analysis.pareto import Curve, curves
from harness.edge.payload import HEADER_BYTES
from harness.host import cli
from harness.measure.axes import WIFI_BPS

_NORMAL = 1.959964  # half of a 95 % interval in standard errors
_EQUAL = 0.05  # points; accuracies that are nearer than this count as the same
_OURS = ("agilenn", "agilenn_r")


@dataclass(frozen=True)
class Told:
    """Holds what the runs say of a claim: `holds` is None where the difference is within its chance error."""

    ours: str
    holds: bool | None
    basis: Basis


def against_deepcod(material: Material, dataset: str) -> Told | None:
    """Compare with DeepCOD's public encoder."""
    return _faster(material, dataset, ("deepcod",), 2.0)


def against_all(material: Material, dataset: str) -> Told | None:
    """Compare with every other scheme."""
    return _faster(material, dataset, (), 2.0)


def against_local(material: Material, dataset: str) -> Told | None:
    """Compare with the local network."""
    return _faster(material, dataset, ("local_only",), 5.0)


def slow_link(material: Material, dataset: str) -> Told | None:
    """Compare with every way to offload on a slow link."""
    found = _latencies(material, dataset, 270e3)
    others = [s for s in found if s not in ("agilenn", "local_only")]
    return _faster(material, dataset, others, 1.0, 270e3) if len(found) > 2 and others else None


def within_20_ms(material: Material, dataset: str) -> Told | None:
    """Hold AgileNN's latency against the paper's promise."""
    found = _latencies(material, dataset).get("agilenn")
    run = material.run("bandwidth", dataset)
    if found is None or run is None:
        return None
    holds = reaches(20 - found.value, 0.0, _error(found))
    return Told(f"{found.value:.1f} ms", holds, _basis(run, [found], f"rate {cli.rate_text(WIFI_BPS)}"))


def less_data(material: Material, dataset: str) -> Told | None:
    """Compare payloads with DeepCOD's."""
    run = material.run("bandwidth", dataset)
    sent = {d.scheme: d for d in at(pick(run.data, "payload_bytes"), WIFI_BPS)} if run else {}
    if run is None or not {"agilenn", "deepcod"} <= sent.keys():
        return None
    one, other = sent["agilenn"], sent["deepcod"]
    change = 100 * (1 - one.value / other.value)
    told = f"{abs(change):.0f} % {'less' if change >= 0 else 'more'}"
    holds = reaches(other.value - one.value, 0.0, math.hypot(_error(one), _error(other)))
    basis = _basis(run, [one, other], _not_equal(run, "agilenn", "deepcod"))
    return Told(f"{one.value:,.0f} B against {other.value:,.0f} B ({told})", holds, basis)


def accuracy_gap(material: Material, dataset: str) -> Told | None:
    """Compare accuracy with full offloading's: at most 2 points behind."""
    found = _accuracy_lead(material, dataset, "full_offload", -0.02)
    return found and replace(found, ours=f"{found.ours} against full offloading")


def better_than_local(material: Material, dataset: str) -> Told | None:
    """Compare accuracy with the local network's."""
    found = _accuracy_lead(material, dataset, "local_only", 0.0)
    return found and replace(found, ours=f"{found.ours} against local only")


def energy(material: Material, dataset: str) -> Told | None:
    """Compare energies with all others'."""
    for run in reversed(material.runs):
        values = pick(run.data, "energy_uj", dataset=dataset)
        if not values:
            continue
        x = max(d.x for d in values) if run.axis == "frequency" else WIFI_BPS
        found = {d.scheme: d for d in at(values, x)}
        if "agilenn" in found and len(found) > 1:
            base = found.pop("agilenn")
            where = cli.clock_text(x) if run.axis == "frequency" else cli.rate_text(x)
            told = [_ratio(d, base, 1.0) for d in found.values()]
            basis = _basis(run, [base, *found.values()], f"{where}; accuracy is not")
            return Told(_times(told), all_of([holds for _, _, holds in told]), basis)
    return None


def memory(material: Material, dataset: str) -> Told | None:
    """Compare flash and RAM with the local network's: sizes of images, which have no chance error."""
    run = next((r for r in reversed(material.runs) if r.dataset == dataset), None)
    flash = {d.scheme: d.value for d in pick(run.data, "flash_kb")} if run else {}
    ram = {d.scheme: d.value for d in pick(run.data, "ram_kb")} if run else {}
    if run is None or not {"agilenn", "local_only"} <= flash.keys() & ram.keys():
        return None
    ours = flash["local_only"] / flash["agilenn"], ram["local_only"] / ram["agilenn"]
    said = f"flash {ours[0]:.1f}x, RAM {ours[1]:.1f}x less than local only"
    basis = replace(_basis(run, [], _not_equal(run, "agilenn", "local_only")), n="1 image each")
    return Told(said, ours[0] > 1 and ours[1] > 1, basis)


def scaling(material: Material, dataset: str) -> Told | None:
    """Hold the local network's time against the clock."""
    run = material.run("frequency", dataset)
    if run is None:
        return None
    cycles = [(d.scheme, d.x, d) for d in pick(run.data, "local_ms") if d.value > 0]
    spread = []
    for scheme in {s for s, _, _ in cycles}:
        work = [x * d.value for s, x, d in cycles if s == scheme]
        if len(work) > 1:
            spread.append(max(work) / min(work) - 1)
    if not spread:
        return None
    said = f"clock x local time constant within {100 * max(spread):.1f} %"
    return Told(said, max(spread) <= 0.03, _basis(run, [d for _, _, d in cycles], "network and picture"))


def floor(material: Material, dataset: str) -> Told | None:
    """Tell what no offloading can be quicker than: an empty message over this link, and the quickest server."""
    run = material.run("bandwidth", dataset)
    sent = [
        r for c in (run.cells if run else ()) if abs(c.value - WIFI_BPS) <= 1e-3 * WIFI_BPS
        for r in c.rows if r.get("payload_bytes")
    ]  # fmt: skip
    if run is None or not sent:
        return None
    # Waiting less the edge's time is the link's, whatever the scheme: the smallest message, less its bytes' time.
    least = min(sent, key=lambda r: int(r["payload_bytes"]))
    most = max(sent, key=lambda r: int(r["payload_bytes"]) if int(r["payload_bytes"]) < _ONE_PACKET else 0)
    spread = int(most["payload_bytes"]) - int(least["payload_bytes"])
    per_byte = (float(most["network_ms"]) - float(least["network_ms"])) / spread if spread > 0 else 0.0
    link = float(least["network_ms"]) - per_byte * (int(least["payload_bytes"]) - HEADER_BYTES)
    remote = min(float(r["remote_ms"]) for r in sent)
    ms = link + remote
    found = _latencies(material, dataset)
    rivals = [d for d in found.values() if d.scheme not in (*_OURS,)]
    told = ", ".join(f"{d.title} {significant(d.value / ms, 2)}x" for d in rivals)
    said = f"floor {ms:.1f} ms (link {link:.1f} with {HEADER_BYTES} B, edge {remote:.1f}); {told} of it"
    basis = _basis(run, [], f"rate {cli.rate_text(WIFI_BPS)}")
    return Told(said, all(d.value / ms >= 2 for d in rivals), replace(basis, n=f"{len(sent)} timed"))


def beside_jpeg(material: Material, dataset: str) -> Told | None:
    """Compare with JPEG at equal accuracy, curve against curve."""
    return _at_equal_accuracy(material, dataset, "full_offload_jpeg", WIFI_BPS)


def beside_jpeg_slow(material: Material, dataset: str) -> Told | None:
    """Compare with JPEG at equal accuracy on a slow link."""
    return _at_equal_accuracy(material, dataset, "full_offload_jpeg", 270e3)


def beside_deepcod(material: Material, dataset: str) -> Told | None:
    """Compare with DeepCOD's public encoder at equal accuracy."""
    return _at_equal_accuracy(material, dataset, "deepcod", WIFI_BPS)


_ONE_PACKET = 900  # bytes of payload that any link here carries in one packet and one write


def _latencies(material: Material, dataset: str, rate_bps: float = WIFI_BPS) -> dict[str, Datum]:
    run = material.run("bandwidth", dataset)
    return {d.scheme: d for d in at(pick(run.data, "total_ms"), rate_bps)} if run else {}


def _error(d: Datum) -> float:
    """Return a value's standard error, from its 95 % interval; 0 where it has none (modelled, of few pictures)."""
    return 0.0 if d.low is None or d.high is None else (d.high - d.low) / 2 / _NORMAL


def _ratio(other: Datum, base: Datum, least: float) -> tuple[str, float, bool | None]:
    """Return a title, how many times the base's value its is, and whether that is at least (if 1: above) `least`."""
    ratio = other.value / base.value if base.value else math.inf
    error = ratio * math.hypot(_error(other) / (other.value or 1.0), _error(base) / (base.value or 1.0))
    return other.title, ratio, reaches(ratio, least, error)


def _times(found: Sequence[tuple[str, float, bool | None]]) -> str:
    return ", ".join(f"{title} {significant(value, 2)}x" for title, value, _ in found)


def _faster(
    material: Material, dataset: str, others: Sequence[str], least: float, rate_bps: float = WIFI_BPS
) -> Told | None:
    """Say whether AgileNN is `least` times as fast as `others`; of none given, as all."""
    found, run = _latencies(material, dataset, rate_bps), material.run("bandwidth", dataset)
    if run is None or "agilenn" not in found or not set(others) <= found.keys() or (not others and len(found) < 3):
        return None
    base = found.pop("agilenn")
    rivals = [d for d in found.values() if d.scheme not in _OURS and (not others or d.scheme in others)]
    told = [_ratio(d, base, least) for d in rivals]
    said = f"{told[0][1]:.2f}x" if len(told) == 1 else _times(told)
    equal = f"rate {cli.rate_text(rate_bps)}; accuracy is not" if len(told) > 1 else (
        f"rate {cli.rate_text(rate_bps)}; {_not_equal(run, 'agilenn', rivals[0].scheme)}"
    )  # fmt: skip
    return Told(said, all_of([holds for _, _, holds in told]), _basis(run, [base, *rivals], equal))


def _accuracies(run: RunData) -> dict[str, Accuracy]:
    return {
        name: Accuracy(a["right"], a["n"], a.get("exited", 0), None, a.get("answers"))
        for name, a in (run.manifest.get("accuracy") or {}).items()
    }


def _accuracy_lead(material: Material, dataset: str, other: str, least: float) -> Told | None:
    run = material.run("bandwidth", dataset)
    found = _accuracies(run) if run else {}
    if run is None or not {"agilenn", other} <= found.keys():
        return None
    apart, error, paired = accuracy_difference(found["agilenn"], found[other])
    basis = _basis(run, [], "training data", schemes=("agilenn", other))
    kind = "the same pictures" if paired else "not paired"
    basis = replace(basis, n=f"{found['agilenn'].n:,} test pictures, {kind}, ±{200 * error:.1f} points")
    return Told(f"{100 * apart:+.1f} points", reaches(apart, least, error), basis)


def _not_equal(run: RunData, one: str, other: str) -> str:
    """Say how the accuracies of two schemes stand, which a comparison of something else does not hold equal."""
    found = _accuracies(run)
    if not {one, other} <= found.keys():
        return "accuracy is not known"
    apart, error, _ = accuracy_difference(found[one], found[other])
    shares = f"{100 * found[one].share:.1f} against {100 * found[other].share:.1f} %"
    same = abs(apart) < 2 * error
    return f"accuracy ({shares}, no difference to be told)" if same else f"accuracy is not ({shares})"


def _basis(run: RunData, data: Sequence[Datum], equal: str, schemes: Sequence[str] = ()) -> Basis:
    names = list(dict.fromkeys(schemes or [d.scheme for d in data] or run.manifest["schemes"]))
    facts = run.manifest["schemes"]
    costs = {str(facts[n]["title"]): cost_of(facts[n]).told for n in names if n in facts}
    if len(set(costs.values())) == 1:
        budget = next(iter(costs.values()))
    else:
        budget = ", ".join(f"{title} {told}" for title, told in costs.items())
    counts = sorted({d.n for d in data if d.n})
    n = " to ".join(dict.fromkeys(f"{c:,}" for c in (counts[0], counts[-1]))) + " pictures" if counts else "–"
    return Basis(equal, n, "1", budget or "–")


def _at_equal_accuracy(material: Material, dataset: str, rival: str, rate_bps: float) -> Told | None:
    """Compare curves at equal accuracy: AgileNN's (or AgileNN-R's, whichever is quicker) with a rival's.

    Between measured points only. Where the accuracies have nothing in common, one that is quicker and more accurate is
    ahead; one that is quicker and less accurate decides nothing.
    """
    run = material.run("bandwidth", dataset)
    found = {c.scheme: c for c in curves(choices_at(material, dataset, rate_bps))}
    ours = [found[name] for name in _OURS if name in found]
    if run is None or not ours or rival not in found:
        return None
    other = found[rival]
    told = [(mine, *_beside(mine, other)) for mine in ours]
    mine, said, holds = next((one for one in told if one[2]), told[-1])
    basis = _basis(run, [], f"rate {cli.rate_text(rate_bps)} and accuracy", schemes=[mine.scheme, rival])
    n = " and ".join(f"{c.title} {len(c.points)}" for c in (mine, other))
    return Told(said, holds, replace(basis, n=f"points of the curves: {n}"))


def _beside(mine: Curve, other: Curve) -> tuple[str, bool | None]:
    """Say how many times as fast the one is where both curves have points, and whether that outlasts chance.

    Accuracies have chance errors: what holds must hold when two standard errors more had to be reached, and what does
    not hold must fail when as many less were enough.
    """
    low = max(mine.points[0].accuracy, other.points[0].accuracy)
    high = min(mine.points[-1].accuracy, other.points[-1].accuracy)
    places = sorted({p.accuracy for p in (*mine.points, *other.points) if low <= p.accuracy <= high} or {low})
    ratios = [b / a for x in places if (a := mine.quickest_above(x)) and (b := other.quickest_above(x))]
    if low - high > _EQUAL or not ratios:
        return _without_overlap(mine, other)
    span = f"{low:.1f} to {high:.1f} %" if high > low else f"{low:.1f} %"
    text = " to ".join(dict.fromkeys(f"{r:.2f}x" for r in (min(ratios), max(ratios))))
    errors = [ERRORS * math.hypot(_error_at(mine, x), _error_at(other, x)) for x in places]
    both = list(zip(places, errors, strict=True))
    surely = [(mine.quickest_above(x + e), other.quickest_above(x)) for x, e in both]
    hardly = [(mine.quickest_above(x - e), other.quickest_above(x)) for x, e in both]
    holds: bool | None = None
    if all(a is not None and b is not None and a < b for a, b in surely):
        holds = True
    elif all(a is not None and b is not None and a >= b for a, b in hardly):
        holds = False
    return f"{text} as fast at {span} (±{max(errors):.1f} points)", holds


def _error_at(curve: Curve, accuracy: float) -> float:
    """Return the standard error of the measured point that is nearest, in points."""
    return min(curve.points, key=lambda p: abs(p.accuracy - accuracy)).error


def _without_overlap(mine: Curve, other: Curve) -> tuple[str, bool | None]:
    """Compare two curves that share no accuracy: at the least accurate point of the better one."""
    better, worse, sign = (mine, other, True) if mine.points[0].accuracy > other.points[-1].accuracy else (
        other, mine, False
    )  # fmt: skip
    a, b = better.points[0], worse.points[-1]
    texts = [f"{c.title} {p.latency_ms:.1f} ms at {p.accuracy:.1f} %" for c, p in ((better, a), (worse, b))]
    ahead = a.latency_ms <= b.latency_ms
    rest = "" if ahead else ": no accuracy in common, neither is ahead in both"
    return f"{texts[0]}, {texts[1]}{rest}", sign if ahead else None
