"""What to ship: the quickest that is good enough, and why the others lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.analysis.datum import read_run
from harness.analysis.recommending import Wanted, judge, options
from harness.commands import recommend
from harness.host.cli import way_in

Make = Callable[..., Path]
LATENCIES = {
    "agilenn": {270e3: [40.0] * 5, 6e6: [9.0, 9.1, 9.2, 9.3, 9.4]},
    "full_offload": {270e3: [110.0] * 5, 6e6: [14.0] * 4 + [40.0]},
    "local_only": {270e3: [8.0] * 5, 6e6: [8.0] * 5},
}
ACCURACY = {"agilenn": 0.87, "full_offload": 0.885, "local_only": 0.82}


@pytest.fixture
def run(make_run: Make) -> Path:
    return make_run("run", LATENCIES, accuracy=ACCURACY)


def order(run: Path, **wanted: object) -> list[tuple[str, bool]]:
    asked = Wanted(**({"testbed": "virtual", "dataset": "cifar100", "rate_bps": 6e6, "min_accuracy": 80} | wanted))  # type: ignore[arg-type]
    return [(v.option.scheme, v.fits) for v in judge(options([read_run(run)], asked), asked)]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, [("local_only", True), ("agilenn", True), ("full_offload", True)]),
        ({"min_accuracy": 85}, [("agilenn", True), ("full_offload", True), ("local_only", False)]),
        ({"min_accuracy": 88}, [("full_offload", True), ("agilenn", False), ("local_only", False)]),
        (
            {"min_accuracy": 85, "deadline_ms": 10.0},
            [("agilenn", True), ("full_offload", False), ("local_only", False)],
        ),
        ({"min_accuracy": 95}, [("full_offload", False), ("agilenn", False), ("local_only", False)]),
    ],
)
def test_the_quickest_that_is_good_enough_wins(
    run: Path, wanted: dict[str, object], expected: list[tuple[str, bool]]
) -> None:
    assert order(run, **wanted) == expected


def test_images_that_miss_the_deadline_count(run: Path) -> None:
    asked = Wanted("virtual", "cifar100", 6e6, 88, deadline_ms=30.0)
    (best, *_) = judge(options([read_run(run)], asked), asked)
    assert not best.fits
    assert best.reasons == ("20 % of the images miss the deadline of 30 ms, 5 % may",)


def test_the_digits_that_decide_are_shown(make_run: Make, capsys: pytest.CaptureFixture[str]) -> None:
    """84.96 % was told as "85.0 % is below 85 %"."""
    close = make_run("close", {"agilenn": {6e6: [30.004] * 20}}, accuracy={"agilenn": 0.8496})
    words = ["--runs", str(close), "--dataset", "cifar100", "--rate", "6M", "--min-accuracy", "85"]
    assert way_in(recommend.main, [*words, "--deadline", "30ms"]) == 1
    told = " ".join(capsys.readouterr().out.split())
    assert "accuracy 84.96 % is below 85 %" in told
    assert "latency 30.004 ms is over the deadline of 30 ms" in told
    assert "85.0" not in told


def test_no_word_is_broken_at_80_columns(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    words = ["--runs", str(run), "--dataset", "cifar100", "--rate", "6M", "--min-accuracy", "85", "--deadline", "30ms"]
    assert way_in(recommend.main, words) == 0
    out = capsys.readouterr().out
    lines = out[out.index("From the best") :].splitlines()  # before it: what to ship, a line each for programs
    assert max(map(len, lines)) <= 80
    told = " ".join(" ".join(lines).split())
    for whole in (
        "Full offloading",
        "latency ms",
        "accuracy %",
        "energy mJ",
        "(codec lzw, alpha 0.5, weights agilenn)",
    ):
        assert whole in told
    assert "accuracy 82.0 % is below 85 %" in told


def test_between_two_rates_the_latency_is_on_the_links_line(run: Path) -> None:
    asked = Wanted("virtual", "cifar100", 1e6, 85)
    best = judge(options([read_run(run)], asked), asked)[0]
    assert best.option.interpolated
    slope = (40.0 - 9.2) / (1 / 270e3 - 1 / 6e6)
    assert best.option.latency_ms == pytest.approx(9.2 + slope * (1 / 1e6 - 1 / 6e6))
    assert "between two measured rates" in " ".join(best.reasons)


def test_beyond_the_measured_rates_nothing_is_said(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        way_in(recommend.main, ["--runs", str(run), "--dataset", "cifar100", "--rate", "50M", "--min-accuracy", "1"])
        == 2
    )
    assert "no stored bandwidth run" in capsys.readouterr().err


def test_the_newest_of_equal_settings_counts(make_run: Make) -> None:
    old = make_run("old", {"agilenn": {6e6: [20.0] * 5}}, accuracy=ACCURACY, ended_at="2026-01-01T00:00:00+00:00")
    new = make_run("new", {"agilenn": {6e6: [9.0] * 5}}, accuracy=ACCURACY, ended_at="2026-02-01T00:00:00+00:00")
    asked = Wanted("virtual", "cifar100", 6e6, 80)
    found = options([read_run(old), read_run(new)], asked)
    assert [o.latency_ms for o in found] == [9.0]


def test_the_way_in(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = ["--runs", str(run), "--dataset", "cifar100", "--rate", "6M"]
    assert way_in(recommend.main, [*plain, "--min-accuracy", "85"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Ship AgileNN (codec lzw, alpha 0.5, weights agilenn): 9.2 ms modelled at 6 Mbit/s, 87.0 %")
    assert way_in(recommend.main, [*plain, "--min-accuracy", "85", "--energy"]) == 0
    assert way_in(recommend.main, [*plain, "--min-accuracy", "99%"]) == recommend.NONE_FITS
    for bad in (["--min-accuracy", "101"], ["--min-accuracy", "x"], ["--min-accuracy", "80", "--deadline", "soon"]):
        assert way_in(recommend.main, [*plain, *bad]) == 2
    assert capsys.readouterr().err.count("\n") == 3


def test_what_the_model_can_not_tell_apart_is_a_tie_and_the_more_accurate_comes_first(
    make_run: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    latencies = {"agilenn": {6e6: [9.3] * 5}, "local_only": {6e6: [9.0] * 5}, "full_offload": {6e6: [12.0] * 5}}
    close = make_run("close", latencies, accuracy=ACCURACY)
    assert [scheme for scheme, _ in order(close)] == ["agilenn", "local_only", "full_offload"]
    words = ["--runs", str(close), "--dataset", "cifar100", "--rate", "6M", "--min-accuracy", "80"]
    assert way_in(recommend.main, words) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "As quick, within what the latencies may be off by: Local only. Of these, AgileNN is the most" in told
    assert "a tie: 0.3 ms quicker" in told
    assert "2.7 ms slower" in told


def test_how_many_may_miss_the_deadline_is_an_option_and_said(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--runs", str(run), "--dataset", "cifar100", "--rate", "6M", "--min-accuracy", "88", "--deadline", "30ms"]
    assert way_in(recommend.main, words) == recommend.NONE_FITS
    assert "at most 5 % of its pictures miss the deadline" in capsys.readouterr().out
    assert way_in(recommend.main, [*words, "--most-late", "20"]) == 0
    assert "at most 20 % of its pictures" in capsys.readouterr().out


def test_who_is_left_out_is_named_with_the_reason_and_what_all_share_is_said_once(
    make_run: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    latencies = dict(LATENCIES) | {"deepcod": {6e6: [9.0] * 5}}
    there = make_run("there", latencies, accuracy=ACCURACY | {"deepcod": 0.85})
    bare = make_run("bare", {"hierarchical": {270e3: [9.0] * 5, 6e6: [8.0] * 5}})
    words = ["--runs", str(there), str(bare), "--dataset", "cifar100", "--rate", "1M", "--min-accuracy", "80"]
    assert way_in(recommend.main, words) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert told.count("latency taken between two measured rates") == 1
    assert "Left out: deepcod: measured from 6 Mbit/s to 6 Mbit/s only." in told
    assert "Left out: hierarchical: its accuracy over the test set is not stored" in told
    assert "Left out: partition: in no stored bandwidth run of this testbed and data set." in told
