"""`pytest --testbed X --save NAME`, `--compare NAME`: the session's run, its figures as properties, its comparison.

The board is left out: `hil` is replaced by one whose samples are read from a file. Everything else is the product's.
"""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from harness.contracts.errors import BenchError
from harness.doctor.report import Finding, Report
from harness.hil import record as hil_record
from harness.hil.measuring import figures
from harness.hil.record import SessionRecord
from harness.runs.store import Store

from ...support import runs

pytestmark = pytest.mark.slow

CONFTEST = """
import json
from pathlib import Path

import pytest

from harness.hil.measuring import figures
from harness.hil.record import SessionRecord
from harness.hil.plugin import _folder
from harness.runs.sample import Planned, Point

TOLD = json.loads(Path(__file__).with_name("told.json").read_text())


class FromFile:
    def figures(self, scheme):
        return figures(TOLD["rows"])


@pytest.fixture(scope="session")
def hil(request):
    point = Point("agilenn", "tiny", "compact", "virtual", 6e6, clock_hz=216_000_000)
    with SessionRecord(_folder(request.config), TOLD["manifest"]) as record:
        for row in TOLD["rows"]:
            record.keep(Planned(row["order"], point, row["image"], False, 0), row)
        yield FromFile()
"""
TEST = """
def test_it(hil, hil_scheme, hil_property):
    hil_property("flash_bytes", 123_456)
"""


def _rows(total_ms: float, n: int = 8) -> list[dict[str, Any]]:
    return [runs.measured(i, i, total_ms=total_ms + 0.01 * i) for i in range(n)]


def _kept(folder: Path, total_ms: float, n: int = 8) -> Path:
    """A stored session."""
    with SessionRecord(folder, runs.manifest(kind="hil")) as record:
        for i, row in enumerate(_rows(total_ms, n)):
            record.keep(runs.planned(i, i), row)
    return folder


def _session(folder: Path, total_ms: float, *argv: str, n: int = 8) -> subprocess.CompletedProcess[str]:
    manifest = runs.manifest(kind="hil", status="running")
    (folder / "told.json").write_text(json.dumps({"rows": _rows(total_ms, n), "manifest": manifest}))
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_one.py").write_text(TEST)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "--schemes", "agilenn", *argv, "."]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)


