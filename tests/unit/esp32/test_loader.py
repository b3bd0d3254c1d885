"""The ROM loader's stand-in, packet by packet and with the real esptool as its client; flashing as the testbed does."""

from __future__ import annotations

import hashlib
import re
import struct
import subprocess
import sys
from functools import reduce
from operator import xor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.contracts.errors import BenchError
from testbeds.esp32.flasher import flash
from testbeds.esp32.standin import rom
from testbeds.esp32.standin.chip import Chip
from testbeds.esp32.standin.ends import PtyEnd
from testbeds.esp32.standin.rom import FLASH_BYTES, RomLoader
from testbeds.esp32.standin.slip import SlipReader, wrap
from testbeds.firmware.toolchain import esp32_container as container
from testbeds.firmware.toolchain.idf import FLASH_BEGIN

from .conftest import needs_esptool

pytestmark = pytest.mark.slow

IMAGE = bytes((i * 7 + i // 256) % 256 for i in range(9001))  # neither a whole sector nor a whole word


def _request(command: int, data: bytes, checksum: int = 0) -> bytes:
    return wrap(struct.pack("<BBHI", 0, command, len(data), checksum) + data)


def _block(command: int, block: bytes) -> bytes:
    return _request(command, struct.pack("<IIII", len(block), 0, 0, 0) + block, reduce(xor, block, 0xEF))


def _answers(loader: RomLoader, sent: bytes) -> list[bytes]:
    return SlipReader().feed(loader.feed(sent))


def _status(answer: bytes) -> tuple[int, int]:
    return answer[-4], answer[-3]


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=5), st.integers(1, 7))
def test_slip_packets_come_out_whole_however_they_are_cut(packets: list[bytes], cut: int) -> None:
    stream, reader = b"".join(wrap(p) for p in packets), SlipReader()
    found = [p for at in range(0, len(stream), cut) for p in reader.feed(stream[at : at + cut])]
    assert found == packets


STORE = bytearray(FLASH_BYTES)


@settings(max_examples=200)
@given(st.binary(max_size=200), st.integers(0, 255))
def test_noise_and_wrong_requests_never_break_the_loader(noise: bytes, command: int) -> None:
    loader = RomLoader(STORE)
    loader.feed(noise)
    loader.feed(b"\xc0" + noise + b"\xc0")
    loader.feed(_request(command, noise))
    assert len(_answers(loader, b"\xc0\xc0" + _request(rom.SYNC, bytes(36)))) >= 8


def test_flash_is_erased_by_sectors_and_programming_only_clears_bits() -> None:
    store = bytearray(b"\0" * FLASH_BYTES)
    loader = RomLoader(store)
    assert _status(_answers(loader, _request(rom.FLASH_BEGIN, struct.pack("<IIII", 100, 1, 100, 0x1000)))[0]) == (0, 0)
    assert store[0x1000:0x2000] == b"\xff" * 0x1000
    assert store[0x2000] == 0
    loader.feed(_block(rom.FLASH_DATA, b"\x0f" * 100))
    assert store[0x1000:0x1064] == b"\x0f" * 100
    assert _status(_answers(loader, _request(rom.FLASH_BEGIN, struct.pack("<IIII", 1, 1, 1, 0x1001)))[0])[0] == 1
    big = struct.pack("<IIII", FLASH_BYTES, 1, 1, 0x1000)
    assert _status(_answers(loader, _request(rom.FLASH_BEGIN, big))[0])[0] == 1


def test_a_block_with_a_wrong_checksum_or_length_is_refused() -> None:
    loader = RomLoader(bytearray(FLASH_BYTES))
    data = struct.pack("<IIII", 4, 0, 0, 0) + b"abcd"
    assert _status(_answers(loader, _request(rom.FLASH_DATA, data, 1))[0]) == (1, 7)
    assert _status(_answers(loader, _request(rom.FLASH_DATA, data[:-1], 1))[0])[0] == 1
    assert _status(_answers(loader, _request(0x77, b""))[0]) == (1, 5)
    assert _status(_answers(loader, _request(rom.FLASH_MD5, struct.pack("<IIII", FLASH_BYTES, 1, 0, 0)))[0])[0] == 1


