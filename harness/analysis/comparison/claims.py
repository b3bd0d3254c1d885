"""Tests the paper's claims about the whole system on stored runs: what it says, what we found, holds or not.

Claims about the method itself (skewness, ordering, alpha …) are `harness.analysis.comparison.method`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.analysis.datum import Datum, at, pick
from harness.analysis.digits import significant
from harness.analysis.material import Material
from harness.host import cli
from harness.measure.axes import WIFI_BPS

Verdict = Literal["holds", "does not hold", "not tested"]


@dataclass(frozen=True)
class Finding:
    """Holds what became of one claim on one data set."""

    claim: str
    where: str  # in the paper
    published: str
    ours: str
    verdict: Verdict


Check = Callable[[Material, str], tuple[str, bool] | None]


@dataclass(frozen=True)
class Needs:
    """Says what the runs must hold before a claim can be tested."""

    axis: str  # "": any
    schemes: tuple[str, ...]
    rate_bps: float | None = None
    others: int = 0  # further schemes, whichever
    metric: str = "total_ms"

    def lacking(self, material: Material, dataset: str) -> str:
        """Return what is missing, such as `a scheme deepcod in the bandwidth run at 6 Mbit/s`."""
        own = [r for r in material.runs if r.dataset == dataset and self.axis in ("", r.axis)]
        if not own:
            return f"a {self.axis or 'stored'} run of {dataset}"
        run = f"the {own[-1].axis} run"
        if not any(pick(r.data, self.metric) for r in own):
            what = {"accuracy": "accuracies over the test set", "energy_uj": "energies (--energy)"}
            return f"{what.get(self.metric, self.metric)} in {run}"
        found = pick(own[-1].data, self.metric)
        if self.rate_bps is not None:
            found = at(found, self.rate_bps)
            rate = cli.rate_text(self.rate_bps)
            if not found:
                return f"{rate} among the rates of {run}"
            run += f" at {rate}"
        there = {d.scheme for d in found}
        if missing := [scheme for scheme in self.schemes if scheme not in there]:
            return f"{'a scheme' if len(missing) == 1 else 'schemes'} {' and '.join(missing)} in {run}"
        if len(there) < len(self.schemes) + self.others:
            more = len(self.schemes) + self.others - len(there)
            return f"{more} further scheme{'s' if more > 1 else ''} in {run}"
        return f"several values of {self.axis or 'the axis'} in {run}"


@dataclass(frozen=True)
class Claim:
    """Holds one claim; `check` gives what we found and whether it holds, None where the runs can't tell."""

    text: str
    where: str
    published: str
    check: Check
    needs: Needs


def findings(material: Material, dataset: str) -> list[Finding]:
    """Test every claim on the runs of a data set."""
    out = []
    for claim in CLAIMS:
        told = claim.check(material, dataset)
        if told is None:
            lacks = f"lacks {claim.needs.lacking(material, dataset)}"
            out.append(Finding(claim.text, claim.where, claim.published, lacks, "not tested"))
        else:
            ours, holds = told
            out.append(Finding(claim.text, claim.where, claim.published, ours, "holds" if holds else "does not hold"))
    return out


def _latencies(material: Material, dataset: str, rate_bps: float = WIFI_BPS) -> dict[str, Datum]:
    run = material.run("bandwidth", dataset)
    return {d.scheme: d for d in at(pick(run.data, "total_ms"), rate_bps)} if run else {}


def _times(found: Sequence[tuple[str, float]]) -> str:
    return ", ".join(f"{title} {significant(value, 2)}x" for title, value in found)


def _against_deepcod(material: Material, dataset: str) -> tuple[str, bool] | None:
    found = _latencies(material, dataset)
    if not {"agilenn", "deepcod"} <= found.keys():
        return None
    ratio = found["deepcod"].value / found["agilenn"].value
    return f"{ratio:.2f}x", ratio >= 2.0


def _against_all(material: Material, dataset: str) -> tuple[str, bool] | None:
    found = _latencies(material, dataset)
    if "agilenn" not in found or len(found) < 3:
        return None
    base = found.pop("agilenn").value
    ratios = [(d.title, d.value / base) for d in found.values()]
    return _times(ratios), all(ratio >= 2 for _, ratio in ratios)


def _against_local(material: Material, dataset: str) -> tuple[str, bool] | None:
    found = _latencies(material, dataset)
    if not {"agilenn", "local_only"} <= found.keys():
        return None
    ratio = found["local_only"].value / found["agilenn"].value
    return f"{ratio:.2f}x", ratio >= 5.0


def _within_20_ms(material: Material, dataset: str) -> tuple[str, bool] | None:
    found = _latencies(material, dataset)
    if "agilenn" not in found:
        return None
    value = found["agilenn"].value
    return f"{value:.1f} ms", value <= 20


def _slow_link(material: Material, dataset: str) -> tuple[str, bool] | None:
    found = _latencies(material, dataset, 270e3)
    if "agilenn" not in found or len(found) < 3:
        return None
    base = found.pop("agilenn").value
    offloading = [(d.title, d.value / base) for d in found.values() if d.scheme != "local_only"]
    return _times(offloading), all(ratio > 1 for _, ratio in offloading)


def _less_data(material: Material, dataset: str) -> tuple[str, bool] | None:
    run = material.run("bandwidth", dataset)
    sent = {d.scheme: d.value for d in at(pick(run.data, "payload_bytes"), WIFI_BPS)} if run else {}
    if not {"agilenn", "deepcod"} <= sent.keys():
        return None
    change = 100 * (1 - sent["agilenn"] / sent["deepcod"])
    told = f"{abs(change):.0f} % {'less' if change >= 0 else 'more'}"
    return f"{sent['agilenn']:,.0f} B against {sent['deepcod']:,.0f} B ({told})", change > 0


