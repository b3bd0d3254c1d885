"""Brokers of a lab: the bench's own beyond loopback, a given one, TLS and password for all who talk to it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.artefacts.artefacts import Artefact
from harness.broker import given as given_broker
from harness.broker import managed as broker
from harness.broker import mqtt
from harness.broker.managed import Broker
from harness.broker.mqtt import BrokerAddress
from harness.broker.roles import Account
from harness.broker.section import BrokerSection, broker_url
from harness.contracts.errors import BenchError
from harness.device.stand_in import StandInTestbed
from harness.doctor import network
from harness.doctor.report import Finding
from harness.edge import elsewhere
from harness.edge.elsewhere import EdgeElsewhere
from harness.lab import broker_address as reach
from harness.lab import lab, labfile
from harness.lab.labfile import LabSetup, WifiSection


@pytest.fixture
def section(
    certificates: Any, free_port: Callable[[], int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> BrokerSection:
    """A broker of the bench's own, with a plain and a TLS listener where boards would be."""
    if not broker.find_mosquitto():
        pytest.skip("no mosquitto here")
    monkeypatch.setenv("LAB_TEST_MQTT", "hush")
    return BrokerSection.model_validate(
        {
            "listen": "127.0.0.1",
            "port": free_port(),
            "tls_port": free_port(),
            "certificate": certificates.certificate,
            "key": certificates.key,
            "ca": certificates.ca,
            "user": "lab",
            "password": {"env": "LAB_TEST_MQTT"},
        }
    )


@pytest.fixture
def running(section: BrokerSection) -> Iterator[Broker]:
    with broker.running(section=section) as own:
        yield own


def given(section: BrokerSection, **changed: Any) -> BrokerSection:
    """The same broker, as somebody else's bench would be told of it."""
    told: dict[str, Any] = {"url": f"mqtts://localhost:{section.tls_port}", "user": "lab", "ca": section.ca}
    told |= {"password": {"env": "LAB_TEST_MQTT"}}
    return BrokerSection.model_validate(told | changed)


def _heard(sender: BrokerAddress, listener: BrokerAddress) -> list[bytes]:
    heard: list[bytes] = []
    came, listening = threading.Event(), threading.Event()
    one, other = mqtt.client(sender, "one"), mqtt.client(listener, "other")
    other.on_connect = lambda c, *_: c.subscribe("agile/a/1/up")
    other.on_subscribe = lambda *_: listening.set()
    other.on_message = lambda _c, _u, m: (heard.append(m.payload), came.set())
    try:
        for client, address in ((other, listener), (one, sender)):
            mqtt.connect(client, address)
            client.loop_start()
        assert listening.wait(10)
        one.publish("agile/a/1/up", bytes(3000))
        assert came.wait(10)
    finally:
        for client in (one, other):
            client.disconnect()
            client.loop_stop()
    return heard


def test_a_message_goes_from_tls_to_plain_and_back(running: Broker, section: BrokerSection) -> None:
    with given_broker.running(given(section)) as lab_broker:
        over_tls = lab_broker.address
        assert over_tls.tls
        plain = BrokerAddress("127.0.0.1", section.port, "lab", "hush")
        board = running.entered_by("board")
        assert _heard(board, over_tls) == [bytes(3000)]
        assert _heard(over_tls.known_as(Account(board.user, board.password)), plain) == [bytes(3000)]
        assert "hush" not in f"{lab_broker.title} {over_tls!r} {running.title}"


def test_who_does_not_know_the_password_or_the_authority_is_kept_out(
    running: Broker, section: BrokerSection, certificates: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        pytest.raises(BenchError, match="not to be trusted"),
        given_broker.running(given(section, ca=certificates.stranger)),
    ):
        pass
    by_number = f"mqtts://127.0.0.1:{section.tls_port}"  # the certificate is for the name
    with pytest.raises(BenchError, match="not to be trusted"), given_broker.running(given(section, url=by_number)):
        pass
    with pytest.raises(BenchError, match="no certificates"), given_broker.running(given(section, ca=certificates.key)):
        pass
    plain = f"mqtts://localhost:{section.port}"
    with pytest.raises(BenchError, match="broker at mqtts"), given_broker.running(given(section, url=plain)):
        pass
    monkeypatch.setenv("LAB_TEST_MQTT", "guess")
    with pytest.raises(BenchError, match="refuses us") as error, given_broker.running(given(section)):
        pass
    assert "guess" not in str(error.value)


