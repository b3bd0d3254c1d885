"""Faults of a bench table, on the ESP32's stand-in: each ends in a recovered or clearly failed sample, never a hang or
a wrong number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness.contracts.errors import BenchError
from harness.device.device import DeviceError, Patience

from .conftest import ALPHA, Subject
from .scripted_edge import LOGITS

QUICK = Patience(timeout_s=0.3, attempts=8, infer_s=0.6, infer_attempts=8)


@pytest.fixture
def faulty(on: Subject) -> Subject:
    if not getattr(on.board.testbed, "is_stand_in", False):
        pytest.skip("faults are asked of a stand-in")
    return on


def _tell(on: Subject, command: str) -> dict[str, Any]:
    said: dict[str, Any] = on.board.testbed.tell(command)  # type: ignore[attr-defined]
    return said


def _label(on: Subject, picture: Any) -> int:
    _, local = on.host.run_local(picture)
    return on.host.combine(local, np.asarray(LOGITS, np.float32), ALPHA)[1]


def test_one_damaged_byte_in_a_thousand(faulty: Subject) -> None:
    """Every answer is the right one; damaged requests and answers are asked for again."""
    on = faulty
    before, patience = on.device.retries, on.device._patience
    on.device._patience = QUICK
    _tell(on, "noise 0.001 7")
    try:
        for seed in range(25):
            picture = on.picture(seed)
            on.device.load(picture.tobytes())
            result = on.device.infer(seed)
            assert (result.status, result.label) == ("ok", _label(on, picture))
    finally:
        _tell(on, "noise 0")
        on.device._patience = patience
    assert _tell(on, "state")["damaged"] > 0
    assert on.device.retries > before
    on.begin()
    assert on.device.infer(99).status == "ok"


def test_a_reset_in_the_middle_of_an_inference(faulty: Subject) -> None:
    on = faulty

    def answers(_payload: bytes) -> list[bytes]:
        _tell(on, "reset")
        return []

    on.begin()
    on.edge.answers = answers
    assert on.device.infer(1, timeout_s=1.0).status == "not_ready"  # asked again: the picture is gone
    on.edge.behave()
    on.board.recover()
    on.begin()
    assert on.device.infer(2).status == "ok"


def test_the_network_goes_away_while_a_reply_is_awaited(faulty: Subject) -> None:
    on = faulty

    def answers(_payload: bytes) -> list[bytes]:
        _tell(on, "wifi off")
        return []

    on.begin()
    on.edge.answers = answers
    assert on.device.infer(1).status == "link_down"
    assert on.device.infer(2).status == "link_down"  # nothing is even sent
    on.edge.behave()
    _tell(on, "wifi on")
    on.device.connect()
    assert on.device.infer(3).status == "ok"
    assert [int.from_bytes(p[2:4], "little") for p in on.edge.seen] == [3]


def test_the_serial_device_vanishes_and_comes_back(faulty: Subject) -> None:
    on = faulty
    _tell(on, "vanish")
    with pytest.raises(DeviceError, match="console port failed"):
        on.begin()
    with pytest.raises(BenchError, match="can't be opened"):
        on.board.recover()
    _tell(on, "appear")
    on.board.recover()
    on.begin()
    assert on.device.infer(1).status == "ok"


def test_a_wrong_network_or_password_is_named(faulty: Subject) -> None:
    on = faulty
    _tell(on, "wifi off")  # a station that lost its network looks for it again
    _tell(on, "network elsewhere secret")
    _tell(on, "wifi on")
    on.device.configure(b"\x01\x09elsewhere\x02\x05wrong")
    try:
        with pytest.raises(DeviceError, match="password is refused"):
            on.device.connect()
    finally:
        _tell(on, f"network {on.board.network.ssid} {on.board.network.wifi_password}")
        on.board.recover()
    on.begin()
    assert on.device.infer(1).status == "ok"
