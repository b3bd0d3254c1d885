"""The board's own image and the modelled module on the emulated board: resets that leave the module on, at 4 Mbaud."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest

from harness.broker import managed as broker
from harness.contracts.testbed import Network
from harness.device.device import EMULATED, Device, config_tlvs
from testbeds.virtual.testbed import VirtualTestbed

from .firmware_helpers import image_of, logits_reply

PREFIX = "agile/test/00"


@pytest.fixture
def edge_at() -> Iterator[broker.Address]:
    """A broker with an edge behind it that answers every payload."""
    with broker.running() as own:
        address, ready = own.address, threading.Event()
        edge = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        edge.username_pw_set(address.user, address.password)
        edge.on_connect = lambda c, *_: c.subscribe(f"{PREFIX}/up")
        edge.on_subscribe = lambda *_: ready.set()
        edge.on_message = lambda c, _u, m: c.publish(f"{PREFIX}/down", logits_reply(m.payload, [0.0, 0.0, 900.0]))
        edge.connect(address.host, address.port)
        edge.loop_start()
        assert ready.wait(20)
        yield address
        edge.disconnect()
        edge.loop_stop()


def connect(bed: VirtualTestbed, to: broker.Address) -> Device:
    """A device that was reset, brought up."""
    device = Device(bed.open(), patience=EMULATED)
    device.hello()
    network = Network(to.host, to.port, PREFIX, "board", ssid="lab", mqtt_user=to.user, mqtt_password=to.password)
    baud, clock = bed.description.module_baud, bed.description.clock_hz
    device.configure(config_tlvs(network, module_baud=baud, clock_hz=clock, reply_timeout_ms=2000))
    device.connect()
    device.load(image_of(1, 2, 3))
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
