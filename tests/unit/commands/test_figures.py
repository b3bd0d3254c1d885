"""Figures from stored runs: what is drawn, what is said to be missing, and the same bytes every time."""

from __future__ import annotations

import csv
import hashlib
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.analysis.datum import Datum, read_run
from harness.analysis.material import Material, gather
from harness.analysis.pareto import Choice, pareto
from harness.analysis.recommending import Wanted, options
from harness.analysis.trainings import read_rows
from harness.commands import figures as way
from harness.contracts.errors import BenchError
from harness.host.cli import way_in
from harness.report.page import build
from harness.runs.paths import REFERENCE
from harness.runs.store import Store
from harness.show.figures.catalogue import FIGURES
from harness.show.figures.figure import Missing
from harness.show.figures.of_runs import choices_at, ratios

pytestmark = pytest.mark.slow

Make = Callable[..., Path]
LATENCIES = {
    "agilenn": {270e3: [40.0, 41.0, 42.0, 43.0, 44.0], 6e6: [9.0, 9.1, 9.2, 9.3, 9.4]},
    "local_only": {270e3: [10.0] * 5, 6e6: [10.0] * 5},
}
ACCURACY = {"agilenn": 0.87, "local_only": 0.82}
HEADER = "dataset,axis,value,k,rho,accuracy,skewness,alpha,violations,epochs,samples,n_test\n"


def rows(folder: Path) -> Path:
    folder.mkdir()
    values = {"temperature": ("1", "8"), "lambda": ("0.2", "0.8"), "topk": ("0.1", "0.2"), "xai": ("ig", "saliency")}
    for axis, (one, two) in values.items():
        lines = [
            f"cifar100,{axis},{v},{2 + 3 * i},0.8,0.7{i},0.8,0.3,0.02,3,12800,10000\n" for i, v in enumerate((one, two))
        ]
        (folder / f"{axis}-cifar100.csv").write_text(HEADER + "".join(lines))
    return folder


def material(make_run: Make, tmp_path: Path) -> Material:
    make_run("bw", LATENCIES, accuracy=ACCURACY)
    make_run("fr", {s: {64e6: [30.0] * 5, 216e6: [10.0] * 5} for s in LATENCIES}, axis="frequency", accuracy=ACCURACY)
    return gather([tmp_path / "bw", tmp_path / "fr"], rows=rows(tmp_path / "rows"))


def test_every_figure_with_data_is_drawn_in_three_formats(make_run: Make, tmp_path: Path) -> None:
    written, missing = way.draw_all(material(make_run, tmp_path), tmp_path / "out")
    names = {p.name for p in (tmp_path / "out").iterdir()}
    assert {p.stem for p in written} >= {
        "latency_breakdown-cifar100",
        "latency_vs_bandwidth-cifar100",
        "latency_vs_frequency-cifar100",
        "energy-cifar100",
        "memory-cifar100",
        "accuracy_vs_latency-cifar100",
        "agilenn_temperature-cifar100",
        "agilenn_lambda-cifar100",
        "agilenn_k_rho-cifar100",
        "agilenn_xai-cifar100",
    }
    assert len(names) == 3 * len(written)
    assert len(written) + len(missing) == len(FIGURES)
    assert any("delay" in line for line in missing)
    grid = (tmp_path / "out" / "agilenn_k_rho-cifar100.svg").read_text()
    assert "70.0" in grid  # ours
    assert "[73.2]" in grid  # the paper's, k = 5 at rho 0.8


def test_the_same_input_gives_the_same_bytes(make_run: Make, tmp_path: Path) -> None:
    found = material(make_run, tmp_path)
    digests = []
    for name in ("one", "two"):
        way.draw_all(found, tmp_path / name, ["latency_vs_bandwidth", "agilenn_k_rho"])
        digests.append([hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted((tmp_path / name).iterdir())])
    assert digests[0] == digests[1]
    assert len(digests[0]) == 6


def test_the_source_is_said_once_and_the_papers_lines_have_a_panel(make_run: Make, tmp_path: Path) -> None:
    way.draw_all(material(make_run, tmp_path), tmp_path / "out", ["latency_vs_bandwidth"])
    text = (tmp_path / "out" / "latency_vs_bandwidth-cifar100.svg").read_text()
    assert text.count("Times modelled on") == 1
    assert "(modelled)" not in text
    assert "the paper's latency (ms)" in text


def test_a_figure_without_its_data_says_what_it_needs(make_run: Make, tmp_path: Path) -> None:
    run = read_run(make_run("bw", {"agilenn": {1e6: [5.0] * 5}}))
    figure = next(f for f in FIGURES if f.name == "latency_breakdown")
    with pytest.raises(Missing, match="6 Mbit/s"):
        figure.draw(Material((run,)), "cifar100", tmp_path / "x")
    assert not list(tmp_path.glob("x.*"))


def test_what_was_trained_and_what_was_laid_over_weights_are_two_lines(tmp_path: Path) -> None:
    lines = ["dataset,axis,value,accuracy,compression,epochs,samples,n_test\n"]
    lines += [f"cifar10,compression,{n}{kind},0.8{n},{50 - n},{e},{s},10000\n" for n in (2, 4)
              for kind, e, s in (("", 3, 12800), (" at run time", 12, ""))]  # fmt: skip
    (tmp_path / "compression-cifar10.csv").write_text("".join(lines))
    figure = next(f for f in FIGURES if f.name == "agilenn_compression")
    figure.draw(gather([], rows=tmp_path), "cifar10", tmp_path / "x")
    text = (tmp_path / "x.svg").read_text(encoding="utf-8")
    for said in (
        "accuracy, at run time (measured)",
        "accuracy, trained so (measured)",
        "Each point: 3 epochs of 12800",
    ):
        assert said in text


