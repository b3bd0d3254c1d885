"""Probes and certificates: what counts as an answer, what counts as right, and what is kept of it."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from harness.contracts.errors import BenchError
from harness.contracts.link import Certificate, Direction, LinkSpec
from harness.link.certificate import certify, judged
from harness.link.config import LinkSection
from harness.link.make import link_for
from harness.link.probes import EchoProbe, _checksum, ideal_echo_ms
from harness.runs import certificates as kept
from harness.runs.store import Store

SPEC = LinkSpec.symmetric(1e6, 5.0)
SECTION = LinkSection(kind="proxy", tolerance=0.1, allowance_ms=1.0)


def echo_probe() -> EchoProbe:
    """One that was never opened: only its judgement is wanted."""
    probe = EchoProbe.__new__(EchoProbe)
    probe._number, probe._sequence = 0x1234, 7
    return probe


def answer(data: bytes, *, kind: int = 0, number: int = 0x1234, sequence: int = 7, options: int = 0) -> bytes:
    head = bytes([0x45 + options]) + bytes(19 + 4 * options)
    return head + struct.pack("!BBHHH", kind, 0, 0, number, sequence) + data


def test_only_the_answer_to_the_last_echo_counts() -> None:
    probe = echo_probe()
    assert probe._mine(answer(b"abc"), b"abc")
    assert probe._mine(answer(b"abc", options=3), b"abc")  # an IP header with options
    for wrong in (answer(b"abd"), answer(b"abc", kind=8), answer(b"abc", number=1), answer(b"abc", sequence=6), b""):
        assert not probe._mine(wrong, b"abc")


@given(st.binary(max_size=80))
def test_whatever_comes_in_is_no_answer(packet: bytes) -> None:
    assert echo_probe()._mine(packet, b"sixteen bytes ..") is False


@given(st.binary(max_size=64))
def test_a_packet_with_its_checksum_sums_to_zero(data: bytes) -> None:
    """RFC 1071, section 1."""
    data += b"\0" * (len(data) % 2)
    assert _checksum(data + struct.pack("!H", _checksum(data))) == 0


def test_an_echo_pays_both_ways() -> None:
    assert ideal_echo_ms(SPEC, 100) == pytest.approx(2 * (142 * 8 / 1e3 + 5))


@pytest.mark.parametrize(
    ("times", "ok"),
    [
        ([17.0, 17.5, 17.6], True),
        ([17.0, 19.7, 30.0], True),  # the median, not the worst
        ([17.0, 20.0, 20.0], False),
        ([4.6, 4.6, 4.7], False),  # what a token bucket of 1,600 B makes of 2 KB
        ([None, 17.4, 17.4], True),
        ([None, None, None], False),
    ],
)
def test_a_probe_is_right_within_tolerance_and_allowance(times: list[float | None], ok: bool) -> None:
    probe = judged(SECTION, LinkSpec.symmetric(1e6), "up", 2000, times, 17.056)
    assert probe.ok is ok
    assert probe.lost == times.count(None)
    assert "asked 17.06 ms" in str(probe)


def test_where_packets_are_lost_on_purpose_the_quickest_tells() -> None:
    lossy = LinkSpec(up=Direction(rate_bps=1e6, loss=0.2), down=Direction(rate_bps=1e6))
    assert judged(SECTION, lossy, "up", 2000, [17.2, 220.0, 240.0], 17.056).ok
    assert not judged(SECTION, lossy, "down", 2000, [17.2, 220.0, 240.0], 17.056).ok


@pytest.mark.parametrize(("right", "on_deviation"), [(True, "refuse"), (False, "flag"), (False, "refuse")])
def test_a_deviation_is_refused_or_flagged(right: bool, on_deviation: str) -> None:
    section = SECTION.model_copy(update={"on_deviation": on_deviation})
    probe = judged(section, SPEC, "up", 100, [6.4 if right else 60.0], 6.328)
    if not right and on_deviation == "refuse":
        with pytest.raises(BenchError, match=r"100 B up: 60.00 ms .*asked 6.33 ms") as error:
            certify(section, SPEC, SPEC, [probe])
        assert "on_deviation" in error.value.cure
    else:
        assert certify(section, SPEC, SPEC, [probe]).verdict == ("ok" if right else "deviates")


def certificate(verdict: str = "ok") -> Certificate:
    return Certificate(
        kind="proxy", asked=SPEC, installed=SPEC, tolerance=0.1, allowance_ms=1.0, verdict=verdict  # type: ignore[arg-type]
    )  # fmt: skip


def test_certificates_stay_with_their_points_over_a_resumed_run(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "run")
    assert kept.read(store) == {}
    keeper = kept.Kept(store)
    for _ in range(3):
        keeper.note("a", certificate())
    keeper.note("b", certificate("deviates"))
    resumed = kept.Kept(store)
    resumed.note("a", certificate("deviates"))
    assert kept.read(store) == {"a": [certificate(), certificate("deviates")], "b": [certificate("deviates")]}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"points": 3}', '{"points": {"a": [{}]}}', "\x00"])
def test_damaged_certificates_are_taken_anew(tmp_path: Path, text: str) -> None:
    store = Store.create(tmp_path / "run")
    (store.folder / kept.NAME).write_text(text)
    assert kept.read(store) == {}


@pytest.mark.parametrize(
    "bad",
    [
        {"kind": "tbf"},
        {"kind": "proxy", "interface": "wlan0"},
        {"kind": "netem", "interface": "a name that is too long"},
        {"kind": "netem", "interface": "wlan0; reboot"},
        {"kind": "proxy", "tolerance": 0},
        {"kind": "proxy", "port": 70_000},
        {"on_deviation": "ignore"},
        {"knd": "proxy"},
    ],
)
def test_a_section_that_can_not_be_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        LinkSection.model_validate(bad)


def test_no_kind_no_link() -> None:
    assert link_for(LinkSection()) is None
    with pytest.raises(BenchError, match="needs an interface"):
        link_for(LinkSection(kind="netem"))
