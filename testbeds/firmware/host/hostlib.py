"""Calls the firmware's own C codecs from Python: payloads, frames, the AT parser, decisions."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.contracts.codecs import CODEC_IDS
from harness.contracts.context import ContextTables
from testbeds.firmware.host import jpeg
from testbeds.firmware.host.hostcalls import CODEC_CALLS, F32, U8, declare, f32, load
from testbeds.firmware.toolchain.build import build_codec_library

MAX_SYMBOLS = 1 << 20  # far above any picture or feature map here: bounds what a decode may allocate
PAYLOAD_HEAD = 16
JPEG_FILE_EXTRA = 622  # bytes that the file of a jpeg body has more than the body
CODEC_NAMES = {number: name for name, number in CODEC_IDS.items()}
_CHECKS = {1: "shorter than its header", 2: "of another version", 3: "of a wrong size", 4: "corrupt (CRC)"}


class PayloadError(ValueError):
    """Says that bytes are not a payload of this version, or that a body is not what its header says."""


@dataclass(frozen=True)
class Header:
    """Holds a payload's header; in a reply, `codec` is the status."""

    codec: int
    sequence: int
    weights: int
    body_bytes: int


class ContextModel:
    """Holds the context codec's tables as C takes them. Only `ContextTables` may fill them: C does not check."""

    class _Struct(ctypes.Structure):
        _fields_ = (
            ("width", ctypes.c_uint16),
            ("channels", ctypes.c_uint16),
            ("class_of", ctypes.c_void_p),
            ("shares", ctypes.c_void_p),
        )

    def __init__(self, tables: ContextTables) -> None:
        self.tables = tables
        self._class_of = np.array(tables.packed_classes(), np.uint8)
        self._shares = np.array(tables.packed_shares(), np.uint32)
        self._struct = self._Struct(tables.width, tables.channels, self._class_of.ctypes.data, self._shares.ctypes.data)
        self.address = ctypes.addressof(self._struct)

    def fits(self, n_symbols: int, count: int) -> bool:
        """Tell whether `count` symbols of an alphabet of `n_symbols` can be whole rows of such features."""
        t = self.tables
        return n_symbols == t.n_symbols and count % (t.width * t.channels) == 0


