"""Packs SLIP packets as the ESP32's ROM loader does: 0xC0, escaped bytes, 0xC0 (RFC 1055, without its stray END)."""

from __future__ import annotations

END, ESC, ESC_END, ESC_ESC = 0xC0, 0xDB, 0xDC, 0xDD
MOST_BYTES = 0x10000  # far above any packet of esptool: bounds what noise can make us hold


def wrap(data: bytes) -> bytes:
    """Return `data` as one packet."""
    escaped = data.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc")
    return b"\xc0" + escaped + b"\xc0"


class SlipReader:
    """Takes bytes and gives whole packets; whatever is not a packet is dropped."""

    def __init__(self) -> None:
        self._held: bytearray | None = None  # None: outside of a packet
        self._escaped = False

    def feed(self, data: bytes) -> list[bytes]:
        """Return the packets that `data` completes."""
        packets = []
        for byte in data:
            if byte == END:
                if self._held:
                    packets.append(bytes(self._held))
                    self._held = None
                else:
                    self._held = bytearray()
                self._escaped = False
            elif self._held is not None:
                self._take(byte)
        return packets

    def _take(self, byte: int) -> None:
        if self._held is None:
            return
        if self._escaped:
            self._escaped = False
            if byte not in (ESC_END, ESC_ESC) or len(self._held) >= MOST_BYTES:
                self._held = None
                return
            self._held.append(END if byte == ESC_END else ESC)
        elif byte == ESC:
            self._escaped = True
        elif len(self._held) >= MOST_BYTES:
            self._held = None
        else:
            self._held.append(byte)
