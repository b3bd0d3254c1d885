"""Checks the testbed's link: what it is told is what it says it is, and what probes of payload size find it to be."""

from __future__ import annotations

from typing import Any

from harness.contracts.errors import BenchError
from harness.contracts.link import Certificate, LinkSpec
from harness.contracts.testbed import Testbed
from harness.doctor.report import Finding, Status

RATES_BPS = (270e3, 6e6, 20e6)
_TOLERANCE = 0.01


def shaped(testbed: Testbed) -> list[Finding]:
    """Apply three rates, read each back; a real link is measured at three sizes too (docs/link.md)."""
    out: list[Finding] = []
    for rate_bps in RATES_BPS:
        spec = LinkSpec.symmetric(rate_bps, 5.0)
        name = f"link {rate_bps / 1e6:g} Mbit/s"
        try:
            with testbed.link.applied(spec):
                found = testbed.link.read_back()
                certificate = testbed.link.certificate
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
        values: dict[str, Any] = {}
        verdict: Status = "pass" if same else "fail"
        cure = "" if same else "see what else shapes that interface"
        if certificate is not None:
            values = {"certificate": certificate.model_dump(mode="json")}
            said += f"; {_measured(certificate)}"
            if same and certificate.verdict != "ok":
                verdict, cure = "warn", "see what else uses that link, or give probe_host in [link] of lab.toml"
        out.append(Finding(name, verdict, said, cure, values))
    return out


def _measured(certificate: Certificate) -> str:
    """Describe the largest of the probes' sizes, and how many of all were right."""
    if not certificate.probes:
        return certificate.remarks or "not measured"
    largest = max(certificate.probes, key=lambda p: p.message_bytes)
    return f"{largest}; {sum(p.ok for p in certificate.probes)} of {len(certificate.probes)} probes right"
