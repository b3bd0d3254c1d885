"""Makes SIGTERM, SIGINT and SIGHUP something to wait on: an exception from a handler could be lost in a C callback."""

from __future__ import annotations

import os
import signal
from types import FrameType, TracebackType

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class StopSignals:
    """Makes `fileno()` readable and `tripped` true on the signals while it is entered; they do nothing else."""

    def __init__(self) -> None:
        self.tripped = False
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        self._before: dict[int, object] = {}

    def fileno(self) -> int:
        return self._read

    def __enter__(self) -> StopSignals:
        for number in SIGNALS:
            self._before[number] = signal.signal(number, self._trip)
        return self

    def _trip(self, _number: int, _frame: FrameType | None) -> None:
        if not self.tripped:
            self.tripped = True
            os.write(self._write, b"x")

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        os.close(self._read)
        os.close(self._write)
