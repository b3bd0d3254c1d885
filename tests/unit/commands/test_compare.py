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
from harness.runs.store import Store

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


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the folders' names, which are long in tests, leave room for the values."""
    monkeypatch.setenv("COLUMNS", "240")


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
    assert good["AgileNN is at least 2x as fast as DeepCOD's public encoder at 6 Mbit/s"] == "holds"
    assert bad["AgileNN is at least 2x as fast as DeepCOD's public encoder at 6 Mbit/s"] == "does not hold"
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


def test_every_setting_that_differs_is_named(make_run: Make) -> None:
    plain = runs_.manifest()
    point = dict(next(iter(plain["points"].values())))
    first = read_run(
        run_of(make_run, "a", BASE, pinned={"file": "", "sha256": "0" * 64, "remote_ms": {"agilenn": 2.1}})
    )
    changed = {
        "pinned": {"file": "", "sha256": "1" * 64, "remote_ms": {"agilenn": 2.35, "deepcod": 1.0}},
        "link": plain["link"] | {"header_bytes": 40},
        "seed": 3,
        "images": [1, 2],
        "points": {"x": point | {"delay_ms": 5.0, "rate_bps": 2e6}},
    }
    second = read_run(run_of(make_run, "b", BASE, **changed))
    assert set(runs.comparable(first, second)) >= {
        "pinned remote time of agilenn: 2.1 ms against 2.35 ms",
        "header of the link: 66 against 40",
        "seed: 0 against 3",
        "pictures a point: 1 against 2",
        "delay of the link: none against 5 ms",
    }
    assert not any("deepcod" in line for line in runs.comparable(first, second))  # which the first does not have
    assert runs.comparable(first, first) == []


def test_latency_with_exits_is_what_the_tables_show(make_run: Make, capsys: pytest.CaptureFixture[str]) -> None:
    """A median over pictures of which some exit is one of the two kinds, whatever their share."""
    exits = {"agilenn": {"right": 80, "n": 100, "share": 0.8, "exited": 75}}
    first = run_of(make_run, "a", BASE, accuracy={"agilenn": 0.8})
    for folder in (first, run_of(make_run, "b", [2 * x for x in BASE], accuracy={"agilenn": 0.8})):
        store = Store.reopen(folder)
        store.write_manifest(store.manifest() | {"accuracy": exits})
    base, other = read_run(first), read_run(first.parent / "b")
    (line,) = runs.compare(base, other)
    assert line.difference.base == pytest.approx(base.cells[0].middle("total_ms"))
    assert line.difference.base < min(BASE) * 0.7  # three quarters are exits: the local half of the latency
    assert line.difference.paired and line.worse
    assert way([str(first), str(first.parent / "b")]) == 1
    assert "AgileNN, mean with exits" in capsys.readouterr().out
    (same,) = runs.compare(base, base)
    assert (same.difference.difference, same.verdict) == (0.0, "same")


def test_an_accuracy_never_stands_beside_another_data_sets(make_run: Make) -> None:
    latencies = {"agilenn": {6e6: BASE}}
    for dataset, found in (("cifar10", True), ("cifar100", True), ("flowers", False)):
        folder = make_run(f"r-{dataset}", latencies, dataset=dataset, accuracy={"agilenn": 0.8})
        pairs = paper.pairs(Material((read_run(folder),)), dataset)
        accuracies = [p for p in pairs if p.metric == "accuracy"]
        assert bool(accuracies) == found, dataset
        assert all(p.published_dataset == dataset for p in accuracies)


def test_a_claim_that_can_not_be_tested_names_what_lacks(make_run: Make) -> None:
    def lacking(folder: Path) -> dict[str, str]:
        found = claims.findings(Material((read_run(folder),)), "cifar100")
        return {f.claim: f.ours for f in found if f.verdict == "not tested"}

    alone = lacking(make_run("alone", {"agilenn": {6e6: BASE}}))
    assert alone["AgileNN is at least 2x as fast as DeepCOD's public encoder at 6 Mbit/s"] == (
        "lacks a scheme deepcod in the bandwidth run at 6 Mbit/s"
    )
    assert alone["AgileNN is at least 2x as fast as every other scheme at 6 Mbit/s"] == (
        "lacks 2 further schemes in the bandwidth run at 6 Mbit/s"
    )
    assert alone["AgileNN is the fastest way to offload at 270 kbit/s"] == (
        "lacks 270 kbit/s among the rates of the bandwidth run"
    )
    assert alone["AgileNN is more accurate than the local network"] == (
        "lacks accuracies over the test set in the bandwidth run"
    )
    assert alone["Computing time scales with 1 / clock"] == "lacks a frequency run of cifar100"
    both = lacking(make_run("both", {"agilenn": {6e6: BASE}, "local_only": {6e6: BASE}}, accuracy={"agilenn": 0.8}))
    assert both["AgileNN is more accurate than the local network"] == "lacks a scheme local_only in the bandwidth run"
