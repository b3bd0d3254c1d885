"""Turns the messages of the device protocol into bytes and back. Layouts: docs/protocol.md."""

from __future__ import annotations

import ssl
import struct
from dataclasses import dataclass

from harness.contracts.errors import BenchError
from harness.contracts.testbed import Network
from harness.device.frames import MAX_DECODED

HELLO, CONFIG, CONNECT, LOAD, INFER, STATS, READ, NAK = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x7F
REPLY = 0x80

LOCAL_LOGITS, COMBINED_LOGITS, LAST_PAYLOAD, FEATURES = 0, 1, 2, 3  # regions of READ
MAX_READ = 1024
NO_LABEL = 0xFFFF

INFO = struct.Struct("<BIIIHHI")
RESULT = struct.Struct("<BBHHBBIIIIIII")
STATS_REPLY = struct.Struct("<7I")

POWER_SAVE = ("none", "min", "max")  # values of CONFIG's tag 16
MAX_CERTIFICATE = 2048
_CERTIFICATE_PART = 253

STATUS = ("ok", "timeout", "refused", "link_down", "not_ready")  # RESULT.status


@dataclass(frozen=True)
class Info:
    """Holds what the device says it is."""

    protocol: int
    weights: int
    clock_hz: int
    image_bytes: int
    classes: int
    max_chunk: int
    static_ram_bytes: int
    name: str


@dataclass(frozen=True)
class Result:
    """Holds one inference as the device measured it; cycles are of its own counter at `clock_hz`."""

    status: str
    exited: bool
    label: int
    local_label: int | None
    codec: int
    payload_bytes: int
    symbols: int
    cycles_local: int
    cycles_encode: int
    cycles_wait: int
    cycles_combine: int
    clock_hz: int

    def ms(self, cycles: int) -> float:
        """Return the milliseconds that `cycles` took."""
        return cycles * 1e3 / self.clock_hz


@dataclass(frozen=True)
class Stats:
    """Holds the counters since reset."""

    stack_used_bytes: int
    stack_total_bytes: int
    static_ram_bytes: int
    console_overruns: int
    module_overruns: int
    frames_dropped: int
    late_replies: int


def config_tlvs(
    network: Network,
    *,
    module_baud: int,
    clock_hz: int,
    reply_timeout_ms: int,
    module_flow: bool = False,
    alpha: float | None = None,
    exit_threshold: float | None = None,
) -> bytes:
    """Return CONFIG's type-length-values. Secrets pass through here to the device's RAM, and go nowhere else.

    Raises:
        BenchError: a text is over 255 bytes or the whole does not fit in one frame.
    """
    values: list[tuple[int, bytes]] = [
        (1, network.ssid.encode()),
        (2, network.wifi_password.encode()),
        (3, network.broker_host.encode()),
        (4, struct.pack("<H", network.broker_port)),
        (5, network.mqtt_user.encode()),
        (6, network.mqtt_password.encode()),
        (7, network.topic_prefix.encode()),
        (8, struct.pack("<I", module_baud)),
        (9, struct.pack("<I", clock_hz)),
        (10, network.client_id.encode()),
        (11, struct.pack("<I", reply_timeout_ms)),
    ]
    if module_flow:
        values.append((17, b"\1"))
    if alpha is not None:
        values.append((12, struct.pack("<f", alpha)))
    if exit_threshold is not None:
        values.append((13, struct.pack("<f", exit_threshold)))
    out = bytearray()
    for tag, value in values:
        if len(value) > 255:
            raise BenchError(f"CONFIG value {tag} has {len(value)} bytes", cure="shorten it to 255")
        if value:
            out += bytes((tag, len(value))) + value
    if len(out) > MAX_DECODED - 8:
        raise BenchError("the device's configuration does not fit in one frame", cure="shorten names and passwords")
    return bytes(out)


def radio_tlvs(network: Network, power_save: str | None) -> list[bytes]:
    """Return the CONFIG frames for a device with a radio of its own: power-save mode, and the certificate that the
    broker's must be signed by (DER, in parts). There is none for what is as after a reset: always on, no TLS.

    Raises:
        BenchError: TLS is asked for without exactly one certificate, or that is too large.
    """
    frames = []
    if power_save is not None:
        frames.append(bytes((16, 1, POWER_SAVE.index(power_save))))
    if not network.tls:
        return frames
    begin = "-----BEGIN CERTIFICATE-----"
    if network.ca_pem.count(begin) != 1:
        raise BenchError(
            f"the device needs exactly one certificate to check the broker by, here are {network.ca_pem.count(begin)}",
            cure="give the broker's own authority as ca in lab.toml",
        )
    try:
        der = ssl.PEM_cert_to_DER_cert(network.ca_pem[network.ca_pem.index(begin) :].strip())
    except ValueError as e:
        raise BenchError(f"the broker's certificate can't be read ({e})", cure="give a PEM file as ca") from e
    if len(der) > MAX_CERTIFICATE:
        raise BenchError(
            f"the broker's certificate has {len(der)} bytes, the device holds {MAX_CERTIFICATE}",
            cure="use one with an elliptic-curve key",
        )
    for at in range(0, len(der), _CERTIFICATE_PART):
        part = struct.pack("<H", at) + der[at : at + _CERTIFICATE_PART]
        frames.append(bytes((15, len(part))) + part)
    return frames
