"""Does what every probe on a serial line does alike: open, read and write or say that it is gone, record, stop,
close.
"""

from __future__ import annotations

import logging
from abc import abstractmethod

import serial

from harness.contracts.errors import BenchError
from harness.contracts.probe import PowerProbe, Source, Trace
from harness.power.clock_fit import ClockFit, fit_lower_envelope
from harness.power.serial_line import gone, open_port
from harness.power.stream import StreamReader

log = logging.getLogger(__name__)

_MAX_DRIFT_PPM = 1000.0
_MIN_FIT_S = 1.0


class SerialProbe(PowerProbe):
    """Drives a probe at `path` (a device or any pyserial URL). A driver asks and configures it in its own constructor.

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
        self._clock_pairs: list[tuple[float, float]] = []  # host's monotonic clock, samples counted by then
        self.source = source
        self._port = open_port(path, baud, self.name)

    def start(self) -> None:
        if self._reader is not None:
            raise BenchError(f"the {self.name} is recording already", cure="stop it first")
        self._clock_pairs = []
        self._begin()
        self._reader = StreamReader(self._port, self._take)
        self._reader.start()

    def wait_for(self, samples: int, quiet_s: float | None = None) -> bool:
        """Wait until the recording has `samples` samples, lost ones included where the instrument tells of them; return
        False when the stream dries up first.
        """
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

    def clock(self) -> ClockFit | None:
        """Fit the host clock (reference) against the probe's sample clock over the last recording; None when
        too short.
        """
        pairs = self._clock_pairs
        if not pairs or pairs[-1][0] - pairs[0][0] < _MIN_FIT_S:
            return None
        return fit_lower_envelope([h for h, _ in pairs], [n / self.rate_hz for _, n in pairs])

    def clock_info(self) -> dict[str, str]:
        """Return that fit as a trace's `info` has it; empty when too short."""
        if (fit := self.clock()) is None:
            return {}
        if abs(fit.drift_ppm) > _MAX_DRIFT_PPM:
            log.warning("the %s's clock runs %.0f ppm off the host's: were samples lost?", self.name, fit.drift_ppm)
        return {
            "clock_offset_s": f"{fit.offset_s:.6f}",
            "clock_drift_ppm": f"{fit.drift_ppm:.1f}",
            "clock_residual_ms": f"{fit.residual_s * 1e3:.3f}",
        }

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
    def _feed(self, data: bytes) -> None:
        """Decode what came, in the reading thread."""

    @abstractmethod
    def _count(self) -> int:
        """Return the samples of the recording so far."""

    @abstractmethod
    def _trace(self) -> Trace:
        """Return the recording, ended. Raises BenchError when nothing was measured."""

    @abstractmethod
    def _stop_words(self) -> bytes:
        """Return what ends the stream."""

    @abstractmethod
    def _last_words(self, *, recording: bool) -> bytes:
        """Return what gives the instrument back."""

    def _ended(self) -> bool:
        """Say whether the stream itself tells that it has ended. Most only fall silent."""
        return False

    def _take(self, data: bytes, host_s: float) -> None:
        self._feed(data)
        self._clock_pairs.append((host_s, self._count()))
        if self._count() > self._longest_s * self.rate_hz:
            raise BenchError(
                f"a recording is longer than {self._longest_s:g} s", cure="stop it earlier, or raise longest_s"
            )

    def _read(self) -> bytes:
        """Return what is there, after the port's short time-out at the latest. Raises ProbeGone."""
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
