"""Checks an inference's stages against the testbed's own times, the host library's predictions, and limits.

Run it with `pytest --testbed X -m latency`.
"""

from __future__ import annotations

import time

import numpy as np
import pytest

from harness.contracts.testbed import Testbed
from harness.hil.measuring import Hil, Seen
from harness.runs.measurements import STAGES
from testbeds.virtual import VirtualTestbed

pytestmark = [pytest.mark.hil, pytest.mark.latency]

# The marker pins change a few instructions away from where the cycle counter is read.
_MARKER_MS = 0.002
# The module says "+MQTTPUB:OK" (15 bytes, 0.04 ms at 4 Mbaud) while the packet is under way: those bytes cost no time.
_OVERLAP_MS = 0.05
# The device adds this around the messages, printing the AT command and parsing the answers. It is stated, not measured.
_DIALOGUE_MS = 2.0


def _all(hil: Hil, scheme: str) -> list[Seen]:
    return [hil.see(scheme, image) for image in hil.images]


def _told(value: float | None, what: str) -> float:
    if value is None:
        pytest.skip(f"this testbed can't tell {what}")
    return value


def test_stages_add_up_to_the_total(hil: Hil, hil_scheme: str) -> None:
    for seen in _all(hil, hil_scheme):
        stages = [seen.row[f"{stage}_ms"] for stage in STAGES]
        assert all(value >= 0 for value in stages)
        assert sum(stages) == pytest.approx(seen.row["total_ms"], abs=1e-5)


def test_a_sample_does_not_depend_on_what_the_board_did_before(hil: Hil, hil_scheme: str) -> None:
    """Check it to the cycle, from the picture's first byte to the parked board.

    The frames' own numbers change nothing.
    """
    board = hil.board(hil_scheme)
    if not board.testbed.restores:
        pytest.skip("this testbed does not go back to a snapshot before each sample")
    ends = []
    for chatter in (0, 3):
        board.before_sample(0, 1.0)
        for _ in range(chatter):
            board.device.stats()
        board.before_sample(0, 1.0)
        board.device.load(hil.data.picture(hil.images[0]).tobytes())
        board.device.infer(1)
        _wait_until_parked(board.testbed)
        ends.append(board.testbed.sample_log().extra["counters"])
    assert ends[0] == ends[1]


def test_stages_agree_with_the_marker_pins(hil: Hil, hil_scheme: str) -> None:
    for seen in _all(hil, hil_scheme):
        if not seen.log.markers_ms:
            pytest.skip("this testbed does not watch the marker pins")
        waited = seen.row["network_ms"] + seen.row["remote_ms"]
        by_stage = {"local": "local_ms", "encode": "encode_ms", "combine": "combine_ms"}
        for stage, column in by_stage.items():
            assert seen.log.markers_ms.get(stage, 0.0) == pytest.approx(seen.row[column], abs=_MARKER_MS), stage
        assert seen.log.markers_ms.get("network", 0.0) == pytest.approx(waited, abs=_MARKER_MS)


def test_device_cycles_are_the_stages_at_the_core_clock(hil: Hil, hil_scheme: str) -> None:
    for seen in _all(hil, hil_scheme):
        own_ms = sum(seen.row[f"{stage}_ms"] for stage in ("local", "encode", "combine"))
        assert seen.row["device_cycles"] / hil.board(hil_scheme).clock_hz * 1e3 == pytest.approx(own_ms, abs=1e-5)


def test_serial_time_is_ten_bits_a_byte(hil: Hil, hil_scheme: str) -> None:
    for seen in _all(hil, hil_scheme):
        if not seen.payload:
            continue
        baud = hil.description.module_baud
        for size, ms, what in (
            (seen.log.serial_up_bytes, seen.log.serial_up_ms, "serial_up"),
            (seen.log.serial_down_bytes, seen.log.serial_down_ms, "serial_down"),
        ):
            assert _told(ms, f"{what}_ms") == pytest.approx(_told(size, f"{what}_bytes") * 10 / baud * 1e3, rel=1e-6)


