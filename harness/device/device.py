"""Speaks the device protocol, host side: one request at a time over a serial port, each answered or given up in bounded
time.

A request that gets no answer is sent again with the same sequence number; the device then repeats its cached answer
and does nothing twice. Messages are those of harness.messages.
"""

from __future__ import annotations

import logging
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from harness.contracts.clock import Clock, HostClock
from harness.contracts.errors import BenchError
from harness.contracts.testbed import Note, SerialPort
from harness.device import decoded
from harness.device.boardlog import BoardLog
from harness.device.frames import MAX_DECODED, VERSION, Frame, FrameError, seal, unseal
from harness.device.messages import (
    CONFIG,
    CONNECT,
    HELLO,
    INFER,
    INFO,
    LOAD,
    MAX_READ,
    NAK,
    NO_LABEL,
    READ,
    REPLY,
    RESULT,
    STATS,
    STATS_REPLY,
    STATUS,
    Info,
    Result,
    Stats,
    config_tlvs,
)

__all__ = ["BOARD", "EMULATED", "Cancelled", "Device", "DeviceError", "NoAnswer", "Patience", "Refused", "config_tlvs"]

log = logging.getLogger(__name__)


class DeviceError(BenchError):
    """Says that the device did not do what was asked."""


class NoAnswer(DeviceError):
    """Says that no valid answer came in time."""


class Refused(DeviceError):
    """Says that the device answered NAK."""


class Cancelled(DeviceError):
    """Says that the run is being stopped."""


@dataclass(frozen=True)
class Patience:
    """Says how long an answer is waited for, and how often a request is sent."""

    timeout_s: float = 2.0
    attempts: int = 4
    hello_s: float = 0.4  # often and briefly: a board that is just starting hears nothing of the first ones
    hello_attempts: int = 15
    infer_s: float = 15.0  # above the board's own reply time-out: a damaged answer is asked for again soon
    infer_attempts: int = 8


BOARD = Patience()
# An emulated board's console loses nothing, however slow the host is; and a request sent twice would leave other traces
# in caches and predictor than one sent once, so that the load of the host would show in the cycles.
EMULATED = Patience(timeout_s=60.0, attempts=2, hello_s=60.0, hello_attempts=2, infer_s=120.0, infer_attempts=2)


