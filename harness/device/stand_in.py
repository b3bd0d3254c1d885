"""Provides a testbed without a board: a scripted device that speaks the real frames, for tests and for trying the
harness out.

It computes nothing: label, cycles and bytes are a fixed function of the picture, and its times are `assumed`. Faults
can be asked for, one by one, to see what the harness makes of them.
"""

from __future__ import annotations

import struct
import zlib
from collections import deque
from collections.abc import Callable
from pathlib import Path

from harness.artefacts.artefacts import Artefact
from harness.contracts.clock import HostClock
from harness.contracts.codecs import CODECS
from harness.contracts.errors import BenchError, TestbedAbsent
from harness.contracts.link import Link, LinkSpec
from harness.contracts.testbed import Crash, SampleLog, Testbed, TestbedDescription
from harness.device import messages as protocol
from harness.device.frames import Frame, FrameError, seal, unseal

CLOCK_HZ = 216_000_000
MODULE_BAUD = 4_000_000


class StandInLink(Link):
    """Remembers what was applied."""

    modelled = True

    def __init__(self) -> None:
        self._spec: LinkSpec | None = None

    def apply(self, spec: LinkSpec) -> None:
        """Remember the spec, and refuse what the link does not model."""
        if spec.up.jitter_ms or spec.up.loss:
            raise BenchError("the stand-in has no jitter and no loss")
        self._spec = spec

    def read_back(self) -> LinkSpec | None:
        """Return the spec applied last."""
        return self._spec

    def clear(self) -> None:
        """Forget the spec."""
        self._spec = None


class StandInDevice:
    """Plays the device end of the protocol. `faults` are taken one a request: None, "silent", "garbage", "nak",
    "late".
    """

    def __init__(self, artefact: Artefact, link: StandInLink) -> None:
        self.artefact = artefact
        self.link = link
        self.faults: deque[str | None] = deque()
        self.deaf = False
        self.requests: list[int] = []
        self.config: dict[int, bytes] = {}
        self.pinned_ms = 0.0
        self.status = 0
        self.inferred: Callable[[str, int], None] = lambda prefix, sequence: None
        self.log = SampleLog()
        self._image = bytearray()
        self._last: tuple[int, int, bytes] | None = None

    def handle(self, data: bytes) -> bytes:
        """Return the bytes that come back for one frame."""
        try:
            frame = unseal(data)
        except FrameError:
            return b""
        if self.deaf:
            return b""
        fault = self.faults.popleft() if self.faults else None
        self.requests.append(frame.kind)
        if fault == "nak":
            return seal(Frame(protocol.NAK, frame.sequence, b"\x01no"))
        if self._last and self._last[:2] == (frame.kind, frame.sequence):
            answer = self._last[2]  # asked again: nothing is done twice
        else:
            answer = seal(Frame(frame.kind | 0x80, frame.sequence, self._answer(frame)))
            self._last = (frame.kind, frame.sequence, answer)
        if fault == "silent":
            return b""
        if fault == "garbage":
            return bytes((answer[0], answer[1] ^ 0xFF)) + answer[2:]
        if fault == "late":
            return seal(Frame(frame.kind | 0x80, frame.sequence - 1, b"\xff" * 60)) + answer
        return answer

    def _answer(self, frame: Frame) -> bytes:
        d = self.artefact.description
        answer = b""
        match frame.kind:
            case protocol.HELLO:
                head = (1, self.artefact.u32, CLOCK_HZ, d.image_bytes, d.classes, 1024, 100_000)
                answer = struct.pack("<BIIIHHI", *head) + d.label.encode()
            case protocol.CONFIG:
                self.config = _tlvs(frame.payload)
            case protocol.CONNECT:
                answer = b"\x00associated"
            case protocol.LOAD:
                (offset,) = struct.unpack_from("<I", frame.payload)
                self._image[offset:] = frame.payload[4:]
                answer = struct.pack("<I", len(self._image))
            case protocol.INFER:
                answer = self._infer(*struct.unpack("<H", frame.payload))
            case protocol.STATS:
                answer = struct.pack("<7I", 3000, 16_384, 100_000, 0, 0, 0, 0)
            case protocol.READ:
                _, offset, size = struct.unpack("<BIH", frame.payload)
                answer = bytes((offset + i) % 256 for i in range(size))
        return answer

    def _infer(self, sequence: int) -> bytes:
        d = self.artefact.description
        mark = zlib.crc32(bytes(self._image))
        sent = 0 if d.offload == "none" else 400 + mark % 200
        spec = self.link.read_back() or LinkSpec.symmetric(6e6)
        wire = spec.wire_bytes(sent + 20)
        link_ms = wire * 8e3 / spec.up.rate_bps
        serial_ms = (sent + 40) * 1e4 / MODULE_BAUD
        wait_ms = link_ms + serial_ms + self.pinned_ms if sent else 0.0
        self.log = SampleLog(
            mqtt_up_bytes=sent + 20,
            wire_up_bytes=wire,
            link_up_ms=link_ms,
            serial_up_bytes=sent + 40,
            serial_up_ms=serial_ms,
            remote_ms=self.pinned_ms if sent else None,
        )
        if sent:
            self.inferred(self.config[7].decode(), sequence)
        cycles = (1_000_000 + mark % 1000, 50_000, min(round(wait_ms * CLOCK_HZ / 1e3), 2**32 - 1), 400, CLOCK_HZ)
        codec = CODECS.index(d.codec)
        head = (self.status, 0, mark % d.classes, mark % d.classes, codec, 0, sent, sent * 2)
        return struct.pack("<BBHHBBIIIIIII", *head, *cycles)


