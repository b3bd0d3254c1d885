"""The speed of trainings: phases by a real training of a moment, figures from steps that did not compile."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("tensorflow")

from harness.bench import training
from harness.bench.training import Phase, Stopwatch


def test_the_first_steps_do_not_count() -> None:
    phase = Phase("x", [9.0, 5.0, 0.5, 0.1, 0.3], flop=6e8)
    assert phase.step_s == 0.3
    assert phase.gflop_per_s == pytest.approx(2.0)
    assert training.rows("a", [phase, Phase("y", [1.0])]) == [
        ["a", "x", "0.6", "0.300", "2.0"],
        ["", "y", "–", "–", "–"],
    ]


def test_a_phase_that_is_done_already_is_none() -> None:
    watch = Stopwatch()
    watch.begin("cached", 1, 4, 1)
    watch.begin("new", 1, 4, 0)
    watch.step(1, 1, {})
    watch.epoch(1, {"flop": 400.0})
    assert [(phase.title, phase.flop, len(phase.cpu_s)) for phase in watch.phases] == [("new", 100.0, 1)]


@pytest.mark.slow
def test_a_recipe_is_trained_for_a_moment_and_nothing_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGILENN_CACHE_DIR", str(tmp_path / "mine"))
    over = {"reference.widths": "[4]", "reference.batch": "8", "reference.precision": "float32"}
    phases = training.measure("full_offload", "compact", tmp_path, steps=3, overrides=over)
    assert [phase.title for phase in phases] == ["reference network"]
    assert len(phases[0].cpu_s) == 3
    assert phases[0].flop is not None
    assert phases[0].flop > 0
    assert not (tmp_path / "mine").exists()


@pytest.mark.slow
def test_a_recipe_that_goes_on_from_weights_needs_none_of_them(tmp_path: Path) -> None:
    """The command without --schemes stopped at AgileNN-R: nobody has weights for random pictures."""
    over = {"reference.widths": "[4, 8]", "reference.batch": "8", "batch": "8", "precision": "float32"}
    phases = training.measure("agilenn_r", "compact", tmp_path, steps=3, overrides=over)
    assert [phase.title for phase in phases][-2:] == ["AgileNN-R", "local branch"]
    assert all(phase.flop for phase in phases)


def test_an_unknown_scheme_is_one_line_before_anything_starts(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(training.BenchError, match="nosuch"):
        training.main(["--schemes", "nosuch"])
