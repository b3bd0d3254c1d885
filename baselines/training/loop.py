"""Runs the training loop: seeded batches, a learning rate per step, checkpoints, exact resume, NaN stop, CSV log."""

from __future__ import annotations

import csv
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
from keras import ops

from baselines.training import backend, checkpoint
from baselines.training.interface import Report
from harness.contracts.errors import BenchError

if TYPE_CHECKING:
    from baselines.recipes.recipe import Recipe

COSTS = ("wall_s", "cpu_s", "flop")  # columns of a history that add up
READ_BACK_STEPS = 20  # metrics are fetched from the graph this often: fetching each step would stall it


class Job(ABC):
    """Stands for what is trained: a compiled step and an evaluation over arrays that it holds."""

    @abstractmethod
    def step(self, indices: npt.NDArray[np.int32], seed: npt.NDArray[np.int32], learning_rate: float) -> dict[str, Any]:
        """Take one optimiser step on the training samples `indices`.

        Return scalar tensors by metric name, `loss` among them.
        """

    @abstractmethod
    def evaluate(self) -> dict[str, float]:
        """Return figures on the validation split by metric name, `val_accuracy` (0..1) among them."""

    @abstractmethod
    def variables(self) -> list[Any]:
        """Return every variable whose value the next step depends on."""

    def assess(self) -> dict[str, float]:
        """Evaluate with the weights that would be kept if this epoch were the best."""
        return self.evaluate()

    def settle(self) -> None:  # noqa: B027 - most jobs keep what they have
        """Leave the networks with the weights that are kept; called once the best epoch's variables are back."""

    def step_flop(self) -> float | None:
        """Count the floating-point operations of the last step's graph; None where that is not known."""
        return None


@dataclass(frozen=True)
class Schedule:
    """Warms up linearly, then follows a cosine or a line to nearly zero, per step."""

    epochs: int
    steps_per_epoch: int
    peak: float
    warmup_epochs: float = 1.0
    decay: Literal["cosine", "linear"] = "cosine"

    def __call__(self, step: int) -> float:
        total = self.epochs * self.steps_per_epoch
        warmup = min(self.warmup_epochs * self.steps_per_epoch, total / 2)
        if step < warmup:
            return self.peak * (step + 1) / warmup
        done = (step - warmup) / max(1.0, total - warmup)
        left = 1 - done if self.decay == "linear" else 0.5 * (1 + math.cos(math.pi * done))
        return self.peak * left + 1e-6


@dataclass(frozen=True)
class Run:
    """Describes one phase of a training: how long, on how many samples, where its files go."""

    title: str
    folder: Path
    samples: int
    batch: int
    epochs: int
    seed: int
    learning_rate: float
    warmup_epochs: float = 1.0
    decay: Literal["cosine", "linear"] = "cosine"
    patience: int = 0  # epochs without a better validation figure before it stops early; 0 = never
    budget_flop: float = 0.0  # of the whole phase; 0 = not stated
    log_name: str = "history.csv"
    checkpoint_name: str = "checkpoint.npz"

    @classmethod
    def by(cls, recipe: Recipe, *, title: str, folder: Path, samples: int, **other: Any) -> Run:
        """Take the phase's settings from `recipe`, but for those in `other`."""
        names = ("batch", "epochs", "seed", "learning_rate", "warmup_epochs", "decay", "patience", "budget_flop")
        return cls(title=title, folder=folder, samples=samples, **{n: getattr(recipe, n) for n in names} | other)


def train(job: Job, run: Run, report: Report, *, resume: bool) -> dict[str, Any]:
    """Train `job` and leave it with the variables of the epoch that was best on validation.

    Return the figures of that epoch, with `epoch`, the cost of all epochs over all sessions (`wall_s`; `cpu_s`,
    seconds of processor time with validation; `flop`, floating-point operations of the steps alone, where they are
    known; `over_budget` where `run` has a budget) and the `library` that took its last step. With `resume`, an
    interrupted training goes on from its last whole epoch: batches, augmentation and rates depend on seed and step
    alone.
    With `run.patience`, it ends when so many epochs brought nothing better on validation; the rate is not hurried.

    Raises:
        BenchError: the loss is no longer finite (the last good checkpoint is kept), or files can't be written.
    """
    steps = run.samples // run.batch
    if steps < 1:
        raise BenchError(f"batch of {run.batch} out of {run.samples} samples", cure="choose a smaller batch")
    last, best = run.folder / run.checkpoint_name, run.folder / f"best-{run.checkpoint_name}"
    history: list[dict[str, float]] = []
    if resume and last.exists():
        state = checkpoint.load(last, job.variables())
        if (state["seed"], state["epochs"], state["batch"]) != (run.seed, run.epochs, run.batch):
            raise BenchError(f"{last} is of another recipe", cure="start again without --resume")
        history = state["history"]
    elif last.exists() and not resume:
        last.unlink()
        best.unlink(missing_ok=True)
    schedule = Schedule(run.epochs, steps, run.learning_rate, run.warmup_epochs, run.decay)
    report.begin(run.title, run.epochs, steps, len(history))
    for epoch in range(len(history), run.epochs):
        if _stale(history, run.patience):
            report.message(f"no better validation figure in {run.patience} epochs: stopped early")
            break
        started, started_cpu = time.monotonic(), time.process_time()
        row: dict[str, float] = {"epoch": epoch + 1}
        row |= _epoch(job, run, schedule, report, epoch=epoch, steps=steps, last=last)
        row |= job.assess()
        row["wall_s"] = round(time.monotonic() - started, 2)
        row["cpu_s"] = round(time.process_time() - started_cpu, 2)
        if (flop := job.step_flop()) is not None:
            row["flop"] = flop * steps
        history.append(row)
        state = {"seed": run.seed, "epochs": run.epochs, "batch": run.batch, "history": history}
        state["library"] = backend.version()
        checkpoint.save(last, job.variables(), state)
        if row["val_accuracy"] >= max(h["val_accuracy"] for h in history):
            checkpoint.save(best, job.variables(), state)
        write_history(run.folder / run.log_name, history)
        report.epoch(epoch + 1, row)
    if not history:
        return {"epoch": 0, "wall_s": 0.0}
    state = checkpoint.load(best, job.variables())
    job.settle()
    chosen = max(history, key=lambda h: (h["val_accuracy"], h["epoch"]))
    of = {"library": state["library"]} if "library" in state else {}  # older checkpoints do not say
    costs = cost(history)
    if run.budget_flop and "flop" in costs:
        of["over_budget"] = costs["flop"] > run.budget_flop
    return {name: value for name, value in chosen.items() if name not in COSTS} | costs | of