def test_no_broker_at_the_address_is_one_line(section: BrokerSection) -> None:
    with pytest.raises(BenchError, match="no broker at"), given_broker.running(given(section)):
        pass


def test_beyond_loopback_a_password_is_asked_for() -> None:
    open_ = BrokerSection(url="mqtt://10.0.0.1")
    with pytest.raises(BenchError, match="no password is set"), given_broker.running(open_):
        pass


def test_a_private_key_that_others_may_read_is_refused(section: BrokerSection, tmp_path: Path) -> None:
    key = tmp_path / "server.key"
    key.write_bytes(section.key.read_bytes() if section.key else b"")
    key.chmod(0o644)
    with (
        pytest.raises(BenchError, match="chmod 600"),
        broker.running(section=section.model_copy(update={"key": key})),
    ):
        pass
    with pytest.raises(BenchError, match="needs mosquitto"), broker.running(program="", section=section):
        pass


class OnWifi(StandInTestbed):
    """A board that is not on this host."""

    reaches_loopback = False  # type: ignore[assignment]


class OnWifiWithTls(OnWifi):
    speaks_tls = True


OWN = BrokerAddress("127.0.0.1", 40_000, "u", "p")


def _reach(local: Artefact, kind: type[StandInTestbed], **keys: Any) -> BrokerAddress:
    own = OWN
    section = BrokerSection.model_validate(keys)
    if section.url:
        url = broker_url(section.url)
        own = BrokerAddress(url.host, url.port, "u", "p", url.tls)
    return reach.for_device(own, section, WifiSection(interface="lo"), kind(local))


def test_each_device_gets_an_address_that_it_can_use(local_artefact: Artefact) -> None:
    def at(kind: type[StandInTestbed], **keys: Any) -> tuple[str, int, bool]:
        found = _reach(local_artefact, kind, **keys)
        assert (found.user, found.password) == ("u", "p")
        return found.host, found.port, found.tls

    tls = {"listen": "10.0.0.1", "certificate": "c", "key": "k", "ca": "ca"}
    assert at(StandInTestbed) == ("127.0.0.1", 40_000, False)
    assert at(StandInTestbed, **tls) == ("127.0.0.1", 40_000, False)
    assert at(OnWifi, **tls) == ("10.0.0.1", 1883, False)
    assert at(OnWifiWithTls, **tls) == ("10.0.0.1", 8883, True)
    assert at(OnWifi, listen="10.0.0.1", port=1999) == ("10.0.0.1", 1999, False)
    assert at(OnWifi, url="mqtts://a", device_url="mqtt://10.0.0.2") == ("10.0.0.2", 1883, False)
    assert at(OnWifiWithTls, url="mqtts://a") == ("a", 8883, True)
    with pytest.raises(BenchError, match="wants TLS"):
        at(OnWifi, url="mqtts://a")
    with pytest.raises(BenchError, match="wants TLS"):
        at(OnWifi, **tls, plain=False)
    with pytest.raises(BenchError, match="listens on loopback"):
        at(OnWifi)
    with pytest.raises(BenchError, match="listens on loopback"):  # the address of interface lo
        at(OnWifi, listen="0.0.0.0")


def test_every_address_needs_an_interface_that_has_one(local_artefact: Artefact) -> None:
    everywhere = BrokerSection(listen="0.0.0.0")
    with pytest.raises(BenchError, match="which of them"):
        reach.for_device(OWN, everywhere, WifiSection(), OnWifi(local_artefact))
    with pytest.raises(BenchError, match="no-such0 has no address"):
        reach.for_device(OWN, everywhere, WifiSection(interface="no-such0"), OnWifi(local_artefact))


