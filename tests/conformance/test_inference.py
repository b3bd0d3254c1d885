"""One inference: what is computed, sent, taken back, timed and decided."""

from __future__ import annotations

import struct
import time

import numpy as np
import pytest

from harness.device.messages import COMBINED_LOGITS, LAST_PAYLOAD, LOCAL_LOGITS
from harness.measure.inference import measure
from harness.runs.measurements import STAGES
from harness.runs.sample import Planned, Point

from .conftest import ALPHA, REMOTE_MS, Subject
from .scripted_edge import LOGITS, SERVICE_US, reply


def _f32(tag: int, value: float) -> bytes:
    return bytes((tag, 4)) + struct.pack("<f", value)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_payload_logits_and_label_are_those_of_the_host_library(on: Subject, seed: int) -> None:
    picture = on.begin(seed)
    result = on.device.infer(100 + seed)
    _, local = on.host.run_local(picture)
    sent = on.host.message(100 + seed)
    combined, label = on.host.combine(local, np.asarray(LOGITS, np.float32), ALPHA)
    assert (result.status, result.exited, result.symbols) == ("ok", False, 6 * 6 * 5)
    assert result.local_label == on.host.argmax(on.host.local_logits(local))
    assert on.device.read(LOCAL_LOGITS, 3) == local.tobytes()
    assert on.device.read(LAST_PAYLOAD, result.payload_bytes) == sent
    assert on.edge.seen == [sent]
    assert on.device.read(COMBINED_LOGITS, 12) == combined.tobytes()
    assert result.label == label


def test_the_sequence_number_goes_out_as_asked(on: Subject) -> None:
    for sequence in (0, 1, 0x00FF, 0xFFFF):
        on.begin()
        assert on.device.infer(sequence).status == "ok"
    assert [int.from_bytes(p[2:4], "little") for p in on.edge.seen] == [0, 1, 0xFF, 0xFFFF]


def test_late_double_foreign_and_damaged_replies_are_dropped(on: Subject) -> None:
    def answers(payload: bytes) -> list[bytes]:
        good, wrong = reply(payload), [9e9, 0.0, 0.0]
        sequence = int.from_bytes(payload[2:4], "little")
        late = reply(payload, wrong, sequence=sequence - 1)
        foreign = reply(payload, wrong, weights=5)
        damaged = good[:-1] + bytes((good[-1] ^ 1,))
        return [late, foreign, damaged, good[:9], b"", b"\0" * 300, good, good]

    on.begin()
    before = on.device.stats().late_replies
    on.edge.answers = answers
    result = on.device.infer(41)
    assert (result.status, result.label) == ("ok", 1)
    assert on.device.stats().late_replies - before >= 5  # a message beyond any reply may be dropped uncounted
    on.edge.answers = lambda p: [reply(p, [0.0, 0.0, 500.0])]
    on.device.load(on.picture().tobytes())
    assert on.device.infer(42).label == 2  # not the double of 41


@pytest.mark.parametrize("status", [1, 2, 3])
def test_an_edge_that_refuses_ends_the_sample_without_a_label(on: Subject, status: int) -> None:
    on.begin()
    on.edge.answers = lambda p: [reply(p, [], status=status)]
    result = on.device.infer(3)
    assert (result.status, result.label) == ("refused", 0xFFFF)
    assert result.local_label is not None
    on.edge.behave()
    on.begin()
    assert on.device.infer(4).status == "ok"


def test_no_reply_is_a_timeout_and_the_next_inference_works(on: Subject) -> None:
    on.begin()
    on.device.configure(b"\x0b\x04" + struct.pack("<I", 300))
    on.edge.answers = lambda _p: []
    _host_patience(on, 1.0)
    result = on.device.infer(5)
    _host_patience(on, 20.0)
    assert (result.status, result.label) == ("timeout", 0xFFFF)
    assert result.ms(result.cycles_wait) >= 300
    assert on.device._ask(7, struct.pack("<BIH", COMBINED_LOGITS, 0, 12)) == b""
    on.edge.behave()
    on.device.configure(b"\x0b\x04" + struct.pack("<I", 10_000))
    assert on.device.infer(6).status == "ok"