def test_md5_is_text_from_rom_and_bytes_from_the_stub() -> None:
    loader = RomLoader(bytearray(IMAGE.ljust(FLASH_BYTES, b"\xff")))
    asked = _request(rom.FLASH_MD5, struct.pack("<IIII", 0, len(IMAGE), 0, 0))
    digest = hashlib.md5(IMAGE, usedforsecurity=False)
    assert _answers(loader, asked)[0][8:-4] == digest.hexdigest().encode()
    assert _answers(loader, _request(rom.MEM_END, struct.pack("<II", 0, 0x400BE5AC)))[1] == b"OHAI"
    assert _answers(loader, asked)[0][8:-2] == digest.digest()


@given(st.binary(max_size=200), st.integers(0, 60))
def test_only_a_whole_image_is_booted(program: bytes, cut: int) -> None:
    image = container.pack(program)
    assert container.unpack(image + b"\xff" * 9) == program
    broken = image[:-1] if not cut else image[:cut] + bytes((image[min(cut, len(image) - 1)] ^ 1,)) + image[cut + 1 :]
    assert container.unpack(broken) != program or broken[: len(image)] == image


@needs_esptool
@pytest.mark.parametrize("stub", [True, False], ids=["stub", "rom"])
def test_the_real_esptool_writes_and_verifies(chip: Chip, pty: PtyEnd, tmp_path: Path, stub: bool) -> None:
    image = tmp_path / "image.bin"
    image.write_bytes(IMAGE)
    chip.reset(loader=True)
    argv = [sys.executable, "-m", "esptool", "--chip", "esp32", "--port", str(pty.path), "--before", "no-reset"]
    argv += ["--after", "no-reset", *([] if stub else ["--no-stub"]), "write-flash", "0x1000", str(image)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Hash of data verified" in done.stdout
    assert chip.flash[FLASH_BEGIN : FLASH_BEGIN + len(IMAGE)] == IMAGE
    assert re.search("02:24:0a:57:d1:24", done.stdout)


@needs_esptool
def test_flashing_writes_what_differs_and_skips_what_is_equal(chip: Chip, pty: PtyEnd, tmp_path: Path) -> None:
    image = tmp_path / "image.bin"
    image.write_bytes(IMAGE)

    def put() -> bool:
        chip.reset(loader=True)
        return flash(image, str(pty.path), timeout_s=120, lines=False)

    assert put() is True
    assert put() is False
    chip.flash[FLASH_BEGIN + 5000] ^= 0x10  # one bit somewhere
    assert put() is True
    assert chip.flash[FLASH_BEGIN : FLASH_BEGIN + len(IMAGE)] == IMAGE


@needs_esptool
def test_a_flash_that_stalls_is_one_line(chip: Chip, pty: PtyEnd, tmp_path: Path) -> None:
    image = tmp_path / "image.bin"
    image.write_bytes(hashlib.shake_128(b"x").digest(100_000))  # more than one block, compressed or not
    chip.stalls_after = 1
    chip.reset(loader=True)
    with pytest.raises(BenchError, match=r"can't be flashed|took longer") as failure:
        flash(image, str(pty.path), timeout_s=5, lines=False)
    assert "\n" not in str(failure.value)
    assert "cable" in failure.value.cure


@needs_esptool
def test_a_board_that_is_not_in_its_loader_is_one_line(chip: Chip, pty: PtyEnd, tmp_path: Path) -> None:
    image = tmp_path / "image.bin"
    image.write_bytes(IMAGE)
    with pytest.raises(BenchError, match=r"took longer than 1\.5 s"):
        flash(image, str(pty.path), timeout_s=1.5, lines=False)


def test_without_esptool_the_cure_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(BenchError, match=r"needs esptool.*pip install"):
        flash(tmp_path / "x", "/dev/null", timeout_s=1)