class StandInPort:
    """Is a serial port whose other end is a StandInDevice."""

    def __init__(self, device: StandInDevice) -> None:
        self.timeout: float | None = None
        self._device = device
        self._incoming = bytearray()
        self._outgoing = bytearray()

    @property
    def in_waiting(self) -> int:
        """Return how many bytes can be read at once."""
        return len(self._incoming)

    def read(self, size: int = 1) -> bytes:
        """Return what is there; this never waits."""
        out = bytes(self._incoming[:size])
        del self._incoming[:size]
        return out

    def write(self, data: bytes) -> int:
        """Take bytes, and answer frames as they become complete."""
        self._outgoing += data
        while (end := self._outgoing.find(0)) >= 0:
            self._incoming += self._device.handle(bytes(self._outgoing[:end]))
            del self._outgoing[: end + 1]
        return len(data)

    def reset_input_buffer(self) -> None:
        """Drop what has come."""
        self._incoming.clear()

    def close(self) -> None:
        """Do nothing, as there is nothing to give back."""


class StandInTestbed(Testbed):
    """Is a board that is a StandInDevice."""

    name = "stand_in"

    def __init__(self, artefact: Artefact, *, present: bool = True, pins: bool = True) -> None:
        self.link: StandInLink = StandInLink()
        self.clock = HostClock()
        self.device = StandInDevice(artefact, self.link)
        self.steps: list[str] = []
        self.hangs = False  # until its supply was switched off and on
        self.left: Crash | None = None  # by a fault of its firmware
        self._present = present
        self._pins = pins
        self.description = TestbedDescription(
            name=self.name,
            title="stand-in without a board",
            target="host",
            clock_hz=CLOCK_HZ,
            ram_bytes=320 * 1024,
            flash_bytes=1024 * 1024,
            console_baud=115_200,
            module_baud=MODULE_BAUD,
            time_source="assumed",
            remarks="nothing is computed",
        )

    @property
    def pins_remote(self) -> bool:
        """Say what was asked for when the testbed was made."""
        return self._pins

    def check(self) -> None:
        """Raise TestbedAbsent when the testbed was made absent, or has no supply."""
        if not self._present:
            raise TestbedAbsent(f"testbed {self.name}: no board", cure="make one")

    def flash(self, image: Path) -> None:
        """Note that it was flashed."""
        self.steps.append(f"flash {image.name}")

    def reset(self) -> None:
        """Note that it was reset; a device that hangs hears nothing afterwards."""
        self.steps.append("reset")
        self.device.deaf = self.hangs

    def crash(self) -> Crash | None:
        """Return what the firmware left, once."""
        left, self.left = self.left, None
        return left

    def switch_supply(self, on: bool) -> None:
        """Do as when its supply is switched: off, it is not there; on, it runs anew."""
        self.steps.append(f"supply {'on' if on else 'off'}")
        self._present = on
        self.hangs = False

    def open(self) -> StandInPort:
        """Open the port of the scripted device."""
        self.steps.append("open")
        return StandInPort(self.device)

    def ready(self) -> None:
        """Note that it is ready."""
        self.steps.append("ready")

    def before_sample(self, seed: int, remote_ms: float | None) -> None:
        """Pin the remote time."""
        self.device.pinned_ms = remote_ms or 0.0

    def sample_log(self) -> SampleLog:
        """Return what the device made up."""
        return self.device.log

    def close(self) -> None:
        """Note that it was closed."""
        self.steps.append("close")


def _tlvs(data: bytes) -> dict[int, bytes]:
    out = {}
    at = 0
    while at + 2 <= len(data):
        tag, size = data[at], data[at + 1]
        out[tag] = data[at + 2 : at + 2 + size]
        at += 2 + size
    return out
