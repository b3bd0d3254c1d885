"""Names that are not known are told with those that are."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.artefacts import artefacts, images
from harness.contracts.errors import BenchError
from harness.host import registry


def test_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(BenchError, match=r"unknown scheme 'magic': choose from .*agilenn"):
        registry.check_name(registry.SCHEMES, "scheme", "magic")
    with pytest.raises(BenchError, match=r"unknown testbed 'moon': choose from .*virtual"):
        registry.testbed_class("moon")
    with pytest.raises(BenchError, match=r"unknown data set 'moon': choose from .*cifar10"):
        images.check_name("moon")


def test_schemes_are_listed_agilenn_first() -> None:
    assert registry.scheme_names()[0] == "agilenn"
    assert registry.scheme("agilenn").name == "agilenn"


def test_schemes_without_weights_are_left_out_unless_none_has_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGILENN_WEIGHTS_DIR", str(tmp_path))
    assert artefacts.trained("cifar10", "compact") == registry.scheme_names()
    (tmp_path / "cifar10-compact" / "deepcod").mkdir(parents=True)
    (tmp_path / "cifar10-compact" / "no_scheme").mkdir()
    assert artefacts.trained("cifar10", "compact") == ["deepcod"]


def test_weights_of_a_scheme_that_an_older_installation_does_not_know_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """After `git pull` the entry points are still the old ones: a new scheme must not be missing without a word."""
    monkeypatch.setenv("AGILENN_WEIGHTS_DIR", str(tmp_path))
    for name in ("deepcod", "of_tomorrow"):
        (tmp_path / "cifar10-compact" / name).mkdir(parents=True)
        (tmp_path / "cifar10-compact" / name / "description.toml").touch()
    assert artefacts.trained("cifar10", "compact") == ["deepcod"]
    assert "knows no scheme of_tomorrow" in caplog.text
