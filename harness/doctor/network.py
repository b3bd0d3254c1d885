"""Checks broker and link from the host's side: who is let in, TLS, and the round trip at three sizes."""

from __future__ import annotations

import contextlib
import secrets
import statistics
import threading
from collections.abc import Sequence
from dataclasses import replace

import paho.mqtt.client as paho

from harness.broker import mqtt
from harness.broker.given import try_connect
from harness.broker.listener import listening
from harness.broker.mqtt import BrokerAddress
from harness.broker.roles import ROLES
from harness.contracts.clock import Clock, HostClock
from harness.contracts.errors import BenchError
from harness.doctor.report import Finding
from harness.lab.lab import Lab

SIZES_BYTES = (100, 1000, 10_000)
_ROUNDS = 15
_ROUND_S = 5.0
_SLOW_MS = 20.0
_ENDS = ("down", "service")


def broker(lab: Lab) -> list[Finding]:
    """Check that the broker keeps strangers out, and that what it says is encrypted where it leaves this host."""
    address = lab.broker.address
    out = [Finding("broker", "pass", f"{lab.broker.title} lets the bench in")]
    for who, stranger in (
        ("a wrong password", replace(address, password="not-" + secrets.token_hex(4), user=address.user or "x")),
        ("no password", replace(address, user="", password="")),
    ):
        try:
            try_connect(stranger)
        except BenchError:
            out.append(Finding("broker auth", "pass", f"{who} is refused"))
        else:
            loop = mqtt.on_loopback(address.host)
            cure = "allow_anonymous false and a password_file in mosquitto.conf"
            out.append(Finding("broker auth", "warn" if loop else "fail", f"{who} is let in", cure))
    if address.tls:
        out.append(Finding("broker TLS", "pass", "TLS, and its certificate is checked"))
    elif mqtt.on_loopback(address.host):
        out.append(Finding("broker TLS", "skip", "on loopback: nothing leaves this host"))
    else:
        cure = "give the broker a certificate and write mqtts:// in [broker] url"
        out.append(Finding("broker TLS", "warn", "passwords go over the network in the clear", cure))
    return out


def rules(lab: Lab) -> list[Finding]:
    """Check that only the edge's account can answer: others try to publish where a made-up device would listen."""
    entries = {role: lab.broker.entered_by(role) for role in ROLES}
    if len({(entry.user, entry.password) for entry in entries.values()}) < len(entries):
        cure = "give [broker.edge] and [broker.board] accounts of their own, and the broker the rules of docs/lab.md"
        return [Finding("broker rules", "warn", "one account for several roles: a device could answer itself", cure)]
    heard: dict[str, set[bytes]] = {end: set() for end in _ENDS}
    changed = threading.Condition()

    def hear(topic: str, data: bytes) -> None:
        with changed:
            heard[topic.rpartition("/")[2]].add(data)
            changed.notify_all()

    prefix = f"{lab.root}/98"
    topics = [f"{prefix}/{end}" for end in _ENDS]
    with listening(entries["bench"], f"bench-rules-{secrets.token_hex(3)}", topics, hear):
        for role in ("board", "bench", "edge"):  # the edge last: when that has come, what others said has come too
            _publish(entries[role], topics, role.encode())
        with changed:
            changed.wait_for(lambda: all(b"edge" in said for said in heard.values()), _ROUND_S)
    cure = "give the broker the rules of docs/lab.md"
    forged = sorted({f"{who.decode()} at {end}" for end, said in heard.items() for who in said - {b"edge"}})
    if forged:
        return [Finding("broker rules", "fail", f"others than the edge can answer: {', '.join(forged)}", cure)]
    if any(not said for said in heard.values()):
        return [Finding("broker rules", "fail", "the bench does not hear the edge's answers and accounts", cure)]
    return [Finding("broker rules", "pass", "only the edge's account can answer")]


def _publish(address: BrokerAddress, topics: Sequence[str], data: bytes) -> None:
    """Publish to each, and wait until the broker has dealt with it."""
    client = mqtt.client(address, f"bench-tries-{secrets.token_hex(3)}")
    mqtt.connect(client, address)
    client.loop_start()
    try:
        for topic in topics:
            with contextlib.suppress(ValueError, RuntimeError):  # cut off: that is a refusal too
                client.publish(topic, data, qos=1).wait_for_publish(_ROUND_S)
    finally:
        client.disconnect()
        client.loop_stop()


def round_trips(lab: Lab, clock: Clock | None = None) -> list[Finding]:
    """Measure the way host - broker - host at three sizes (medians): what every sample's `network` has on top of the
    air.
    """
    out = []
    for size in SIZES_BYTES:
        taken = _round_trips_ms(lab.broker.address, f"{lab.root}/99/echo", size, clock or HostClock())
        name = f"round trip {size:,} B"
        if len(taken) < _ROUNDS:
            lost = _ROUNDS - len(taken)
            out.append(
                Finding(name, "fail", f"{lost} of {_ROUNDS} messages did not come back", "look at the broker's log")
            )
            continue
        middle = statistics.median(taken)
        slow = middle > _SLOW_MS
        cure = "another process or network keeps the broker busy; mosquitto wants set_tcp_nodelay true" if slow else ""
        said = f"{middle:.2f} ms by the broker and back (median of {_ROUNDS}, worst {max(taken):.2f})"
        values = {"bytes": size, "median_ms": round(middle, 4), "worst_ms": round(max(taken), 4), "n": _ROUNDS}
        out.append(Finding(name, "warn" if slow else "pass", said, cure, values))
    return out


def _round_trips_ms(address: BrokerAddress, topic: str, size: int, clock: Clock) -> Sequence[float]:
    ready, came = threading.Event(), threading.Event()
    client = mqtt.client(address, f"bench-echo-{secrets.token_hex(3)}")

    def on_connect(c: paho.Client, _u: object, _f: object, _r: object, _p: object) -> None:
        c.subscribe(topic, qos=0)

    client.on_connect = on_connect
    client.on_subscribe = lambda *_: ready.set()
    client.on_message = lambda *_: came.set()
    mqtt.connect(client, address)
    client.loop_start()
    taken: list[float] = []
    try:
        if not ready.wait(_ROUND_S):
            return taken
        for _ in range(_ROUNDS):
            came.clear()
            begin_ms = clock.now_ms()
            client.publish(topic, bytes(size), qos=0)
            if not came.wait(_ROUND_S):
                break
            taken.append(clock.now_ms() - begin_ms)
    finally:
        client.disconnect()
        client.loop_stop()
    return taken
