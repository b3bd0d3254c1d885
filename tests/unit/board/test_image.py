"""Image loaders: the three kinds, clear errors, and whatever a damaged file holds."""

from __future__ import annotations

import contextlib
import random
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.contracts.errors import BenchError
from testbeds.virtual.image import load_image
from testbeds.virtual.memory import FLASH, FLASH_BYTES

pytestmark = pytest.mark.slow

Firmware = Callable[[str], Path]


def flat(path: Path) -> bytes:
    image = load_image(path)
    out = bytearray()
    for address, data in image.segments:
        out += b"\xff" * (address - FLASH - len(out)) + data
    return bytes(out)


def to_hex(data: bytes) -> str:
    lines = []

    def record(kind: int, address: int, payload: bytes) -> None:
        body = bytes([len(payload)]) + struct.pack(">HB", address, kind) + payload
        lines.append(":" + (body + bytes([-sum(body) & 0xFF])).hex().upper())

    for start in range(0, len(data), 0x10000):
        record(4, 0, struct.pack(">H", (FLASH + start) >> 16))
        for k in range(start, min(start + 0x10000, len(data)), 16):
            record(0, k - start, data[k : min(k + 16, start + 0x10000)])
    record(1, 0, b"")
    return "\n".join(lines) + "\n"


def test_elf_bin_and_hex_hold_the_same_flash(firmware: Firmware, tmp_path: Path) -> None:
    data = flat(firmware("cycles"))
    (tmp_path / "a.bin").write_bytes(data)
    (tmp_path / "a.hex").write_text(to_hex(data))
    assert flat(tmp_path / "a.bin") == flat(tmp_path / "a.hex") == data
    assert load_image(tmp_path / "a.hex").functions == ()


def test_functions_are_named(firmware: Firmware) -> None:
    image = load_image(firmware("cycles"))
    start = image.symbols["branches"] & ~1
    assert image.function_at(start) == "branches" and image.function_at(start + 4) == "branches+0x4"
    assert image.function_at(0x08F00000) == ""


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.elf", b"no elf at all", "no firmware image"),
        ("a.elf", b"\x7fELF" + bytes(60), "ELF"),
        ("a.bin", b"", "holds nothing"),
        ("a.bin", bytes(FLASH_BYTES + 4), "4 bytes over the end"),
        ("a.bin", bytes(64), "stack pointer"),
        ("a.bin", struct.pack("<II", 0x20001000, 0x08000100), "reset vector"),
        ("a.hex", b":00000001FE\n", "checksum"),
        ("a.hex", b":0400000001020304F2\n", "cut short"),
        ("a.hex", b":zz\n", "no Intel HEX record"),
        ("a.hex", b":020000021000EC\n:00000001FF\n", "holds nothing"),
    ],
)
def test_clear_errors(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BenchError, match=says):
        load_image(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="can't be read"):
        load_image(tmp_path / "none.elf")


def test_a_cut_or_damaged_elf_is_one_clear_error_or_loads(firmware: Firmware, tmp_path: Path) -> None:
    data = firmware("echo").read_bytes()
    rng = random.Random(746)
    path = tmp_path / "damaged.elf"
    refused = 0
    for _ in range(300):
        bad = bytearray(data)
        for _ in range(rng.randint(1, 8)):
            where = rng.randrange(rng.choice((64, 256, len(bad))))
            bad[where] = rng.choice((0, 0xFF, rng.randrange(256)))
        if rng.random() < 0.3:
            del bad[rng.randrange(len(bad)) :]
        path.write_bytes(bad)
        try:
            assert sum(len(d) for _, d in load_image(path).segments) <= FLASH_BYTES
        except BenchError:
            refused += 1
    assert refused > 30


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(max_size=300), st.text(alphabet=":0123456789ABCDEF\n", max_size=300).map(str.encode)))
def test_any_hex_file_is_loaded_or_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "any.hex"
    path.write_bytes(content)
    with contextlib.suppress(BenchError):
        load_image(path)
