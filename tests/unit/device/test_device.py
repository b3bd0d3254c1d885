"""The protocol's host side against a scripted device: answers, retries, refusals, time-outs."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from harness.artefacts.artefacts import Artefact
from harness.contracts.clock import Clock
from harness.contracts.errors import BenchError
from harness.contracts.testbed import Network
from harness.device import messages as protocol
from harness.device.bringup import Board, State
from harness.device.device import Cancelled, Device, NoAnswer, Refused
from harness.device.messages import config_tlvs
from harness.device.stand_in import StandInDevice, StandInLink, StandInPort


class Ticking(Clock):
    """Goes on by 50 ms whenever it is asked: time-outs pass without sleeping."""

    kind = "host"

    def __init__(self) -> None:
        self.ms = 0.0

    def now_ms(self) -> float:
        self.ms += 50.0
        return self.ms


@pytest.fixture
def scripted(remote_artefact: Artefact) -> StandInDevice:
    return StandInDevice(remote_artefact, StandInLink())


@pytest.fixture
def device(scripted: StandInDevice) -> Device:
    return Device(StandInPort(scripted), clock=Ticking())


def test_hello_tells_what_the_device_is(device: Device, remote_artefact: Artefact) -> None:
    info = device.hello()
    assert info.weights == remote_artefact.u32
    assert (info.name, info.image_bytes, info.classes) == ("far-tiny-compact", 48, 4)


def test_a_lost_answer_is_asked_for_again_and_nothing_is_done_twice(device: Device, scripted: StandInDevice) -> None:
    device.configure(bytes((7, 1)) + b"p")
    scripted.faults.append("silent")
    done: list[int] = []
    scripted.inferred = lambda _prefix, sequence: done.append(sequence)
    assert device.infer(9).status == "ok"
    assert done == [9]
    assert device.retries == 1


@pytest.mark.parametrize("fault", ["garbage", "late"])
def test_damaged_and_late_answers_are_dropped(device: Device, scripted: StandInDevice, fault: str) -> None:
    scripted.faults.append(fault)
    assert device.hello().protocol == 1


def test_silence_ends_in_bounded_time(device: Device, scripted: StandInDevice) -> None:
    scripted.faults.extend(["silent"] * 30)
    with pytest.raises(NoAnswer, match="did not answer"):
        device.stats()
    assert scripted.requests == [protocol.STATS] * 4
    with pytest.raises(NoAnswer, match="did not answer"):
        device.hello()
    assert scripted.requests[4:] == [protocol.HELLO] * 15


def test_a_nak_is_told_with_its_reason(device: Device, scripted: StandInDevice) -> None:
    scripted.faults.append("nak")
    with pytest.raises(Refused, match=r"no \(1\)"):
        device.configure(b"")


def test_a_cancelled_run_does_not_wait(scripted: StandInDevice) -> None:
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(Cancelled):
        Device(StandInPort(scripted), clock=Ticking(), cancelled=cancelled).hello()


def test_an_image_arrives_whole_in_chunks(device: Device, scripted: StandInDevice) -> None:
    image = bytes(range(256)) * 12
    device.load(image)
    assert bytes(scripted._image) == image
    assert scripted.requests.count(protocol.LOAD) == 3


def test_reading_more_than_a_chunk(device: Device) -> None:
    assert device.read(protocol.FEATURES, 3000) == bytes(i % 256 for i in range(3000))


def test_stats(device: Device) -> None:
    assert device.stats().stack_used_bytes == 3000


def test_a_port_that_vanishes_is_a_clear_error(scripted: StandInDevice) -> None:
    class Gone(StandInPort):
        def write(self, data: bytes) -> int:
            raise OSError("no such device")

    with pytest.raises(BenchError, match="console port failed"):
        Device(Gone(scripted), clock=Ticking()).hello()


def test_config_carries_every_setting_and_leaves_out_empty_ones(network: Network) -> None:
    tlvs = config_tlvs(network, module_baud=4_000_000, clock_hz=216_000_000, reply_timeout_ms=10_000, alpha=0.5)
    tags = []
    at = 0
    while at < len(tlvs):
        tags.append(tlvs[at])
        at += 2 + tlvs[at + 1]
    assert tags == [1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
    assert b"hush" in tlvs
    assert "hush" not in repr(network)


def test_config_that_is_too_long_is_refused(network: Network) -> None:
    long = Network(**{**vars(network), "topic_prefix": "x" * 300})
    with pytest.raises(BenchError, match="300 bytes"):
        config_tlvs(long, module_baud=1, clock_hz=1, reply_timeout_ms=1)


def test_a_board_comes_up_step_by_step(make_board: Callable[..., Board], remote_artefact: Artefact) -> None:
    board = make_board(remote_artefact)
    assert board.to(State.READY).state is State.READY
    assert board.testbed.steps == ["flash image.elf", "reset", "open", "ready"]  # type: ignore[attr-defined]
    board.recover()
    assert board.testbed.steps[4:] == ["reset", "open", "ready"]  # type: ignore[attr-defined]