def cost(history: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Add up what the epochs cost; a figure that one of them lacks, as older ones may, is left out."""
    known = [name for name in COSTS if all(name in row for row in history)]
    return {name: round(sum(row[name] for row in history), 1) for name in known}


def added(*costs: Mapping[str, Any]) -> dict[str, float]:
    """Add up the costs of several phases; a figure that one of them lacks is left out."""
    known = [name for name in COSTS if all(name in one for one in costs)]
    return {name: round(sum(float(one[name]) for one in costs), 1) for name in known}


def _stale(history: list[dict[str, float]], patience: int) -> bool:
    """Say whether none of the last `patience` epochs has been better than the best before them."""
    if not 0 < patience < len(history):
        return False
    return max(h["val_accuracy"] for h in history[-patience:]) <= max(h["val_accuracy"] for h in history[:-patience])


def _epoch(
    job: Job, run: Run, schedule: Schedule, report: Report, *, epoch: int, steps: int, last: Path
) -> dict[str, float]:
    order = np.random.default_rng([run.seed, epoch]).permutation(run.samples).astype(np.int32)
    sums: dict[str, float] = {}
    pending: list[dict[str, Any]] = []
    for i in range(steps):
        step = epoch * steps + i
        seed = np.array([run.seed, step], dtype=np.int32)
        pending.append(job.step(order[i * run.batch : (i + 1) * run.batch], seed, schedule(step)))
        if step == 0 and run.budget_flop and (over := _over_budget(run, job.step_flop() or 0.0, steps)):
            report.message(over)
        shown: dict[str, float] = {}
        if len(pending) == READ_BACK_STEPS or i + 1 == steps:
            for metrics in pending:
                for name, value in metrics.items():
                    sums[name] = sums.get(name, 0.0) + float(value)
            shown = {name: float(value) for name, value in pending[-1].items()}
            pending.clear()
            if not math.isfinite(sums["loss"]):
                kept = f"the last good checkpoint is {last}" if last.exists() else "no epoch was finished"
                raise BenchError(
                    f"{run.title}: the loss is no longer finite in epoch {epoch + 1}, step {i + 1}; {kept}",
                    cure="lower the learning rate (--set learning_rate=...)",
                )
        report.step(epoch + 1, i + 1, shown)
    return {name: round(total / steps, 5) for name, total in sums.items()}


def _over_budget(run: Run, flop: float, steps: int) -> str:
    """Say that a phase takes more than its budget; return "" where it does not or has none."""
    whole = flop * steps * run.epochs
    if not run.budget_flop or whole <= run.budget_flop:
        return ""
    fit = int(run.budget_flop / (flop * steps))
    return (
        f"{run.title}: {run.epochs} epochs take {whole:.3g} FLOP, more than the recipe's budget of "
        f"{run.budget_flop:.3g} (--epochs {fit} would fit)"
    )


def write_history(path: Path, history: list[dict[str, float]]) -> None:
    """Write one CSV row for each epoch."""
    try:
        with path.open("w", newline="", encoding="utf-8") as f:
            writer = csv.DictWriter(f, fieldnames=list(dict.fromkeys(name for row in history for name in row)))
            writer.writeheader()
            writer.writerows(history)
    except OSError as e:
        raise BenchError(f"can't write {path} ({e.strerror})", cure="give another folder with --out") from e


def in_batches(function: Any, *arrays: npt.NDArray[Any], batch: int = 500) -> npt.NDArray[np.float32]:
    """Apply `function` to `arrays` in batches along the first axis, and join the results."""
    parts = [
        np.asarray(function(*(ops.convert_to_tensor(a[i : i + batch]) for a in arrays)))
        for i in range(0, len(arrays[0]), batch)
    ]
    return np.concatenate(parts)
