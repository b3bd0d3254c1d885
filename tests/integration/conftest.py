"""Sweeps as a user starts them: their own process, their own temporary folder, and what they left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ..support.commands import heed_signals

MARK = "AGILENN_TEST_MARK"


class Started:
    """A way in, running in a session of its own, as a shell would start it."""

    def __init__(self, folder: Path, argv: list[str], environment: dict[str, str]) -> None:
        self.mark = uuid.uuid4().hex
        self.temporary = folder / f"tmp-{self.mark[:6]}"
        self.temporary.mkdir()
        self.process = subprocess.Popen(
            [sys.executable, "-m", *argv],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
            start_new_session=True,
            preexec_fn=heed_signals,  # noqa: PLW1509 - nothing holds a lock here
            env=os.environ | {MARK: self.mark, "TMPDIR": str(self.temporary), "COLUMNS": "200"} | environment,
        )

    def family(self) -> dict[int, str]:
        """Processes that descend from it, also those that lost their parent: pid -> command line."""
        found = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                if f"{MARK}={self.mark}".encode() in (entry / "environ").read_bytes().split(b"\0"):
                    command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
                    if command:  # a zombie has none
                        found[int(entry.name)] = command
            except OSError:
                continue  # gone meanwhile, or another user's
        return found

    def wait(self, limit_s: float = 300.0) -> tuple[int, str, str]:
        """Exit code, stdout, stderr."""
        out, err = self.process.communicate(timeout=limit_s)
        return self.process.returncode, out, err

    def nothing_left(self, limit_s: float = 15.0) -> None:
        """Fails when a process or a temporary file outlives it."""
        for _ in range(int(limit_s * 10)):
            left, files = self.family(), list(self.temporary.iterdir())
            if not left and not files:
                return
            time.sleep(0.1)
        pytest.fail(f"left behind: {left} {files}")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Started]]:
    """Starts `python -m …` in `tmp_path`; whatever is left of it at the end is killed."""
    begun: list[Started] = []

    def it(*argv: str, **environment: str) -> Started:
        begun.append(Started(tmp_path, list(argv), environment))
        return begun[-1]

    yield it
    for one in begun:
        for pid in one.family():
            os.kill(pid, 9)


def wait_for(condition: Callable[[], bool], limit_s: float = 240.0) -> None:
    """Until `condition` holds."""
    for _ in range(int(limit_s * 20)):
        if condition():
            return
        time.sleep(0.05)
    pytest.fail("it did not happen in time")


@pytest.fixture
def until() -> Callable[..., None]:
    return wait_for


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all that starts whole commands as slow: the one-minute loop leaves it out, ci does not."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)