def test_settings_are_drawn_where_their_rows_have_latencies(tmp_path: Path) -> None:
    header = "dataset,axis,value,accuracy,total_270k_ms,total_2m_ms,total_6m_ms,time_source\n"
    for axis, extra in (("pareto", ""), ("exit", ",0.87,24,8,7,modelled\n"), ("rho", "")):
        lines = [f"cifar10,{axis},{v},0.{80 + v},{20 + v},{8 + v},{6 + v},modelled\n" for v in (1, 2)]
        lines += [f"cifar10,{axis},last{extra}"] if extra else []
        (tmp_path / f"{axis}-cifar10.csv").write_text(header + "".join(lines))
    known = gather([], rows=tmp_path)
    for name in ("agilenn_pareto", "agilenn_exit"):
        next(f for f in FIGURES if f.name == name).draw(known, "cifar10", tmp_path / name)
        text = (tmp_path / f"{name}.svg").read_text(encoding="utf-8")
        assert "270 kbit/s" in text
        assert ("Pareto front" in text) is (name == "agilenn_pareto")
    with pytest.raises(Missing, match="no rows of the exit sweep"):
        next(f for f in FIGURES if f.name == "agilenn_exit").draw(known, "cifar100", tmp_path / "none")


def test_pareto_keeps_what_no_other_beats_in_both() -> None:
    a, b, c, d = (Choice(n, n, ms, acc, "modelled") for n, ms, acc in
                  (("a", 10, 80), ("b", 20, 90), ("c", 15, 79), ("d", 20, 90)))  # fmt: skip
    assert pareto([d, c, b, a]) == [a, d]
    assert pareto([]) == []


def test_choices_need_an_accuracy(make_run: Make) -> None:
    run = read_run(make_run("bw", LATENCIES, accuracy={"agilenn": 0.87}))
    assert [c.scheme for c in choices_at(Material((run,)), "cifar100", 6e6)] == ["agilenn"]


def test_energy_ratios_need_agilenn() -> None:
    other = Datum("d", "deepcod", "DeepCOD", "energy_uj", "uJ", "", 0.0, 4.0, "modelled")
    base = Datum("d", "agilenn", "AgileNN", "energy_uj", "uJ", "", 0.0, 2.0, "modelled")
    assert ratios([other]) == []
    assert [d.value for d in ratios([base, other])] == [1.0, 2.0]


def test_lines_are_named_at_their_ends_and_equal_ones_stand_side_by_side(
    make_run: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from matplotlib.axes import Axes  # noqa: PLC0415 - half a second

    named: list[tuple[str, float]] = []
    places: list[float] = []
    plain, bars = Axes.annotate, Axes.errorbar

    def annotate(self: Axes, text: str, *more: Any, **kw: Any) -> Any:
        named.append((text, more[1][1]))
        return plain(self, text, *more, **kw)

    def errorbar(self: Axes, x: Any, *more: Any, **kw: Any) -> Any:
        places.append(x[0])
        return bars(self, x, *more, **kw)

    monkeypatch.setattr(Axes, "annotate", annotate)
    monkeypatch.setattr(Axes, "errorbar", errorbar)
    same = {name: {270e3: [20.0] * 5, 6e6: [9.0] * 5} for name in ("agilenn", "deepcod", "local_only")}
    run = read_run(make_run("same", same))
    next(f for f in FIGURES if f.name == "latency_vs_bandwidth").draw(Material((run,)), "cifar100", tmp_path / "one")
    assert [text for text, _ in named[:3]] == ["AgileNN", "DeepCOD", "Local only"]  # no "(modelled)" in a name
    heights = sorted(height for _, height in named[:3])
    assert min(b - a for a, b in itertools.pairwise(heights)) > 0.02
    assert len(set(places[:3])) == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [("dataset,axis\n", "lacks the column value"), ("\xff", "is no UTF-8 text"), ("", "lacks the column axis")],
)
def test_damaged_rows_are_one_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "rho-cifar10.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(BenchError, match=said):
        read_rows(path)


def test_the_way_in(make_run: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run("bw", LATENCIES, accuracy=ACCURACY)
    argv = [str(run), "--out", str(tmp_path / "out"), "--only", "memory", "--rows", str(rows(tmp_path / "rows"))]
    assert way_in(way.main, argv) == 0
    assert "memory-cifar100.png" in capsys.readouterr().out
    assert way_in(way.main, [str(run), "--only", "nothing"]) == 2
    assert way_in(way.main, [str(tmp_path / "absent")]) == 2
    assert capsys.readouterr().err.count("\n") == 2


def test_latency_with_exits_is_that_of_the_whole_test_set_as_the_tables_have_it() -> None:
    run = REFERENCE / "runs" / "cifar10-bandwidth"
    with (run / "tables" / "schemes.csv").open(encoding="utf-8", newline="") as f:
        table = {r["scheme"]: r for r in csv.DictReader(f) if float(r["rate_bps"]) == 6e6}
    drawn = {d.scheme: d.value for d in read_run(run).data if d.metric == "total_ms" and d.x == 6e6}
    assert float(table["partition"]["exited_share"]) > 0.3
    page = build(Store.reopen(run))
    asked = Wanted("virtual", "cifar10", 6e6, 0)
    recommended = {o.scheme: o.latency_ms for o in options([read_run(run)], asked)}
    for scheme, line in table.items():
        assert recommended[scheme] == drawn[scheme]
        assert f"{line['title']}, 6 Mbit/s: {drawn[scheme]:.1f} " in page
        assert drawn[scheme] == pytest.approx(float(line["latency_ms"]), abs=1e-3)
