"""What every probe on a serial line does alike: open, read and write or say that it is gone, record, stop, close."""

from __future__ import annotations

import logging
from abc import abstractmethod

import serial

from harness.contracts.errors import BenchError
from harness.contracts.probe import PowerProbe, Source, Trace
from harness.power.serial_line import gone, open_port
from harness.power.stream import StreamReader

log = logging.getLogger(__name__)


class SerialProbe(PowerProbe):
    """A probe at `path` (a device or any pyserial URL). A driver asks and configures it in its own constructor.

    Args:
        quiet_s: a stream has ended when nothing came for so long.
        longest_s: a recording that grows beyond this fails.

    Raises:
        BenchError: the port can't be opened.
    """

    def __init__(self, path: str, baud: int, source: Source, *, quiet_s: float, longest_s: float) -> None:
        self._path = path
        self._quiet_s = quiet_s
        self._longest_s = longest_s
        self._reader: StreamReader | None = None
        self.source = source
        self._port = open_port(path, baud, self.name)

    def start(self) -> None:
        if self._reader is not None:
            raise BenchError(f"the {self.name} is recording already", cure="stop it first")
        self._begin()
        self._reader = StreamReader(self._port, self._take)
        self._reader.start()

    def wait_for(self, samples: int, quiet_s: float | None = None) -> bool:
        """Wait until the recording has `samples` samples, lost ones included where the instrument tells of them; False
        when the stream dries up first."""
        if self._reader is None:
            raise BenchError(f"the {self.name} is not recording", cure="start it first")
        return self._reader.wait_until(lambda: self._count() >= samples, quiet_s or self._quiet_s)

    def stop(self) -> Trace:
        reader = self._reader
        if reader is None:
            raise BenchError(f"the {self.name} is not recording", cure="start it first")
        self._reader = None
        try:
            if reader.error is None:
                self._write(self._stop_words())
                reader.wait_until(self._ended, self._quiet_s)
        finally:
            reader.stop()
        if isinstance(reader.error, BenchError):
            raise reader.error
        if reader.error is not None:
            raise gone(self.name, self._path, reader.error)
        return self._trace()

    def close(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.stop()
        if not self._port.is_open:
            return
        try:
            self._port.write(self._last_words(recording=reader is not None))
        except (OSError, serial.SerialException) as e:
            log.warning("the %s at %s was gone at close (%s)", self.name, self._path, e)
        finally:
            self._port.close()

    @abstractmethod
    def _begin(self) -> None:
        """Reset the decoder and have the instrument stream."""

    @abstractmethod
    def _feed(self, data: bytes, host_s: float) -> None:
        """Decode what came, in the reading thread."""

    @abstractmethod
    def _count(self) -> int:
        """Samples of the recording so far."""

    @abstractmethod
    def _trace(self) -> Trace:
        """The recording, ended. Raises BenchError when nothing was measured."""

    @abstractmethod
    def _stop_words(self) -> bytes:
        """What ends the stream."""

    @abstractmethod
    def _last_words(self, *, recording: bool) -> bytes:
        """What gives the instrument back."""

    def _ended(self) -> bool:
        """Does the stream itself tell that it has ended? Most only fall silent."""
        return False

    def _take(self, data: bytes, host_s: float) -> None:
        self._feed(data, host_s)
        if self._count() > self._longest_s * self.rate_hz:
            raise BenchError(
                f"a recording is longer than {self._longest_s:g} s", cure="stop it earlier, or raise longest_s"
            )

    def _read(self) -> bytes:
        """What is there, after the port's short time-out at the latest. Raises ProbeGone."""
        try:
            data: bytes = self._port.read(max(1, self._port.in_waiting))
        except (OSError, serial.SerialException) as e:
            raise gone(self.name, self._path, e) from e
        return data

    def _write(self, data: bytes) -> None:
        try:
            self._port.write(data)
        except (OSError, serial.SerialException) as e:
            raise gone(self.name, self._path, e) from e
