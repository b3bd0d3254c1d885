"""What takes a while says what it is and how far, in a log file as on a terminal; what is quick says nothing."""

from __future__ import annotations

import io
import re
import threading

from rich.console import Console

from harness.host.progress import Doing, doing


class Lines(io.StringIO):
    """A log file that tells when a line has come."""

    def __init__(self) -> None:
        super().__init__()
        self.come = threading.Semaphore(0)

    def write(self, text: str) -> int:
        done = super().write(text)
        for _ in range(text.count("\n")):
            self.come.release()
        return done


def log(file: io.StringIO) -> Console:
    return Console(file=file, force_terminal=False, width=140)


def test_what_is_quick_says_nothing_in_a_log_file() -> None:
    file = Lines()
    with doing(log(file), "pictures", 10, first_s=3600) as one:
        one.step("more pictures")
        one.at(10)
    assert file.getvalue() == ""


def test_what_takes_long_says_what_it_is_and_how_far_while_it_runs() -> None:
    file = Lines()
    with doing(log(file), "accuracy of agilenn", 10_000, first_s=0, every_s=3600) as one:
        assert file.come.acquire(timeout=60)  # before it is over
        assert re.fullmatch(r"accuracy of agilenn: 0 of 10,000 \(0 s\)\n", file.getvalue())
        one.at(2500)
        one.step("accuracy of agilenn, server")
        assert "accuracy of agilenn, server: 2,500 of 10,000" in file.getvalue()
        one.step("accuracy of agilenn, server")  # the same again is no news
        one.at(10_000)
    assert len(file.getvalue().splitlines()) == 3
    assert file.getvalue().splitlines()[-1].startswith("accuracy of agilenn, server: 10,000 of 10,000")


def test_what_is_left_is_told_from_what_was_done(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    now = iter([100.0, 400.0])
    monkeypatch.setattr("harness.host.progress.time.monotonic", lambda: next(now))
    file = Lines()
    one = Doing(log(file), "firmware", 4)
    one.at(3)
    one.tell()
    assert file.getvalue() == "firmware: 3 of 4 (5 min, about 2 min left)\n"  # 100 s, in whole minutes


def test_a_terminal_gets_a_line_that_moves_and_goes() -> None:
    file = io.StringIO()
    terminal = Console(file=file, force_terminal=True, width=100)
    with doing(terminal, "figures", 3) as one:
        one.at(2)
        one.step("figure of fronts")
    assert "figure of fronts" in file.getvalue()
    assert "2/3" in file.getvalue()
