"""Schemes side by side: fronts and splits."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from harness.analysis.cells import Accuracy, cells
from harness.artefacts import artefacts
from harness.artefacts.artefacts import Artefact
from harness.commands.sweep import wants_side_by_side
from harness.contracts.errors import BenchError
from harness.contracts.scheme import Scheme
from harness.host import registry
from harness.measure.axes import AXES, axis
from harness.report import side_by_side, splits
from harness.runs.store import Store

FACTS: dict[str, Any] = {
    "near": {"title": "Near", "exit_threshold": 2.0, "split": 0, "firmware": {"macs": 3_000_000}},
    "far": {
        "title": "Far",
        "exit_threshold": 0.8,
        "split": 2,
        "firmware": {"macs": 1_500_000, "sizes": {"flash_bytes": 102_400, "ram_static_bytes": 51_200}},
    },
}


def row(scheme: str, image: int, rate: float, total: float, *, exited: bool = False) -> dict[str, Any]:
    sent = scheme == "far" and not exited
    stages = {
        "local_ms": 4.0,
        "encode_ms": 1.0 if sent else 0.0,
        "network_ms": total - 6.5 if sent else 0.0,
        "remote_ms": 1.0 if sent else 0.0,
        "combine_ms": 0.5,
    }
    fixed = {"warmup": False, "status": "ok", "total_ms_source": "modelled", "payload_bytes": 700 if sent else 0}
    return fixed | stages | {"scheme": scheme, "image": image, "rate_bps": rate, "total_ms": total, "exited": exited}


def rows_at(rate: float, sent_ms: float) -> list[dict[str, Any]]:
    far = [row("far", i, rate, 4.5, exited=True) for i in range(2)] + [
        row("far", i, rate, sent_ms) for i in range(2, 8)
    ]
    return far + [row("near", i, rate, 9.0) for i in range(8)]


@pytest.fixture
def lines() -> list[dict[str, Any]]:
    accuracies = {"near": Accuracy(8100, 10_000), "far": Accuracy(8700, 10_000, exited=5000)}
    found = cells(rows_at(270e3, 80.5) + rows_at(6e6, 8.5), "rate_bps", ["near", "far"], accuracies=accuracies)
    return side_by_side.rows(found, FACTS, accuracies)


def test_the_front_is_marked_at_each_rate(lines: list[dict[str, Any]]) -> None:
    on = {(x["scheme"], x["rate_bps"]): x["on_front"] for x in lines}
    assert on == {("near", 270e3): True, ("far", 270e3): True, ("near", 6e6): False, ("far", 6e6): True}
    header, text = side_by_side.front(lines)
    assert header == ["scheme", "accuracy %", "270 kbit/s", "6 Mbit/s"]
    assert text == [["Far", "87.0", "42.5 *", "6.5 *"], ["Near", "81.0", "9.0 *", "9.0"]]
    near, far = side_by_side.at_rate(lines, 6e6)
    assert dict(zip(side_by_side.HEADER, far, strict=True))["flash KB"] == "100"
    assert dict(zip(side_by_side.HEADER, near, strict=True))["flash KB"] == "–"
    assert far[-4:] == ["1.50", "50.0 %", "not recorded", "not recorded"]


def test_tables_and_plot_are_written(lines: list[dict[str, Any]], tmp_path: Path) -> None:
    store = Store.create(tmp_path / "run")
    names = {p.name for p in side_by_side.write(store, lines, "Modelled.")}
    names |= {p.name for p in splits.write(store, lines, FACTS, "Modelled.")}
    assert {"schemes.csv", "schemes.md", "front.md", "best_split.md", "best_split.png"} <= names
    assert all((tmp_path / "run" / folder).is_dir() for folder in ("tables", "plots"))
    assert "Modelled." in (tmp_path / "run" / "tables" / "front.md").read_text()


def test_without_accuracies_the_table_that_was_asked_for_is_shown_all_the_same() -> None:
    """`sweep table --no-accuracy` measured everything and printed nothing of it."""
    found = cells(rows_at(6e6, 8.5), "rate_bps", ["near", "far"])
    assert [wants_side_by_side(word, {}, found) for word in ("table", "split", "bandwidth", "loss")] == [
        True,
        True,
        False,
        False,
    ]
    assert not wants_side_by_side("table", {}, [])
    lines, text = side_by_side.rows(found, FACTS, {}), io.StringIO()
    side_by_side.show(Console(file=text, width=200), lines, "Modelled.")
    splits.show(Console(file=text, width=200), lines, FACTS, "Modelled.")
    assert "Side by side at 6 Mbit/s" in text.getvalue() and "Near" in text.getvalue()
    assert "*" not in "".join(map("".join, side_by_side.front(lines)[1]))  # no front without accuracies


def test_the_best_split_is_starred_at_each_rate(lines: list[dict[str, Any]]) -> None:
    assert splits.best(lines) == {270e3: "near", 6e6: "far"}
    _, text = splits.table(lines, FACTS)
    assert text[0][-2:] == ["9.0 *", "9.0"]
    assert text[1][-2:] == ["42.5 (80.5 / 4.5)", "6.5 * (8.5 / 4.5)"]


def test_a_split_sweep_measures_every_split_of_one_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, local_artefact: Artefact
) -> None:
    class Cut(Scheme):
        name, title = "near", "Near"

        def train(self, options: Any, report: Any) -> Path:
            raise NotImplementedError

        def server(self, artefact: Path) -> Any:
            raise NotImplementedError

        def splits(self, artefact: Path) -> list[int]:
            return [2, 5]

        def at_split(self, artefact: Path, split: int, folder: Path) -> Path:
            folder.mkdir(parents=True, exist_ok=True)
            for path in artefact.iterdir():
                text = path.read_bytes()
                (folder / path.name).write_bytes(text + b"split = %d\n" % split if path.suffix == ".toml" else text)
            return folder

    monkeypatch.setenv("AGILENN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("AGILENN_WEIGHTS_DIR", str(local_artefact.folder.parents[1]))
    found = axis("split").artefacts(Cut(), "tiny", "compact")
    assert {name: a.description.split for name, a in found.items()} == {"near_2": 2, "near_5": 5}
    assert len({a.weights for a in found.values()}) == 2
    assert axis("bandwidth").artefacts(Cut(), "tiny", "compact") == {"near": artefacts.load(local_artefact.folder)}
    with pytest.raises(BenchError, match=r"local_only has no splits: choose --schemes partition"):
        monkeypatch.setattr(artefacts, "find", lambda *_: local_artefact)
        axis("split").artefacts(registry.scheme("local_only"), "tiny", "compact")


def test_split_takes_the_schemes_that_can_be_cut() -> None:
    assert AXES["split"].schemes(["agilenn", "partition", "local_only"]) == ["partition"]
    assert AXES["table"].schemes(["agilenn", "partition"]) == ["agilenn", "partition"]
    assert AXES["table"].name == "bandwidth"  # its runs are runs over bandwidth
