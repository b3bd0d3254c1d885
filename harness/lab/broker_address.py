"""Decides by which address a device reaches the broker: not always the one that harness and edge use."""

from __future__ import annotations

import fcntl
import socket
import struct
from pathlib import Path

from harness.broker.mqtt import BrokerAddress, on_loopback
from harness.broker.section import BrokerSection, BrokerUrl, broker_url
from harness.contracts import reading
from harness.contracts.errors import BenchError
from harness.contracts.testbed import Testbed
from harness.lab.labfile import WifiSection

_SIOCGIFADDR = 0x8915  # netdevice(7)
_ANY = ("0.0.0.0", "::")


def for_device(own: BrokerAddress, section: BrokerSection, wifi: WifiSection, testbed: Testbed) -> BrokerAddress:
    """Return the address that a device of `testbed` is given; `own` is the one that the harness uses.

    Raises:
        BenchError: it can't be reached from there, or wants TLS that the device does not speak.
    """
    found = _url(own, section, wifi, testbed)
    if found.tls and not testbed.speaks_tls:
        raise BenchError(
            f"the broker at {own} wants TLS, which testbed {testbed.name} does not speak",
            cure="give boards a listener without it: [broker] device_url, or plain = true",
        )
    if not testbed.reaches_loopback and on_loopback(found.host):
        raise BenchError(
            f"the broker listens on loopback, which testbed {testbed.name} can't reach",
            cure="set [broker] listen to this host's address in the boards' network, or url to a broker there",
        )
    return BrokerAddress(found.host, found.port, own.user, own.password, found.tls, section.ca if found.tls else None)


def _url(own: BrokerAddress, section: BrokerSection, wifi: WifiSection, testbed: Testbed) -> BrokerUrl:
    if section.device_url:
        return broker_url(section.device_url)
    if section.url:
        return broker_url(section.url)
    if section.listen is None or testbed.reaches_loopback:
        return BrokerUrl(own.host, own.port, own.tls)
    host = _address_of(wifi.interface) if section.listen in _ANY else section.listen
    if testbed.speaks_tls and section.certificate:
        return BrokerUrl(host, section.tls_port, True)
    if section.plain:
        return BrokerUrl(host, section.port, False)
    return BrokerUrl(host, section.tls_port, True)


def _address_of(interface: str | None) -> str:
    """Return the IPv4 address of a network interface of this host."""
    if interface is None:
        raise BenchError(
            "[broker] listen is every address of this host: which of them do boards reach?",
            cure="name one by listen, or the access point's by [wifi] interface, or give device_url",
        )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            answer = fcntl.ioctl(s.fileno(), _SIOCGIFADDR, struct.pack("256s", interface.encode()[:15]))
        except OSError as e:
            raise BenchError(
                f"network interface {interface} has no address ({e.strerror})",
                cure="bring it up, or mend [wifi] interface",
            ) from e
    return socket.inet_ntoa(answer[20:24])


def ca_text(path: Path | None) -> str:
    """Return the certificates of a PEM file, as a device is given them.

    Raises:
        BenchError: it can't be read.
    """
    if path is None:
        return ""
    return reading.text(path, "mend [broker] ca", encoding="ascii", most_bytes=1 << 20)
