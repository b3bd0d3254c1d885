"""Turns measured times into a certificate, which says whether the link is what was asked for."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from harness.contracts.errors import BenchError
from harness.contracts.link import WAYS, Certificate, LinkProbe, LinkSpec, Verdict, Way
from harness.link.config import LinkSection

ROUNDS = 3  # of probes of one size: a host that was busy for a moment says nothing of the link
DEFAULT_BYTES = (100, 2000, 10_000)  # what is sent here; below TCP's initial window, which a delay would show


def judged(
    section: LinkSection,
    spec: LinkSpec,
    way: Way,
    message_bytes: int,
    times_ms: Sequence[float | None],
    ideal_ms: float,
    rounds: int = 1,
) -> LinkProbe:
    """Hold one size of probes against its ideal. None in `times_ms` = it did not come through."""
    came = [t for t in times_ms if t is not None]
    ways = WAYS if way == "both" else (way,)
    directions = [spec.direction(one) for one in ways]
    jitter_ms = sum(one.jitter_ms for one in directions)
    # A repeated segment takes a time-out: where packets are lost on purpose, the quickest probes tell of the rate.
    quickest = any(one.loss > 0 for one in directions)
    seen = None if not came else min(came) if quickest else statistics.median(came)
    allowed = section.tolerance * ideal_ms + section.allowance_ms + 2 * jitter_ms
    return LinkProbe(
        way=way,
        message_bytes=message_bytes,
        rounds=rounds,
        n=len(times_ms),
        lost=len(times_ms) - len(came),
        ideal_ms=round(ideal_ms, 4),
        median_ms=round(statistics.median(came), 4) if came else None,
        least_ms=round(min(came), 4) if came else None,
        most_ms=round(max(came), 4) if came else None,
        ok=seen is not None and abs(seen - ideal_ms) <= allowed,
    )


def certify(
    section: LinkSection,
    asked: LinkSpec,
    installed: LinkSpec | None,
    probes: Sequence[LinkProbe],
    argv: Sequence[Sequence[str]] = (),
    remarks: str = "",
) -> Certificate:
    """Make the record. What was installed must be what was asked for (rates by a thousandth), and every probe right.

    Raises:
        BenchError: it deviates or was not measured, and `on_deviation` is `refuse`.
    """
    same = installed is not None and close(asked, installed)
    verdict: Verdict = "deviates" if not same or not all(p.ok for p in probes) else "ok" if probes else "unmeasured"
    certificate = Certificate(
        kind=section.kind,
        asked=asked,
        installed=installed,
        argv=tuple(tuple(words) for words in argv),
        probes=tuple(probes),
        tolerance=section.tolerance,
        allowance_ms=section.allowance_ms,
        verdict=verdict,
        remarks=remarks,
    )
    if verdict != "ok" and section.on_deviation == "refuse":
        raise BenchError(_why(certificate, same), cure='mend it, or set on_deviation = "flag" in [link] of lab.toml')
    return certificate


def close(asked: LinkSpec, read: LinkSpec) -> bool:
    """Say whether two specs are equal but for what a kernel rounds: rates to bytes/s, times to its ticks, losses to 32
    bits.
    """
    for way in WAYS:
        a, b = asked.direction(way), read.direction(way)
        if abs(a.rate_bps - b.rate_bps) > max(8.0, a.rate_bps * 1e-3):
            return False
        if abs(a.delay_ms - b.delay_ms) > 0.01 or abs(a.jitter_ms - b.jitter_ms) > 0.01:
            return False
        if abs(a.loss - b.loss) > 1e-4 or a.limit != b.limit:
            return False
    return True


def _why(certificate: Certificate, same: bool) -> str:
    if certificate.installed is None:
        return f"the {certificate.kind} link does not say that it is shaped"
    if not same:
        told = _text(certificate.installed)
        return f"the {certificate.kind} link reads back as {told}, asked {_text(certificate.asked)}"
    if certificate.verdict == "unmeasured":
        return f"the {certificate.kind} link could not be measured ({certificate.remarks or 'no probes'})"
    wrong = [str(p) for p in certificate.probes if not p.ok]
    return f"the {certificate.kind} link is not what was asked for: {'; '.join(wrong[:3])}"


def _text(spec: LinkSpec) -> str:
    return ", ".join(
        f"{way} {d.rate_bps:g} bit/s {d.delay_ms:g} ms +-{d.jitter_ms:g} loss {d.loss:g} limit {d.limit}"
        for way, d in (("up", spec.up), ("down", spec.down))
    )
