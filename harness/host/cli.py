"""Holds what every way in shares: one-line errors, exit codes, signals, logging and a console."""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import shlex
import signal
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from rich.console import Console

from harness.contracts.errors import BenchError

INTERRUPTED = 130  # 128 + SIGINT, as shells count
TERMINATED = 143  # 128 + SIGTERM
HUNG_UP = 129  # 128 + SIGHUP

MOST_SEED = 2**31 - 1

_RATE_UNITS = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9}

_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Terminated(BaseException):
    """Stands for SIGTERM as an exception, so that every `finally` and `with` gives back what it holds."""


class HungUp(Terminated):
    """Says by an exception that SIGHUP came: the terminal is gone."""


class Parser(argparse.ArgumentParser):
    """Parses arguments; its mistakes are BenchErrors: one line, exit code 2.

    Options are taken as they are written only: `--image` is a picture's number in one command, and would be short for
    the number of pictures in another.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{"allow_abbrev": False, **settings})

    def error(self, message: str) -> NoReturn:
        raise BenchError(message, cure=f"see {self.prog} --help")


def add_common(parser: argparse.ArgumentParser) -> None:
    """Add the options of every way in."""
    parser.add_argument("-v", "--verbose", action="count", default=0, help="say more on stderr (-vv: everything)")


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add --json, for programs that read what a command finds."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")


def print_json(value: Any) -> None:
    """Print a value as JSON (RFC 8259) on stdout. A number that JSON has no word for raises ValueError."""
    sys.stdout.write(json.dumps(value, indent=2, allow_nan=False, default=str) + "\n")


def add_data_dir(parser: argparse.ArgumentParser) -> None:
    """Add --data-dir, which stands for the environment variable that child processes inherit."""
    parser.add_argument("--data-dir", type=_data_dir, metavar="DIR", help="folder of data sets ($AGILENN_DATA_DIR)")


def add_lab(parser: argparse.ArgumentParser) -> None:
    """Add --lab, which stands for the environment variable that child processes inherit."""
    parser.add_argument("--lab", type=_lab, metavar="FILE", help="lab file ($AGILENN_LAB; default: lab.toml if here)")


def add_board(parser: argparse.ArgumentParser) -> None:
    """Add --board, which stands for the environment variable that child processes inherit."""
    parser.add_argument(
        "--board", type=_board, metavar="LABEL", help="one of the boards of the lab file; --testbed may be left out"
    )


def _board(text: str) -> str:
    os.environ["AGILENN_BOARD"] = text
    return text


def _lab(text: str) -> str:
    os.environ["AGILENN_LAB"] = str(Path(text).expanduser().absolute())
    return text


def _data_dir(text: str) -> str:
    os.environ["AGILENN_DATA_DIR"] = str(Path(text).expanduser().absolute())
    return text


def set_up_logging(verbose: int) -> None:
    """Send logs to stderr: warnings always, progress of the bench with -v, the dialogue with the device with -vv."""
    level = {0: logging.WARNING, 1: logging.INFO}.get(verbose, logging.DEBUG)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    for package in ("harness", "testbeds", "baselines"):
        logging.getLogger(package).setLevel(level)


def console(*, stderr: bool = False, quiet: bool = False) -> Console:
    """Return a rich console; it writes plain text when the stream is no terminal, and nothing where it is `quiet`."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else int(os.environ.get("COLUMNS", "140"))
    return Console(stderr=stderr, quiet=quiet, width=width, highlight=False, soft_wrap=False)


def way_in(body: Callable[[list[str]], int], argv: Sequence[str] | None = None) -> int:
    """Run `body(argv)` and turn what ends it into an exit code.

    A BenchError is one line on stderr and its exit code. SIGINT, SIGTERM and SIGHUP unwind the stack once (130, 143,
    129); further ones are ignored while everything is given back. What ignores SIGHUP (`nohup`) goes on doing so.
    """
    heard = [s for s in _ENDS if s is not signal.SIGHUP or signal.getsignal(s) is not signal.SIG_IGN]
    previous = {s: signal.signal(s, _unwind) for s in heard}
    try:
        return body(list(sys.argv[1:] if argv is None else argv))
    except BenchError as e:
        sys.stderr.write(f"error: {e}\n")
        return e.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return INTERRUPTED
    except HungUp:
        return HUNG_UP  # there is nobody to tell
    except Terminated:
        sys.stderr.write("terminated\n")
        return TERMINATED
    except BrokenPipeError:
        # The reader of our output went away (`| head`): nothing more can be said there, nor at interpreter exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    finally:
        for s, handler in previous.items():
            signal.signal(s, handler)


@contextlib.contextmanager
def going_on(command: str | Callable[[], str]) -> Iterator[None]:
    """Say on stderr by which command to go on, when the block is interrupted (Ctrl-C, SIGTERM).

    Args:
        command: the command, or what gives it then.
    """
    try:
        yield
    except (KeyboardInterrupt, Terminated):
        sys.stderr.write(f"to go on: {command if isinstance(command, str) else command()}\n")
        raise


def same_command(module: str, argv: Sequence[str], *more: str) -> str:
    """Return a command of the bench as it would be typed, with words that it lacks at its end."""
    return shlex.join(["python", "-m", module, *argv, *(word for word in more if word not in argv)])