class CodecLibrary:
    """Provides codecs, payloads, frames, AT parser and decisions. It may be called from several threads."""

    def __init__(self, path: Path) -> None:
        self._lib = load(path)
        declare(self._lib, CODEC_CALLS)

    def encode(
        self,
        symbols: U8,
        n_symbols: int,
        codec: str,
        sequence: int,
        weights: int,
        *,
        rows: int = 1,
        quality: int = 75,
        model: ContextModel | None = None,
    ) -> bytes:
        """Encode symbols (uint8, each < n_symbols) as a payload, stored where `codec` does not pay.

        Args:
            rows: the rows of a picture, for the picture codecs.
            quality: the quality for jpeg, 1..100, plus 128 for 4:4:4.
            model: the scheme's tables, for the context codec.

        Raises:
            ValueError: a symbol is outside the alphabet, there are none, the codec is unknown, or tables do not fit.
        """
        flat = _symbols(symbols, n_symbols)
        room = PAYLOAD_HEAD + int(self._lib.api_stored_bytes(n_symbols, flat.size))
        out = np.empty(room, np.uint8)
        number = _codec_id(codec)
        size = self._lib.api_encode_message(
            number,
            n_symbols,
            flat,
            flat.size,
            rows,
            quality,
            _address(model, number, n_symbols, flat.size),
            sequence,
            weights,
            out,
            room,
        )
        return out[:size].tobytes()

    def model(self, tables: ContextTables) -> ContextModel:
        """Return the context codec's tables, ready for `encode` and `decode`."""
        return ContextModel(tables)

    def decode(self, data: bytes, n_symbols: int, count: int, model: ContextModel | None = None) -> U8:
        """Decode a payload to exactly `count` symbols; a body of the context codec takes the scheme's `model`.

        Raises:
            PayloadError: header, CRC, size, codec or body is wrong.
        """
        header = self.header(data)
        return self.decode_body(header.codec, data[PAYLOAD_HEAD:], n_symbols, count, model)

    def header(self, data: bytes) -> Header:
        """Check a payload whole and return its header.

        Raises:
            PayloadError: the payload is not whole; the message says why.
        """
        fields = np.zeros(4, np.uint32)
        check = self._lib.api_open(data, len(data), fields)
        if check:
            raise PayloadError(f"payload is {_CHECKS[check]}")
        return Header(*(int(f) for f in fields))

    def seal(self, body: bytes, codec_or_status: int, sequence: int, weights: int) -> bytes:
        """Return a payload around `body`, whatever it holds."""
        out = np.zeros(PAYLOAD_HEAD + len(body), np.uint8)
        out[PAYLOAD_HEAD:] = np.frombuffer(body, np.uint8)
        self._lib.api_seal(out, codec_or_status, sequence, weights, len(body))
        return out.tobytes()

    def encode_body(
        self,
        codec: str,
        symbols: U8,
        n_symbols: int,
        *,
        rows: int = 1,
        quality: int = 75,
        model: ContextModel | None = None,
    ) -> bytes:
        """Encode by one codec alone, without fall-back; empty if it takes no such symbols. Arguments as `encode`."""
        flat = _symbols(symbols, n_symbols)
        out = np.empty(2 * flat.size + 16, np.uint8)
        number = _codec_id(codec)
        pointer = _address(model, number, n_symbols, flat.size)
        size = self._lib.api_encode_body(number, n_symbols, flat, flat.size, rows, quality, pointer, out, out.size)
        return out[:size].tobytes()

    def decode_body(self, codec: int, body: bytes, n_symbols: int, count: int, model: ContextModel | None = None) -> U8:
        """Decode a codec's body to exactly `count` symbols. Raises PayloadError for any other body."""
        if not (2 <= n_symbols <= 256 and 1 <= count <= MAX_SYMBOLS):
            raise PayloadError(f"{count} symbols of {n_symbols} can't be")
        if codec == CODEC_IDS["jpeg"]:
            return self._decode_jpeg(body, count)
        out = np.zeros(count, np.uint8)
        pointer = model.address if model and model.fits(n_symbols, count) else None
        if self._lib.api_decode_body(codec, n_symbols, body, len(body), out, count, pointer):
            raise PayloadError(f"body of codec {CODEC_NAMES.get(codec, codec)} is not {count} symbols")
        return out

    def jpeg_file(self, body: bytes) -> bytes:
        """Return the JFIF file of a jpeg body. Raises PayloadError when it is none."""
        out = np.empty(len(body) + JPEG_FILE_EXTRA, np.uint8)
        size = int(self._lib.api_jpeg_file(body, len(body), out, out.size))
        if not size:
            raise PayloadError("body is no JPEG of this format")
        return out[:size].tobytes()

    def _decode_jpeg(self, body: bytes, count: int) -> U8:
        file = self.jpeg_file(body)
        width, height = body[1] + 1, body[2] + 1
        if 3 * width * height != count:
            raise PayloadError(f"a picture of {width}x{height} is not {count} symbols")
        try:
            return jpeg.pixels(file, width, height).reshape(-1)
        except ValueError as e:
            raise PayloadError(f"body of codec jpeg can't be decoded ({e})") from e

    def crc32(self, data: bytes, crc: int = 0) -> int:
        """Return the firmware's CRC-32."""
        return int(self._lib.api_crc32(crc, data, len(data)))

    def cobs_encode(self, data: bytes) -> bytes:
        """Return the stuffed bytes, without the final 0."""
        out = np.empty(len(data) + len(data) // 254 + 1, np.uint8)
        return out[: self._lib.api_cobs_encode(data, len(data), out)].tobytes()

    def cobs_decode(self, data: bytes) -> bytes | None:
        """Return the unstuffed bytes, or None for what no encoder writes."""
        out = np.empty(max(1, len(data)), np.uint8)
        size = int(self._lib.api_cobs_decode(data, len(data), out))
        return out[:size].tobytes() if size <= len(data) else None

    def frames(self, stream: bytes) -> tuple[list[bytes], int]:
        """Return the bodies of all good frames in a console stream, and how many frames were dropped."""
        receiver = np.zeros(int(self._lib.api_frame_receiver_bytes()), np.uint8)
        body, size, bodies, at = np.empty(1200, np.uint8), ctypes.c_size_t(), [], 0
        while at < len(stream):
            at += self._lib.api_frame_take(receiver, stream[at:], len(stream) - at, body, ctypes.byref(size))
            if size.value:
                bodies.append(body[: size.value].tobytes())
        return bodies, int(self._lib.api_frame_dropped(receiver))

    def parse_at(self, stream: bytes, message_room: int = 4096) -> tuple[list[int], list[bytes]]:
        """Return the events (codes of at.h, none left out) and messages of a stream from the Wi-Fi module."""
        events, messages = np.zeros(max(1, len(stream)), np.uint8), np.zeros(4 * len(stream) + 4, np.uint8)
        size = self._lib.api_at_parse(stream, len(stream), message_room, events, messages, messages.size)
        raw, out = messages[:size].tobytes(), []
        while raw:
            length = int.from_bytes(raw[:4], "little")
            out.append(raw[4 : 4 + length])
            raw = raw[4 + length :]
        return [int(e) for e in events[: len(stream)] if e], out

    def combine_logits(self, local: F32, remote: F32, alpha: float) -> F32:
        """Return alpha * local + (1 - alpha) * remote in the device's single precision."""
        out = np.empty(len(local), np.float32)
        self._lib.api_combine(f32(local), f32(remote), alpha, len(local), out)
        return out

    def argmax(self, logits: F32) -> int:
        """Return the index of the largest value, the lowest one on ties."""
        return int(self._lib.api_argmax(f32(logits), len(logits)))

    def top_probability(self, logits: F32) -> float:
        """Return the softmax probability of the largest logit, as the exit test sees it."""
        return float(self._lib.api_top_probability(f32(logits), len(logits)))


def codec_library(*, cc: str = "zig") -> CodecLibrary:
    """Return the codecs alone, built at first use.

    Raises:
        BenchError: the compiler is missing or fails.
    """
    return CodecLibrary(build_codec_library(cc=cc))


def _symbols(symbols: U8, n_symbols: int) -> U8:
    flat = np.ascontiguousarray(symbols, np.uint8).reshape(-1)
    if not 1 <= flat.size <= MAX_SYMBOLS or not 2 <= n_symbols <= 256 or int(flat.max()) >= n_symbols:
        raise ValueError(f"no symbols of an alphabet of {n_symbols}")
    return flat


def _codec_id(codec: str) -> int:
    if codec not in CODEC_IDS:
        raise ValueError(f"unknown codec {codec!r}")
    return CODEC_IDS[codec]


def _address(model: ContextModel | None, codec: int, n_symbols: int, count: int) -> int | None:
    if codec != CODEC_IDS["context"]:
        return None
    if model is None or not model.fits(n_symbols, count):
        raise ValueError(f"no tables of the context codec for {count} symbols of {n_symbols}")
    return model.address
