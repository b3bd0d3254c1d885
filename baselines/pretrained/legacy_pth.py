"""Reads float32 tensors out of PyTorch's older `.pth` files (before 1.6) without PyTorch.

A file holds four pickles (a magic number, a protocol version, sizes of the machine, the dictionary of tensors), a fifth
with the keys of the storages, then each storage as an int64 count and that many little-endian float32 values. The
unpickler knows an ordered dictionary, tensors and float storages, and refuses every other name: nothing in the file is
ever called.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from collections import OrderedDict
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from harness.contracts.errors import BenchError

Tensors = dict[str, npt.NDArray[np.float32]]

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
MOST_VALUES = 1 << 28
_CURE = "fetch the file again"


class _Storage(NamedTuple):
    key: str
    values: int


class _View(NamedTuple):
    """Describes a tensor before its storage has been read: where it begins and its strides, in values."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _FloatStorage:
    """Stands for torch.FloatStorage, which is named in the file and never made."""


def _view(storage: Any, offset: Any, shape: Any, strides: Any, *_rest: Any) -> _View:
    return _View(storage, int(offset), tuple(map(int, shape)), tuple(map(int, strides)))


_KNOWN: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _view,
    ("torch", "FloatStorage"): _FloatStorage,
    ("torch", "LongStorage"): _FloatStorage,
}


class _Restricted(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _KNOWN:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed")
        return _KNOWN[module, name]

    def persistent_load(self, pid: Any) -> _Storage:
        kind, _, key, _, count, *_ = pid
        if kind != "storage" or not 0 <= int(count) <= MOST_VALUES:
            raise pickle.UnpicklingError("a storage of an unknown kind or size")
        return _Storage(str(key), int(count))


# All that the standard library raises for bytes that are no such pickle.
_DAMAGE = (
    pickle.UnpicklingError, EOFError, ValueError, TypeError, LookupError, AttributeError, OverflowError, MemoryError,
)  # fmt: skip


def read(content: bytes) -> Tensors:
    """Return the float32 tensors of a file by name; counters (int64) are left out.

    Raises:
        BenchError: the file is damaged, of another format, or names anything but tensors.
    """
    stream = io.BytesIO(content)
    try:
        if _plain(stream) != MAGIC or _plain(stream) != PROTOCOL:
            raise pickle.UnpicklingError("not PyTorch's older format")
        if not _plain(stream)["little_endian"]:
            raise pickle.UnpicklingError("written on a big-endian machine")
        views = {str(name): view for name, view in _plain(stream).items() if isinstance(view, _View)}
        keys = [str(key) for key in _plain(stream)]
        sizes = {view.storage.key: _width(name) for name, view in views.items()}
        storages = {key: _storage(stream, sizes.get(key, 4)) for key in keys}
        return {name: _tensor(view, storages) for name, view in views.items() if _width(name) == 4}
    except _DAMAGE as e:
        raise BenchError(f"no readable PyTorch file ({e})", cure=_CURE) from e


def _plain(stream: io.BytesIO) -> Any:
    """Return what one pickle of the file holds. It is of protocol 2, as later ones can ask for any amount of memory."""
    start = stream.tell()
    if any(code.proto > 2 for code, _, _ in pickletools.genops(stream)):
        raise pickle.UnpicklingError("a later pickle protocol than PyTorch's older format has")
    stream.seek(start)
    return _Restricted(stream).load()


def _width(name: str) -> int:
    """Return the bytes of one value: batch counters are int64, everything else is float32."""
    return 8 if name.endswith("num_batches_tracked") else 4


def _storage(stream: io.BytesIO, width: int) -> bytes:
    count = int.from_bytes(stream.read(8), "little")
    values = stream.read(count * width) if count <= MOST_VALUES else b""
    if len(values) != count * width or not count:
        raise EOFError("cut off")
    return values


def _tensor(view: _View, storages: dict[str, bytes]) -> npt.NDArray[np.float32]:
    flat = np.frombuffer(storages[view.storage.key], "<f4")
    last = view.offset + sum((n - 1) * step for n, step in zip(view.shape, view.strides, strict=True))
    if min(view.strides, default=0) < 0 or min(view.shape, default=1) < 1 or not 0 <= last < len(flat):
        raise ValueError("a tensor reaches beyond its storage")
    bytes_apart = tuple(4 * step for step in view.strides)
    tensor = np.lib.stride_tricks.as_strided(flat[view.offset :], view.shape, bytes_apart)
    return np.ascontiguousarray(tensor, dtype=np.float32)
