"""The whole paper in one command: which sweeps, how it goes on, what it writes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.analysis.datum import read_run
from harness.analysis.material import Material
from harness.commands import paper as way
from harness.contracts.errors import BenchError
from harness.host.cli import way_in
from harness.paper import steps, summary

pytestmark = pytest.mark.slow

Make = Callable[..., Path]
LATENCIES = {
    "agilenn": {270e3: [40.0] * 5, 6e6: [9.2] * 5, 20e6: [8.0] * 5},
    "local_only": {270e3: [10.0] * 5, 6e6: [10.0] * 5, 20e6: [10.0] * 5},
}
ACCURACY = {"agilenn": 0.87, "local_only": 0.82}


def test_each_sweep_is_a_run_of_its_own(tmp_path: Path) -> None:
    found = steps.steps(["cifar10", "cifar100"], tmp_path, ["--profile", "compact"], 3)
    assert len({s.folder for s in found}) == len(found)
    assert {"bandwidth", "frequency"} <= {s.axis for s in found}
    command = found[0].command()
    assert command[-2:] == ["--out", str(tmp_path / "runs" / "cifar10-bandwidth")]
    assert "--energy" in command
    assert not any(s.finished() for s in found)
    own = {s.axis: s.options[s.options.index("--images") + 1] for s in found}
    assert (own["bandwidth"], own["loss"]) == ("10", "40")  # 3 were asked for: no axis gets fewer than its own


def test_a_stopped_sweep_goes_on_and_a_finished_one_is_kept(make_run: Make) -> None:
    stopped = make_run("stopped", LATENCIES, status="stopped")
    step = steps.Step("bandwidth", "cifar100", stopped, ())
    assert step.command()[-2:] == ["--resume", str(stopped)]
    assert not step.finished()
    assert steps.Step("bandwidth", "cifar100", make_run("whole", LATENCIES), ()).finished()


def test_a_sweep_that_fails_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="ended with 2"):
        steps.take(steps.Step("bandwidth", "nothing", tmp_path / "x", ()))


def test_the_table_is_that_of_6_mbit(make_run: Make) -> None:
    header, lines = summary.schemes(read_run(make_run("run", LATENCIES, accuracy=ACCURACY)))
    agile = dict(zip(header, lines[0], strict=True))
    assert agile["total ms"] == "9.2"
    assert agile["accuracy % (n)"] == "87.0 (10,000)"
    assert agile["energy mJ"] == "9.20"
    assert agile["flash KB"] == "40"


def test_the_page_marks_the_front_and_lists_what_is_missing(make_run: Make, tmp_path: Path) -> None:
    material = Material((read_run(make_run("run", LATENCIES, accuracy=ACCURACY)),))
    found = {"cifar100": summary.tables_of(material, "cifar100", profile="compact")}
    page = summary.page(material, found, [tmp_path / "figures" / "a.png"], ["x: no rows"], tmp_path)
    assert "40.0 *" in page
    assert "[a](figures/a.png)" in page
    assert "- x: no rows" in page
    assert "does not hold" in page
    assert "not measured" in page  # claims about the method: no rows of that data set


def test_from_stored_runs_to_everything(make_run: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [
        make_run("bw", LATENCIES, accuracy=ACCURACY),
        make_run("fr", {"agilenn": {216e6: [9.0] * 5}}, axis="frequency"),
    ]
    found = [steps.Step("bandwidth", "cifar100", runs[0], ()), steps.Step("frequency", "cifar100", runs[1], ())]
    monkeypatch.setattr(way, "steps", lambda *_: found)
    monkeypatch.setattr(way, "take", lambda _: pytest.fail("a finished sweep was taken again"))
    out = tmp_path / "out"
    assert way_in(way.main, ["--datasets", "cifar10", "--out", str(out), "--slim"]) == 0
    assert (out / "README.md").is_file()
    for name in ("schemes", "front", "system-claims", "method-claims", "published"):
        for kind in ("md", "tex"):
            assert (out / "tables" / f"{name}-cifar100.{kind}").is_file()
    texts = [path.read_text() for path in (out / "tables").glob("*.tex")]
    assert all("docs/" not in text and "+-" not in text for text in texts)
    assert all(r"\label{tab:out-" in text for text in texts)  # after the folder, not "tables"
    assert (out / "figures" / "latency_vs_bandwidth-cifar100.svg").is_file()
    assert (runs[0] / "report.html").is_file()


@pytest.mark.parametrize("argv", [["--datasets", "mnist"], ["--out", __file__], ["--images", "0"]])
def test_bad_input_is_one_line(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert way_in(way.main, argv) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_dry_run_tells_steps_and_minutes_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(way, "take", lambda _: pytest.fail("measured"))
    out = tmp_path / "out"
    assert way_in(way.main, ["--dry-run", "--datasets", "cifar10", "--images", "40", "--out", str(out)]) == 0
    told = capsys.readouterr().out
    assert f"1. sweep bandwidth, cifar10 into {out}" in told
    assert "5. figures, tables, claims and reports" in told
    assert not out.exists()
    (step, *_) = steps.steps(["cifar10"], out, (), 20)
    once, twice = (steps.estimate(step, images) for images in (20, 40))
    assert once is not None and twice == pytest.approx(2 * once)  # of the committed run, in proportion
    assert f": about {max(1, round(twice))} min" in told


def test_only_the_data_sets_that_were_measured_are_drawn_and_what_lacks_is_one_line(
    make_run: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run("bw", LATENCIES, accuracy=ACCURACY, dataset="cifar10")
    monkeypatch.setattr(way, "steps", lambda *_: [steps.Step("bandwidth", "cifar10", run, ())])
    out = tmp_path / "out"
    assert way_in(way.main, ["--datasets", "cifar10", "--out", str(out)]) == 0
    assert not list((out / "figures").glob("*cifar100*"))  # of which the committed rows know much
    assert capsys.readouterr().out.count("not drawn") <= 1


def test_who_stops_it_is_told_to_give_the_same_command_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(_: steps.Step) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(way, "take", stopped)
    out = str(tmp_path / "out")
    assert way_in(way.main, ["--datasets", "cifar10", "--out", out]) == 130
    assert f"to go on: python -m harness.paper --datasets cifar10 --out {out}\n" in capsys.readouterr().err
