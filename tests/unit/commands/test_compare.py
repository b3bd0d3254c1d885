"""Runs against each other and against the paper."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.analysis.comparison import claims, paper, runs
from harness.analysis.datum import read_run
from harness.analysis.material import Material
from harness.commands import compare
from harness.host.cli import way_in

from ...support import runs as runs_

Make = Callable[..., Path]
BASE = [10.0, 11.0, 12.0, 10.5, 11.5, 10.2, 11.7]


def run_of(make: Make, name: str, agile: list[float], **more: object) -> Path:
    return make(name, {"agilenn": {6e6: agile}}, **more)


def way(argv: list[str]) -> int:
    return way_in(compare.main, argv)


@pytest.mark.parametrize(
    ("factor", "verdict", "code"),
    [(1.0, "same", 0), (1.10, "slower", 1), (0.9, "faster", 0), (1.005, "trifling", 0)],
)
def test_slower_needs_significance_and_a_minimum_effect(
    make_run: Make, capsys: pytest.CaptureFixture[str], factor: float, verdict: str, code: int
) -> None:
    first = run_of(make_run, "a", BASE)
    second = run_of(make_run, "b", [factor * x for x in BASE])
    assert way(["--least", "2", str(first), str(second)]) == code
    assert verdict in capsys.readouterr().out


def test_values_of_the_axis_and_differences_are_written_out(make_run: Make, capsys: pytest.CaptureFixture[str]) -> None:
    """2 Mbit/s was told as "2e+06"."""
    first, second = (make_run(name, {"agilenn": {2e6: values}}) for name, values in (("a", BASE), ("b", [2e4] * 7)))
    assert way(["--metrics", "energy_uj", str(first), str(second)]) == 1
    out = capsys.readouterr().out
    assert "2 Mbit/s" in out and "+20,000,000 uJ" in out
    assert "e+0" not in out


def test_a_fall_of_accuracy_beyond_its_interval_is_worse(make_run: Make) -> None:
    first = run_of(make_run, "a", BASE, accuracy={"agilenn": 0.87})
    assert way([str(first), str(run_of(make_run, "b", BASE, accuracy={"agilenn": 0.865}))]) == 0
    assert way([str(first), str(run_of(make_run, "c", BASE, accuracy={"agilenn": 0.80}))]) == 1


def test_modelled_against_measured_is_said(make_run: Make, capsys: pytest.CaptureFixture[str]) -> None:
    bed = runs_.manifest()["testbed"] | {"name": "stm32f746", "title": "my board", "time_source": "measured"}
    first, second = run_of(make_run, "a", BASE), run_of(make_run, "b", BASE, testbed=bed)
    assert way([str(first), str(second)]) == 0
    out = capsys.readouterr().out
    assert "testbed: virtual against stm32f746" in out
    assert "source of times: modelled against measured" in out


@pytest.mark.parametrize("other", ["nowhere", "clock"])
def test_what_can_not_be_compared_is_one_line(make_run: Make, capsys: pytest.CaptureFixture[str], other: str) -> None:
    first = run_of(make_run, "a", BASE)
    make_run("clock", {"agilenn": {216e6: BASE}}, axis="frequency")
    assert way([str(first), str(first.parent / other)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_pairs_with_the_paper_by_scheme_and_place(make_run: Make) -> None:
    folder = make_run("a", {"agilenn": {2e6: BASE, 6e6: [24.1] * 5}, "local_only": {6e6: [31.1] * 5}})
    found = paper.pairs(Material((read_run(folder),)), "cifar100")
    totals = {(p.figure, p.scheme, p.x): p.ratio for p in found if p.metric == "total_ms"}
    assert totals[("fig16", "agilenn", 6e6)] == pytest.approx(1.0)
    assert totals[("fig23", "local_only", 6e6)] == pytest.approx(0.1)
    assert ("fig23", "agilenn", 270e3) not in totals  # not measured there


def test_claims_follow_the_numbers(make_run: Make) -> None:
    def verdicts(agile: float, other: float) -> dict[str, str]:
        schemes = {"agilenn": agile, "deepcod": other, "full_offload": 3 * other, "local_only": 6 * other}
        folder = make_run(f"r{agile}-{other}", {s: {6e6: [x] * 5} for s, x in schemes.items()})
        return {f.claim: f.verdict for f in claims.findings(Material((read_run(folder),)), "cifar100")}

    good, bad = verdicts(10.0, 25.0), verdicts(25.0, 10.0)
    assert good["AgileNN is at least 2x as fast as DeepCOD at 6 Mbit/s"] == "holds"
    assert bad["AgileNN is at least 2x as fast as DeepCOD at 6 Mbit/s"] == "does not hold"
    assert bad["AgileNN answers within 20 ms"] == "does not hold"
    assert good["Computing time scales with 1 / clock"] == "not tested"
    assert len(good) == len(claims.CLAIMS)


def test_other_pinned_times_hosts_and_brokers_are_named(make_run: Make) -> None:
    plain = {"file": "f", "sha256": "0" * 64, "remote_ms": {"agilenn": 1.116, "local_only": None}}
    own = plain | {"remote_ms": {"agilenn": 2.5}, "hosts": {"agilenn": "a laptop"}}
    host = runs_.manifest()["host"] | {"cores": 16}
    first = read_run(run_of(make_run, "a", BASE, pinned=plain))
    second = read_run(run_of(make_run, "b", BASE, pinned=own, host=host, broker="mosquitto version 2"))
    assert runs.comparable(first, second) == [
        "host: Linux 6, x86_64, 2 cores against Linux 6, x86_64, 16 cores",
        "broker: stub against mosquitto version 2",
        "pinned remote time of agilenn: 1.116 ms against 2.5 ms (a laptop)",
    ]
    assert runs.comparable(first, read_run(run_of(make_run, "c", BASE))) == [
        "pinned remote times: charged against none"
    ]
    assert "the edge's part measured on a laptop" in second.note


def test_a_run_with_other_weights_is_said(make_run: Make) -> None:
    first = read_run(run_of(make_run, "a", BASE))
    schemes = {"agilenn": runs_.manifest()["schemes"]["agilenn"] | {"weights": "another"}}
    second = read_run(run_of(make_run, "b", BASE, schemes=schemes))
    assert runs.comparable(first, second) == ["weights of agilenn"]
