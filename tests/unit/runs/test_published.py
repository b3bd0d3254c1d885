"""One rule says what may stand beside a run: the paper's values of its own data set."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.analysis.datum import along, beside
from harness.measure.axes import AXES
from harness.runs import published
from harness.runs.paths import PUBLISHED
from harness.show.figures.catalogue import FIGURES
from harness.training.sweep import axes as trained

FIGURES_READ = sorted(p.stem for p in PUBLISHED.glob("fig*.csv"))


@pytest.mark.parametrize("dataset", ["cifar10", "cifar100", "svhn", "imagenet200"])
@pytest.mark.parametrize("figure", FIGURES_READ)
def test_no_value_of_another_data_set_is_ever_told(figure: str, dataset: str) -> None:
    assert {v.dataset for v in published.beside(figure, dataset)} <= {dataset}
    assert {d.dataset for d in beside(figure, dataset)} <= {dataset}


def test_a_sweep_a_report_and_a_figure_have_the_same_values() -> None:
    """A sweep drew Fig 16 beside CIFAR-10 where a figure of the same run drew CIFAR-100's Fig 23."""
    axis = AXES["bandwidth"]
    assert {(v.figure, v.x) for v in axis.published("cifar10")} == {("Fig 16", 6e6)}
    assert {v.figure for v in axis.published("cifar100")} == {"Fig 23"}
    for dataset in ("cifar10", "cifar100"):
        told = [(d.scheme, d.x, d.value) for d in along(axis, dataset)]
        assert told == [(v.scheme, v.x, v.value) for v in axis.published(dataset)]


def test_training_sweeps_keep_to_it() -> None:
    for axis in trained.AXES.values():
        values = [*map(trained.show, axis.variants), "0.3", "4"]
        found, of = axis.published(
            "cifar10", [v for v in values if axis.published_names or v.replace(".", "").isdigit()]
        )
        assert (found, of) == ({}, "")


def test_a_figure_that_is_not_in_the_tree_has_none(tmp_path: Path) -> None:
    assert published.beside("fig23", "cifar100", tmp_path) == []
    assert len({f.name for f in FIGURES}) == len(FIGURES)
