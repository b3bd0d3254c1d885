"""The virtual link's arithmetic and virtual time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contracts.errors import BenchError
from harness.contracts.link import Direction, LinkSpec
from testbeds.timebase import MICROSECOND, MILLISECOND, SECOND
from testbeds.virtual.link import VirtualLink
from testbeds.virtual.vtime import VirtualTime


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


@pytest.mark.parametrize("extra", [{"jitter_ms": 1.0}, {"loss": 0.1}, {"limit_packets": 5}])
def test_what_the_link_does_not_do_is_refused(extra: dict[str, float]) -> None:
    spec = LinkSpec(up=Direction(rate_bps=1e6), down=Direction(rate_bps=1e6, **extra))  # type: ignore[arg-type]
    with pytest.raises(BenchError, match="jitter, loss or a queue limit"):
        VirtualLink().apply(spec)


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
