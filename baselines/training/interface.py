"""Names what a scheme's `train` gets (harness/contracts/training.py), and has a report that nobody reads."""

from __future__ import annotations

from harness.contracts.training import Report, TrainOptions

__all__ = ["Report", "Silent", "TrainOptions"]


class Silent:
    """Takes reports and shows them to nobody."""

    def begin(self, title: str, epochs: int, steps: int, first_epoch: int) -> None:
        pass

    def step(self, epoch: int, step: int, metrics: dict[str, float]) -> None:
        pass

    def epoch(self, epoch: int, metrics: dict[str, float]) -> None:
        pass

    def message(self, text: str) -> None:
        pass
