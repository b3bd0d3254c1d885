"""`python -m harness.bench training`: measure how fast trainings compute, a phase of each recipe.

A recipe is trained by its own code for some steps on random pictures: what is measured is a whole step, with
augmentation, importance and optimiser. Its operations are counted in the compiled step. Time is processor time on one
thread, so that other work on the machine does not count. Beside it: convolutions alone, as fast as this processor takes
them.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.table import Table

from baselines.recipes.loading import RECIPES
from harness.contracts.errors import BenchError
from harness.contracts.reading import toml_of
from harness.host import registry
from harness.host.cli import Parser, add_common, console, names, set_up_logging, whole
from harness.training.options import TrainOptions, parse_overrides

DATASET = "random_pictures"
HELD_OUT = 64  # pictures of the validation split
SKIPPED = 2  # first steps of a phase, which compile


@dataclass
class Phase:
    """Holds what one phase of a training took: processor seconds of each step, operations of one."""

    title: str
    cpu_s: list[float] = field(default_factory=list)
    flop: float | None = None

    @property
    def step_s(self) -> float | None:
        """Return the median over the steps that did not compile, or None where there are none."""
        return statistics.median(self.cpu_s[SKIPPED:]) if len(self.cpu_s) > SKIPPED else None

    @property
    def gflop_per_s(self) -> float | None:
        """Return the operations for each second of processor time, in units of 1e9."""
        return self.flop / self.step_s / 1e9 if self.flop and self.step_s else None


class Stopwatch:
    """Takes the processor time of every step that a training reports."""

    def __init__(self) -> None:
        self.phases: list[Phase] = []
        self._steps = 1
        self._since = 0.0

    def begin(self, title: str, epochs: int, steps: int, first_epoch: int) -> None:
        """Open a phase, unless it is already done."""
        self._steps, self._since = steps, time.process_time()
        if first_epoch < epochs:
            self.phases.append(Phase(title))

    def step(self, epoch: int, step: int, metrics: dict[str, float]) -> None:
        """Close a step."""
        now = time.process_time()
        self.phases[-1].cpu_s.append(now - self._since)
        self._since = now

    def epoch(self, epoch: int, metrics: dict[str, float]) -> None:
        """Take the operations that the training counted."""
        if "flop" in metrics:
            self.phases[-1].flop = metrics["flop"] / self._steps

    def message(self, text: str) -> None:
        """Let remarks go."""


def measure(scheme: str, profile: str, folder: Path, *, steps: int, overrides: dict[str, str]) -> list[Phase]:
    """Train `scheme` by its recipe for one epoch of `steps` steps a phase; return its phases in order.

    Args:
        folder: where pictures, checkpoints and weights go.
        overrides: keys of the recipe.

    Raises:
        BenchError: no such recipe, or an unknown key.
    """
    tree = toml_of(_recipe(scheme, profile), "mend the recipe")
    own = {"epochs", "precision"} & tree.keys()  # full offloading has a reference network alone
    keys = {"reference.validation": str(HELD_OUT), "reference.epochs": "1"}
    if own:
        keys |= {"validation": str(HELD_OUT), "epochs": "1"}
    if "finish_epochs" in tree:  # AgileNN and AgileNN-R
        keys |= {"finish_epochs": "1", "preselect.samples": str(HELD_OUT), "preselect.warm_epochs": "1"}
    # There are no weights for random pictures to go on from, and where a step begins does not change how long it takes.
    if "go_on_from" in tree:
        keys["go_on_from"] = ""
    if "file" in tree.get("reference", {}):
        keys["reference.file"] = ""
    keys |= overrides
    batch = int(keys.get("batch" if own else "reference.batch", tree.get("batch", 128)))
    _pictures(folder, steps * batch + HELD_OUT)
    watch = Stopwatch()
    options = TrainOptions(DATASET, profile, out=folder / "weights", data_dir=folder, overrides=keys, export=False)
    with _cache_in(folder / "cache"):
        registry.scheme(scheme).train(options, watch)
    return watch.phases


def _recipe(scheme: str, profile: str) -> Path:
    path = RECIPES / f"{scheme}-{profile}.toml"
    if not path.exists():
        raise BenchError(
            f"no recipe for {scheme} in profile {profile!r}", cure=f"see {RECIPES.name}/ for those there are"
        )
    return path


def _pictures(folder: Path, count: int) -> None:
    """Write a data set of `count` random training pictures; it replaces one of another size."""
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {}
    for split, n in (("train", count), ("test", HELD_OUT)):
        arrays[f"x_{split}"] = rng.integers(0, 256, (n, 32, 32, 3), dtype=np.uint8)
        arrays[f"y_{split}"] = (np.arange(n) % 10).astype(np.uint8)
    np.savez(folder / f"{DATASET}.npz", names=np.array([str(i) for i in range(10)]), **arrays)
    (folder / f"{DATASET}.toml").write_text(f'file = "{DATASET}.npz"\n', encoding="utf-8")
    (folder / f"{DATASET}.canonical.npz").unlink(missing_ok=True)


@contextlib.contextmanager
def _cache_in(folder: Path) -> Iterator[None]:
    before = os.environ.get("AGILENN_CACHE_DIR")
    os.environ["AGILENN_CACHE_DIR"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["AGILENN_CACHE_DIR"]
        else:
            os.environ["AGILENN_CACHE_DIR"] = before


def rows(scheme: str, phases: list[Phase]) -> list[list[str]]:
    """Write phases as people read them; an en dash is what is not known."""

    def shown(value: float | None, form: str) -> str:
        return "–" if value is None else format(value, form)

    return [
        [
            scheme if i == 0 else "",
            phase.title,
            shown(None if phase.flop is None else phase.flop / 1e9, ".1f"),
            shown(phase.step_s, ".3f"),
            shown(phase.gflop_per_s, ".1f"),
        ]
        for i, phase in enumerate(phases)
    ]


def _parser() -> Parser:
    p = Parser(prog="python -m harness.bench training", description=__doc__)
    p.add_argument("--schemes", type=names, help="schemes, by commas (default: all that have a recipe of the profile)")
    p.add_argument("--profile", default="compact", help="size of the networks (default: %(default)s)")
    p.add_argument("--steps", type=whole(SKIPPED + 1, 10_000, "--steps"), default=8, help="steps of each phase")
    p.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a key of every recipe")
    add_common(p)
    return p


def main(argv: list[str]) -> int:
    """Print the table; returns the exit code."""
    args = _parser().parse_args(argv)
    set_up_logging(args.verbose)
    known = [name for name in registry.scheme_names() if (RECIPES / f"{name}-{args.profile}.toml").exists()]
    wanted = args.schemes or [name for name in known if name != "full_offload_jpeg"]  # it trains what full_offload does
    for name in wanted:
        registry.check_name(registry.SCHEMES, "scheme", name)
        _recipe(name, args.profile)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from baselines.networks.quiet import start_training  # noqa: PLC0415 - starts TensorFlow

    start_training(1)
    from baselines.training.speed import convolutions_gflop_per_s  # noqa: PLC0415

    table = Table(title=f"A step of each phase, profile {args.profile}", box=box.SIMPLE_HEAD, title_justify="left")
    for column in ("scheme", "phase", "GFLOP", "CPU s", "GFLOP/s a core"):
        table.add_column(column, justify="left" if column in ("scheme", "phase") else "right")
    overrides = parse_overrides(args.set)
    for name in wanted:
        with tempfile.TemporaryDirectory() as folder:
            for row in rows(name, measure(name, args.profile, Path(folder), steps=args.steps, overrides=overrides)):
                table.add_row(*row)
    screen = console()
    screen.print(table)
    alone = convolutions_gflop_per_s(overrides.get("precision", "auto"))
    screen.print(f"convolutions alone (3x3, 128 channels, 16x16, forwards): {alone:.1f} GFLOP/s a core")
    return 0
