"""A pre-trained network's file: fetched by pip and checked, read without PyTorch, refused where it is anything else."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import struct
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baselines.data import pypi
from baselines.data.download import Unreachable
from baselines.pretrained import legacy_pth
from harness.contracts.errors import BenchError

TENSORS = {
    "_conv_stem.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2),
    "_bn0.weight": np.array([0.5, -1.5], dtype=np.float32),
}


class _Stored:
    def __init__(self, key: str, values: np.ndarray) -> None:
        self.key, self.values = key, values


def _file(tensors: dict[str, np.ndarray], *, magic: int = legacy_pth.MAGIC, extra: Any = None) -> bytes:
    """A file as PyTorch before 1.6 writes it: its classes are stood in for while it is pickled."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")

    def _rebuild_tensor_v2(*_: Any) -> None: ...

    class FloatStorage: ...

    _rebuild_tensor_v2.__module__, FloatStorage.__module__ = "torch._utils", "torch"
    _rebuild_tensor_v2.__qualname__, FloatStorage.__qualname__ = "_rebuild_tensor_v2", "FloatStorage"
    vars(utils)["_rebuild_tensor_v2"], vars(torch)["FloatStorage"] = _rebuild_tensor_v2, FloatStorage

    class Tensor:
        def __init__(self, name: str, values: np.ndarray) -> None:
            self.stored, self.values = _Stored(str(id(values)), values), values

        def __reduce__(self) -> Any:
            steps = tuple(n // self.values.itemsize for n in self.values.strides)
            return _rebuild_tensor_v2, (self.stored, 0, self.values.shape, steps, False, {})

    class Pickler(pickle._Pickler):  # type: ignore[name-defined] # in Python, so that a class may be stood in for
        def persistent_id(self, obj: Any) -> Any:
            if isinstance(obj, _Stored):
                return ("storage", FloatStorage, obj.key, "cpu", obj.values.size, None)
            return None

    out = io.BytesIO()
    before = {name: sys.modules.get(name) for name in ("torch", "torch._utils")}
    sys.modules["torch"], sys.modules["torch._utils"] = torch, utils
    try:
        for plain in (magic, legacy_pth.PROTOCOL, {"little_endian": True, "type_sizes": {}}):
            out.write(pickle.dumps(plain, 2))
        made = {name: Tensor(name, values) for name, values in tensors.items()}
        Pickler(out, 2).dump(made | ({"extra": extra} if extra is not None else {}))
        out.write(pickle.dumps([tensor.stored.key for tensor in made.values()], 2))
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
    for values in tensors.values():
        out.write(struct.pack("<q", values.size) + values.tobytes())
    return out.getvalue()


def test_tensors_come_back_as_they_were_written() -> None:
    found = legacy_pth.read(_file(TENSORS))
    assert found.keys() == TENSORS.keys()
    for name, values in TENSORS.items():
        np.testing.assert_array_equal(found[name], values)


class _Harm:
    def __reduce__(self) -> Any:
        return os.system, ("echo harm",)


def test_a_file_that_names_anything_else_is_refused_and_nothing_is_called(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BenchError, match="system is not allowed"):
        legacy_pth.read(_file(TENSORS, extra=_Harm()))
    assert capfd.readouterr().out == ""


def test_another_format_is_one_line() -> None:
    with pytest.raises(BenchError, match="older format"):
        legacy_pth.read(_file(TENSORS, magic=1))


@given(cut=st.integers(0, len(_file(TENSORS)) - 1))
def test_a_file_cut_off_anywhere_is_refused(cut: int) -> None:
    with pytest.raises(BenchError):
        legacy_pth.read(_file(TENSORS)[:cut])


@given(at=st.integers(0, len(_file(TENSORS)) - 1), value=st.integers(0, 255))
def test_a_changed_byte_never_ends_in_a_traceback(at: int, value: int) -> None:
    content = bytearray(_file(TENSORS))
    content[at] = value
    try:
        found = legacy_pth.read(bytes(content))
    except BenchError:
        return
    assert all(isinstance(tensor, np.ndarray) for tensor in found.values())


def _pip(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    program = folder / "pip"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setattr(pypi.importlib.util, "find_spec", lambda _: None)


def test_a_wheel_is_fetched_once_and_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _pip(tmp_path, monkeypatch, 'printf wheel > "$5/some.whl"; echo x >> "$(dirname "$0")/calls"')
    path = tmp_path / "data" / "some.whl"
    path.parent.mkdir()
    with pytest.raises(BenchError, match="another file"):
        pypi.wheel("some==1", path, "0" * 64)
    assert path.read_bytes() == b"wheel"
    right = hashlib.sha256(b"wheel").hexdigest()
    assert pypi.wheel("some==1", path, right) == path
    assert (tmp_path / "calls").read_text() == "x\n"  # it was there the second time
    assert [p.name for p in path.parent.iterdir()] == ["some.whl"]


@pytest.mark.parametrize("body", ["exit 1", "true"])
def test_an_index_out_of_reach_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    _pip(tmp_path, monkeypatch, body)
    path = tmp_path / "data" / "some.whl"
    path.parent.mkdir()
    with pytest.raises(Unreachable, match="some==1"):
        pypi.wheel("some==1", path, "0" * 64)
    assert list(path.parent.iterdir()) == []


def test_no_pip_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(pypi.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(Unreachable, match="pip is not installed"):
        pypi.wheel("some==1", tmp_path / "some.whl", "0" * 64)
