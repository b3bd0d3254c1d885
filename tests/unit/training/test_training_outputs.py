"""The training curve and the spread over seeds, from files as a training leaves them."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.artefacts import artefacts, settings
from harness.artefacts.accuracy import Measured
from harness.commands import train as way_in
from harness.contracts.errors import BenchError
from harness.contracts.paths import weights_dir
from harness.host import registry
from harness.show import curves
from harness.training import curve, seeds
from harness.training.options import TrainOptions

LOG = "epoch,loss,accuracy,val_accuracy,val_local,val_skewness\n1,2.0,0.2,0.25,0.1,0.7\n2,1.5,0.4,0.45,0.2,0.8\n"


@pytest.mark.slow
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


def test_a_key_with_values_is_read_or_refused() -> None:
    assert curve.parse("rate.per_byte=1e-3, 2e-3") == ("rate.per_byte", ["1e-3", "2e-3"])
    assert curve.folder_of(Path("x"), "rate.per_byte", "1e-3") == Path("x/per_byte_1e-3")
    for wrong in ("rate.per_byte", "=1", "a=", "a=1,1"):
        with pytest.raises(BenchError, match="--each"):
            curve.parse(wrong)


def test_a_curve_has_a_row_a_point_as_it_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[tuple[str, str]] = []

    class Scheme:
        title = "any"

        def train(self, options: TrainOptions, report: object) -> Path:
            assert options.out is not None
            trained.append((options.overrides["channels"], options.out.name))
            options.out.mkdir(parents=True)
            text = "[validation_int8]\ncombined = 0.5\n[training]\nflop = 2e9\ncpu_s = 3.5\n"
            (options.out / "summary.toml").write_text(text)
            return options.out

    found = Measured(850, 1000, None, 860, 0, payload_bytes_mean=300.25, payloads=((300, 1000),), answers="")
    artefact = SimpleNamespace(
        weights="ab" * 32, description=SimpleNamespace(scheme="deepcod", dataset="cifar10", profile="compact")
    )
    monkeypatch.setattr("harness.host.registry.scheme", lambda name: Scheme())
    monkeypatch.setattr("harness.artefacts.artefacts.load", lambda folder: artefact)
    monkeypatch.setattr("harness.artefacts.images.load", lambda name: SimpleNamespace(fitting=lambda d: None))
    monkeypatch.setattr("testbeds.firmware.toolchain.build.build", lambda folder, target: Path("x"))
    monkeypatch.setattr("harness.artefacts.accuracy.cached", lambda *_: found)
    assert way_in.main(["deepcod", "--each", "channels=4,8", "--out", str(tmp_path / "c")]) == 0
    assert trained == [("4", "channels_4"), ("8", "channels_8")]
    first, second = csv.DictReader((tmp_path / "c" / "curve.csv").read_text().splitlines())
    assert (first["value"], second["value"], second["folder"]) == ("4", "8", "channels_8")
    assert (first["accuracy"], first["local_accuracy"], first["payload_bytes_mean"]) == ("0.85", "", "300.25")
    assert (float(first["train_flop"]), float(first["train_cpu_s"])) == (2e9, 3.5)
    assert way_in.main(["deepcod", "--each", "channels=4", "--seeds", "0,1"]) == 2


def test_runs_find_the_points_of_a_curve_where_train_puts_them(tmp_path: Path) -> None:
    folder = tmp_path / "deepcod"
    shutil.copytree(weights_dir() / "cifar10-compact" / "deepcod", folder)
    trained = curve.folder_of(folder / settings.CURVE, "channels", "4")
    shutil.copytree(weights_dir() / "cifar10-compact" / "deepcod", trained)
    text = (trained / "description.toml").read_text()
    (trained / "description.toml").write_text(f"{text}# another\n")
    found = settings.settings(registry.scheme("deepcod"), artefacts.load(folder))
    assert list(found) == ["deepcod", "deepcod_channels_4"]
