"""A stub graph, its description, a scripted Wi-Fi module, and Python oracles for bytes on the wire."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from harness.contracts.context import ContextTables
from testbeds.firmware.host.schemelib import HostLibrary

IMAGE_BYTES = 48
FEATURES = (4, 4, 4)
# features[i] = image[i % 48] - 128; local logits = the first three of them, scale 0.5, zero point -10
STUB_GRAPH_H = """#ifndef GRAPH_H
#define GRAPH_H
#include <stdint.h>
#define GRAPH_ARENA_BYTES 128
#define GRAPH_SCRATCH_BYTES 0
#define GRAPH_INPUT_OFFSET 0
#define GRAPH_INPUT_BYTES 48
#define GRAPH_OUTPUTS 2
typedef struct {
  uint32_t offset, bytes;
  float scale;
  int32_t zero_point;
  uint16_t height, width, channels;
} graph_output_t;
extern const graph_output_t graph_outputs[];
void graph_run(int8_t *arena);
#endif
"""
STUB_GRAPH_C = """#include "graph.h"
const graph_output_t graph_outputs[] = {{48, 64, 0.1f, -128, 4, 4, 4}, {112, 3, 0.5f, -10, 1, 1, 3}};
void graph_run(int8_t *arena)
{
  for (int i = 0; i < 64; i++) arena[48 + i] = arena[i % 48];
  for (int i = 0; i < 3; i++) arena[112 + i] = arena[i];
}
"""
DESCRIPTION: dict[str, Any] = {
    "scheme": "stub",
    "dataset": "toy",
    "profile": "tiny",
    "classes": 3,
    "input_shape": [4, 4, 3],
    "graph": True,
    "offload": "features",
    "features_output": 0,
    "local_logits_output": 1,
    "first_channel": 1,
    "channels": 2,
    "n_symbols": 4,
    "symbol_table": [min(3, v // 60) for v in range(256)],
    "centroids": [0.0, 1.0, 2.0, 3.0],
    "codec": "lzw",
    "alpha": 0.25,
    "exit_threshold": 2.0,
}


def write_scheme(folder: Path, **changes: Any) -> Path:
    """An artefact folder around the stub graph. A change to None removes the key; `context` are that codec's tables."""
    if tables := changes.pop("context", None):
        (folder / "context.toml").write_text("\n".join(f"{k} = {json.dumps(v)}" for k, v in tables.items()) + "\n")
    alone = {"alpha": 0.0} if changes.get("local_logits_output", 1) == -1 or changes.get("graph") is False else {}
    values = {k: v for k, v in (DESCRIPTION | alone | changes).items() if v is not None}
    (folder / "description.toml").write_text("\n".join(f"{k} = {json.dumps(v)}" for k, v in values.items()) + "\n")
    (folder / "device.tflite").write_bytes(b"stub")
    (folder / "server.npz").write_bytes(b"stub")
    return folder


# --- oracles, written from docs/protocol.md and not from the C ---
def message(body: bytes, codec_or_status: int, sequence: int, weights: int) -> bytes:
    head = struct.pack("<BBHII", 1, codec_or_status, sequence, weights, len(body))
    return head + struct.pack("<I", zlib.crc32(head + body)) + body


def cobs(data: bytes) -> bytes:
    out, block = bytearray(), bytearray()
    for byte in data:
        if len(block) == 254:
            out += b"\xff" + block
            block.clear()
        if byte == 0:
            out += bytes([len(block) + 1]) + block
            block.clear()
        else:
            block.append(byte)
    return bytes(out + bytes([len(block) + 1]) + block)


def uncobs(data: bytes) -> bytes:
    out, at = bytearray(), 0
    while at < len(data):
        code = data[at]
        out += data[at + 1 : at + code]
        at += code
        if code < 255 and at < len(data):
            out.append(0)
    return bytes(out)


def frame(kind: int, sequence: int, payload: bytes = b"", version: int = 1) -> bytes:
    body = struct.pack("<BBH", version, kind, sequence) + payload
    return cobs(body + struct.pack("<I", zlib.crc32(body))) + b"\0"