def _accuracy_gap(material: Material, dataset: str) -> tuple[str, bool] | None:
    run = material.run("bandwidth", dataset)
    found = {d.scheme: d.value for d in pick(run.data, "accuracy")} if run else {}
    if not {"agilenn", "full_offload"} <= found.keys():
        return None
    gap = found["full_offload"] - found["agilenn"]
    return f"{gap:.1f} points behind full offloading", gap <= 2.0


def _better_than_local(material: Material, dataset: str) -> tuple[str, bool] | None:
    run = material.run("bandwidth", dataset)
    found = {d.scheme: d.value for d in pick(run.data, "accuracy")} if run else {}
    if not {"agilenn", "local_only"} <= found.keys():
        return None
    lead = found["agilenn"] - found["local_only"]
    return f"{lead:+.1f} points against local only", lead > 0


def _energy(material: Material, dataset: str) -> tuple[str, bool] | None:
    for run in reversed(material.runs):
        values = pick(run.data, "energy_uj", dataset=dataset)
        if not values:
            continue
        x = max(d.x for d in values) if run.axis == "frequency" else WIFI_BPS
        found = {d.scheme: d for d in at(values, x)}
        if "agilenn" in found and len(found) > 1:
            base = found.pop("agilenn").value
            ratios = [(d.title, d.value / base) for d in found.values()]
            return _times(ratios), all(ratio > 1 for _, ratio in ratios)
    return None


def _memory(material: Material, dataset: str) -> tuple[str, bool] | None:
    run = next((r for r in reversed(material.runs) if r.dataset == dataset), None)
    flash = {d.scheme: d.value for d in pick(run.data, "flash_kb")} if run else {}
    ram = {d.scheme: d.value for d in pick(run.data, "ram_kb")} if run else {}
    if not {"agilenn", "local_only"} <= flash.keys() & ram.keys():
        return None
    ours = flash["local_only"] / flash["agilenn"], ram["local_only"] / ram["agilenn"]
    return f"flash {ours[0]:.1f}x, RAM {ours[1]:.1f}x less than local only", ours[0] > 1 and ours[1] > 1


def _scaling(material: Material, dataset: str) -> tuple[str, bool] | None:
    run = material.run("frequency", dataset)
    if run is None:
        return None
    cycles = [(d.scheme, d.x, d.value) for d in pick(run.data, "local_ms") if d.value > 0]
    spread = []
    for scheme in {s for s, _, _ in cycles}:
        work = [x * value for s, x, value in cycles if s == scheme]
        if len(work) > 1:
            spread.append(max(work) / min(work) - 1)
    if not spread:
        return None
    return f"clock x local time constant within {100 * max(spread):.1f} %", max(spread) <= 0.03


_BOTH_DEEPCOD, _BOTH_LOCAL = ("agilenn", "deepcod"), ("agilenn", "local_only")

CLAIMS = (
    Claim("AgileNN is at least 2x as fast as DeepCOD at 6 Mbit/s", "Fig 16", "2.0-2.6x", _against_deepcod,
          Needs("bandwidth", _BOTH_DEEPCOD, WIFI_BPS)),
    Claim("AgileNN is at least 2x as fast as every other scheme at 6 Mbit/s", "Fig 16", "2.0-12.9x", _against_all,
          Needs("bandwidth", ("agilenn",), WIFI_BPS, others=2)),
    Claim("AgileNN is over 5x as fast as the local network (MCUNet)", "Fig 16", "5.2-12.9x", _against_local,
          Needs("bandwidth", _BOTH_LOCAL, WIFI_BPS)),
    Claim("AgileNN answers within 20 ms", "text, Fig 16", "15.3-24.1 ms on three sets, 97.7 on ImageNet-200",
          _within_20_ms, Needs("bandwidth", ("agilenn",), WIFI_BPS)),
    Claim("AgileNN is the fastest way to offload at 270 kbit/s", "Fig 23", "1.4-1.8x (CIFAR-100)",
          _slow_link, Needs("bandwidth", ("agilenn",), 270e3, others=2)),
    Claim("AgileNN sends less than DeepCOD", "Table 2", "16-72 % saved", _less_data,
          Needs("bandwidth", _BOTH_DEEPCOD, WIFI_BPS)),
    Claim("AgileNN's accuracy is within 2 points of full offloading", "Fig 16", "0.9-2.1 points behind", _accuracy_gap,
          Needs("bandwidth", ("agilenn", "full_offload"), metric="accuracy")),
    Claim("AgileNN is more accurate than the local network", "Fig 16", "+0.4 to +8.2 points", _better_than_local,
          Needs("bandwidth", _BOTH_LOCAL, metric="accuracy")),
    Claim("AgileNN needs the least energy", "Fig 19", "2.6x, 3.5x, 9.7x less (CIFAR-100)", _energy,
          Needs("", ("agilenn",), others=1, metric="energy_uj")),
    Claim("AgileNN needs less memory than the local network", "Fig 20", "flash 5.7x, RAM 1.4x (CIFAR-100)",
          _memory, Needs("", _BOTH_LOCAL, metric="flash_kb")),
    Claim("Computing time scales with 1 / clock", "Fig 22", "exactly", _scaling, Needs("frequency", ())),
)  # fmt: skip
