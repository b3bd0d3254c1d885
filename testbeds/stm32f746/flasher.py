"""Puts an image on the board through its ST-LINK, by OpenOCD or by pyOCD; the probe's serial number tells boards apart.

What a flasher says and how it ends is taken from OpenOCD 0.12.0 (Debian) and pyOCD 0.46.0 (PyPI), both seen without a
probe attached; neither has flashed a board by this code yet.
"""

from __future__ import annotations

import importlib.util
import logging
import shutil
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

from harness.contracts.errors import BenchError
from testbeds.stm32f746.crash import parsed
from testbeds.tools import ToolRun, Tools

log = logging.getLogger(__name__)

BOARD_CFG = "board/stm32f7discovery.cfg"  # ST-LINK and stm32f7x, without the QUADSPI of stm32f746g-disco.cfg
PYOCD_TARGET = "stm32f746nghx"
FLASH_BASE = "0x08000000"
_RESET_S = 20.0
_CABLE = "check the cable of the ST-LINK socket (CN14) and the board's power, and close other debuggers"


class Flasher(ABC):
    """Drives one debug probe. With `serial` None it takes the only one attached."""

    def __init__(self, tools: Tools, serial: str | None) -> None:
        self._tools = tools
        self._serial = serial

    @abstractmethod
    def flash(self, image: Path, timeout_s: float) -> None:
        """Write what differs, verify all of it, and reset the board.

        Raises:
            BenchError: there is no probe, it is too slow, or what is in flash is not the image.
        """

    @abstractmethod
    def reset(self) -> None:
        """Restart the firmware. Raises BenchError when the probe can't."""

    @abstractmethod
    def after_reset(self, address: int, count: int) -> list[int]:
        """Reset, halt before the first instruction, read `count` words of RAM as the run before left them, and go on.

        Raises:
            BenchError: the probe can't read the words, or did not say them.
        """

    def _words(self, argv: list[str], address: int, count: int, reason: Callable[[ToolRun], str]) -> list[int]:
        doing = "reading RAM"
        done = self._run(argv, _RESET_S, doing)
        if done.returncode != 0:
            raise self._failed(done, doing, reason(done))
        words = parsed(done.output, address, count)
        if len(words) != count:
            raise self._failed(done, doing, f"it said {len(words)} of {count} words")
        return words

    def _run(self, argv: list[str], timeout_s: float, doing: str) -> ToolRun:
        done = self._tools.run(argv, timeout_s=timeout_s)
        if done.returncode is None:
            raise BenchError(
                f"{doing} by {Path(argv[0]).name} took longer than {timeout_s:g} s",
                cure=f"{_CABLE}; or raise flash_timeout_s in lab.toml (the call is in {self._tools.record})",
            )
        return done

    def _failed(self, done: ToolRun, doing: str, why: str) -> BenchError:
        tool = Path(done.argv[0]).name
        return BenchError(
            f"{doing} by {tool} failed: {why[:200]} (exit code {done.returncode})",
            cure=f"{_CABLE} (the call is in {self._tools.record})",
        )


class OpenOcd(Flasher):
    """Flashes by `openocd`, from Debian's package of that name."""

    def flash(self, image: Path, timeout_s: float) -> None:
        # preverify: an image that is there already is compared, not written again.
        done = self._run(self._argv(f"program {{{image}}} preverify verify reset exit"), timeout_s, "flashing")
        if done.returncode != 0:
            raise self._failed(done, "flashing", _openocd_reason(done))
        if "verified ok" not in done.output.lower():
            raise self._failed(done, "flashing", "it did not say that it verified the image")

    def reset(self) -> None:
        done = self._run(self._argv("init", "reset run", "shutdown"), _RESET_S, "resetting")
        if done.returncode != 0:
            raise self._failed(done, "resetting", _openocd_reason(done))

    def after_reset(self, address: int, count: int) -> list[int]:
        commands = ("init", "reset halt", f"mdw 0x{address:08x} {count}", "resume", "shutdown")
        return self._words(self._argv(*commands), address, count, _openocd_reason)

    def _argv(self, *commands: str) -> list[str]:
        first = [f"adapter serial {self._serial}"] if self._serial else []
        return ["openocd", "-f", BOARD_CFG, *(word for c in (*first, *commands) for word in ("-c", c))]


