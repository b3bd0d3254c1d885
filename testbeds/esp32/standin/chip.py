"""Models the board: its flash, reset lines and boot mode, and the chip's process while the application runs."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import select
import socket
import subprocess
import tempfile
import threading
import time
import tty
from collections.abc import Callable
from pathlib import Path

from testbeds.esp32.standin.faults import Noise
from testbeds.esp32.standin.radio import AccessPoint, Radio
from testbeds.esp32.standin.rom import FLASH_BYTES, RomLoader
from testbeds.firmware.toolchain import esp32_container as container
from testbeds.firmware.toolchain.idf import FLASH_BEGIN

log = logging.getLogger(__name__)

# The ROM talks at 115200 baud; heard at another rate, its words are bytes that mean nothing.
_ROM_NOISE = bytes(0x80 | (i * 37) % 127 for i in range(60))
_WAIT_S = 0.2


class Chip:
    """Models a powered board. `feed` takes what the host sends; what the board sends goes to every one of `sinks`.

    The two control lines work as on development kits: EN is pulled low by RTS alone, IO0 by DTR alone. EN goes up
    again when RTS is released; IO0 low at that moment means the loader. (Between the two both lines are asserted, when
    the kits' circuit leaves EN to its capacitor: so it stays down here.)
    """

    def __init__(self, *, access_point: AccessPoint | None = None) -> None:
        self.flash = bytearray(b"\xff" * FLASH_BYTES)
        self.access_point = access_point or AccessPoint()
        self.noise_in, self.noise_out = Noise(), Noise()
        self.stalls_after: int | None = None  # as in RomLoader, which takes it at the next boot into the loader
        self.sinks: list[Callable[[bytes], None]] = []  # the host's ends
        self.boots = 0
        self._lock = threading.RLock()
        self._held_in_reset = False
        self._loader: RomLoader | None = None
        self._application: _Application | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="agilenn-esp32-")

    @property
    def mode(self) -> str:
        """Return `loader`, `application` or `dead` (held in reset, no image in flash, or its process has ended)."""
        if self._loader is not None:
            return "loader"
        return "application" if self._application is not None and self._application.alive else "dead"

    @property
    def radio(self) -> Radio | None:
        """Return the radio of the application that runs, or None when none runs."""
        return self._application.radio if self._application is not None else None

    def lines(self, *, dtr: bool, rts: bool) -> None:
        """Set the control lines to these levels."""
        with self._lock:
            if rts and not dtr and not self._held_in_reset:
                self._held_in_reset = True
                self._stop()
            elif not rts and self._held_in_reset:
                self._held_in_reset = False
                self._boot(loader=dtr)

    def reset(self, *, loader: bool = False) -> None:
        """Press the EN button; `loader` holds IO0 down meanwhile, so that the chip starts in its loader."""
        with self._lock:
            self._stop()
            self._boot(loader=loader)

    def feed(self, data: bytes) -> None:
        """Take bytes on the chip's receive line."""
        data = self.noise_in.through(data)
        with self._lock:
            if self._loader is not None:
                self._emit(self._loader.feed(data))
            elif self._application is not None:
                self._application.write(data)

    def close(self) -> None:
        """Switch the board off. It is safe to call this twice."""
        with self._lock:
            self._stop()
        self._folder.cleanup()

    def _emit(self, data: bytes) -> None:
        if data:
            heard = self.noise_out.through(data)
            for sink in self.sinks:
                sink(heard)

    def _stop(self) -> None:
        self._loader = None
        if self._application is not None:
            self._application.close()
            self._application = None

    def _boot(self, *, loader: bool) -> None:
        self.boots += 1
        self._emit(_ROM_NOISE)
        if loader:
            self._loader = RomLoader(self.flash, stalls_after=self.stalls_after)
            return
        program = container.unpack(self.flash[FLASH_BEGIN:])
        if program is None:
            self._emit(b"invalid header: 0xffffffff\r\n")
            return
        path = Path(self._folder.name) / f"boot-{self.boots}"
        path.write_bytes(program)
        path.chmod(0o700)
        try:
            self._application = _Application(path, self.access_point, self._emit)
        except OSError as e:
            log.warning("the stand-in's firmware does not start: %s", e)
            path.unlink(missing_ok=True)


class _Application:
    """Holds one boot of the firmware: its process, its console pty and its radio."""

    def __init__(self, program: Path, access_point: AccessPoint, emit: Callable[[bytes], None]) -> None:
        self._program = program
        self._emit = emit
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as this
        argv = [str(program), os.ttyname(self._slave), str(theirs.fileno())]
        try:
            self._process = _start(argv, theirs.fileno(), self._said.fileno())
        except OSError:
            for end in (self._master, self._slave):
                os.close(end)
            ours.close()
            self._said.close()
            raise
        finally:
            theirs.close()
        self.radio = Radio(ours, access_point)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._pump, name="esp32-console", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def write(self, data: bytes) -> None:
        """Send bytes to the console. What does not fit into its buffer is lost, as in a UART's."""
        with contextlib.suppress(BlockingIOError, OSError):
            os.write(self._master, data)

    def _pump(self) -> None:
        while not self._stop.is_set():
            if not select.select([self._master], [], [], _WAIT_S)[0]:
                if self._process.poll() is not None:
                    if not self._stop.is_set():
                        self._tell_end()
                    return
                continue
            try:
                data = os.read(self._master, 4096)
            except OSError:
                return
            self._emit(data)

    def _tell_end(self) -> None:
        self._said.seek(0)
        words = self._said.read()[-4000:].decode("utf-8", "replace").strip()
        log.warning("the stand-in's firmware ended with code %s %s", self._process.returncode, words)

    def close(self) -> None:
        self._stop.set()
        self._process.kill()
        self._process.wait()
        self.radio.close()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout=5)
        os.close(self._master)
        os.close(self._slave)
        self._said.close()
        self._program.unlink(missing_ok=True)


def _start(argv: list[str], radio: int, said: int) -> subprocess.Popen[bytes]:
    for _ in range(50):
        try:
            return subprocess.Popen(
                argv, pass_fds=(radio,), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said
            )
        except OSError as e:
            if e.errno != errno.ETXTBSY:  # another thread's fork still holds the file open for writing
                raise
            time.sleep(0.02)
    raise OSError(errno.ETXTBSY, "the firmware's file stays busy", argv[0])
