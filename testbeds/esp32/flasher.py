"""Flashes by esptool, run as a process: writes only what differs, and verifies it by the flash's own MD5."""

from __future__ import annotations

import importlib.util
import logging
import re
import sys
from pathlib import Path

from harness.contracts.errors import BenchError
from testbeds.firmware.toolchain.idf import FLASH_BEGIN
from testbeds.tools import ToolRun, Tools

log = logging.getLogger(__name__)

FLASH_BAUD = 460_800  # what every common USB converter keeps up with
_DIFFERS = "verification failed"
_CABLE = "check cable and supply, hold the kit's BOOT button while it connects, and close other programs on this port"


def check_esptool() -> None:
    """Check that esptool is installed. Raises BenchError, with the cure, when it is not."""
    if importlib.util.find_spec("esptool") is None:
        raise BenchError("flashing an ESP32 needs esptool", cure="pip install 'esptool>=5,<6'")


def flash(image: Path, port: str, *, timeout_s: float, lines: bool = True, tools: Tools | None = None) -> bool:
    """Put `image` into flash from FLASH_BEGIN on, and return whether it was written; False when it was there already.

    Args:
        image: a merged image (testbeds.firmware.toolchain.idf).
        port: a device or a URL that pyserial opens.
        timeout_s: the time for everything together.
        lines: whether the port has control lines; without them the board must already be in its loader, and stays.
        tools: what calls esptool, and keeps the calls.

    Raises:
        BenchError: esptool is not installed, does not get through, or takes too long; or the flash is not what was
            written.
    """
    check_esptool()
    resets = ("default-reset", "hard-reset") if lines else ("no-reset", "no-reset")
    argv = [sys.executable, "-m", "esptool", "--chip", "esp32", "--port", port, "--baud", str(FLASH_BAUD)]
    argv += ["--before", resets[0], "--after", resets[1]]
    place = [hex(FLASH_BEGIN), str(image)]
    tools = tools or Tools()
    verified = _run(tools, [*argv, "verify-flash", *place], port, timeout_s)
    if verified.returncode == 0:
        log.info("%s holds %s already", port, image.name)
        return False
    if _DIFFERS not in verified.output.lower():
        raise _failure(verified, port)
    # "keep": the image's header is what was built, so that the next verify compares equal.
    keep = ["--flash-mode", "keep", "--flash-freq", "keep", "--flash-size", "keep"]
    written = _run(tools, [*argv, "write-flash", *keep, *place], port, timeout_s)
    if written.returncode != 0:
        raise _failure(written, port)
    if "hash of data verified" not in written.output.lower():
        raise BenchError(f"esptool wrote {port} but did not verify it", cure="pip install 'esptool>=5,<6'")
    log.info("%s flashed with %s", port, image.name)
    return True


def _run(tools: Tools, argv: list[str], port: str, timeout_s: float) -> ToolRun:
    done = tools.run(argv, timeout_s=timeout_s)
    if done.returncode is None:
        raise BenchError(
            f"flashing the ESP32 on {port} took longer than {timeout_s:g} s",
            cure=f"{_CABLE}; or raise flash_timeout_s in lab.toml",
        )
    return done


def _failure(done: ToolRun, port: str) -> BenchError:
    text = re.sub(r"\x1b\[[0-9;]*m", "", done.output)
    found = re.search(r"(?:fatal error occurred|serial error occurred|error): *(.+)", text, re.IGNORECASE | re.DOTALL)
    reason = " ".join((found[1] if found else text[-300:]).split())[:300]
    return BenchError(
        f"the ESP32 on {port} can't be flashed: {reason or f'esptool ended with {done.returncode}'}", _CABLE
    )
