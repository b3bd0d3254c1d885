"""Declares the C functions that Python calls in host builds of the firmware: their names, arguments and results."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.contracts.errors import BenchError

U8 = npt.NDArray[np.uint8]
I8 = npt.NDArray[np.int8]
F32 = npt.NDArray[np.float32]

_u8p = np.ctypeslib.ndpointer(np.uint8, flags="C_CONTIGUOUS")
_i8p = np.ctypeslib.ndpointer(np.int8, flags="C_CONTIGUOUS")
_f32p = np.ctypeslib.ndpointer(np.float32, flags="C_CONTIGUOUS")
_u32p = np.ctypeslib.ndpointer(np.uint32, flags="C_CONTIGUOUS")
_pointer = ctypes.c_void_p
_size, _u32, _u16, _int, _float = ctypes.c_size_t, ctypes.c_uint32, ctypes.c_uint16, ctypes.c_int, ctypes.c_float

CODEC_CALLS: dict[str, tuple[list[Any], Any]] = {
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
SCHEME_CALLS: dict[str, tuple[list[Any], Any]] = {
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
    "api_app_module_put_at": ([ctypes.c_char_p, _size, _u32], None),
    "api_app_time_us": ([], _u32),
    "api_app_module_baud": ([], _u32),
    "api_app_markers": ([_u32p, _size], _size),
    "api_app_console": ([ctypes.c_char_p, _size, _u8p, _size], _size),
}


def load(path: Path) -> ctypes.CDLL:
    try:
        return ctypes.CDLL(str(path))
    except OSError as e:
        raise BenchError(f"{path} can't be loaded ({e})", cure="remove it: it is built again") from e


def declare(lib: ctypes.CDLL, calls: dict[str, tuple[list[Any], Any]]) -> None:
    for name, (arguments, result) in calls.items():
        try:
            call = getattr(lib, name)
        except AttributeError as e:
            raise BenchError(f"{lib._name} lacks {name}", cure="remove it: it is built again") from e
        call.argtypes, call.restype = arguments, result


def f32(values: Any) -> F32:
    return np.ascontiguousarray(values, np.float32)
