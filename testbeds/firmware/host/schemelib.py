"""Calls a scheme's firmware, built for the host, from Python: the device's half, for whole test sets."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.contracts.codecs import CODEC_IDS
from testbeds.firmware.host.hostcalls import F32, I8, SCHEME_CALLS, U8, ModuleSink, declare, f32
from testbeds.firmware.host.hostlib import CodecLibrary


class _Info(ctypes.Structure):
    _fields_ = (
        *(
            (name, ctypes.c_uint32)
            for name in (
                "weights", "image_bytes", "classes", "symbols", "n_symbols", "features_bytes", "message_bytes",
                "has_local", "offloads",
            )
        ),
        ("alpha", ctypes.c_float),
        ("exit_threshold", ctypes.c_float),
    )  # fmt: skip


@dataclass(frozen=True)
class Batch:
    """Holds the device's half of n pictures."""

    symbols: U8  # [n, symbols] as the edge decodes them; [n, 0] for schemes that send none
    local_logits: I8  # [n, classes]; [n, 0] without a local head
    exited: npt.NDArray[np.bool_]  # [n]
    payload_bytes: npt.NDArray[np.uint32]  # [n], header included; 0 where nothing is sent
    codecs: U8  # [n]


class HostLibrary(CodecLibrary):
    """Holds a scheme's host build. It takes one caller at a time, because it works in the firmware's static buffers."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        declare(self._lib, SCHEME_CALLS)
        self.info = _Info()
        self._lib.api_scheme_info(ctypes.byref(self.info))
        self._sink: Any = None

    def run_local(self, image: U8) -> tuple[I8, I8]:
        """Return features (int8, flat) and raw local logits (int8 [classes]) of a uint8 picture; empty where absent."""
        features = np.zeros(self.info.features_bytes, np.int8)
        logits = np.zeros(self.info.classes if self.info.has_local else 0, np.int8)
        self._lib.api_run_local(self._picture(image), features, logits)
        return features, logits

    def symbols(self) -> U8:
        """Return what the last picture of `run_local` sends, before coding."""
        out = np.zeros(self.info.symbols, np.uint8)
        if out.size:
            self._lib.api_symbols(out)
        return out

    def message(self, sequence: int) -> bytes:
        """Return the payload of the last picture of `run_local`; empty for schemes that send none."""
        out = np.empty(self.info.message_bytes, np.uint8)
        return out[: self._lib.api_message(sequence, out, out.size)].tobytes()

    def local_logits(self, raw: I8) -> F32:
        """Return the float values of raw local logits."""
        out = np.zeros(self.info.classes, np.float32)
        if not self._lib.api_dequantise_local(np.ascontiguousarray(raw, np.int8), out):
            raise ValueError("this scheme has no local head")
        return out

    def exits(self, raw: I8, threshold: float | None = None) -> bool:
        """Tell whether the device would leave early with these local logits."""
        limit = self.info.exit_threshold if threshold is None else threshold
        return bool(self._lib.api_exits(self.local_logits(raw), limit))

    def combine(self, raw_local: I8 | None, remote: F32 | None, alpha: float | None = None) -> tuple[F32, int]:
        """Return combined float logits and the label, as the device decides; None stands for an absent half.

        Raises:
            ValueError: neither half is there.
        """
        local = None if raw_local is None or not len(raw_local) else self.local_logits(raw_local)
        if local is not None and remote is not None:
            logits = self.combine_logits(local, remote, self.info.alpha if alpha is None else alpha)
        elif local is not None or remote is not None:
            logits = f32(local if local is not None else remote)
        else:
            raise ValueError("neither local nor remote logits")
        return logits, self.argmax(logits)

    def run_many(self, images: U8, threshold: float | None = None) -> Batch:
        """Run the device's half of uint8 pictures [n, height, width, 3], in one call of C."""
        n, info = len(images), self.info
        pictures = np.ascontiguousarray(images, np.uint8)
        if pictures.size != n * info.image_bytes:
            raise ValueError(f"pictures of {pictures.size // max(1, n)} bytes, this scheme takes {info.image_bytes}")
        symbols = np.zeros((n, info.symbols), np.uint8)
        logits = np.zeros((n, info.classes if info.has_local else 0), np.int8)
        exited, sizes, codecs = np.zeros(n, np.uint8), np.zeros(n, np.uint32), np.zeros(n, np.uint8)
        limit = info.exit_threshold if threshold is None else threshold
        self._lib.api_run_many(pictures, n, limit, symbols, logits, exited, sizes, codecs)
        for i in np.flatnonzero(codecs == CODEC_IDS["jpeg"]):  # the codec is lossy: what arrives is not what was sent
            self.run_local(pictures[i])
            symbols[i] = self.decode(self.message(0), 256, info.symbols)
        return Batch(symbols, logits, exited.astype(np.bool_), sizes, codecs)

    def start_app(self, module: Callable[[bytes], bytes]) -> None:
        """Start the whole firmware. `module` gets what it sends to the Wi-Fi module, and returns what that answers."""

        def sink(data: Any, count: int) -> None:
            self.module_says(module(bytes(data[:count])))

        self._sink = ModuleSink(sink)  # is kept because C calls it later
        self._lib.api_app_init()
        self._lib.api_app_module_sink(self._sink)

    def module_says(self, data: bytes, at_us: int | None = None) -> None:
        """Give bytes from the Wi-Fi module for the firmware to read: now, or when its clock shows `at_us`."""
        if at_us is None:
            self._lib.api_app_module_put(data, len(data))
        else:
            self._lib.api_app_module_put_at(data, len(data), at_us)

    def time_us(self) -> int:
        """Return the firmware's microsecond clock, which only goes on while it runs."""
        return int(self._lib.api_app_time_us())

    def console(self, data: bytes) -> bytes:
        """Feed console bytes to the firmware and return its answers."""
        out = np.empty(1 << 16, np.uint8)
        return out[: self._lib.api_app_console(data, len(data), out, out.size)].tobytes()

    def markers(self) -> list[int]:
        """Return the marker values set since the last call, at most 64."""
        out = np.zeros(64, np.uint32)
        return [int(m) for m in out[: self._lib.api_app_markers(out, out.size)]]

    def module_baud(self) -> int:
        """Return the rate that the firmware set last."""
        return int(self._lib.api_app_module_baud())

    def _picture(self, image: U8) -> U8:
        flat = np.ascontiguousarray(image, np.uint8).reshape(-1)
        if flat.size != self.info.image_bytes:
            raise ValueError(f"picture of {flat.size} bytes, this scheme takes {self.info.image_bytes}")
        return flat
