"""The training curve and the spread over seeds, from files as a training leaves them."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.contracts.errors import BenchError
from harness.show import curves
from harness.training import seeds

LOG = "epoch,loss,accuracy,val_accuracy,val_local,val_skewness\n1,2.0,0.2,0.25,0.1,0.7\n2,1.5,0.4,0.45,0.2,0.8\n"


def test_curve_is_drawn_beside_the_log_and_is_the_same_every_time(tmp_path: Path) -> None:
    (tmp_path / "history.csv").write_text(LOG)
    written = curves.draw(tmp_path, "AgileNN")
    assert [path.suffix for path in written] == [".png", ".pdf", ".svg"]
    first = [path.read_bytes() for path in written]
    curves.draw(tmp_path, "AgileNN")
    assert [path.read_bytes() for path in written] == first
    assert first[0].startswith(b"\x89PNG")


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "epoch,loss\n1,x\n", "epoch,loss\n1\n"])
def test_what_is_no_log_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "history.csv").write_text(text)
    with pytest.raises(BenchError, match="no training log") as error:
        curves.draw(tmp_path, "AgileNN")
    assert "\n" not in str(error.value)


def summary(folder: Path, combined: float) -> Path:
    folder.mkdir()
    (folder / "summary.toml").write_text(f"[test_int8]\ncombined = {combined}\n[validation_int8]\ncombined = 0.5\n")
    return folder


def test_spread_over_seeds(tmp_path: Path) -> None:
    folders = [summary(tmp_path / str(i), value) for i, value in enumerate((0.84, 0.86, 0.85))]
    rows = seeds.spread([seeds.read_summary(folder) for folder in folders])
    first = rows[0]
    assert (first["figure"], first["n"], first["least"], first["most"]) == ("test_int8.combined", 3, 0.84, 0.86)
    assert first["mean"] == pytest.approx(0.85)
    assert first["sd"] == pytest.approx(0.01)
    assert [row["figure"] for row in rows] == ["test_int8.combined", "validation_int8.combined"]
    assert seeds.as_text(rows)[0] == ["test, int8", "3", "85.00", "1.00", "84.00", "86.00"]


def test_one_seed_has_no_spread(tmp_path: Path) -> None:
    rows = seeds.spread([seeds.read_summary(summary(tmp_path / "a", 0.8))])
    assert rows[0]["sd"] is None
    assert "test_int8.combined,1,0.8,,0.8,0.8" in seeds.as_csv(rows)


def test_missing_summary_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"summary\.toml"):
        seeds.read_summary(tmp_path)