class PyOcd(Flasher):
    """Flashes by `pyocd` of PyPI, with its pack for the chip (`pyocd pack install stm32f746nghx`)."""

    def flash(self, image: Path, timeout_s: float) -> None:
        # --no-wait: pyOCD otherwise waits for ever for a probe that is not there.
        loaded = self._run(self._argv("load", "--format", "elf", str(image)), timeout_s, "flashing")
        if loaded.returncode != 0:
            raise self._failed(loaded, "flashing", _pyocd_reason(loaded))
        with tempfile.NamedTemporaryFile(suffix=".bin") as binary:
            binary.write(flash_bytes(image))
            binary.flush()
            compare = f"compare {FLASH_BASE} {binary.name}"
            done = self._run(
                self._argv("commander", "--connect", "halt", "-c", compare, "-c", "reset"), timeout_s, "verifying"
            )
        if done.returncode != 0 or "mismatched" in done.output.lower():
            raise self._failed(done, "verifying", _pyocd_reason(done))
        if "comparing" not in done.output.lower():
            raise self._failed(done, "verifying", "it did not say that it compared the image")

    def reset(self) -> None:
        done = self._run(self._argv("reset"), _RESET_S, "resetting")
        if done.returncode != 0:
            raise self._failed(done, "resetting", _pyocd_reason(done))

    def after_reset(self, address: int, count: int) -> list[int]:
        commands = ("reset halt", f"read32 0x{address:08x} {4 * count}", "go")
        words = [word for c in commands for word in ("-c", c)]
        return self._words(self._argv("commander", "--connect", "halt", *words), address, count, _pyocd_reason)

    def _argv(self, command: str, *words: str) -> list[str]:
        program = shutil.which("pyocd")
        start = [program] if program else [sys.executable, "-m", "pyocd"]
        which = ["--uid", self._serial] if self._serial else []
        return [*start, command, "--no-wait", *which, "--target", PYOCD_TARGET, *words]


def choose(wanted: str | None, tools: Tools, serial: str | None) -> Flasher:
    """Return the flasher asked for, else OpenOCD where it is installed, else pyOCD.

    Raises:
        BenchError: it is not installed, or neither is.
    """
    there = {
        "openocd": shutil.which("openocd") is not None,
        "pyocd": shutil.which("pyocd") is not None or importlib.util.find_spec("pyocd") is not None,
    }
    name = wanted or next((n for n, installed in there.items() if installed), None)
    if name is None or not there[name]:
        raise BenchError(
            f"flashing an STM32F746 needs {name or 'OpenOCD or pyOCD'}, which is not installed",
            cure="apt-get install openocd, or pip install pyocd && pyocd pack install stm32f746nghx",
        )
    return OpenOcd(tools, serial) if name == "openocd" else PyOcd(tools, serial)


def flash_bytes(image: Path) -> bytes:
    """Return what an ELF puts into flash from FLASH_BASE on; gaps are erased flash (0xFF).

    Raises:
        BenchError: the file is no ELF, or nothing of it goes there.
    """
    from elftools.common.exceptions import ELFError  # noqa: PLC0415 - only for pyOCD, which can't compare an ELF
    from elftools.elf.elffile import ELFFile  # noqa: PLC0415

    base = int(FLASH_BASE, 16)
    out = bytearray()
    try:
        with image.open("rb") as f:
            for segment in ELFFile(f).iter_segments():
                at, data = int(segment["p_paddr"]) - base, segment.data()
                if segment["p_type"] != "PT_LOAD" or not data or not 0 <= at < 1 << 20:
                    continue
                out += b"\xff" * max(0, at + len(data) - len(out))
                out[at : at + len(data)] = data
    except (OSError, ELFError) as e:
        raise BenchError(f"{image} is no board image ({e})", cure="build it again") from e
    if not out:
        raise BenchError(f"{image} puts nothing into flash", cure="build it again")
    return bytes(out)


def _openocd_reason(done: ToolRun) -> str:
    """Return the line that tells why: `Error: …`, or the marked outcome of `program`."""
    lines = [line.strip() for line in done.output.splitlines()]
    errors = [line.removeprefix("Error: ") for line in lines if line.startswith("Error:")]
    marked = [line.strip("* ") for line in lines if line.startswith("** ") and ("ailed" in line or "nable" in line)]
    found = list(dict.fromkeys([*errors[:1], *marked[-1:]]))
    return "; ".join(found) or done.last_line


def _pyocd_reason(done: ToolRun) -> str:
    lines = [line.strip() for line in done.output.splitlines() if line.strip()]
    told = [line for line in lines if "No connected debug probe" in line or "Mismatched" in line or " E " in line]
    return told[0] if told else done.last_line
