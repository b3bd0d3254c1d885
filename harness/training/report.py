"""Shows training progress to a person: a bar with the latest figures, and one line an epoch."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

# Order in which figures are shown, and how: share (percent) or plain number.
_SHOWN = {
    "loss": ("loss", False),
    "accuracy": ("train", True),
    "val_accuracy": ("validation", True),
    "val_local": ("local", True),
    "val_remote": ("remote", True),
    "val_skewness": ("skewness", True),
    "val_violations": ("violations", True),
    "skewness": ("skewness", True),
    "violations": ("violations", True),
    "alpha": ("alpha", False),
}


def figures(metrics: dict[str, float], *, validation: bool) -> str:
    """Return `loss 1.234 train 56.7 % ...` for the metrics that people watch; with `validation`, its figures win."""
    parts = []
    for name, (label, share) in _SHOWN.items():
        if name not in metrics or (validation and f"val_{name}" in metrics and name != "accuracy"):
            continue
        value = metrics[name]
        parts.append(f"{label} {100 * value:.1f} %" if share else f"{label} {value:.3f}")
    return "  ".join(parts)


class RichReport:
    """Shows a progress bar on `console`; when that is no terminal, one line an epoch only. Use it as a context
    manager.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None
        self._steps = self._epochs = 0

    def __enter__(self) -> RichReport:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def begin(self, title: str, epochs: int, steps: int, first_epoch: int) -> None:
        """Note that a phase of `epochs` times `steps` begins, `first_epoch` of them done in an earlier session."""
        self._steps, self._epochs = steps, epochs
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(title, total=epochs * steps, completed=first_epoch * steps, figures="")
        if epochs > first_epoch:
            resumed = f", from epoch {first_epoch + 1}" if first_epoch else ""
            self._console.print(f"{title}: {epochs} epochs of {steps} steps{resumed}")

    def step(self, epoch: int, step: int, metrics: dict[str, float]) -> None:
        """Note that step `step` (from 1) of epoch `epoch` (from 1) is done."""
        if self._task is None:
            return
        done = (epoch - 1) * self._steps + step
        if metrics:
            self._progress.update(self._task, completed=done, figures=figures(metrics, validation=False))
        else:
            self._progress.update(self._task, completed=done)

    def epoch(self, epoch: int, metrics: dict[str, float]) -> None:
        """Note that epoch `epoch` is done, with training means and validation figures."""
        self._console.print(f"  epoch {epoch}/{self._epochs}  {figures(metrics, validation=True)}")

    def message(self, text: str) -> None:
        """Print one line."""
        self._console.print(text, soft_wrap=True)
