"""The firmware's own C code, called from Python: codecs for the edge server, the device's half for whole test sets."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.contracts.context import ContextTables
from harness.contracts.errors import BenchError
from testbeds.firmware import jpeg
from testbeds.firmware.build import build_codec_library

MAX_SYMBOLS = 1 << 20  # far above any picture or feature map here: bounds what a decode may allocate
PAYLOAD_HEAD = 16
CODEC_IDS = {"stored": 0, "lzw": 1, "shuffle": 2, "png": 3, "rice": 4, "jpeg": 5, "context": 6}
JPEG_FILE_EXTRA = 622  # bytes that the file of a jpeg body has more than the body
CODEC_NAMES = {number: name for name, number in CODEC_IDS.items()}
_CHECKS = {1: "shorter than its header", 2: "of another version", 3: "of a wrong size", 4: "corrupt (CRC)"}

U8 = npt.NDArray[np.uint8]
I8 = npt.NDArray[np.int8]
F32 = npt.NDArray[np.float32]

_u8p = np.ctypeslib.ndpointer(np.uint8, flags="C_CONTIGUOUS")
_i8p = np.ctypeslib.ndpointer(np.int8, flags="C_CONTIGUOUS")
_f32p = np.ctypeslib.ndpointer(np.float32, flags="C_CONTIGUOUS")
_u32p = np.ctypeslib.ndpointer(np.uint32, flags="C_CONTIGUOUS")
_pointer = ctypes.c_void_p
_size, _u32, _u16, _int, _float = ctypes.c_size_t, ctypes.c_uint32, ctypes.c_uint16, ctypes.c_int, ctypes.c_float

_CODEC_CALLS: dict[str, tuple[list[Any], Any]] = {
    "api_crc32": ([_u32, ctypes.c_char_p, _size], _u32),
    "api_cobs_encode": ([ctypes.c_char_p, _size, _u8p], _size),
    "api_cobs_decode": ([ctypes.c_char_p, _size, _u8p], _size),
    "api_stored_bytes": ([_u32, _size], _size),
    "api_encode_body": ([_u32, _u32, _u8p, _size, _u32, ctypes.c_uint8, _pointer, _u8p, _size], _size),
    "api_decode_body": ([_u32, _u32, ctypes.c_char_p, _size, _u8p, _size, _pointer], _int),
    "api_encode_message": (
        [_u32, _u32, _u8p, _size, _u32, ctypes.c_uint8, _pointer, _u16, _u32, _u8p, _size],
        _size,
    ),
    "api_jpeg_file": ([ctypes.c_char_p, _size, _u8p, _size], _size),
    "api_seal": ([_u8p, ctypes.c_uint8, _u16, _u32, _u32], None),
    "api_open": ([ctypes.c_char_p, _size, _u32p], _int),
    "api_frame_receiver_bytes": ([], _size),
    "api_frame_take": ([_u8p, ctypes.c_char_p, _size, _u8p, ctypes.POINTER(_size)], _size),
    "api_frame_dropped": ([_u8p], _u32),
    "api_at_parse": ([ctypes.c_char_p, _size, _u32, _u8p, _u8p, _size], _size),
    "api_dequantise": ([_i8p, _size, _float, ctypes.c_int32, _f32p], None),
    "api_combine": ([_f32p, _f32p, _float, _size, _f32p], None),
    "api_argmax": ([_f32p, _size], _u16),
    "api_top_probability": ([_f32p, _size], _float),
}
ModuleSink = ctypes.CFUNCTYPE(None, ctypes.POINTER(ctypes.c_uint8), _size)
_SCHEME_CALLS: dict[str, tuple[list[Any], Any]] = {
    "api_scheme_info": ([ctypes.c_void_p], None),
    "api_run_local": ([_u8p, _i8p, _i8p], None),
    "api_symbols": ([_u8p], None),
    "api_message": ([_u16, _u8p, _size], _size),
    "api_exits": ([_f32p, _float], _int),
    "api_dequantise_local": ([_i8p, _f32p], _int),
    "api_run_many": ([_u8p, _size, _float, _u8p, _i8p, _u8p, _u32p, _u8p], None),
    "api_app_init": ([], None),
    "api_app_module_sink": ([ModuleSink], None),
    "api_app_module_put": ([ctypes.c_char_p, _size], None),
    "api_app_module_baud": ([], _u32),
    "api_app_markers": ([_u32p, _size], _size),
    "api_app_console": ([ctypes.c_char_p, _size, _u8p, _size], _size),
}


class PayloadError(ValueError):
    """Bytes that are no payload of this version, or a body that is not what its header says."""


@dataclass(frozen=True)
class Header:
    """A payload's header; `codec` is the status in a reply."""

    codec: int
    sequence: int
    weights: int
    body_bytes: int


