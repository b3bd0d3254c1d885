"""The virtual link's arithmetic and virtual time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from harness.contracts.link import Direction, LinkSpec
from testbeds.timebase import MICROSECOND, MILLISECOND, SECOND
from testbeds.virtual.link import Passage, Retransmission, VirtualLink
from testbeds.virtual.vtime import VirtualTime

pytestmark = pytest.mark.slow


@given(st.integers(1, 100_000), st.floats(1e4, 1e9), st.floats(0, 1000))
def test_a_message_is_charged_with_its_headers(size: int, rate: float, delay_ms: float) -> None:
    link = VirtualLink()
    link.apply(LinkSpec.symmetric(rate, delay_ms))
    passage = link.send("up", size, 5 * SECOND)
    wire = size + 66 * -(-size // 1448)
    assert passage.wire_bytes == wire
    exact = wire * 8 / rate + delay_ms / 1e3
    assert (passage.arrived - passage.sent) / SECOND == pytest.approx(exact, rel=1e-9, abs=1e-9)


def test_ideal_times_of_the_published_check() -> None:
    """100 B, 2 KB, 5 KB and 10 KB at 1 Mbit/s: 1.3, 17.1, 42.1 and 83.7 ms by (payload + headers) * 8 / rate."""
    link = VirtualLink()
    link.apply(LinkSpec.symmetric(1e6))
    at = [
        round(link.send("up", size, k * SECOND).arrived / MILLISECOND - k * 1000, 1)
        for k, size in enumerate((100, 2000, 5000, 10_000))
    ]
    assert at == [1.3, 17.1, 42.1, 83.7]


def test_a_direction_is_a_queue_and_the_other_is_free() -> None:
    link = VirtualLink()
    link.apply(LinkSpec.symmetric(8e6))
    first = link.send("up", 934, 0)  # 1000 B: 1 ms
    second = link.send("up", 934, 0)
    down = link.send("down", 934, 0)
    assert (first.arrived, second.arrived, down.arrived) == (SECOND // 1000, 2 * SECOND // 1000, SECOND // 1000)


def test_unshaped_costs_nothing() -> None:
    assert VirtualLink().send("up", 1000, 7).arrived == 7
    assert VirtualLink().send_in_writes("up", 5000, 7, 1024) == Passage(7, 7, 5000)


@pytest.mark.parametrize(
    ("size", "expected_ms"),
    [
        (1024, 1.09 + 2),  # one write, one segment
        (1025, 1.09 + 2 + 2.066 + 0.067 + 2),  # one byte more: it waits for the acknowledgement
        (1024 + 1448, 1.09 + 1.514 + 2),  # what fills a segment does not wait
        (1624, 1.09 + 2 + 2.066 + 0.666 + 2),
        (1024 + 2 * 1448 + 100, 1.09 + 2 * 1.514 + 2 + 2.066 + 0.166 + 2),
    ],
)
def test_a_message_in_writes_of_1024_bytes_under_nagles_algorithm(size: int, expected_ms: float) -> None:
    """8 Mbit/s, so 1 us a byte; 2 ms each way; 66 B of headers a segment and an acknowledgement."""
    link = VirtualLink()
    link.apply(LinkSpec.symmetric(8e6, 2.0))
    passage = link.send_in_writes("up", size, 0, 1024)
    assert passage.arrived / MILLISECOND == pytest.approx(expected_ms, abs=1e-6)
    assert passage.sent == 0 and passage.wire_bytes == size + 66 * (1 + -(-max(0, size - 1024) // 1448))


def test_one_write_is_as_it_was() -> None:
    link, other = VirtualLink(), VirtualLink()
    for one in (link, other):
        one.apply(LinkSpec.symmetric(1e6, 1.0))
    assert link.send_in_writes("up", 9000, 0, 0) == other.send("up", 9000, 0)


def shaped(seed: int = 0, **up: float) -> VirtualLink:
    link = VirtualLink(Retransmission(up_rto_ms=1000, down_rto_ms=200))
    link.seed = seed
    link.apply(LinkSpec(up=Direction(rate_bps=8e6, **up), down=Direction(rate_bps=8e6, delay_ms=5)))  # type: ignore[arg-type]
    return link


def ms(t: int) -> float:
    return round(t / MILLISECOND, 3)


def lossy(lost: list[bool], *, size: int, seed: int = 0) -> Passage:
    """A message whose packets are lost as told, in the order in which they are offered; delay 5 ms both ways."""
    link = shaped(seed, delay_ms=5, loss=0.5)
    draws = iter(lost)
    link._queues["up"]._random.random = lambda: 0.0 if next(draws, False) else 0.9  # type: ignore[method-assign]
    return link.send("up", size, 0)


ACK = 5 + 0.066  # 66 B at 8 Mbit/s and 5 ms
WHOLE = 1.514  # a full segment at 8 Mbit/s


def test_a_lost_single_segment_waits_for_the_time_out_and_doubles_it() -> None:
    once = lossy([True], size=934)
    assert (ms(once.arrived), once.repeated, once.wire_bytes) == (1000 + 5 + 1, 1, 2000)
    thrice = lossy([True, True, True], size=934)
    assert (ms(thrice.arrived), thrice.repeated) == (1000 + 2000 + 4000 + 5 + 1, 3)


def test_the_last_of_some_segments_waits_for_the_time_out_after_the_last_acknowledgement() -> None:
    got = lossy([False, True], size=1448 + 934)
    assert ms(got.arrived) == pytest.approx(5 + WHOLE + ACK + 1000 + 5 + 1)


def test_three_later_segments_bring_a_lost_one_back_at_once() -> None:
    got = lossy([True], size=4 * 1448)
    assert ms(got.arrived) == pytest.approx(5 + 3 * WHOLE + ACK + 5 + WHOLE)
    assert got.wire_bytes == 5 * 1514


def test_further_lost_segments_follow_one_by_one() -> None:
    got = lossy([True, True], size=5 * 1448)
    assert ms(got.arrived) == pytest.approx(5 + 3 * WHOLE + ACK + 2 * (5 + WHOLE) + ACK)


def test_what_a_full_queue_drops_comes_by_the_time_out() -> None:
    link = shaped(limit_packets=2)
    got = link.send("up", 4 * 1448, 0)
    assert got.repeated == 2
    assert ms(got.arrived) == pytest.approx(2 * WHOLE + ACK + 1000 + 2 * WHOLE + ACK)


def test_a_hopeless_message_is_given_up() -> None:
    got = lossy([True] * 100, size=100)
    assert got.lost and got.repeated == 15
    assert ms(got.arrived) == 1000 * (1 + 2 + 4 + 8 + 16 + 32) + 60_000 * 10


def test_a_later_message_comes_after_the_earlier_one() -> None:
    link = shaped(3, loss=0.5)
    came = [link.send("up", 200, n * MILLISECOND).arrived for n in range(40)]
    assert came == sorted(came)


@given(st.integers(0, 2**31 - 1), st.sampled_from(["normal", "uniform"]))
def test_jitter_is_as_asked_repeats_and_keeps_order(seed: int, distribution: str) -> None:
    def times() -> list[float]:
        link = shaped(seed, delay_ms=20, jitter_ms=4, distribution=distribution)  # type: ignore[arg-type]
        return [ms(link.send("up", 934, n * SECOND).arrived - n * SECOND) - 1 for n in range(60)]

    found = times()
    assert found == times()
    reach = 16 if distribution == "normal" else 4
    assert all(20 - reach <= t <= 20 + reach for t in found)
    assert len(set(found)) > 50
    train = shaped(seed, delay_ms=20, jitter_ms=4)
    arrived = [train.send("up", 100, 0).arrived for _ in range(20)]
    assert arrived == sorted(arrived)


def test_share_of_losses_is_as_asked() -> None:
    link = shaped(7, loss=0.1)
    hit = sum(link.send("up", 100, n * 100 * SECOND).repeated > 0 for n in range(3000))
    assert 250 < hit < 350


def test_a_restored_link_draws_the_same() -> None:
    link = shaped(5, delay_ms=20, jitter_ms=4)
    state = link.state()
    first = link.send("up", 100, 0)
    link.restore(state)
    assert link.send("up", 100, 0) == first


@pytest.mark.parametrize(
    "bad",
    [{"jitter_ms": 1.0}, {"loss": 1.0}, {"loss": -0.1}, {"limit_packets": 0}, {"rate_bps": 0}, {"distribution": "odd"}],
)
def test_a_link_that_can_not_be_is_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Direction.model_validate({"rate_bps": 1e6} | bad)


@given(
    st.lists(st.tuples(st.integers(0, 10**9), st.sampled_from([16, 64, 128, 216])), max_size=6), st.integers(0, 10**12)
)
def test_time_never_goes_back_and_cycles_are_found_again(steps: list[tuple[int, int]], ahead: int) -> None:
    cycles = [0]
    time = VirtualTime(lambda: cycles[0], 16_000_000)
    last = 0
    for more, mhz in steps:
        cycles[0] += more
        assert time.now_t >= last
        last = time.now_t
        time.set_hz(mhz * 1_000_000)
        assert time.now_t == last
    at = time.cycles_at(last + ahead)
    assert time.t_at(at) >= last + ahead and (at == 0 or time.t_at(at - 1) < last + ahead)


@given(
    st.integers(0, 10**12), st.sampled_from([16, 64, 128, 216]), st.sampled_from([270e3, 500e3, 1e6, 2e6, 6e6, 20e6]),
    st.integers(1, 20_000),
)  # fmt: skip
def test_a_message_takes_as_many_cycles_whenever_it_starts(start: int, mhz: int, rate_bps: float, size: int) -> None:
    cycles = [start]
    time = VirtualTime(lambda: cycles[0], mhz * 1_000_000)
    link = VirtualLink()
    link.apply(LinkSpec.symmetric(rate_bps))
    passage = link.send("up", size, time.now_t)
    assert time.cycles_at(passage.arrived) - start == -(-passage.wire_bytes * 8 * mhz * 1_000_000 // int(rate_bps))


def test_events_run_in_order_of_time_and_of_asking() -> None:
    cycles, seen = [0], []
    time = VirtualTime(lambda: cycles[0], 1_000_000)
    time.at(5 * MICROSECOND, lambda t: seen.append(("b", t)))
    time.at(MICROSECOND, lambda t: seen.append(("a", t)))
    time.at(5 * MICROSECOND, lambda t: seen.append(("c", t)))
    time.at(9 * MICROSECOND, lambda t: seen.append(("d", t)), periodic=True)
    assert time.next_t() == MICROSECOND and time.next_single_t() == MICROSECOND
    cycles[0] = 5
    time.run_due()
    assert seen == [("a", MICROSECOND), ("b", 5 * MICROSECOND), ("c", 5 * MICROSECOND)]
    assert time.next_t() == 9 * MICROSECOND and time.next_single_t() is None
