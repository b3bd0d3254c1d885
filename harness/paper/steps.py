"""Runs the sweeps that the paper's figures need and that need no training, each a run of its own that can be
resumed.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from harness.contracts.errors import BenchError
from harness.measure import axes
from harness.runs.manifest import MANIFEST
from harness.runs.paths import REFERENCE
from harness.runs.store import Store

_AXES = (  # with what to add to each
    ("bandwidth", ("--energy",)),
    ("frequency", ("--energy",)),
    ("delay", ()),
    ("loss", ()),
)


@dataclass(frozen=True)
class Step:
    """Describes one sweep of one data set into a folder."""

    axis: str
    dataset: str
    folder: Path
    options: tuple[str, ...]

    @property
    def title(self) -> str:
        """Return its title as a reader knows it."""
        return f"{self.axis}, {self.dataset}"

    def finished(self) -> bool:
        """Say whether its run is whole. A folder without a manifest is not begun.

        Raises:
            BenchError: the run there is damaged.
        """
        return (self.folder / MANIFEST).is_file() and Store.reopen(self.folder).facts().status == "finished"

    def command(self) -> list[str]:
        """Return the command line: a new run, or the rest of a stopped one."""
        where = "--resume" if (self.folder / MANIFEST).is_file() else "--out"
        plain = [sys.executable, "-m", "harness.sweep", self.axis, "--dataset", self.dataset]
        return [*plain, *self.options, where, str(self.folder)]


def steps(datasets: Sequence[str], out: Path, options: Sequence[str]) -> list[Step]:
    """Return every sweep of every data set; `options` go to each."""
    return [
        Step(axis, dataset, out / "runs" / f"{dataset}-{axis}", (*more, *options))
        for dataset in datasets
        for axis, more in _AXES
        if axis in axes.AXES
    ]


def estimate(step: Step, images: int) -> float | None:
    """Return about how many minutes a step takes, by what the committed run of its axis took a sample; None where there
    is none.

    Committed runs are of 20 pictures a point; the host that took them is named in their manifests.
    """
    for name in (f"{step.dataset}-{step.axis}", f"cifar10-{step.axis}"):
        folder = REFERENCE / "runs" / name
        if not (folder / MANIFEST).is_file():
            continue
        facts = Store.reopen(folder).facts()
        if facts.ended_at is None or not facts.order or not facts.images:
            continue
        took_s = (datetime.fromisoformat(facts.ended_at) - datetime.fromisoformat(facts.began_at)).total_seconds()
        return took_s / 60 * images / len(facts.images)
    return None


def take(step: Step) -> None:
    """Run the step to its end; its output goes to the terminal.

    Raises:
        BenchError: it failed. KeyboardInterrupt: it was stopped, and goes on when called again.
    """
    done = subprocess.run(step.command(), check=False)
    if done.returncode == 130:
        raise KeyboardInterrupt
    if done.returncode:
        raise BenchError(
            f"the sweep {step.title} ended with {done.returncode}",
            cure="mend what it says above, then give the same command again: finished sweeps are kept",
        )
