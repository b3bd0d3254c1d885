"""Tests the paper's claims about the whole system on stored runs: what it says, what we found, holds or not.

Claims about the method itself (skewness, ordering, alpha …) are `harness.analysis.comparison.method`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from harness.analysis.comparison import checks
from harness.analysis.comparison.basis import Basis
from harness.analysis.comparison.checks import Told
from harness.analysis.datum import at, pick
from harness.analysis.material import Material
from harness.host import cli
from harness.measure.axes import WIFI_BPS

Verdict = Literal["holds", "does not hold", "undecided", "not tested"]
HEADER = ("claim of the paper", "where", "published", "ours", "verdict", "stands on")
_VERDICTS: dict[bool | None, Verdict] = {True: "holds", False: "does not hold", None: "undecided"}


@dataclass(frozen=True)
class Finding:
    """Holds what became of one claim on one data set."""

    claim: str
    where: str  # in the paper
    published: str
    ours: str
    verdict: Verdict
    basis: Basis = field(default_factory=Basis)

    @property
    def line(self) -> list[str]:
        """Return it as a table has it, under `HEADER`."""
        stands_on = "–" if self.verdict == "not tested" else self.basis.text
        return [self.claim, self.where, self.published, self.ours, self.verdict, stands_on]


Check = Callable[[Material, str], Told | None]


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
    """Holds one claim; `check` gives what we found and whether it holds, None where the runs lack something."""

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
            verdict = _VERDICTS[told.holds]
            out.append(Finding(claim.text, claim.where, claim.published, told.ours, verdict, told.basis))
    return out


_BOTH_DEEPCOD, _BOTH_LOCAL = ("agilenn", "deepcod"), ("agilenn", "local_only")

CLAIMS = (
    Claim("AgileNN is at least 2x as fast as DeepCOD's public encoder at 6 Mbit/s", "Fig 16",
          "2.0-2.6x, against an encoder of 47 ms that can't be identified", checks.against_deepcod,
          Needs("bandwidth", _BOTH_DEEPCOD, WIFI_BPS)),
    Claim("AgileNN is at least 2x as fast as every other scheme at 6 Mbit/s", "Fig 16", "2.0-12.9x", checks.against_all,
          Needs("bandwidth", ("agilenn",), WIFI_BPS, others=2)),
    Claim("The picture size leaves room to be 2x as fast as every rival at 6 Mbit/s", "Fig 16", "2.0-12.9x",
          checks.floor, Needs("bandwidth", (), WIFI_BPS, others=1)),
    Claim("AgileNN is quicker than JPEG at equal accuracy at 6 Mbit/s", "section 2", "argued, not measured",
          checks.beside_jpeg, Needs("bandwidth", ("agilenn", "full_offload_jpeg"), WIFI_BPS)),
    Claim("AgileNN is quicker than JPEG at equal accuracy at 270 kbit/s", "section 2", "argued, not measured",
          checks.beside_jpeg_slow, Needs("bandwidth", ("agilenn", "full_offload_jpeg"), 270e3)),
    Claim("AgileNN is quicker than DeepCOD's public encoder at equal accuracy at 6 Mbit/s", "Fig 16", "2.0-2.6x",
          checks.beside_deepcod, Needs("bandwidth", _BOTH_DEEPCOD, WIFI_BPS)),
    Claim("AgileNN is over 5x as fast as the local network (MCUNet)", "Fig 16", "5.2-12.9x", checks.against_local,
          Needs("bandwidth", _BOTH_LOCAL, WIFI_BPS)),
    Claim("AgileNN answers within 20 ms", "text, Fig 16", "15.3-24.1 ms on three sets, 97.7 on ImageNet-200",
          checks.within_20_ms, Needs("bandwidth", ("agilenn",), WIFI_BPS)),
    Claim("AgileNN is the fastest way to offload at 270 kbit/s", "Fig 23", "1.4-1.8x (CIFAR-100)",
          checks.slow_link, Needs("bandwidth", ("agilenn",), 270e3, others=2)),
    Claim("AgileNN sends less than DeepCOD", "Table 2", "16-72 % saved", checks.less_data,
          Needs("bandwidth", _BOTH_DEEPCOD, WIFI_BPS)),
    Claim("AgileNN's accuracy is within 2 points of full offloading", "Fig 16", "0.9-2.1 points behind",
          checks.accuracy_gap, Needs("bandwidth", ("agilenn", "full_offload"), metric="accuracy")),
    Claim("AgileNN is more accurate than the local network", "Fig 16", "+0.4 to +8.2 points", checks.better_than_local,
          Needs("bandwidth", _BOTH_LOCAL, metric="accuracy")),
    Claim("AgileNN needs the least energy", "Fig 19", "2.6x, 3.5x, 9.7x less (CIFAR-100)", checks.energy,
          Needs("", ("agilenn",), others=1, metric="energy_uj")),
    Claim("AgileNN needs less memory than the local network", "Fig 20", "flash 5.7x, RAM 1.4x (CIFAR-100)",
          checks.memory, Needs("", _BOTH_LOCAL, metric="flash_kb")),
    Claim("Computing time scales with 1 / clock", "Fig 22", "exactly", checks.scaling, Needs("frequency", ())),
)  # fmt: skip