def _leave_terminal() -> None:
    """Let what is said from now on go nowhere: writing to a terminal that is gone fails, amid the unwinding."""
    for number in (1, 2):
        with contextlib.suppress(OSError):
            if stat.S_ISCHR(os.fstat(number).st_mode):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, number)
                os.close(nowhere)


def _unwind(number: int, frame: FrameType | None) -> NoReturn:
    for s in _ENDS:
        signal.signal(s, signal.SIG_IGN)
    if number == signal.SIGHUP:
        _leave_terminal()
        raise HungUp
    if number == signal.SIGTERM:
        raise Terminated
    raise KeyboardInterrupt


def rate(text: str) -> float:
    """Read a rate, `270k`, `6M` or `1000000`, in bits per second."""
    number, unit = (text[:-1], text[-1]) if text[-1:] in ("k", "M", "G") else (text, "")
    try:
        value = float(number) * _RATE_UNITS[unit]
    except ValueError:
        raise BenchError(f"'{text}' is no rate", cure="give bits per second such as 270k, 6M or 1000000") from None
    if not 0 < value <= 1e11:
        raise BenchError(
            f"rate '{text}' is out of range", cure="give a rate above 0 and up to 100G, such as 270k or 6M"
        )
    return value


def rate_or_none(text: str) -> float | None:
    """Read a rate as `rate` does; `none` stands for a link that is left as it is."""
    return None if text == "none" else rate(text)


def rates(text: str) -> list[float]:
    """Read a comma-separated list of rates, each once."""
    values = [rate(part.strip()) for part in text.split(",") if part.strip()]
    if not values:
        raise BenchError("no rate given", cure="give a list such as 270k,1M,6M")
    return list(dict.fromkeys(values))


def clock(text: str) -> int:
    """Read a clock, `64M`, `216M` or `64000000`, in Hz."""
    number, unit = (text[:-1], text[-1]) if text[-1:] in ("k", "M", "G") else (text, "")
    try:
        value = float(number) * _RATE_UNITS[unit]
    except ValueError:
        raise BenchError(f"'{text}' is no clock", cure="give hertz such as 64M, 216M or 64000000") from None
    if not 1e6 <= value <= 1e9:
        raise BenchError(f"clock '{text}' is out of range", cure="give one from 1M to 1G, such as 64M or 216M")
    return round(value)


def clocks(text: str) -> list[int]:
    """Read a comma-separated list of clocks, each once."""
    values = [clock(part.strip()) for part in text.split(",") if part.strip()]
    if not values:
        raise BenchError("no clock given", cure="give a list such as 64M,128M,216M")
    return list(dict.fromkeys(values))


def clock_text(clock_hz: float) -> str:
    """Return a clock as text: 64000000 -> `64 MHz`."""
    return f"{clock_hz / 1e6:g} MHz"


def milliseconds(text: str) -> float:
    """Read a time, `20`, `2.5` or `20ms`, in milliseconds."""
    try:
        value = float(text.removesuffix("ms").strip())
    except ValueError:
        raise BenchError(f"'{text}' is no time in ms", cure="give milliseconds such as 0, 5 or 12.5") from None
    if not 0 <= value <= 60_000:
        raise BenchError(f"'{text}' ms is out of range", cure="give a time from 0 to 60000 ms")
    return value


def chance(text: str) -> float:
    """Read a chance, `0.02` or `2%`, as a number of at least 0 and below 1."""
    percent = text.endswith("%")
    try:
        value = float(text.removesuffix("%").strip())
    except ValueError:
        raise BenchError(f"'{text}' is no chance", cure="give one such as 0.02 or 2%") from None
    value = round(value / 100, 12) if percent else value
    if not 0 <= value < 1:
        raise BenchError(f"'{text}' is out of range", cure="give a share from 0 to below 1, such as 0.02 or 2%")
    return value


def several(one: Callable[[str], float]) -> Callable[[str], list[float]]:
    """Return a parser of a comma-separated list of what `one` parses, each once."""

    def parse(text: str) -> list[float]:
        values = [one(part.strip()) for part in text.split(",") if part.strip()]
        if not values:
            raise BenchError("an empty list was given", cure="give values separated by commas")
        return list(dict.fromkeys(values))

    return parse


def names(text: str) -> list[str]:
    """Read a comma-separated list of names, each once."""
    values = [part.strip() for part in text.split(",") if part.strip()]
    if not values:
        raise BenchError("an empty list was given", cure="give names separated by commas")
    return list(dict.fromkeys(values))


def seeds(text: str) -> list[int]:
    """Read `0,1,2` as seeds, each once."""
    return [whole(0, MOST_SEED, "--seeds")(part) for part in names(text)]


def whole(least: int, most: int, what: str) -> Callable[[str], int]:
    """Return a parser of whole numbers in [least, most]; `what` names the option in the error."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise BenchError(f"{what} '{text}' is no whole number", cure=f"give one from {least} to {most}") from None
        if not least <= value <= most:
            raise BenchError(f"{what} {value} is out of range", cure=f"give one from {least} to {most}")
        return value

    return parse


def rate_text(rate_bps: float | None) -> str:
    """Return a rate as text: 270000 -> `270 kbit/s`."""
    if rate_bps is None:
        return "unshaped link"
    for unit, factor in (("Gbit/s", 1e9), ("Mbit/s", 1e6), ("kbit/s", 1e3)):
        if rate_bps >= factor:
            return f"{rate_bps / factor:g} {unit}"
    return f"{rate_bps:g} bit/s"