def test_a_lab_over_tls_serves_devices_with_and_without(
    running: Broker, section: BrokerSection, local_artefact: Artefact, certificates: Any
) -> None:
    told = given(section, device_url=f"mqtts://localhost:{section.tls_port}")
    setup = LabSetup(labfile.LabFile(broker=told))
    with lab.opened([], setup) as up:
        with pytest.raises(BenchError, match="wants TLS"):
            up.network(0, StandInTestbed(local_artefact))

        class Tls(StandInTestbed):
            speaks_tls = True

        network = up.network(3, Tls(local_artefact))
        assert network.tls
        assert network.ca_pem == certificates.ca.read_text()
        assert network.topic_prefix.endswith("/03")
        assert "hush" not in repr(network)


def test_an_edge_elsewhere_is_found_by_its_announcement_and_missed_when_gone(running: Broker) -> None:
    client = mqtt.client(running.entered_by("edge"), "edge-gpu")
    mqtt.connect(client, running.entered_by("edge"))
    client.loop_start()
    ready = [{"scheme": "far", "weights": "00c0ffee", "service_us": 1500.0}]
    client.publish(elsewhere.topic("gpu"), elsewhere.announcement(ready), qos=1, retain=True).wait_for_publish(5)
    try:
        with elsewhere.watching(running.address, "gpu", {"00c0ffee": "far"}) as edge:
            assert [(c.scheme, c.service_us) for c in edge.calibrated()] == [("far", 1500.0)]
            edge.check()
            edge.hear(b"")
            with pytest.raises(BenchError, match="'gpu' is gone"):
                edge.check()
        with (
            elsewhere.watching(running.address, "gpu", {"0000cafe": "other"}) as edge,
            pytest.raises(BenchError, match="does not serve the weights of other"),
        ):
            edge.calibrated()
    finally:
        client.disconnect()
        client.loop_stop()


def test_an_edge_that_never_announces_itself_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elsewhere, "_WAIT_S", 0.01)
    with pytest.raises(BenchError, match="--name gpu"):
        EdgeElsewhere("gpu", {}).calibrated()


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"ready": 1}', b'{"ready": [{}]}', b"\xff", b"x" * 70_000])
def test_what_is_no_announcement_is_none(data: bytes) -> None:
    assert elsewhere.read_announcement(data) is None


def test_an_edge_elsewhere_needs_a_broker_that_both_reach(local_artefact: Artefact) -> None:
    setup = LabSetup(labfile.LabFile.model_validate({"edge": {"host": "gpu"}}))
    with pytest.raises(BenchError, match="give both one"), lab.opened([local_artefact], setup):
        pass


@pytest.mark.slow
def test_the_doctor_tries_who_can_answer(
    running: Broker, section: BrokerSection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With accounts and rules it passes; one account for all is warned of; accounts without rules fail."""

    def rules(given_section: BrokerSection) -> Finding:
        with lab.opened([], LabSetup(labfile.LabFile(broker=given_section))) as up:
            (found,) = network.rules(up)
        return found

    with lab.opened([]) as own:
        assert [f.status for f in network.rules(own)] == ["pass"]
    accounts = {}
    for role in ("edge", "board"):
        entry = running.entered_by(role)
        monkeypatch.setenv(f"LAB_TEST_{role.upper()}", entry.password)
        accounts[role] = {"user": entry.user, "password": {"env": f"LAB_TEST_{role.upper()}"}}
    assert rules(given(section, **accounts)).status == "pass"
    alone = rules(given(section))
    assert (alone.status, "one account for several roles" in alone.said) == ("warn", True)
    swapped = rules(given(section, edge=accounts["board"], board=accounts["edge"]))
    assert (swapped.status, "board at down" in swapped.said) == ("fail", True), swapped
