"""Reads firmware images (`.elf`, `.bin`, `.hex`) into flash bytes and function names, bounded whatever they say."""

from __future__ import annotations

import bisect
import io
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.contracts.errors import BenchError
from testbeds.virtual.memory import FLASH, FLASH_ALIAS, FLASH_BYTES, RAM, RAM_BYTES

MAX_FILE_BYTES = 64 << 20
MAX_SYMBOLS = 200_000
CURE = "give a firmware image for the STM32F746: .elf, .bin (for 0x08000000) or .hex"


@dataclass(frozen=True)
class Image:
    """Holds what goes into the flash, and what its functions are called."""

    path: Path
    segments: tuple[tuple[int, bytes], ...]  # (flash address, bytes), not overlapping
    functions: tuple[tuple[int, int, str], ...] = ()  # (address, bytes, name), sorted
    symbols: dict[str, int] = field(default_factory=dict)

    def function_at(self, address: int) -> str:
        """Return the name of the function that holds `address` (with the distance), empty when unknown."""
        k = bisect.bisect_right(self.functions, address & ~1, key=lambda f: f[0]) - 1
        if k < 0:
            return ""
        start, size, name = self.functions[k]
        offset = (address & ~1) - start
        return "" if offset >= max(size, 2) else f"{name}+0x{offset:x}" if offset else name


def load_image(path: Path) -> Image:
    """Read a firmware image.

    Raises:
        BenchError: the file can't be read, is none of the three kinds, is damaged, or does not fit the flash.
    """
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise BenchError(f"{path} has {size} bytes, too many for a firmware image", cure=CURE)
        data = path.read_bytes()
    except OSError as e:
        raise BenchError(f"{path} can't be read ({e.strerror})", cure="check the path and its permissions") from e
    if data[:4] == b"\x7fELF":
        image = _elf(path, data)
    elif path.suffix.lower() == ".hex" or (data[:1] == b":" and path.suffix.lower() != ".bin"):
        image = Image(path, _merged(path, _hex(path, data)))
    elif path.suffix.lower() == ".bin":
        image = Image(path, _merged(path, [(FLASH, data)]))
    else:
        raise BenchError(f"{path} is no firmware image", cure=CURE)
    _check_vectors(image)
    return image


def _merged(path: Path, pieces: list[tuple[int, bytes]]) -> tuple[tuple[int, bytes], ...]:
    """Return flash addresses and bytes, checked to lie in the flash and not to overlap."""
    out: list[tuple[int, bytes]] = []
    for given, data in sorted(pieces):
        address = given - FLASH_ALIAS + FLASH if FLASH_ALIAS <= given < FLASH_ALIAS + FLASH_BYTES else given
        if not data:
            continue
        if address < FLASH or address + len(data) > FLASH + FLASH_BYTES:
            over = address + len(data) - FLASH - FLASH_BYTES
            why = f"{over} bytes over the end of" if FLASH <= address < FLASH + FLASH_BYTES else "outside"
            raise BenchError(f"{path}: 0x{given:08x} + {len(data)} bytes lies {why} the 1 MB flash", cure=CURE)
        if out and address < out[-1][0] + len(out[-1][1]):
            raise BenchError(f"{path}: two parts claim 0x{address:08x}", cure="build the image again")
        if out and address == out[-1][0] + len(out[-1][1]):
            out[-1] = (out[-1][0], out[-1][1] + data)
        else:
            out.append((address, data))
    if not out:
        raise BenchError(f"{path} holds nothing to load", cure=CURE)
    return tuple(sorted(out))


def _check_vectors(image: Image) -> None:
    address, data = image.segments[0]
    if address != FLASH or len(data) < 8:
        raise BenchError(f"{image.path} has no vector table at 0x08000000", cure="check its linker script")
    sp, pc = struct.unpack_from("<II", data)
    if not RAM < sp <= RAM + RAM_BYTES or sp % 4:
        raise BenchError(f"{image.path}: first stack pointer 0x{sp:08x} is not in RAM", cure=CURE)
    if not pc & 1 or not (FLASH <= pc < FLASH + FLASH_BYTES or FLASH_ALIAS <= pc < FLASH_ALIAS + FLASH_BYTES):
        raise BenchError(f"{image.path}: reset vector 0x{pc:08x} is not Thumb code in flash", cure=CURE)