def unframe(data: bytes) -> tuple[int, int, bytes]:
    """Type, sequence number and payload of exactly one whole frame."""
    assert data.endswith(b"\0"), data
    assert data.count(0) == 1, data
    body = uncobs(data[:-1])
    assert zlib.crc32(body[:-4]) == struct.unpack("<I", body[-4:])[0]
    version, kind, sequence = struct.unpack_from("<BBH", body)
    assert version == 1
    return kind, sequence, body[4:-4]


def lzw_oracle(symbols: list[int], n: int) -> bytes:
    """LZW by the book, phrases as tuples, widths by the formula of docs/protocol.md."""
    book: dict[tuple[int, ...], int] = {(s,): s for s in range(n)}
    codes, phrase = [], (symbols[0],)
    for s in symbols[1:]:
        if (*phrase, s) in book:
            phrase = (*phrase, s)
            continue
        codes.append(book[phrase])
        if len(book) < 4096:
            book[(*phrase, s)] = len(book)
        phrase = (s,)
    codes.append(book[phrase])
    bits = at = 0
    for k, code in enumerate(codes):
        bits |= code << at
        at += max(1, (min(4096, n + k) - 1).bit_length())
    return bits.to_bytes((at + 7) // 8, "little")


def lz4_oracle(body: bytes, size: int) -> tuple[bytes, int]:
    """The next `size` bytes of an LZ4 block, by the public description of the block format, and the bytes read."""
    out, at = bytearray(), 0

    def length(nibble: int) -> int:
        nonlocal at
        total = nibble
        while nibble == 15:
            total += body[at]
            at += 1
            if body[at - 1] < 255:
                break
        return total

    while True:
        token = body[at]
        at += 1
        literals = length(token >> 4)
        out += body[at : at + literals]
        at += literals
        if len(out) == size:
            return bytes(out), at
        offset = int.from_bytes(body[at : at + 2], "little")
        at += 2
        for _ in range(length(token & 15) + 4):
            out.append(out[-offset])


def shuffle_oracle(body: bytes, n: int, count: int) -> list[int]:
    """The symbols of a shuffle body, by docs/protocol.md."""
    width, symbols, at = max(1, (n - 1).bit_length()), [], 0
    while len(symbols) < count:
        some = min(8192, count - len(symbols))
        stride = (some + 7) // 8
        planes, used = lz4_oracle(body[at:], width * stride)
        at += used
        bits = np.unpackbits(np.frombuffer(planes, np.uint8).reshape(width, stride), axis=1, bitorder="little")
        symbols += (bits[:, :some].T @ (1 << np.arange(width))).tolist()
    assert at == len(body)
    return symbols


def stored_oracle(symbols: list[int], n: int) -> bytes:
    width = max(1, (n - 1).bit_length())
    bits = sum(s << (width * i) for i, s in enumerate(symbols))
    return bits.to_bytes((len(symbols) * width + 7) // 8, "little")


def tlv(*pairs: tuple[int, bytes]) -> bytes:
    return b"".join(bytes([tag, len(value)]) + value for tag, value in pairs)


CONFIGURED = tlv(
    (1, b"lab"),
    (2, b'se,cr"et\\'),
    (3, b"10.0.0.1"),
    (4, struct.pack("<H", 1883)),
    (5, b"user"),
    (6, b"pass"),
    (7, b"agile/t/b"),
    (8, struct.pack("<I", 4_000_000)),
    (10, b"dev1"),
    (11, struct.pack("<I", 500)),
)


class Scripted:
    """The whole firmware with a module that answers from a table and publishes into `published`."""

    def __init__(self, library: HostLibrary) -> None:
        self.library = library
        self.lines: list[bytes] = []
        self.published: list[bytes] = []
        self.noise = b""  # before every line of the module
        self.answers: dict[bytes, bytes] = {}  # command prefix -> instead of OK
        self.reply: Callable[[bytes], bytes] = lambda _payload: b""  # what follows +MQTTPUB:OK, raw
        self._raw = 0
        self._sequence = 0
        self._pending = b""
        library.start_app(self._module)

    def _module(self, data: bytes) -> bytes:
        out = b""
        self._pending += data
        while self._pending:
            if self._raw:
                if len(self._pending) < self._raw:
                    break
                payload, self._pending = self._pending[: self._raw], self._pending[self._raw :]
                self._raw = 0
                self.published.append(payload)
                out += self.noise + b"\r\n+MQTTPUB:OK\r\n" + self.noise + self.reply(payload)
                continue
            line, found, rest = self._pending.partition(b"\r\n")
            if not found:
                break
            self._pending = rest
            if not line:
                continue  # line ends alone clear the line
            self.lines.append(line)
            given = next((a for prefix, a in self.answers.items() if line.startswith(prefix)), None)
            if given is None and line.startswith(b"AT+MQTTPUBRAW="):
                self._raw = int(line.split(b",")[2])
                given = b"\r\nOK\r\n" + self.noise + b"\r\n>"
            if given is None and line == b"AT+SLEEP?":
                given = b"+SLEEP:0\r\n\r\nOK\r\n"
            out += self.noise + (b"\r\nOK\r\n" if given is None else given)
        return out

    def ask(self, kind: int, payload: bytes = b"") -> tuple[int, bytes]:
        """Type and payload of the answer."""
        self._sequence = (self._sequence + 1) & 0xFFFF
        got, sequence, answer = unframe(self.library.console(frame(kind, self._sequence, payload)))
        assert sequence == self._sequence
        return got, answer

    def connect(self) -> None:
        assert self.ask(2, CONFIGURED) == (0x82, b"")
        kind, answer = self.ask(3)
        assert (kind, answer[0]) == (0x83, 0), answer

    def load(self, image: bytes) -> None:
        assert self.ask(4, struct.pack("<I", 0) + image) == (0x84, struct.pack("<I", len(image)))

    def infer(self, sequence: int) -> dict[str, int]:
        kind, answer = self.ask(5, struct.pack("<H", sequence))
        assert kind == 0x85
        names = ("status", "exited", "label", "local", "codec", "reserved", "payload", "symbols")
        names += ("local_c", "encode_c", "wait_c", "combine_c", "hz")
        return dict(zip(names, struct.unpack("<BBHHBBIIIIIII", answer), strict=True))


def received(payload: bytes, topic: bytes = b"agile/t/b/down") -> bytes:
    """A message as the module hands it over."""
    return b'+MQTTSUBRECV:0,"' + topic + b'",' + str(len(payload)).encode() + b"," + payload + b"\r\n"


def logits_reply(payload: bytes, logits: list[float], **changes: int) -> bytes:
    """The edge's reply to a device's payload, with fields changed."""
    _, _, sequence, weights = struct.unpack_from("<BBHI", payload)
    values = {"status": 0, "sequence": sequence, "weights": weights} | changes
    body = struct.pack(f"<{len(logits)}f", *logits)
    return message(body, values["status"], values["sequence"], values["weights"])


def image_of(*first: int) -> bytes:
    """A stub picture that begins with these pixels."""
    rest = np.random.default_rng(3).integers(0, 256, IMAGE_BYTES - len(first))
    return bytes(first) + bytes(rest.astype(np.uint8))


def context_oracle(symbols: list[int], tables: ContextTables) -> bytes:
    """The context codec by docs/codecs.md, with whole numbers of any size: no carry to think of."""
    n, width, channels = tables.n_symbols, tables.width, tables.channels
    at = {}
    for i, symbol in enumerate(symbols):
        pixel, channel = divmod(i, channels)
        at[pixel // width, channel, pixel % width] = symbol
    low, span, shifted = 0, 0xFFFFFFFF, 0
    for (y, channel, x), symbol in sorted(at.items()):
        above, left = at.get((y - 1, channel, x), 0), at.get((y, channel, x - 1), 0)
        shares = tables.frequencies[tables.class_of[channel][above * n + left]]
        low += (span >> 12) * sum(shares[:symbol])
        span = (span >> 12) * shares[symbol]
        while span < 1 << 24:
            low, span, shifted = low << 8, span << 8, shifted + 1
    return ((low + (1 << 24) - 1) >> 24).to_bytes(shifted + 1, "big")