class Device:
    """Talks to a device on an open serial port. `note` takes every frame in words; by default only -vv shows them."""

    def __init__(
        self,
        port: SerialPort,
        *,
        clock: Clock | None = None,
        cancelled: threading.Event | None = None,
        patience: Patience = BOARD,
        note: Note | None = None,
    ) -> None:
        self._port = port
        self._clock = clock or HostClock()
        self._cancelled = cancelled or threading.Event()
        self._patience = patience
        self._note = note or BoardLog("device", live=True).note
        self._sequence = self._marked = 0
        self._pending = bytearray()
        self.retries = 0
        port.timeout = 0.1  # how soon a cancelled run is noticed

    def mark(self) -> None:
        """Note that the device's state is being kept here: `rewind` comes back to this point of the dialogue."""
        self._marked = self._sequence

    def rewind(self) -> None:
        """Follow the device, which was put back to where it stood at `mark`; what it sent since then is dropped."""
        self._sequence = self._marked
        self._pending.clear()
        self._port.reset_input_buffer()  # a late answer would carry a number that is used again

    def hello(self) -> Info:
        """Ask who is there."""
        p = self._patience
        payload = self._ask(HELLO, b"", least=INFO.size, timeout_s=p.hello_s, attempts=p.hello_attempts)
        fields = INFO.unpack_from(payload)
        name = payload[INFO.size :].split(b"\0")[0].decode("ascii", "replace")
        if fields[0] != VERSION:
            raise DeviceError(f"the device speaks protocol {fields[0]}, not {VERSION}", cure="flash this bench's image")
        return Info(*(*fields, name))

    def configure(self, settings: bytes) -> None:
        """Send CONFIG with TLVs made by `messages.config_tlvs`."""
        self._ask(CONFIG, settings)

    def connect(self, timeout_s: float = 120.0) -> str:
        """Bring the module up, and return the device's text.

        Raises:
            DeviceError: the module did not get as far as the broker, with the step that failed.
        """
        payload = self._ask(CONNECT, b"", least=1, timeout_s=timeout_s, attempts=2)
        text = payload[1:].decode("ascii", "replace").strip("\0 ")
        if payload[0]:
            raise DeviceError(f"the device could not associate: {text or payload[0]}", cure="check Wi-Fi and broker")
        return text

    def load(self, image: bytes, chunk: int = MAX_READ) -> None:
        """Put a picture where the sensor would."""
        for offset in range(0, len(image), chunk):
            part = image[offset : offset + chunk]
            payload = self._ask(LOAD, struct.pack("<I", offset) + part, least=4)
            (received,) = struct.unpack_from("<I", payload)
            if received != offset + len(part):
                raise DeviceError(f"the device holds {received} bytes of the image, not {offset + len(part)}")

    def infer(self, sample: int, timeout_s: float | None = None) -> Result:
        """Run one inference with the sequence number `sample` (u16) in its payload."""
        p = self._patience
        limit_s = timeout_s or p.infer_s
        payload = self._ask(
            INFER, struct.pack("<H", sample), least=RESULT.size, timeout_s=limit_s, attempts=p.infer_attempts
        )
        status, exited, label, local, codec, _, size, symbols, *cycles = RESULT.unpack_from(payload)
        if status >= len(STATUS):
            raise DeviceError(f"the device answered with unknown status {status}")
        if not cycles[-1]:
            raise DeviceError("the device reports a clock of 0 Hz")
        own = None if local == NO_LABEL else local
        return Result(STATUS[status], bool(exited), label, own, codec, size, symbols, *cycles)

    def stats(self) -> Stats:
        """Return the counters, and the deepest stack so far."""
        return Stats(*STATS_REPLY.unpack_from(self._ask(STATS, b"", least=STATS_REPLY.size)))

    def read(self, region: int, size: int, offset: int = 0) -> bytes:
        """Read `size` bytes of a region of the device's memory, in chunks."""
        out = bytearray()
        while len(out) < size:
            want = min(MAX_READ, size - len(out))
            part = self._ask(READ, struct.pack("<BIH", region, offset + len(out), want))
            if len(part) != want:
                raise DeviceError(f"region {region}: {len(part)} bytes came, {want} were asked for")
            out += part
        return bytes(out)

    def _ask(
        self, kind: int, payload: bytes, *, least: int = 0, timeout_s: float | None = None, attempts: int | None = None
    ) -> bytes:
        self._sequence = self._sequence % 0xFFFF + 1
        request = Frame(kind, self._sequence, payload)
        sealed = seal(request)
        limit_s = timeout_s or self._patience.timeout_s
        tries = attempts or self._patience.attempts
        for attempt in range(tries):
            if attempt:
                self.retries += 1
                log.info("no answer to 0x%02x in %.1f s, asking again", kind, limit_s)
            self._note("frame", f"> {decoded.worded(request)}{' (again)' if attempt else ''}")
            try:
                self._port.write(sealed)
                answer = self._answer(kind, limit_s)
            except OSError as e:
                raise DeviceError(f"the console port failed ({e})", cure="check the board's cable and power") from e
            if answer is not None:
                if len(answer) < least:
                    raise DeviceError(f"answer to 0x{kind:02x} has {len(answer)} bytes, fewer than {least}")
                return answer
        raise NoAnswer(
            f"the device did not answer request 0x{kind:02x} ({tries} x {limit_s:g} s)",
            cure="reset the board and check that this bench's image is on it",
        )

    def _answer(self, kind: int, limit_s: float) -> bytes | None:
        for frame in self._frames(limit_s):
            if frame.sequence != self._sequence:
                continue  # late answer to an earlier attempt
            if frame.kind == kind | REPLY:
                return frame.payload
            if frame.kind == NAK:
                code, text = (frame.payload[0] if frame.payload else 0), frame.payload[1:].decode("ascii", "replace")
                raise Refused(f"the device refused request 0x{kind:02x}: {text.strip(chr(0)) or 'no reason'} ({code})")
        return None

    def _frames(self, limit_s: float) -> Iterator[Frame]:
        """Yield checked frames until `limit_s` has passed; damaged ones are dropped."""
        deadline_ms = self._clock.now_ms() + limit_s * 1e3
        while self._clock.now_ms() < deadline_ms:
            if self._cancelled.is_set():
                raise Cancelled("the run is being stopped")
            waiting = int(getattr(self._port, "in_waiting", 0))
            self._pending += self._port.read(max(1, waiting))
            while (end := self._pending.find(0)) >= 0:
                data = bytes(self._pending[:end])
                del self._pending[: end + 1]
                if not data:
                    continue
                try:
                    frame = unseal(data)
                except FrameError as e:
                    log.info("dropped a frame from the device: %s", e)
                    self._note("noise", f"< {len(data)} bytes that are no frame ({e}): {decoded.noise(data)}")
                    continue
                self._note("frame", f"< {decoded.worded(frame)}")
                yield frame
            if len(self._pending) > 2 * MAX_DECODED:
                self._note("noise", f"< {len(self._pending)} bytes without an end: {decoded.noise(self._pending)}")
                self._pending.clear()  # noise without a delimiter
