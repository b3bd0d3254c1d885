"""A scripted device on a pty: what a USB serial port is to pyserial."""

from __future__ import annotations

from harness.device.stand_in import StandInDevice
from harness.power.standins.pty_instrument import PtyInstrument


class PtyDevice(PtyInstrument):
    """Answers frames as they become complete."""

    def __init__(self, device: StandInDevice) -> None:
        self.device = device
        self._pending = bytearray()
        super().__init__()

    def answer(self, data: bytes) -> None:
        self._pending += data
        while (end := self._pending.find(0)) >= 0:
            self.send(self.device.handle(bytes(self._pending[:end])))
            del self._pending[: end + 1]
