"""Ratios beside the published ones."""

from __future__ import annotations

import pytest

from harness.power.ratios import energy_ratios
from harness.runs.published import load


def test_ratios_stand_beside_the_published() -> None:
    published = {v.scheme: v.value for v in load("fig19") if v.dataset == "cifar100"}
    rows = {r.scheme: r for r in energy_ratios({"agilenn": 20.0, "mcunet": 50.0}, published)}
    assert rows["mcunet"].ratio == 2.5
    assert rows["mcunet"].published_ratio == pytest.approx(643.6 / 66.6)
    assert rows["agilenn"].ratio == 1.0


def test_without_values_there_is_no_ratio() -> None:
    rows = energy_ratios({"agilenn": None, "spinn": 3.0}, {"spinn": 2.0})
    assert [(r.energy_uj, r.ratio, r.published_ratio) for r in rows] == [(None, None, None), (3.0, None, None)]
