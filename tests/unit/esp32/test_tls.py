"""The broker over TLS, certificate and power-save mode in CONFIG frames: the firmware's own code, on the stand-in."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import serial

from harness.broker import managed as broker
from harness.contracts.errors import BenchError
from harness.contracts.testbed import Network
from harness.device.device import Device, DeviceError, Refused
from harness.device.messages import config_tlvs, radio_tlvs
from testbeds.esp32.standin.chip import Chip
from testbeds.esp32.standin.ends import PtyEnd
from testbeds.firmware.toolchain.build import build
from testbeds.firmware.toolchain.idf import FLASH_BEGIN

pytestmark = pytest.mark.slow

_NOW = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)


def _certificate(folder: Path, address: str) -> Path:
    """A self-signed certificate for `address` with its key, as one PEM file and `<name>.ca` without the key."""
    x509 = pytest.importorskip("cryptography.x509", reason="comes with esptool: pip install 'esptool>=5,<6'")
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "bench")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(_NOW)
        .not_valid_after(_NOW.replace(year=2120))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / f"{address}.pem"
    path.write_bytes(pem + private)
    path.with_suffix(".ca").write_bytes(pem)
    return path


class TlsDoor:
    """Takes TLS and hands it on to a plain broker."""

    def __init__(self, certificate: Path, to: tuple[str, int]) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self._to = to
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                raw, _ = self._server.accept()
            except OSError:
                return
            try:
                inside = self._context.wrap_socket(raw, server_side=True)
            except (ssl.SSLError, OSError):
                continue
            outside = socket.create_connection(self._to)
            for a, b in ((inside, outside), (outside, inside)):
                threading.Thread(target=_pump, args=(a, b), daemon=True).start()

    def close(self) -> None:
        self._server.close()


def _pump(a: socket.socket, b: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := a.recv(65536):
            b.sendall(data)
        b.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def device(chip: Chip, pty: PtyEnd, tmp_path: Path) -> Iterator[Device]:
    (tmp_path / "description.toml").write_text(
        'scheme = "whole"\ndataset = "toy"\nprofile = "tiny"\nclasses = 3\ninput_shape = [4, 4, 3]\ngraph = false\n'
        'offload = "image"\nfeatures_output = -1\nlocal_logits_output = -1\nalpha = 0.0\n'
    )
    (tmp_path / "server.npz").write_bytes(b"none")
    image = build(tmp_path, "esp32-standin").read_bytes()
    chip.flash[FLASH_BEGIN : FLASH_BEGIN + len(image)] = image
    with serial.Serial(str(pty.path), 921_600, timeout=0.1) as port:
        chip.reset()
        yield Device(port)


def _configure(device: Device, network: Network, power_save: str | None = None) -> None:
    device.configure(config_tlvs(network, module_baud=115_200, clock_hz=240_000_000, reply_timeout_ms=5000))
    for settings in radio_tlvs(network, power_save):
        device.configure(settings)


def test_the_firmware_checks_the_broker_by_the_certificate_it_was_given(
    chip: Chip, device: Device, tmp_path: Path
) -> None:
    right, other = _certificate(tmp_path, "127.0.0.1"), _certificate(tmp_path, "127.0.0.2")
    with broker.running() as own:
        door = TlsDoor(right, (own.address.host, own.address.port))
        try:
            network = Network(
                "127.0.0.1",
                door.port,
                "agile/t/00",
                "board-tls",
                mqtt_user=own.entered_by("board").user,
                mqtt_password=own.entered_by("board").password,
                tls=True,
                ca_pem=right.with_suffix(".ca").read_text(),
            )
            device.hello()
            _configure(device, network, "min")
            assert device.connect() == "connected rssi=-50 channel=6"
            radio = chip.radio
            assert radio is not None
            assert _soon(lambda: radio.no_delay)
            _configure(device, replace(network, ca_pem=other.with_suffix(".ca").read_text()))
            with pytest.raises(DeviceError, match="TLS"):
                device.connect()
            device.configure(bytes((15, 0)))  # TLS off again: this port speaks nothing else
            with pytest.raises(DeviceError, match="broker was not reached"):
                device.connect()
        finally:
            door.close()


def test_parts_of_a_certificate_come_in_order_and_fit(device: Device) -> None:
    device.hello()

    def part(offset: int, count: int) -> bytes:
        return bytes((15, 2 + count)) + struct.pack("<H", offset) + bytes(count)

    for wrong in (part(5, 10), bytes((15, 1, 0)), bytes((15, 2, 0, 0)), part(0xFFFF, 1), b"\x10\x01\x03", b"\x10\x00"):
        with pytest.raises(Refused):
            device.configure(wrong)
    for at in range(0, 2000, 250):
        device.configure(part(at, 250))
    with pytest.raises(Refused):
        device.configure(part(2000, 250))  # beyond 2048
    device.configure(part(2000, 48))


def test_radio_settings_as_frames(tmp_path: Path) -> None:
    plain = Network("10.0.0.1", 1883, "agile/t/00", "b")
    assert radio_tlvs(plain, None) == []
    assert radio_tlvs(plain, "max") == [b"\x10\x01\x02"]
    pem = _certificate(tmp_path, "127.0.0.1").with_suffix(".ca").read_text()
    frames = radio_tlvs(replace(plain, tls=True, ca_pem="# a note\n" + pem), None)
    assert b"".join(frame[4:] for frame in frames) == ssl.PEM_cert_to_DER_cert(pem)
    assert all(len(frame) == 2 + frame[1] for frame in frames)
    for bad in ("", pem + pem):
        with pytest.raises(BenchError, match="exactly one certificate"):
            radio_tlvs(replace(plain, tls=True, ca_pem=bad), None)
    with pytest.raises(BenchError, match="can't be read"):
        radio_tlvs(replace(plain, tls=True, ca_pem="-----BEGIN CERTIFICATE-----\n%%\n"), None)


def _soon(condition) -> bool:  # type: ignore[no-untyped-def]
    for _ in range(200):
        if condition():
            return True
        time.sleep(0.02)
    return False


def test_a_start_of_wifi_that_failed_half_way_can_be_repeated(
    chip: Chip, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ESP-IDF refuses the steps that were done a second time: only what is missing may be done again."""
    monkeypatch.setenv("AGILENN_STANDIN_START_FAILS", "1")
    chip.reset()
    with broker.running() as own:
        to = own.entered_by("board")
        _configure(device, Network(to.host, to.port, "agile/t/00", "b", ssid="lab", mqtt_user=to.user,
                                   mqtt_password=to.password))  # fmt: skip
        with pytest.raises(DeviceError, match="the radio does not start"):
            device.connect()
        device.connect()
