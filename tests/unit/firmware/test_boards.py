"""The native board end to end, and the boards that are not attached."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import paho.mqtt.client as mqtt
import pytest

from harness.broker import managed as broker
from harness.contracts.errors import BenchError, TestbedAbsent
from harness.contracts.link import LinkSpec
from harness.contracts.testbed import Network, Testbed
from harness.device.device import Device, config_tlvs
from testbeds.esp32 import Esp32Testbed
from testbeds.native import NativeTestbed
from testbeds.stm32f746 import Stm32F746Testbed

from .firmware_helpers import image_of, logits_reply

pytestmark = pytest.mark.slow

PREFIX = "agile/test/00"


@pytest.fixture
def native(stub_build: Callable[..., Path]) -> Iterator[NativeTestbed]:
    with NativeTestbed() as bed:
        bed.check()
        bed.flash(stub_build("native"))
        bed.reset()
        yield bed


def test_the_native_board_answers_over_its_pty(native: NativeTestbed) -> None:
    device = Device(native.open())
    assert device.hello().name == "stub-toy-tiny"
    device.load(image_of(1, 2, 3))
    assert device.stats().frames_dropped == 0


def test_reset_starts_the_firmware_anew(native: NativeTestbed) -> None:
    device = Device(native.open())
    device.load(image_of(1, 2, 3))
    native.reset()
    device = Device(native.open())
    device.hello()
    assert device.infer(1).status == "not_ready"  # the picture is gone


def test_an_inference_over_a_real_broker(native: NativeTestbed) -> None:
    with broker.running() as own:
        address, answers = own.entered_by("board"), own.entered_by("edge")
        ready = threading.Event()
        edge = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        edge.username_pw_set(answers.user, answers.password)
        edge.on_connect = lambda c, *_: c.subscribe(f"{PREFIX}/up")
        edge.on_subscribe = lambda *_: ready.set()
        edge.on_message = lambda c, _u, m: c.publish(f"{PREFIX}/down", logits_reply(m.payload, [0.0, 0.0, 900.0]))
        edge.connect(address.host, address.port)
        edge.loop_start()
        try:
            assert ready.wait(20)
            device = Device(native.open())
            network = Network(address.host, address.port, PREFIX, "board", mqtt_user=address.user,
                              mqtt_password=address.password)  # fmt: skip
            device.configure(config_tlvs(network, module_baud=4_000_000, clock_hz=100_000_000, reply_timeout_ms=20_000))
            device.connect()
            for sample in range(3):
                device.load(image_of(1, 2, 3))
                native.before_sample(0, None)
                result = device.infer(sample)
                assert (result.status, result.label) == ("ok", 2)
                payload = device.read(2, result.payload_bytes)
                assert native.sample_log().mqtt_up_bytes == len(payload) + len(f"{PREFIX}/up") + 4
            combined = np.frombuffer(device.read(1, 12), "<f4")
            assert combined[2] > 600
        finally:
            edge.disconnect()
            edge.loop_stop()


def test_close_leaves_no_process_and_may_be_called_twice(native: NativeTestbed) -> None:
    process = native._process
    assert process is not None
    native.close()
    native.close()
    assert process.returncode is not None
    with pytest.raises(BenchError, match="reset it first"):
        native.open()


def test_the_firmware_ends_when_its_peer_is_gone(native: NativeTestbed) -> None:
    process, module = native._process, native._module
    assert process is not None
    assert module is not None
    module.close()
    assert process.wait(30) == 0


def test_the_native_link_refuses_to_be_shaped(native: NativeTestbed) -> None:
    with pytest.raises(BenchError, match="testbed virtual"):
        native.link.apply(LinkSpec.symmetric(1e6))
    assert native.link.read_back() is None


@pytest.mark.parametrize(("bed", "name"), [(Esp32Testbed, "esp32"), (Stm32F746Testbed, "stm32f746")])
def test_no_board_names_testbed_and_cure(bed: type[Testbed], name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stranger = SimpleNamespace(vid=1, pid=2, device="/dev/ttyX", serial_number=None)
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: [stranger])
    with pytest.raises(TestbedAbsent, match=f"testbed {name}: no board found.*virtual"):
        bed().check()
