"""Says what is being done and how far it is: by a line that moves on a terminal, by a line now and then in a log file.

What is over within two seconds says nothing in a log file.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

FIRST_S = 2.0  # whatever takes longer says so
EVERY_S = 30.0  # and goes on saying so in a log file


class Doing:
    """Holds how far one thing is that takes a while. Any thread may tell it."""

    def __init__(self, console: Console, what: str, total: int = 0) -> None:
        self._console = console
        self._what, self._total, self._done = what, total, 0
        self._began = time.monotonic()
        self._announced = False
        self._lock = threading.Lock()
        self._bar: Progress | None = None
        if console.is_terminal:
            columns = (BarColumn(bar_width=20), MofNCompleteColumn()) if total else ()
            self._bar = Progress(
                SpinnerColumn(), TextColumn("{task.description}"), *columns, TimeElapsedColumn(), console=console,
                transient=True,
            )  # fmt: skip
            self._task = self._bar.add_task(what, total=total or None)

    def step(self, what: str) -> None:
        """Say that the next part of it begins; a log file gets a line when the one before has taken a while."""
        with self._lock:
            if what == self._what:
                return
            self._what = what
        if self._bar is not None:
            self._bar.update(self._task, description=what)
        elif self._announced:
            self.tell()

    def at(self, done: int, total: int | None = None) -> None:
        """Note how many of its parts are done."""
        with self._lock:
            self._done = done
            self._total = self._total if total is None else total
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=self._total)

    def tell(self) -> None:
        """Write a line of how far it is."""
        with self._lock:
            self._announced = True
            passed_s = time.monotonic() - self._began
            far = f": {self._done:,} of {self._total:,}" if self._total else ""
            left = ""
            if 0 < self._done < self._total and passed_s >= 1:
                left = f", about {_text(passed_s * (self._total - self._done) / self._done)} left"
            line = f"{self._what}{far} ({_text(passed_s)}{left})"
        self._console.print(line, style="dim", markup=False, soft_wrap=True)

    def open(self) -> None:
        """Show the bar, where there is a terminal."""
        if self._bar is not None:
            self._bar.start()

    def close(self) -> None:
        """Take the bar away; a log file that was told of it gets a last line."""
        if self._bar is not None:
            self._bar.stop()
        elif self._announced:
            self.tell()


@contextlib.contextmanager
def doing(
    console: Console, what: str, total: int = 0, *, first_s: float = FIRST_S, every_s: float = EVERY_S
) -> Iterator[Doing]:
    """Show `what` while the block runs: a bar over `total` parts, or a spinner where their number isn't known.

    Args:
        first_s: seconds after which a log file gets its first line.
        every_s: seconds between its lines.
    """
    one = Doing(console, what, total)
    over = threading.Event()
    teller = threading.Thread(target=_tell, args=(one.tell, over, first_s, every_s), name="progress", daemon=True)
    if not console.is_terminal:
        teller.start()
    one.open()
    try:
        yield one
    finally:
        over.set()
        if teller.is_alive():
            teller.join()
        one.close()


def _tell(tell: Callable[[], None], over: threading.Event, first_s: float, every_s: float) -> None:
    wait_s = first_s
    while not over.wait(wait_s):
        tell()
        wait_s = every_s


def _text(seconds: float) -> str:
    """Return seconds as text: `45 s`, `3 min`, `2 h 5 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
