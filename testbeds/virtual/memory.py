"""Models the memory that an STM32F746 has, and nothing else: an access outside is a fault (RM0385 2.2.2)."""

from __future__ import annotations

import ctypes

from unicorn import UC_PROT_ALL, UC_PROT_EXEC, UC_PROT_READ, Uc

FLASH, FLASH_ALIAS, FLASH_BYTES = 0x08000000, 0x00200000, 1 << 20
RAM, RAM_BYTES = 0x20000000, 320 * 1024
DTCM_BYTES = 64 * 1024
ITCM, ITCM_BYTES = 0x00000000, 16 * 1024
SYSTEM, SYSTEM_BYTES = 0x1FF00000, 64 * 1024
UID, FLASH_SIZE_KB = 0x1FF0F420, 0x1FF0F442
BOARD_UID = bytes.fromhex("2a0031000551363436373538")  # any 96 bits: an emulated chip has no serial number of its own

PERIPHERALS = ((0x40000000, 0x80000), (0x50000000, 0x61000), (0xA0000000, 0x2000), (0xE0000000, 0x100000))


class Memory:
    """Maps the memories into Unicorn from buffers of our own."""

    def __init__(self, uc: Uc) -> None:
        self._uc = uc
        self._flash = ctypes.create_string_buffer(b"\xff" * FLASH_BYTES, FLASH_BYTES)
        self._ram = ctypes.create_string_buffer(RAM_BYTES)
        self._itcm = ctypes.create_string_buffer(ITCM_BYTES)
        system = bytearray(b"\xff" * SYSTEM_BYTES)
        system[UID - SYSTEM : UID - SYSTEM + 12] = BOARD_UID
        system[FLASH_SIZE_KB - SYSTEM : FLASH_SIZE_KB - SYSTEM + 2] = (FLASH_BYTES // 1024).to_bytes(2, "little")
        self._system = ctypes.create_string_buffer(bytes(system), SYSTEM_BYTES)
        read_only = UC_PROT_READ | UC_PROT_EXEC
        uc.mem_map_ptr(FLASH, FLASH_BYTES, read_only, ctypes.addressof(self._flash))
        uc.mem_map_ptr(FLASH_ALIAS, FLASH_BYTES, read_only, ctypes.addressof(self._flash))
        uc.mem_map_ptr(RAM, RAM_BYTES, UC_PROT_ALL, ctypes.addressof(self._ram))
        uc.mem_map_ptr(ITCM, ITCM_BYTES, UC_PROT_ALL, ctypes.addressof(self._itcm))
        uc.mem_map_ptr(SYSTEM, SYSTEM_BYTES, read_only, ctypes.addressof(self._system))

    def load_flash(self, address: int, data: bytes) -> None:
        """Program flash, as a flash tool would."""
        ctypes.memmove(ctypes.addressof(self._flash) + address - FLASH, data, len(data))

    def state(self) -> tuple[bytes, bytes]:
        return self._ram.raw, self._itcm.raw

    def restore(self, state: tuple[bytes, bytes]) -> None:
        """Put back RAM and ITCM. They are written through Unicorn, so that code translated from RAM is dropped."""
        self._uc.mem_write(RAM, state[0])
        self._uc.mem_write(ITCM, state[1])