def test_link_time_is_eight_bits_a_byte_on_the_wire(hil: Hil, hil_scheme: str) -> None:
    for seen in _all(hil, hil_scheme):
        if not seen.payload or seen.link is None:
            continue
        up = _told(seen.log.wire_up_bytes, "wire_up_bytes")
        mqtt = _told(seen.log.mqtt_up_bytes, "mqtt_up_bytes")
        # A sender that writes in pieces may need one segment more, and waits once until the first are acknowledged.
        assert up - seen.link.wire_bytes(int(mqtt)) in (0, seen.link.header_bytes)
        assert mqtt > len(seen.payload)
        link_ms, wire_ms = _told(seen.log.link_up_ms, "link_up_ms"), up * 8e3 / seen.link.up.rate_bps
        acknowledged_ms = seen.link.header_bytes * 8e3 / seen.link.down.rate_bps + seen.link.down.delay_ms
        assert link_ms in (pytest.approx(wire_ms, rel=1e-6), pytest.approx(wire_ms + acknowledged_ms, rel=1e-6))
        down = _told(seen.log.wire_down_bytes, "wire_down_bytes")
        assert _told(seen.log.link_down_ms, "link_down_ms") == pytest.approx(
            down * 8e3 / seen.link.down.rate_bps, rel=1e-6
        )


def test_network_time_is_its_parts_and_little_more(hil: Hil, hil_scheme: str) -> None:
    for seen in _all(hil, hil_scheme):
        if not seen.payload:
            assert seen.row["network_ms"] == 0.0
            continue
        log = seen.log
        parts = (log.serial_up_ms, log.link_up_ms, log.link_down_ms, log.serial_down_ms, log.module_ms)
        known = sum(_told(part, "the parts of the network stage") for part in parts)
        assert known - _OVERLAP_MS <= seen.row["network_ms"] <= known + _DIALOGUE_MS


def test_the_device_computes_what_the_host_library_does(hil: Hil, hil_scheme: str) -> None:
    """Check local logits and payload bit for bit.

    The answer must follow from the device's own local and remote logits.
    """
    host = hil.host(hil_scheme)
    for seen in _all(hil, hil_scheme):
        _, local = host.run_local(hil.data.picture(seen.row["image"]))
        assert seen.local_logits == local.tobytes()
        if len(local):
            assert seen.row["local_predicted"] == host.argmax(host.local_logits(local))
            assert seen.row["exited"] == host.exits(local)
        assert seen.payload == (b"" if seen.row["exited"] else host.message(_sequence(seen)))
        logits = np.frombuffer(seen.combined_logits, dtype="<f4")
        assert seen.row["predicted"] == host.argmax(logits)
        if not seen.payload:
            assert seen.combined_logits == host.combine(local, None)[0].tobytes()


def test_latency_is_within_the_limits_of_the_bench_file(hil: Hil, hil_scheme: str) -> None:
    limits = hil.limits(hil_scheme, "_ms")
    if not limits:
        pytest.skip(f"the bench file of {hil.description.name} limits no time of {hil_scheme}")
    for column, limit_ms in limits.items():
        for seen in _all(hil, hil_scheme):
            assert seen.row[column] <= limit_ms, f"{column} of image {seen.row['image']}, ms"


def _wait_until_parked(testbed: Testbed) -> None:
    """Wait until the firmware is back at its prompt: asked at once after the answer, the counters may lack the rest."""
    assert isinstance(testbed, VirtualTestbed)
    for _ in range(500):
        if testbed.status()["parked"]:
            return
        time.sleep(0.01)
    pytest.fail("the board did not come to rest")


def _sequence(seen: Seen) -> int:
    return int.from_bytes(seen.payload[2:4], "little") if seen.payload else 1
