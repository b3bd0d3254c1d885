"""The board's own image and the modelled module on the emulated board: resets that leave the module on, at 4 Mbaud."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest

from harness.broker import managed as broker
from harness.contracts.testbed import Network
from harness.device.device import EMULATED, Device, DeviceError
from harness.device.messages import config_tlvs
from testbeds.virtual.testbed import VirtualTestbed

from .firmware_helpers import image_of, logits_reply

pytestmark = pytest.mark.slow

PREFIX = "agile/test/00"


@pytest.fixture
def edge_at() -> Iterator[broker.Address]:
    """A broker with an edge behind it that answers every payload."""
    with broker.running() as own:
        address, answers, ready = own.entered_by("board"), own.entered_by("edge"), threading.Event()
        edge = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        edge.username_pw_set(answers.user, answers.password)
        edge.on_connect = lambda c, *_: c.subscribe(f"{PREFIX}/up")
        edge.on_subscribe = lambda *_: ready.set()
        edge.on_message = lambda c, _u, m: c.publish(f"{PREFIX}/down", logits_reply(m.payload, [0.0, 0.0, 900.0]))
        edge.connect(address.host, address.port)
        edge.loop_start()
        assert ready.wait(20)
        yield address
        edge.disconnect()
        edge.loop_stop()


def connect(bed: VirtualTestbed, to: broker.Address, picture: bytes = b"") -> Device:
    """A device that was reset, brought up."""
    device = Device(bed.open(), patience=EMULATED)
    device.hello()
    network = Network(to.host, to.port, PREFIX, "board", ssid="lab", mqtt_user=to.user, mqtt_password=to.password)
    baud, clock = bed.description.module_baud, bed.description.clock_hz
    flow = bed.description.module_flow_control
    device.configure(config_tlvs(network, module_baud=baud, module_flow=flow, clock_hz=clock, reply_timeout_ms=2000))
    device.connect()
    device.load(picture or image_of(1, 2, 3))
    return device


def test_resets_that_leave_the_module_on(stub_build: Callable[..., Path], edge_at: broker.Address) -> None:
    with VirtualTestbed() as bed:
        bed.flash(stub_build("stm32f746"))
        device = connect(bed, edge_at)
        assert device.infer(1).label == 2
        # as it is, in the middle of a publish, busy, and without its connection
        for faults in ({}, {"raw": 700}, {"raw": 65_000}, {"busy_ms": 3000.0}, {"lost": True}):
            bed.emulator.ask("module", **faults)
            bed.emulator.ask("reset", module="on")
            device = connect(bed, edge_at)
            assert (device.infer(2).label, device.stats().module_overruns) == (2, 0), faults


def test_the_modules_rts_holds_a_long_payload_back(stub_build: Callable[..., Path], edge_at: broker.Address) -> None:
    """At 4 Mbaud its receiver is full after 320 us; a driver that is held up for longer costs bytes, and with them the
    whole message, unless its RTS is heeded."""
    picture = {
        "graph": False, "offload": "image", "features_output": -1, "local_logits_output": -1, "symbol_table": [],
        "n_symbols": 256, "channels": 0, "first_channel": 0, "alpha": 0.0, "codec": "stored",
        "input_shape": [16, 16, 3],
    }  # fmt: skip
    with VirtualTestbed() as bed:
        assert bed.description.module_flow_control
        bed.flash(stub_build("stm32f746", **picture))
        device = connect(bed, edge_at, bytes(768))
        bed.emulator.ask("module", stall_us=1000.0)
        whole = device.infer(1)
        bed.emulator.ask("clear")
        bed.emulator.ask("module", stall_us=1000.0)
        again = device.infer(2)
        assert (whole.status, again.status, bed.emulator.ask("log")["log"]["wifi"]["overrun"]) == ("ok", "ok", 0)
        bed.description = replace(bed.description, module_flow_control=False)
        bed.emulator.ask("reset", module="on")
        device = connect(bed, edge_at, bytes(768))
        bed.emulator.ask("module", stall_us=1000.0)
        assert device.infer(3).status == "timeout"
        assert bed.emulator.ask("log")["log"]["wifi"]["overrun"] > 0


def test_an_rts_that_is_not_wired_is_named(stub_build: Callable[..., Path], edge_at: broker.Address) -> None:
    with VirtualTestbed() as bed:
        bed.flash(stub_build("stm32f746"))
        bed.emulator.ask("module", rts_wired=False)
        with pytest.raises(DeviceError, match="RTS never lets us send"):
            connect(bed, edge_at)


@pytest.mark.soak  # a minute: every rate is fed first
def test_a_module_that_nothing_reaches_is_restarted_by_its_en(
    stub_build: Callable[..., Path], edge_at: broker.Address
) -> None:
    with VirtualTestbed() as bed:
        bed.flash(stub_build("stm32f746"))
        connect(bed, edge_at)
        bed.emulator.ask("module", rate=300)
        bed.emulator.ask("reset", module="on")
        with pytest.raises(DeviceError, match="no answer"):
            connect(bed, edge_at)
        bed.emulator.ask("module", en_wired=True)
        bed.emulator.ask("reset", module="on")
        assert connect(bed, edge_at).infer(1).label == 2
