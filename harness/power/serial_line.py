"""Opens a probe's serial port, and tells its errors in one line."""

from __future__ import annotations

import logging

import serial

from harness.contracts.errors import BenchError

log = logging.getLogger(__name__)


class ProbeGone(BenchError):
    """Says that the probe stopped answering in the middle of a recording; what it recorded is void."""


def open_port(path: str, baud: int, instrument: str, timeout_s: float = 0.02) -> serial.Serial:
    """Open the port at `path` (a device or any pyserial URL), for this process alone.

    Raises:
        BenchError: it isn't there, is in use, or may not be opened.
    """
    try:
        port = serial.serial_for_url(path, baudrate=baud, timeout=timeout_s, write_timeout=2.0, do_not_open=True)
        if "://" not in path:
            port.exclusive = True
        port.open()
    except (OSError, ValueError) as e:  # SerialException is an OSError
        raise BenchError(
            f"the {instrument} at {path} can't be opened ({_short(e)})",
            cure="plug it in, close other programs that use it, and see that your user may (group dialout)",
        ) from e
    if not isinstance(port, serial.Serial):  # rfc2217:// and socket:// ports have the same methods
        log.debug("%s through %s", instrument, type(port).__name__)
    return port


def gone(instrument: str, path: str, error: Exception | None = None) -> ProbeGone:
    """Return the error of an instrument that went away."""
    why = f" ({_short(error)})" if error is not None else ""
    return ProbeGone(f"the {instrument} at {path} went away{why}", cure="plug it in again; its recording is void")


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:120]