def test_a_picture_comes_in_order_and_whole_or_there_is_no_inference(on: Subject) -> None:
    on.begin()
    on.device.load(on.picture().tobytes()[:431])
    assert on.device.infer(1).status == "not_ready"
    assert on.edge.seen == []
    on.device._ask(4, struct.pack("<I", 431) + b"x")
    assert on.device.infer(2).status == "ok"


def test_alpha_and_exit_threshold_are_settings(on: Subject) -> None:
    picture = on.begin()
    _, local = on.host.run_local(picture)
    try:
        on.device.configure(_f32(12, 1.0))
        assert on.device.infer(1).label == on.host.argmax(on.host.local_logits(local))
        on.device.configure(_f32(12, 0.0))
        assert on.device.infer(2).label == int(np.argmax(LOGITS))
        on.device.configure(_f32(13, 0.0))
        result = on.device.infer(3)
        assert (result.exited, result.payload_bytes, result.cycles_wait) == (True, 0, 0)
    finally:
        on.device.configure(_f32(12, ALPHA) + _f32(13, 2.0))


def test_stages_add_up_and_hold_the_service_time(on: Subject) -> None:
    planned = Planned(next(on.order), Point("conformance", "toy", "tiny", on.name, None), 0, False, 0)
    pinned = REMOTE_MS if on.board.testbed.pins_remote else None
    row = measure(on.board, planned, on.picture(), 1, link=None, pinned_ms=pinned, services=on.lab.services)
    stages = {stage: row[f"{stage}_ms"] for stage in STAGES}
    assert row["status"] == "ok"
    assert sum(stages.values()) == pytest.approx(row["total_ms"], abs=1e-5)
    assert all(value > 0 for value in stages.values())
    assert stages["remote"] == pytest.approx(SERVICE_US / 1e3 if pinned is None else REMOTE_MS)
    own_ms = sum(stages[stage] for stage in ("local", "encode", "combine"))
    assert row["device_cycles"] / on.board.clock_hz * 1e3 == pytest.approx(own_ms, abs=1e-5)
    assert row["remote_wall_ms"] == pytest.approx(SERVICE_US / 1e3)


def test_a_sample_does_not_know_its_place_in_the_plan(on: Subject) -> None:
    """Numbers on the line differ in their zero bytes, and those in the cycles that it takes to read them."""
    point = Point("conformance", "toy", "tiny", on.name, None)
    pinned = REMOTE_MS if on.board.testbed.pins_remote else None
    rows = []
    for place in (0, 0xFF, 0x1234):
        planned = Planned(place, point, 7, False, 0)
        on.begin()
        rows.append(measure(on.board, planned, on.picture(), 1, link=None, pinned_ms=pinned, services=on.lab.services))
    numbers = {int.from_bytes(p[2:4], "little") for p in on.edge.seen[-1:]}
    assert numbers == {planned.sequence}
    if on.board.testbed.restores:
        assert [row | {"order": 0} for row in rows] == [rows[0] | {"order": 0}] * 3


def test_marker_pins_follow_the_stages(on: Subject) -> None:
    on.begin()
    known = len(_stand_in_markers(on))
    result = on.device.infer(1)
    if _is_stand_in(on):
        # The pins come by another way than the answer, and may be a moment behind it.
        for _ in range(200):
            if len(_stand_in_markers(on)) >= known + 5:
                break
            time.sleep(0.05)
        changes = _stand_in_markers(on)[known:]
        assert [code for code, _ in changes] == [1, 3, 2, 6, 0]
        times = [at for _, at in changes]
        assert times == sorted(times)
        return
    seen = on.board.testbed.sample_log().markers_ms
    if not seen:
        pytest.skip(f"testbed {on.name} does not watch the marker pins")
    assert list(seen) == ["local", "encode", "network", "combine"]
    assert seen["local"] == pytest.approx(result.ms(result.cycles_local), abs=0.002)


def _host_patience(on: Subject, seconds: float) -> None:
    """How long an emulated board's module stands still in virtual time while nothing comes from the broker."""
    if on.name == "virtual":
        on.board.testbed.emulator.ask("watchdog_s", value=seconds)  # type: ignore[attr-defined]


def _is_stand_in(on: Subject) -> bool:
    return bool(getattr(on.board.testbed, "is_stand_in", False))


def _stand_in_markers(on: Subject) -> list[list[int]]:
    return list(on.board.testbed.tell("markers")["markers"]) if _is_stand_in(on) else []  # type: ignore[attr-defined]
