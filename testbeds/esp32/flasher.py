"""Flashing by esptool, as a process: only what differs, and verified by the flash's own MD5."""

from __future__ import annotations

import importlib.util
import logging
import re
import subprocess
import sys
from pathlib import Path

from harness.contracts.errors import BenchError
from testbeds.firmware.toolchain.idf import FLASH_BEGIN

log = logging.getLogger(__name__)

FLASH_BAUD = 460_800  # what every common USB converter keeps up with
_DIFFERS = "verification failed"
_CABLE = "check cable and supply, hold the kit's BOOT button while it connects, and close other programs on this port"


def flash(image: Path, port: str, *, timeout_s: float, lines: bool = True) -> bool:
    """Put `image` into flash from FLASH_BEGIN on, unless it is there already. False: it was.

    Args:
        image: a merged image (testbeds.firmware.idf).
        port: a device or a URL that pyserial opens.
        timeout_s: for everything together.
        lines: does the port have control lines? Else the board must be in its loader already, and stays there.

    Raises:
        BenchError: esptool is not installed, does not get through, or takes too long; or the flash is not what was
            written.
    """
    if importlib.util.find_spec("esptool") is None:
        raise BenchError("flashing an ESP32 needs esptool", cure="pip install 'esptool>=5,<6'")
    resets = ("default-reset", "hard-reset") if lines else ("no-reset", "no-reset")
    argv = [sys.executable, "-m", "esptool", "--chip", "esp32", "--port", port, "--baud", str(FLASH_BAUD)]
    argv += ["--before", resets[0], "--after", resets[1]]
    place = [hex(FLASH_BEGIN), str(image)]
    verified = _run([*argv, "verify-flash", *place], port, timeout_s)
    if verified.returncode == 0:
        log.info("%s holds %s already", port, image.name)
        return False
    if _DIFFERS not in verified.stdout.lower():
        raise _failure(verified, port)
    # "keep": the image's header is what was built, so that the next verify compares equal.
    keep = ["--flash-mode", "keep", "--flash-freq", "keep", "--flash-size", "keep"]
    written = _run([*argv, "write-flash", *keep, *place], port, timeout_s)
    if written.returncode != 0:
        raise _failure(written, port)
    if "hash of data verified" not in written.stdout.lower():
        raise BenchError(f"esptool wrote {port} but did not verify it", cure="pip install 'esptool>=5,<6'")
    log.info("%s flashed with %s", port, image.name)
    return True


def _run(argv: list[str], port: str, timeout_s: float) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace", timeout=timeout_s, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as e:
        raise BenchError(
            f"flashing the ESP32 on {port} took longer than {timeout_s:g} s",
            cure=f"{_CABLE}; or raise flash_timeout_s in lab.toml",
        ) from e
    except OSError as e:
        raise BenchError(f"esptool does not run ({e})", cure="pip install 'esptool>=5,<6'") from e


def _failure(done: subprocess.CompletedProcess[str], port: str) -> BenchError:
    text = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
    found = re.search(r"(?:fatal error occurred|serial error occurred|error): *(.+)", text, re.IGNORECASE | re.DOTALL)
    reason = " ".join((found[1] if found else text[-300:]).split())[:300]
    return BenchError(
        f"the ESP32 on {port} can't be flashed: {reason or f'esptool ended with {done.returncode}'}", _CABLE
    )