def test_a_saved_session_is_a_run_like_any_other(tmp_path: Path) -> None:
    done = _session(tmp_path, 10.0, "--save", "first", "--junitxml", "junit.xml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in done.stdout.lower()
    run = Store.reopen(tmp_path / "results" / "saved" / "first")
    assert (run.facts().kind, run.facts().status) == ("hil", "finished")
    assert len(run.rows()) == len(pd.read_parquet(run.folder / "samples.parquet")) == 8
    assert f"run: {run.folder}" in done.stdout
    assert "agilenn: latency 10.04 ms, local network " in done.stdout
    assert "n 8); flash 123,456 B" in done.stdout
    (case,) = ET.parse(tmp_path / "junit.xml").getroot().iter("testcase")
    told = {p.attrib["name"]: p.attrib["value"] for p in case.iter("property")}
    assert told["flash_bytes"] == "123456"  # its own, before ours
    assert float(told["total_ms"]) == pytest.approx(10.035)
    assert (told["total_ms_source"], told["n"], told["payload_bytes"]) == ("modelled", "8", "500")


def test_what_was_measured_of_the_link_is_kept_with_the_session(tmp_path: Path) -> None:
    with SessionRecord(tmp_path / "run", runs.manifest(kind="hil")) as record:
        for i, row in enumerate(_rows(10.0, 3)):
            record.keep(runs.planned(i, i), row, runs.certificate())
    store = Store.reopen(tmp_path / "run")
    (told,) = store.facts().link_certificates
    assert (told["point_id"], told["verdict"], told["probes_right"]) == (runs.POINT.point_id, "ok", 1)
    assert (store.folder / "certificates.json").is_file()


def test_a_session_that_is_slower_than_the_run_named_fails(tmp_path: Path) -> None:
    _kept(tmp_path / "results" / "saved" / "first", 10.0)
    slower = _session(tmp_path, 12.0, "--compare", "first")
    assert slower.returncode == 1, slower.stdout
    assert "agilenn total_ms: 10.04 -> 12.04 ms, +19.9 % [+2, +2] (n 8): slower" in slower.stdout
    assert "1 of 3 are worse" in slower.stdout
    (run,) = (tmp_path / "results" / "runs").iterdir()
    assert run.name.endswith("-hil-virtual")


@pytest.mark.parametrize(
    ("total_ms", "n", "least", "worse", "told"),
    [
        (10.0, 8, 0.02, False, "same"),
        (10.05, 8, 0.02, False, "trifling"),
        (12.0, 8, 0.02, True, "slower"),
        (12.0, 8, 0.30, False, "trifling"),
        (8.0, 8, 0.02, False, "faster"),
        (99.0, 3, 0.02, False, "n too small"),
    ],
)
def test_only_what_is_significant_and_large_enough_is_worse(
    total_ms: float, n: int, least: float, worse: bool, told: str, tmp_path: Path
) -> None:
    base, other = _kept(tmp_path / "a", 10.0), _kept(tmp_path / "b", total_ms, n)
    lines, differs = hil_record.compared(base, other, least)
    assert differs == []
    (latency,) = [line for line in lines if line.metric == "total_ms"]
    assert latency.worse is worse
    assert hil_record.text(latency).endswith(told)
    assert ("--hil-images" in hil_record.verdict_text(lines, least)) is (n < 5)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A folder with saved runs: one whole, one with a damaged journal, one of a newer bench."""
    for name, spoil in (("first", b""), ("broken", b"x\n"), ("future", b"")):
        with SessionRecord(tmp_path / "results" / "saved" / name, runs.manifest(kind="hil")) as record:
            record.keep(runs.planned(), runs.measured())
        with (tmp_path / "results" / "saved" / name / "journal.jsonl").open("ab") as f:
            f.write(spoil)
    path = tmp_path / "results" / "saved" / "future" / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"manifest_version": 9}))
    return tmp_path


def test_names_are_checked(saved: Path) -> None:
    assert hil_record.found_run("first", saved) == saved / "results" / "saved" / "first"
    assert hil_record.found_run("results/saved/first", saved).samefile(saved / "results" / "saved" / "first")
    assert hil_record.saved_folder("second", saved) == saved / "results" / "saved" / "second"
    for name, told in (("first", "is there already"), ("../up", "is no name"), ("", "is no name")):
        with pytest.raises(BenchError, match=told):
            hil_record.saved_folder(name, saved)
    for name, told in (("moon", "no run 'moon'.*first"), ("broken", "is damaged"), ("future", "has version 9")):
        with pytest.raises(BenchError, match=told):
            hil_record.found_run(name, saved)


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (("--save", "first"), "is there already"),
        (("--compare", "future", "--minimum-effect", "5%"), "has version 9"),
    ],
)
def test_wrong_options_end_the_session_before_anything_is_measured(
    argv: tuple[str, ...], told: str, saved: Path
) -> None:
    done = _session(saved, 1.0, *argv)
    assert done.returncode == 4
    (line,) = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    assert line.startswith("ERROR: ")
    assert told in line
    assert not (saved / "results" / "runs").exists()


def test_a_session_that_measures_nothing_leaves_nothing(tmp_path: Path) -> None:
    with SessionRecord(tmp_path / "run", runs.manifest(kind="hil")):
        pass
    assert not (tmp_path / "run").exists()


def test_a_session_that_breaks_off_is_called_stopped(tmp_path: Path) -> None:
    with (
        pytest.raises(BenchError),
        SessionRecord(tmp_path / "run", runs.manifest(kind="hil", status="running")) as record,
    ):
        record.keep(runs.planned(), runs.measured())
        raise BenchError("the board is gone")
    assert Store(tmp_path / "run").facts().status == "stopped"


def test_runs_without_a_common_point_are_told(tmp_path: Path) -> None:
    for name, rate in (("a", 6e6), ("b", 1e6)):
        with SessionRecord(tmp_path / name, runs.manifest(kind="hil")) as record:
            record.keep(runs.planned(), runs.measured(rate_bps=rate))
    with pytest.raises(BenchError, match="has no point of this session"):
        hil_record.compared(tmp_path / "a", tmp_path / "b", 0.02)


def test_the_doctors_report_lies_beside_the_samples(tmp_path: Path) -> None:
    report = Report("virtual", (Finding("board", "pass", "is there"), Finding("link", "warn", "is slow", "look at it")))
    with SessionRecord(tmp_path / "run", runs.manifest(kind="hil"), report) as record:
        for i, row in enumerate(_rows(10.0, 3)):
            record.keep(runs.planned(i, i), row)
    doctor = Store.reopen(tmp_path / "run").facts().doctor
    assert doctor is not None
    assert (doctor.counts["pass"], doctor.not_passed) == (1, ["link"])
    assert (tmp_path / "run" / doctor.file).is_file()


def test_figures_with_exits_weigh_both_kinds_by_the_test_set() -> None:
    rows = [runs.measured(0, 0, total_ms=20.0), runs.measured(1, 1, total_ms=4.0) | {"exited": True}]
    assert figures(rows, 0.75)["total_ms"] == 0.75 * 4.0 + 0.25 * 20.0
    assert figures(rows)["total_ms"] == 12.0
