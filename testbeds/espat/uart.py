"""Models what a UART receiver makes of bytes that are sent at another rate than its own."""

from __future__ import annotations

FRAME_BITS = 10  # start, eight data, stop


class Receiver:
    """Samples the middle of each bit from the falling edge of a start bit on (8N1), as a UART's receiver does.

    It keeps a byte whose stop bit is wrong, as the ESP32's and the STM32's receivers do: they only flag it (ESP32
    technical reference manual, UART_FRM_ERR; RM0385, section 31.5.3). Times are whole units of any clock.
    """

    def __init__(self, frame_t: int) -> None:
        self._frame_t = frame_t
        self._at = 0  # the time up to which the line is known
        self._level = 1
        self._start: int | None = None  # when the frame that is being sampled began
        self._bits: list[int] = []
        self._out = bytearray()

    @property
    def open(self) -> bool:
        """Tell whether a frame is under way."""
        return self._start is not None

    def take(self, byte: int, start: int, end: int) -> bytes:
        """Take one frame of `byte`, on the line from `start` to `end`, and return the bytes received by then."""
        self._run(1, max(start, self._at))
        levels = (0, *(byte >> k & 1 for k in range(8)), 1)
        for k, level in enumerate(levels, 1):
            self._run(level, start + (end - start) * k // FRAME_BITS)
        return self._taken()

    def idle(self, until: int) -> bytes:
        """Keep the line idle until `until`, and return the bytes that this completes."""
        self._run(1, max(until, self._at))
        return self._taken()

    def _taken(self) -> bytes:
        out = bytes(self._out)
        self._out.clear()
        return out

    def _run(self, level: int, until: int) -> None:
        """Hold the line at `level` up to `until`."""
        if self._start is None and self._level == 1 and level == 0:
            self._start = self._at
        while self._start is not None:
            sample = self._start + (2 * len(self._bits) + 1) * self._frame_t // (2 * FRAME_BITS)
            if sample >= until:
                break
            self._bits.append(level)
            if self._bits[0] == 1:  # it was not a start bit after all
                self._start, self._bits = None, []
            elif len(self._bits) == FRAME_BITS:
                self._out.append(sum(bit << k for k, bit in enumerate(self._bits[1:9])))
                self._start, self._bits = None, []
        self._level, self._at = level, max(self._at, until)
