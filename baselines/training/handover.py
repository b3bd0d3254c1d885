"""Ends a training that is exported later, by TensorFlow: in another process or on another machine."""

from __future__ import annotations

from pathlib import Path

from baselines.training.interface import Report


def hand_over(report: Report, work: Path, *others: Path) -> Path:
    """Say which folders hold the training, of those that exist; return the first one, `work`.

    Each is named by a hash of recipe and data alone: the same command finds it on every machine and backend.
    """
    names = [folder.name for folder in (work, *others) if folder.is_dir()]
    report.message(f"checkpoints in {work.parent}: {', '.join(names)}")
    return work
