"""The client against each device: it measures through lost bytes, garbage and restarts, or fails clearly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.mlperf.client import Dut, DutError, Limits
from harness.mlperf.faults import Faults
from harness.mlperf.lines import LoopPort, StepClock
from harness.mlperf.standin import StandinDut

MakeBench = Callable[..., Any]
DATA = bytes(range(100, 196))
INFER_US = 12_345
SCORES = tuple(0.9 if i == sum(DATA) % 10 else 0.011 for i in range(10))


def test_connect_says_who_it_is(make_bench: MakeBench) -> None:
    identity = make_bench().dut.connect()
    assert identity.model == "ic01"
    assert identity.name in ("stand-in", "c-dialect")


def test_one_input(make_bench: MakeBench) -> None:
    bench = make_bench()
    bench.dut.connect()
    run = bench.dut.run_input(DATA, 10, 2)
    assert (run.iterations, run.warmups, run.results) == (10, 2, SCORES)
    assert run.elapsed_us == 10 * INFER_US
    assert bench.dut.recovered == 0
    assert "db " + DATA[:31].hex() + "%" in bench.commands()


def test_the_log_has_every_line_both_ways(make_bench: MakeBench) -> None:
    bench = make_bench()
    bench.dut.connect()
    assert ("host", "name%") in bench.said
    assert ("dut", "m-model-[ic01]") in bench.said
    assert ("dut", "e-[Unknown command: sync0001]") in bench.said


@pytest.mark.parametrize("most", [1, 2, 5])
@pytest.mark.parametrize(
    "kind", [{"lose_rx": 0.02}, {"lose_tx": 0.02}, {"garbage_tx": 0.02}, {"half_line": 0.1}, {"reboot": 0.01}]
)
@pytest.mark.parametrize("seed", range(4))
def test_a_few_faults_are_recovered_from(make_bench: MakeBench, kind: dict[str, Any], most: int, seed: int) -> None:
    bench = make_bench(faults=Faults(seed=seed, most=most, **kind))
    bench.dut.connect()
    run = bench.dut.run_input(DATA, 10, 2)
    assert run.results == SCORES
    assert run.elapsed_us == 10 * INFER_US


@pytest.mark.slow
@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 10**6),
    lose_rx=st.sampled_from([0, 0.001, 0.01]),
    lose_tx=st.sampled_from([0, 0.001, 0.01]),
    garbage_tx=st.sampled_from([0, 0.001, 0.01]),
    half_line=st.sampled_from([0, 0.01, 0.2]),
    reboot=st.sampled_from([0, 0.001]),
)
def test_whatever_happens_it_is_right_or_fails_in_one_line(
    make_bench: MakeBench, seed: int, **probabilities: Any
) -> None:
    bench = make_bench(faults=Faults(seed=seed, **probabilities))
    try:
        bench.dut.connect()
        run = bench.dut.run_input(DATA, 10, 2)
    except DutError as e:
        assert "\n" not in str(e) and e.cure
        return
    assert run.results == SCORES
    assert run.elapsed_us == 10 * INFER_US


def test_every_single_lost_byte_to_the_device_is_recovered_from(make_bench: MakeBench) -> None:
    whole = make_bench()
    whole.dut.connect()
    whole.dut.run_input(DATA, 3, 1)
    total = sum(len(command) for command in whole.commands())
    for position in range(0, total, 3):
        bench = make_bench()
        _lose_nth_byte(bench, position)
        bench.dut.connect()
        run = bench.dut.run_input(DATA, 3, 1)
        assert (run.results, run.elapsed_us) == (SCORES, 3 * INFER_US), position
        assert position >= total or bench.line.happened == 1


def _lose_nth_byte(bench: Any, position: int) -> None:
    """The device behind `bench` never sees the byte at `position`."""
    feed, taken = bench.line.device.feed, [0]

    def lossy(data: bytes) -> bytes:
        taken[0] += len(data)
        if taken[0] - 1 == position:
            bench.line.happened += 1
            return b""
        answer: bytes = feed(data)
        return answer

    bench.line.device = type("Lossy", (), {"feed": staticmethod(lossy), "boot": bench.line.device.boot})()


@pytest.mark.parametrize("after", [0, 3, 30, 200, 300])
def test_a_hanging_device_is_given_up_with_one_line(make_bench: MakeBench, after: int) -> None:
    bench = make_bench(faults=Faults(hang_after=after))
    with pytest.raises(DutError) as failed:
        bench.dut.connect()
        bench.dut.run_input(DATA, 10, 2)
    assert "the bench" in failed.value.what and "\n" not in str(failed.value) and failed.value.cure


def test_time_outs_are_those_asked_for(make_bench: MakeBench) -> None:
    bench = make_bench(faults=Faults(hang_after=0), limits=Limits(answer_s=2.0, sync_attempts=3))
    with pytest.raises(DutError):
        bench.dut.connect()
    assert 3 * 2.0 * 1e3 <= bench.clock.now_ms() < 3 * 2.2 * 1e3


def test_a_device_of_another_protocol_is_no_device_of_ours() -> None:
    class Echo:
        def boot(self) -> bytes:
            return b"\x01\x02\x00"

        def feed(self, data: bytes) -> bytes:
            return data

    clock = StepClock()
    with pytest.raises(DutError, match="answers in the EEMBC dialect"):
        Dut(LoopPort(Echo(), clock), "here", clock=clock).connect()


def test_an_image_in_energy_mode_is_named_so() -> None:
    clock = StepClock()
    device = StandinDut(gpio_timestamps=True)
    with pytest.raises(DutError, match="performance mode"):
        Dut(LoopPort(device, clock), "here", clock=clock).connect()


def test_a_wrong_size_is_told_in_the_devices_own_words(make_bench: MakeBench) -> None:
    bench = make_bench()
    bench.dut.connect()
    with pytest.raises(DutError, match=r"96 bytes"):
        bench.dut.run_input(DATA[:50], 1, 0)
    with pytest.raises(DutError, match="0 bytes"):
        bench.dut.run_input(b"", 1, 0)


class Liar(StandinDut):
    """A stand-in whose answers are changed on the way."""

    def __init__(self, old: bytes, new: bytes, times: int) -> None:
        super().__init__(infer_us=INFER_US, baud=0)
        self._old, self._new, self._times = old, new, times

    def feed(self, data: bytes) -> bytes:
        answer = super().feed(data)
        if self._old in answer and self._times:
            self._times -= 1
            answer = answer.replace(self._old, self._new, 1)
        return answer


LAPS = 2 * INFER_US, 12 * INFER_US  # of `infer 10 2`


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"m-infer-start-10", b"m-infer-start-1"),
        (b"m-warmup-start-2", b"m-warmup-start-"),
        (b"m-lap-us-%d" % LAPS[0], b"m-lap-us-%d" % (LAPS[0] // 10)),
        (b"m-lap-us-%d" % LAPS[1], b"m-lap-us-%d" % (LAPS[1] // 10)),
        (b"m-lap-us-%d" % LAPS[1], b"m-lap-us-%d0" % LAPS[1]),
        (b"0.900", b"0.00"),
        (b"m-infer-done\r\n", b""),
        (b"m-load-done\r\n", b""),
        (b"m-buffer-64", b"m-buffer-65"),
        (b"[Expecting 96 bytes]", b"[Expecting 9 bytes]"),
        (b"m-results-[", b"m-results-[0.1,"),
        (b"m-ready\r\n", b"m-ready\r\nm-ready\r\n"),
    ],
)
def test_answers_that_were_changed_on_the_way_are_not_believed(old: bytes, new: bytes) -> None:
    clock = StepClock()
    dut = Dut(LoopPort(Liar(old, new, 1), clock), "here", clock=clock)
    dut.connect()
    dut.run_input(DATA, 1, 0)
    run = dut.run_input(DATA, 10, 2)
    assert (run.elapsed_us, run.results) == (10 * INFER_US, SCORES)


def test_lies_that_never_end_are_an_error() -> None:
    clock = StepClock()
    dut = Dut(LoopPort(Liar(b"m-infer-start-10", b"m-infer-start-9", -1), clock), "here", clock=clock)
    dut.connect()
    with pytest.raises(DutError, match="another number of inferences"):
        dut.run_input(DATA, 10, 0)


def test_a_device_without_read_back_is_measured_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    class Blind(StandinDut):
        def _db_print(self, count: int | None, offset: int | None) -> None:
            pass

    clock = StepClock()
    dut = Dut(LoopPort(Blind(infer_us=INFER_US, baud=0), clock), "here", clock=clock)
    dut.connect()
    assert dut.run_input(DATA, 10, 2).results == SCORES
    assert "checked by size only" in caplog.text


@pytest.mark.parametrize(("seen_ms", "fits"), [(123.45, True), (600.0, True), (700.0, False)])
def test_where_time_is_real_laps_are_held_against_their_arrival(seen_ms: float, fits: bool) -> None:
    class Paced(LoopPort):
        """Lets `seen_ms` of host time pass between the two laps of `infer 10 2`."""

        def read(self, size: int = 1) -> bytes:
            before = bytes(self._inbox[:12])
            data = super().read(1)
            if before == b"m-infer-done":
                clock.pass_ms(0)
            if data == b"m" and before.startswith(b"m-lap-us-") and b"m-infer-done" in self._inbox[:40]:
                clock.pass_ms(seen_ms)
            return data

        @property
        def in_waiting(self) -> int:
            return 0

    clock = StepClock()
    device = StandinDut(infer_us=INFER_US, baud=0)
    dut = Dut(Paced(device, clock), "here", clock=clock, real_time=True, limits=Limits(attempts=2))
    dut.connect()
    if fits:
        assert dut.run_input(DATA, 10, 2).elapsed_us == 10 * INFER_US
    else:
        with pytest.raises(DutError, match="lines that came 700 ms apart"):
            dut.run_input(DATA, 10, 2)


def test_a_port_that_goes_away_is_one_line() -> None:
    class Unplugged(LoopPort):
        def write(self, data: bytes) -> int:
            raise OSError(5, "Input/output error")

    clock = StepClock()
    with pytest.raises(DutError, match="here is gone"):
        Dut(Unplugged(StandinDut(), clock), "here", clock=clock).connect()
