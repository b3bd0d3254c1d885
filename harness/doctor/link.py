"""The testbed's link: what it is told is what it says it is."""

from __future__ import annotations

from harness.contracts.errors import BenchError
from harness.contracts.link import LinkSpec
from harness.contracts.testbed import Testbed
from harness.doctor.report import Finding

RATES_BPS = (270e3, 6e6, 20e6)
_TOLERANCE = 0.01


def shaped(testbed: Testbed) -> list[Finding]:
    """Apply three rates and read each back."""
    out: list[Finding] = []
    for rate_bps in RATES_BPS:
        spec = LinkSpec.symmetric(rate_bps, 5.0)
        name = f"link {rate_bps / 1e6:g} Mbit/s"
        try:
            with testbed.link.applied(spec):
                found = testbed.link.read_back()
        except BenchError as e:
            return [*out, Finding("link", "warn", e.what, e.cure)]
        if found is None:
            out.append(Finding(name, "fail", "the link tells that it is not shaped", "see docs/lab.md"))
            continue
        off = max(abs(found.up.rate_bps / rate_bps - 1), abs(found.down.rate_bps / rate_bps - 1))
        same = off <= _TOLERANCE and abs(found.up.delay_ms - 5.0) < 0.05
        said = (
            f"reads back {found.up.rate_bps / 1e6:g} up, {found.down.rate_bps / 1e6:g} down, {found.up.delay_ms:g} ms"
        )
        out.append(
            Finding(name, "pass" if same else "fail", said, "" if same else "see what else shapes that interface")
        )
    return out