def _elf(path: Path, data: bytes) -> Image:
    from elftools.common.exceptions import ELFError  # noqa: PLC0415 - only when an ELF is read
    from elftools.construct import ConstructError  # noqa: PLC0415
    from elftools.elf.elffile import ELFFile  # noqa: PLC0415

    try:
        elf = ELFFile(io.BytesIO(data))
        if elf.elfclass != 32 or not elf.little_endian or elf["e_machine"] != "EM_ARM":
            raise BenchError(f"{path} is an ELF file, but not for a 32-bit little-endian Arm", cure=CURE)
        if elf["e_phnum"] > 256 or elf["e_shnum"] > 10_000:
            raise BenchError(f"{path} is damaged: {elf['e_phnum']} segments, {elf['e_shnum']} sections", cure=CURE)
        pieces = [
            (segment["p_paddr"], data[segment["p_offset"] : segment["p_offset"] + segment["p_filesz"]])
            for segment in elf.iter_segments("PT_LOAD")
            if segment["p_filesz"] and _whole(path, segment, len(data))
        ]
        segments = _merged(path, pieces)
        functions, symbols = _symbols(elf)
    except BenchError:
        raise
    except (ELFError, ConstructError, ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError,
            struct.error, UnicodeError, AssertionError, RecursionError, OSError) as e:  # fmt: skip
        # What the ELF library raises on a damaged file is not one kind; all of it means the same to the user.
        raise BenchError(f"{path} is a damaged ELF file ({type(e).__name__})", cure="build it again") from e
    return Image(path, segments, functions, symbols)


def _whole(path: Path, segment: Any, size: int) -> bool:
    if segment["p_offset"] + segment["p_filesz"] > size:
        raise BenchError(f"{path} is cut short: a segment ends after the file", cure="build it again")
    return True


def _symbols(elf: Any) -> tuple[tuple[tuple[int, int, str], ...], dict[str, int]]:
    table = elf.get_section_by_name(".symtab")
    if table is None or not hasattr(table, "iter_symbols") or table.num_symbols() > MAX_SYMBOLS:
        return (), {}
    functions, symbols = [], {}
    for s in table.iter_symbols():
        if not s.name or s.name.startswith("$"):
            continue
        symbols[s.name] = s["st_value"]
        if s["st_info"]["type"] == "STT_FUNC":
            functions.append((s["st_value"] & ~1, s["st_size"], s.name))
    return tuple(sorted(functions)), symbols


def _hex(path: Path, data: bytes) -> list[tuple[int, bytes]]:
    """Read Intel HEX records: 00 data, 01 end, 02 and 04 extended address, 03 and 05 start (ignored)."""
    pieces: list[tuple[int, bytearray]] = []
    base, total = 0, 0
    for number, line in enumerate(data.split(b"\n"), start=1):
        text = line.strip()
        if not text:
            continue
        try:
            record = bytes.fromhex(text[1:].decode("ascii")) if text[:1] == b":" else b""
        except (ValueError, UnicodeDecodeError):
            record = b""
        if len(record) < 5 or len(record) != record[0] + 5 or sum(record) & 0xFF:
            raise BenchError(f"{path}, line {number}: no Intel HEX record or a wrong checksum", cure="build it again")
        kind, payload = record[3], record[4:-1]
        if kind == 0:
            address = base + int.from_bytes(record[1:3], "big")
            total += len(payload)
            if total > FLASH_BYTES:
                raise BenchError(f"{path} holds more than 1 MB", cure=CURE)
            if pieces and pieces[-1][0] + len(pieces[-1][1]) == address:
                pieces[-1][1].extend(payload)
            else:
                pieces.append((address, bytearray(payload)))
        elif kind == 1:
            return [(address, bytes(piece)) for address, piece in pieces]
        elif kind in (2, 4) and len(payload) == 2:
            base = int.from_bytes(payload, "big") << (4 if kind == 2 else 16)
        elif kind not in (3, 5):
            raise BenchError(f"{path}, line {number}: unknown record type {kind}", cure="build it again")
    raise BenchError(f"{path} is cut short: it has no end record", cure="build it again")
