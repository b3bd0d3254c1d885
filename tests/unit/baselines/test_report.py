"""What a person sees of a training when the output is no terminal, and options from `--set`."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from harness.contracts.errors import BenchError
from harness.training.options import parse_overrides
from harness.training.report import RichReport, figures

EPOCH = {
    "loss": 1.25,
    "accuracy": 0.5,
    "skewness": 0.6,
    "val_accuracy": 0.45,
    "val_local": 0.2,
    "val_remote": 0.44,
    "val_skewness": 0.7,
    "val_violations": 0.1,
}


def test_one_line_an_epoch_with_validation_figures() -> None:
    stream = io.StringIO()
    with RichReport(Console(file=stream, width=200)) as report:
        report.begin("AgileNN", 2, 10, 0)
        for step in range(1, 11):
            report.step(1, step, {"loss": 1.0})
        report.epoch(1, EPOCH)
    lines = stream.getvalue().splitlines()
    assert lines[0] == "AgileNN: 2 epochs of 10 steps"
    assert " ".join(lines[1].split()) == (
        "epoch 1/2 loss 1.250 train 50.0 % validation 45.0 % local 20.0 % remote 44.0 % skewness 70.0 % "
        "violations 10.0 %"
    )
    assert len(lines) == 2


def test_resumed_training_says_from_where() -> None:
    stream = io.StringIO()
    with RichReport(Console(file=stream, width=200)) as report:
        report.begin("AgileNN", 5, 10, 3)
    assert stream.getvalue().strip() == "AgileNN: 5 epochs of 10 steps, from epoch 4"


def test_during_an_epoch_the_training_figures_are_shown() -> None:
    assert "skewness 60.0 %" in figures({"loss": 1.0, "skewness": 0.6}, validation=False)


def test_overrides_keep_everything_behind_the_first_equals_sign() -> None:
    assert parse_overrides(["a.b=1", "c = x=y"]) == {"a.b": "1", "c": "x=y"}


@pytest.mark.parametrize("pair", ["", "a", "=1", " =1"])
def test_no_key_or_no_value_is_an_error(pair: str) -> None:
    with pytest.raises(BenchError, match="no key=value"):
        parse_overrides([pair])
