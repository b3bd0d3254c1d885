"""Serves the ESP32's serial loader, in ROM and as the stub that esptool uploads, as far as flashing needs it.

The protocol is that of esptool's documentation, "Serial Protocol". A request is 0 | command u8 | length u16 | checksum
u32 | data; an answer is 1 | command | length | value u32 | data | status, error (and two more bytes from ROM).
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable

from testbeds.esp32.standin.slip import SlipReader, wrap

FLASH_BYTES = 4 << 20
SECTOR_BYTES = 4096
FLASH_BEGIN, FLASH_DATA, FLASH_END = 0x02, 0x03, 0x04
MEM_BEGIN, MEM_END, MEM_DATA = 0x05, 0x06, 0x07
SYNC, WRITE_REG, READ_REG = 0x08, 0x09, 0x0A
SPI_SET_PARAMS, SPI_ATTACH, CHANGE_BAUDRATE = 0x0B, 0x0D, 0x0F
DEFL_BEGIN, DEFL_DATA, DEFL_END, FLASH_MD5 = 0x10, 0x11, 0x12, 0x13

_HEAD = struct.Struct("<BBHI")
_SEED = 0xEF
_ROM_VALUE = 0x20120707  # may be any value but 0: esptool takes eight answers with 0 for a running stub
_OK, _BAD_MESSAGE, _FAILED, _BAD_CRC, _FLASH_WRITE, _DEFLATE = 0x00, 0x05, 0x06, 0x07, 0x08, 0x0B

# Registers that esptool looks at: which chip, which crystal, which flash (targets/esp32.py names them).
_MAGIC_REG, _UART_CLKDIV_REG, _SPI_CMD_REG, _SPI_W0_REG = 0x40001000, 0x3FF40014, 0x3FF42000, 0x3FF42080
_EFUSE_MAC_LOW, _EFUSE_MAC_HIGH = 0x3FF5A004, 0x3FF5A008
_REGISTERS = {
    _MAGIC_REG: 0x00F01D83,
    _UART_CLKDIV_REG: 40_000_000 // 115_200,
    _SPI_CMD_REG: 0,  # a flash command is done at once
    _SPI_W0_REG: 0x1640EF,  # answer to "read identification": 4 MB
    _EFUSE_MAC_LOW: 0x0A57D124,
    _EFUSE_MAC_HIGH: 0x00000224,
}


class LoaderError(Exception):
    """Refuses a request, which is answered by a failure; the code goes into the answer."""

    def __init__(self, code: int) -> None:
        super().__init__(f"loader error {code:#x}")
        self.code = code


class RomLoader:
    """Serves one boot into the loader: `feed` takes bytes from the host and returns what goes back.

    Args:
        flash: the chip's flash, FLASH_BYTES of it, changed in place.
        stalls_after: blocks after which it stops answering, like a board whose cable or supply gives way, or None.
    """

    def __init__(self, flash: bytearray, *, stalls_after: int | None = None) -> None:
        self._flash = flash
        self._left = stalls_after
        self._packets = SlipReader()
        self._stub = False
        self._at = self._end = 0  # where the next block goes, and the end of what was erased
        self._inflate: zlib._Decompress | None = None
        self._obey: dict[int, Callable[[bytes], bytes]] = {
            FLASH_BEGIN: self._begin,
            FLASH_DATA: self._plain,
            FLASH_END: self._nothing,
            MEM_BEGIN: self._nothing,
            MEM_DATA: lambda data: self._block(data) and b"",
            MEM_END: self._nothing,
            WRITE_REG: self._nothing,
            READ_REG: self._nothing,
            SPI_SET_PARAMS: self._nothing,
            SPI_ATTACH: self._nothing,
            CHANGE_BAUDRATE: self._nothing,
            DEFL_BEGIN: self._begin_deflated,
            DEFL_DATA: self._deflated,
            DEFL_END: self._nothing,
            FLASH_MD5: self._md5,
        }

    def feed(self, data: bytes) -> bytes:
        """Take bytes from the host and return the bytes that go back."""
        return b"".join(self._answer(packet) for packet in self._packets.feed(data))

    def _answer(self, packet: bytes) -> bytes:
        if len(packet) < _HEAD.size:
            return b""
        direction, command, length, checksum = _HEAD.unpack_from(packet)
        data = packet[_HEAD.size :]
        if direction != 0 or length != len(data):
            return b""
        if command in (FLASH_DATA, DEFL_DATA) and self._left is not None:
            self._left -= 1
        if self._left is not None and self._left < 0:
            return b""
        if command == SYNC:
            return self._packet(command, b"") * 8
        body, code, value = b"", _OK, None
        try:
            if command not in self._obey:
                raise LoaderError(_BAD_MESSAGE)
            if command in (FLASH_DATA, DEFL_DATA, MEM_DATA):
                self._check(data, checksum)
            body = self._obey[command](data)
            value = self._register(data) if command == READ_REG else None
        except LoaderError as e:
            code = e.code
        except struct.error:
            code = _BAD_MESSAGE
        out = self._packet(command, body, code, value)
        if command == MEM_END and code == _OK and len(data) >= 8 and data[4:8] != bytes(4):
            self._stub = True  # the code that was uploaded takes over, and says so
            out += wrap(b"OHAI")
        return out

    def _packet(self, command: int, body: bytes, code: int = _OK, value: int | None = None) -> bytes:
        status = bytes((code != _OK, code)) + (b"" if self._stub else bytes(2))
        shown = (0 if self._stub else _ROM_VALUE) if value is None else value
        return wrap(_HEAD.pack(1, command, len(body) + len(status), shown) + body + status)

    @staticmethod
    def _register(data: bytes) -> int:
        (address,) = struct.unpack_from("<I", data)
        return _REGISTERS.get(address, 0)

    @staticmethod
    def _nothing(data: bytes) -> bytes:
        return b""

    @staticmethod
    def _block(data: bytes) -> bytes:
        """Return the block in a data packet: length u32, number u32, 0, 0, bytes."""
        (length,) = struct.unpack_from("<I", data)
        block = data[16:]
        if length != len(block):
            raise LoaderError(_BAD_MESSAGE)
        return block

    def _check(self, data: bytes, checksum: int) -> None:
        total = _SEED
        for byte in self._block(data):
            total ^= byte
        if total != checksum & 0xFF:
            raise LoaderError(_BAD_CRC)

    def _begin(self, data: bytes) -> bytes:
        size, _, _, offset = struct.unpack_from("<IIII", data)
        if offset % SECTOR_BYTES or offset > FLASH_BYTES or size > FLASH_BYTES - offset:
            raise LoaderError(_FAILED)
        end = offset + -(-size // SECTOR_BYTES) * SECTOR_BYTES
        self._flash[offset:end] = b"\xff" * (end - offset)
        self._at, self._end = offset, end
        return b""

    def _begin_deflated(self, data: bytes) -> bytes:
        self._inflate = zlib.decompressobj()
        return self._begin(data)

    def _plain(self, data: bytes) -> bytes:
        self._program(self._block(data))
        return b""

    def _deflated(self, data: bytes) -> bytes:
        if self._inflate is None:
            raise LoaderError(_FAILED)
        try:
            room = FLASH_BYTES - self._at + 1
            self._program(self._inflate.decompress(self._block(data), room))
        except zlib.error as e:
            raise LoaderError(_DEFLATE) from e
        return b""

    def _program(self, block: bytes) -> None:
        """Program a block as NOR flash does: bits are only cleared, so what was not erased rightly comes out wrong."""
        if self._at + len(block) > FLASH_BYTES:
            raise LoaderError(_FLASH_WRITE)
        erased = max(0, min(len(block), self._end - self._at))
        self._flash[self._at : self._at + erased] = block[:erased]
        for i in range(erased, len(block)):
            self._flash[self._at + i] &= block[i]
        self._at += len(block)

    def _md5(self, data: bytes) -> bytes:
        address, size = struct.unpack_from("<II", data)
        if address > FLASH_BYTES or size > FLASH_BYTES - address:
            raise LoaderError(_FAILED)
        digest = hashlib.md5(self._flash[address : address + size], usedforsecurity=False)
        return digest.digest() if self._stub else digest.hexdigest().encode()