class ContextModel:
    """The context codec's tables as the C code takes them. Only `ContextTables` may fill them: C does not check."""

    class _Struct(ctypes.Structure):
        _fields_ = (("width", _u16), ("channels", _u16), ("class_of", _pointer), ("shares", _pointer))

    def __init__(self, tables: ContextTables) -> None:
        self.tables = tables
        self._class_of = np.array(tables.packed_classes(), np.uint8)
        self._shares = np.array(tables.packed_shares(), np.uint32)
        self._struct = self._Struct(tables.width, tables.channels, self._class_of.ctypes.data, self._shares.ctypes.data)
        self.address = ctypes.addressof(self._struct)

    def fits(self, n_symbols: int, count: int) -> bool:
        """Can `count` symbols of an alphabet of `n_symbols` be whole rows of such features?"""
        t = self.tables
        return n_symbols == t.n_symbols and count % (t.width * t.channels) == 0


class CodecLibrary:
    """Codecs, payloads, frames, AT parser and decisions. Safe to call from several threads."""

    def __init__(self, path: Path) -> None:
        self._lib = _load(path)
        _declare(self._lib, _CODEC_CALLS)

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
        """Symbols (uint8, each < n_symbols) to a payload, stored where `codec` does not pay.

        Args:
            rows: of a picture, for the picture codecs.
            quality: for jpeg: 1..100, plus 128 for 4:4:4.
            model: for context: the scheme's tables.

        Raises:
            ValueError: a symbol outside the alphabet, no symbols, an unknown codec, or tables for other features.
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
        """The context codec's tables, ready for `encode` and `decode`."""
        return ContextModel(tables)

    def decode(self, data: bytes, n_symbols: int, count: int, model: ContextModel | None = None) -> U8:
        """Payload to exactly `count` symbols; a body of the context codec takes the scheme's `model`.

        Raises:
            PayloadError: a wrong header, CRC, size, codec or body.
        """
        header = self.header(data)
        return self.decode_body(header.codec, data[PAYLOAD_HEAD:], n_symbols, count, model)

    def header(self, data: bytes) -> Header:
        """Check a payload whole and return its header.

        Raises:
            PayloadError: as it says.
        """
        fields = np.zeros(4, np.uint32)
        check = self._lib.api_open(data, len(data), fields)
        if check:
            raise PayloadError(f"payload is {_CHECKS[check]}")
        return Header(*(int(f) for f in fields))

    def seal(self, body: bytes, codec_or_status: int, sequence: int, weights: int) -> bytes:
        """A payload around `body`, whatever it holds."""
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
        """One codec alone, without the fall-back; empty where it does not take such symbols. Args as `encode`."""
        flat = _symbols(symbols, n_symbols)
        out = np.empty(2 * flat.size + 16, np.uint8)
        number = _codec_id(codec)
        pointer = _address(model, number, n_symbols, flat.size)
        size = self._lib.api_encode_body(number, n_symbols, flat, flat.size, rows, quality, pointer, out, out.size)
        return out[:size].tobytes()

    def decode_body(self, codec: int, body: bytes, n_symbols: int, count: int, model: ContextModel | None = None) -> U8:
        """A codec's body to exactly `count` symbols. Raises PayloadError for any other body."""
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
        """The JFIF file of a jpeg body. Raises PayloadError when it is none."""
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
        """The firmware's CRC-32."""
        return int(self._lib.api_crc32(crc, data, len(data)))

    def cobs_encode(self, data: bytes) -> bytes:
        """Stuffed, without the final 0."""
        out = np.empty(len(data) + len(data) // 254 + 1, np.uint8)
        return out[: self._lib.api_cobs_encode(data, len(data), out)].tobytes()

    def cobs_decode(self, data: bytes) -> bytes | None:
        """Unstuffed, or None for what no encoder writes."""
        out = np.empty(max(1, len(data)), np.uint8)
        size = int(self._lib.api_cobs_decode(data, len(data), out))
        return out[:size].tobytes() if size <= len(data) else None

    def frames(self, stream: bytes) -> tuple[list[bytes], int]:
        """The bodies of all good frames in a console stream, and how many frames were dropped."""
        receiver = np.zeros(int(self._lib.api_frame_receiver_bytes()), np.uint8)
        body, size, bodies, at = np.empty(1200, np.uint8), _size(), [], 0
        while at < len(stream):
            at += self._lib.api_frame_take(receiver, stream[at:], len(stream) - at, body, ctypes.byref(size))
            if size.value:
                bodies.append(body[: size.value].tobytes())
        return bodies, int(self._lib.api_frame_dropped(receiver))

    def parse_at(self, stream: bytes, message_room: int = 4096) -> tuple[list[int], list[bytes]]:
        """Events (codes of at.h, none left out) and messages of a stream from the Wi-Fi module."""
        events, messages = np.zeros(max(1, len(stream)), np.uint8), np.zeros(4 * len(stream) + 4, np.uint8)
        size = self._lib.api_at_parse(stream, len(stream), message_room, events, messages, messages.size)
        raw, out = messages[:size].tobytes(), []
        while raw:
            length = int.from_bytes(raw[:4], "little")
            out.append(raw[4 : 4 + length])
            raw = raw[4 + length :]
        return [int(e) for e in events[: len(stream)] if e], out

    def combine_logits(self, local: F32, remote: F32, alpha: float) -> F32:
        """alpha * local + (1 - alpha) * remote in the device's single precision."""
        out = np.empty(len(local), np.float32)
        self._lib.api_combine(_f32(local), _f32(remote), alpha, len(local), out)
        return out

    def argmax(self, logits: F32) -> int:
        """Index of the largest, the lowest on ties."""
        return int(self._lib.api_argmax(_f32(logits), len(logits)))

    def top_probability(self, logits: F32) -> float:
        """Softmax probability of the largest logit, as the exit test sees it."""
        return float(self._lib.api_top_probability(_f32(logits), len(logits)))


class _Info(ctypes.Structure):
    _fields_ = (
        *(
            (name, _u32)
            for name in (
                "weights", "image_bytes", "classes", "symbols", "n_symbols", "features_bytes", "message_bytes",
                "has_local", "offloads",
            )
        ),
        ("alpha", _float),
        ("exit_threshold", _float),
    )  # fmt: skip


@dataclass(frozen=True)
class Batch:
    """The device's half of n pictures."""

    symbols: U8  # [n, symbols] as the edge decodes them; [n, 0] for schemes that send none
    local_logits: I8  # [n, classes]; [n, 0] without a local head
    exited: npt.NDArray[np.bool_]  # [n]
    payload_bytes: npt.NDArray[np.uint32]  # [n], header included; 0 where nothing is sent
    codecs: U8  # [n]


class HostLibrary(CodecLibrary):
    """A scheme's host build. One caller at a time: it works in the firmware's static buffers."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        _declare(self._lib, _SCHEME_CALLS)
        self.info = _Info()
        self._lib.api_scheme_info(ctypes.byref(self.info))
        self._sink: Any = None

    def run_local(self, image: U8) -> tuple[I8, I8]:
        """Features (int8, flat) and raw local logits (int8 [classes]) of a uint8 picture; empty where absent."""
        features = np.zeros(self.info.features_bytes, np.int8)
        logits = np.zeros(self.info.classes if self.info.has_local else 0, np.int8)
        self._lib.api_run_local(self._picture(image), features, logits)
        return features, logits

    def symbols(self) -> U8:
        """What the last picture of `run_local` sends, before coding."""
        out = np.zeros(self.info.symbols, np.uint8)
        if out.size:
            self._lib.api_symbols(out)
        return out

    def message(self, sequence: int) -> bytes:
        """The payload of the last picture of `run_local`; empty for schemes that send none."""
        out = np.empty(self.info.message_bytes, np.uint8)
        return out[: self._lib.api_message(sequence, out, out.size)].tobytes()

    def local_logits(self, raw: I8) -> F32:
        """Float values of raw local logits."""
        out = np.zeros(self.info.classes, np.float32)
        if not self._lib.api_dequantise_local(np.ascontiguousarray(raw, np.int8), out):
            raise ValueError("this scheme has no local head")
        return out

    def exits(self, raw: I8, threshold: float | None = None) -> bool:
        """Would the device leave early with these local logits?"""
        limit = self.info.exit_threshold if threshold is None else threshold
        return bool(self._lib.api_exits(self.local_logits(raw), limit))

    def combine(self, raw_local: I8 | None, remote: F32 | None, alpha: float | None = None) -> tuple[F32, int]:
        """Combined float logits and the label, as the device decides; None: that half is not there.

        Raises:
            ValueError: neither half is there.
        """
        local = None if raw_local is None or not len(raw_local) else self.local_logits(raw_local)
        if local is not None and remote is not None:
            logits = self.combine_logits(local, remote, self.info.alpha if alpha is None else alpha)
        elif local is not None or remote is not None:
            logits = _f32(local if local is not None else remote)
        else:
            raise ValueError("neither local nor remote logits")
        return logits, self.argmax(logits)

    def run_many(self, images: U8, threshold: float | None = None) -> Batch:
        """The device's half of uint8 pictures [n, height, width, 3], in one call of C."""
        n, info = len(images), self.info
        pictures = np.ascontiguousarray(images, np.uint8)
        if pictures.size != n * info.image_bytes:
            raise ValueError(f"pictures of {pictures.size // max(1, n)} bytes, this scheme takes {info.image_bytes}")
        symbols = np.zeros((n, info.symbols), np.uint8)
        logits = np.zeros((n, info.classes if info.has_local else 0), np.int8)
        exited, sizes, codecs = np.zeros(n, np.uint8), np.zeros(n, np.uint32), np.zeros(n, np.uint8)
        limit = info.exit_threshold if threshold is None else threshold
        self._lib.api_run_many(pictures, n, limit, symbols, logits, exited, sizes, codecs)
        for i in np.flatnonzero(codecs == CODEC_IDS["jpeg"]):  # lossy: what arrives is not what was sent
            self.run_local(pictures[i])
            symbols[i] = self.decode(self.message(0), 256, info.symbols)
        return Batch(symbols, logits, exited.astype(np.bool_), sizes, codecs)

    def start_app(self, module: Callable[[bytes], bytes]) -> None:
        """Start the whole firmware. `module` gets what it sends to the Wi-Fi module, and returns what that answers."""

        def sink(data: Any, count: int) -> None:
            self.module_says(module(bytes(data[:count])))

        self._sink = ModuleSink(sink)  # kept: C calls it later
        self._lib.api_app_init()
        self._lib.api_app_module_sink(self._sink)

    def module_says(self, data: bytes) -> None:
        """Bytes from the Wi-Fi module that the firmware has still to read."""
        self._lib.api_app_module_put(data, len(data))

    def console(self, data: bytes) -> bytes:
        """Console bytes in, the firmware's answers out."""
        out = np.empty(1 << 16, np.uint8)
        return out[: self._lib.api_app_console(data, len(data), out, out.size)].tobytes()

    def markers(self) -> list[int]:
        """Marker values set since the last call, at most 64."""
        out = np.zeros(64, np.uint32)
        return [int(m) for m in out[: self._lib.api_app_markers(out, out.size)]]

    def module_baud(self) -> int:
        """The rate that the firmware set last."""
        return int(self._lib.api_app_module_baud())

    def _picture(self, image: U8) -> U8:
        flat = np.ascontiguousarray(image, np.uint8).reshape(-1)
        if flat.size != self.info.image_bytes:
            raise ValueError(f"picture of {flat.size} bytes, this scheme takes {self.info.image_bytes}")
        return flat


def codec_library(*, cc: str = "zig") -> CodecLibrary:
    """The codecs alone, built at first use.

    Raises:
        BenchError: the compiler is missing or fails.
    """
    return CodecLibrary(build_codec_library(cc=cc))


def _load(path: Path) -> ctypes.CDLL:
    try:
        return ctypes.CDLL(str(path))
    except OSError as e:
        raise BenchError(f"{path} can't be loaded ({e})", cure="remove it: it is built again") from e


def _declare(lib: ctypes.CDLL, calls: dict[str, tuple[list[Any], Any]]) -> None:
    for name, (arguments, result) in calls.items():
        try:
            call = getattr(lib, name)
        except AttributeError as e:
            raise BenchError(f"{lib._name} lacks {name}", cure="remove it: it is built again") from e
        call.argtypes, call.restype = arguments, result


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


def _f32(values: Any) -> F32:
    return np.ascontiguousarray(values, np.float32)
