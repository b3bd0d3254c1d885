"""The board around the inference: reset, settings that live in RAM, identity, memory, secrets."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest

from harness.contracts.errors import BenchError
from harness.device.bringup import Board, State
from harness.device.device import BOARD, EMULATED, Device, DeviceError
from harness.device.messages import COMBINED_LOGITS, FEATURES, LAST_PAYLOAD, LOCAL_LOGITS

from .conftest import PASSWORD, SANITIZED, Subject


def test_a_reset_forgets_picture_and_settings_and_bring_up_comes_back(on: Subject) -> None:
    on.begin()
    assert on.device.infer(1).status == "ok"
    on.board.testbed.reset()
    patience = EMULATED if on.board.testbed.pins_remote else BOARD
    fresh = Device(on.board.testbed.open(), patience=patience)
    assert fresh.hello().weights == on.artefact.u32
    assert fresh.infer(2).status == "not_ready"
    with pytest.raises(DeviceError, match="not configured"):
        fresh.connect()
    on.board.recover()
    on.begin()
    assert on.device.infer(3).status == "ok"


def test_a_second_connect_does_no_harm(on: Subject) -> None:
    on.device.connect()
    on.begin()
    assert on.device.infer(1).status == "ok"


def test_an_image_of_other_weights_is_refused(on: Subject) -> None:
    stranger = replace(on.artefact, weights="00" * 32)
    board = Board(on.board.testbed, stranger, on.board._image, on.board.network)
    board.state = State.FLASHED  # what lies on the board is what is asked
    try:
        with pytest.raises(BenchError, match="flash it again"):
            board.to(State.BOOTED)
    finally:
        on.board.recover()


def test_memory_and_stack_are_told_where_the_board_can(on: Subject) -> None:
    on.begin()
    on.device.infer(1)
    stats, ram = on.device.stats(), on.board.testbed.description.ram_bytes
    assert (stats.console_overruns, stats.module_overruns) == (0, 0)
    if stats.stack_total_bytes and on.name != SANITIZED:  # whose frames are larger
        assert 0 < stats.stack_used_bytes < stats.stack_total_bytes
        assert stats.static_ram_bytes > 432  # at least the picture
    if ram:
        assert stats.stack_total_bytes > 0
        assert stats.static_ram_bytes + stats.stack_used_bytes <= ram


def test_no_region_and_no_answer_shows_a_secret(on: Subject) -> None:
    on.begin()
    on.device.infer(1)
    said = b"".join(
        on.device._ask(7, struct.pack("<BIH", region, 0, 1024))
        for region in (LOCAL_LOGITS, COMBINED_LOGITS, LAST_PAYLOAD, FEATURES)
    )
    said += on.device._ask(1, b"") + on.device._ask(6, b"")
    network = on.board.network
    for secret in (PASSWORD, network.wifi_password, network.mqtt_password, network.mqtt_user):
        assert not secret or secret.encode() not in said
