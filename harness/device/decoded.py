"""Words the frames of the device protocol for people: what was asked, what was answered; secrets are masked."""

from __future__ import annotations

import struct
from collections.abc import Callable

from harness.contracts.codecs import CODECS
from harness.device import messages as protocol
from harness.device.frames import Frame

MASK = "***"
_NAMES = {
    protocol.HELLO: "HELLO",
    protocol.CONFIG: "CONFIG",
    protocol.CONNECT: "CONNECT",
    protocol.LOAD: "LOAD",
    protocol.INFER: "INFER",
    protocol.STATS: "STATS",
    protocol.READ: "READ",
}
_REGIONS = ("local logits", "combined logits", "last message", "features")
_SETTINGS = {
    1: "ssid",
    2: "wifi password",
    3: "broker",
    4: "port",
    5: "user",
    6: "password",
    7: "topic prefix",
    8: "module baud",
    9: "clock_hz",
    10: "client id",
    11: "reply timeout_ms",
    12: "alpha",
    13: "exit threshold",
    14: "jpeg quality",
    15: "certificate",
    16: "power save",
}
_SECRET = (2, 6)
_REAL, _LONG = (12, 13), (15,)


def worded(frame: Frame) -> str:
    """Return a request or an answer in words: `INFER #12 sample 4711`; an answer begins with what it answers."""
    kind = frame.kind & ~protocol.REPLY
    if frame.kind == protocol.NAK:
        text = "NAK" + _refusal(frame.payload)
    elif kind not in _NAMES:
        text = f"unknown type {frame.kind:02x}, {len(frame.payload)} bytes"
    else:
        table = _ANSWERS if frame.kind & protocol.REPLY else _REQUESTS
        try:
            told = table[kind](frame.payload) if kind in table else ""
        except (struct.error, IndexError):
            told = f"{len(frame.payload)} bytes, which are none of it"
        text = f"{_NAMES[kind]} {told}".rstrip()
    name, _, rest = text.partition(" ")
    return f"{name} #{frame.sequence} {rest}".rstrip()


def noise(data: bytes | bytearray) -> str:
    """Return what is no frame: a ROM or a panic handler may have said it in ASCII. Whoever keeps it masks secrets first
    and cuts it short then.
    """
    return _text(bytes(data))


def _refusal(payload: bytes) -> str:
    return f" code {payload[0]}: {_text(payload[1:])}" if payload else ""


def _config(payload: bytes) -> str:
    out, at = [], 0
    while at < len(payload):
        tag, size = payload[at], payload[at + 1]
        out.append(f"{_SETTINGS.get(tag, f'tag {tag}')}={_setting(tag, payload[at + 2 : at + 2 + size])}")
        at += 2 + size
    return ", ".join(out)


def _setting(tag: int, value: bytes) -> str:
    if tag in _SECRET:
        return MASK
    if tag not in _SETTINGS or tag in _LONG:
        return f"({len(value)} bytes)"
    if tag in _REAL:
        return f"{struct.unpack('<f', value)[0]:g}"
    if tag in (4, 8, 9, 11, 14, 16):
        return str(int.from_bytes(value, "little"))
    return _text(value)


def _load(payload: bytes) -> str:
    return f"{len(payload) - 4} bytes at {struct.unpack_from('<I', payload)[0]}"


def _read(payload: bytes) -> str:
    region, offset, size = struct.unpack("<BIH", payload)
    return f"{size} bytes of {_REGIONS[region] if region < len(_REGIONS) else f'region {region}'} at {offset}"


def _hello(payload: bytes) -> str:
    _, weights, clock_hz, _, _, _, ram = protocol.INFO.unpack_from(payload)
    return f"is {_text(payload[protocol.INFO.size :])}, weights {weights:08x}, {clock_hz} Hz, {ram} bytes of RAM"


def _connect(payload: bytes) -> str:
    return f"status {payload[0]} {_text(payload[1:])}".rstrip()


def _result(payload: bytes) -> str:
    status, exited, label, _, codec, _, size, symbols, local, encode, wait, combine, hz = protocol.RESULT.unpack_from(
        payload
    )
    ended = protocol.STATUS[status] if status < len(protocol.STATUS) else f"status {status}"
    sent = f", {size} bytes by {CODECS[codec] if codec < len(CODECS) else codec} of {symbols} symbols" if size else ""
    cycles = f"cycles local {local}, encode {encode}, wait {wait}, combine {combine} at {hz} Hz"
    return f"{ended}, class {label}{', exited early' if exited else ''}{sent}; {cycles}"


def _stats(payload: bytes) -> str:
    used, total, _, console, module, dropped, late = protocol.STATS_REPLY.unpack_from(payload)
    return (
        f"stack {used} of {total}, lost bytes: console {console}, module {module}; "
        f"frames dropped {dropped}, late replies {late}"
    )


def _text(data: bytes) -> str:
    text = data.rstrip(b"\0").decode("ascii", "backslashreplace")
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


_REQUESTS: dict[int, Callable[[bytes], str]] = {
    protocol.CONFIG: _config,
    protocol.LOAD: _load,
    protocol.INFER: lambda payload: f"sample {struct.unpack('<H', payload)[0]}",
    protocol.READ: _read,
}
_ANSWERS: dict[int, Callable[[bytes], str]] = {
    protocol.HELLO: _hello,
    protocol.CONFIG: lambda payload: "taken",
    protocol.CONNECT: _connect,
    protocol.LOAD: lambda payload: f"{struct.unpack_from('<I', payload)[0]} bytes so far",
    protocol.INFER: _result,
    protocol.STATS: _stats,
    protocol.READ: lambda payload: f"{len(payload)} bytes",
}
