"""Sweeps on a cluster of this machine: rows are those of here, a killed worker costs none, a stopped run goes on."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

pytest.importorskip("distributed", reason="Dask is not installed: pip install 'agilenn-bench[cluster]'")

WALL = ["remote_wall_ms"]  # the one column of a clock of the machine that took the sample
QUICK = ("harness.sweep", "bandwidth", "--rates", "270k,6M", "--no-accuracy")
LOCAL_ONLY = (*QUICK, "--schemes", "local_only", "--images", "12")


def _done(sweep: Any) -> None:
    code, _, err = sweep.wait(600)
    assert code == 0, err
    sweep.nothing_left()


def _rows(run: Path) -> pd.DataFrame:
    return pd.read_parquet(run / "samples.parquet").drop(columns=WALL)


def _kept(run: Path) -> list[str]:
    path = run / "journal.jsonl"
    return [json.loads(line)["key"] for line in path.read_bytes().splitlines()] if path.exists() else []


def _workers(sweep: Any) -> list[int]:
    """Return the processes of Dask's workers, which its nanny starts anew."""
    return [pid for pid, words in sweep.family().items() if "spawn_main" in words]


@pytest.mark.slow
@pytest.mark.parametrize("schemes", ["local_only", "full_offload_jpeg"])  # on the device alone, and with an edge server
def test_rows_of_two_workers_are_those_of_here(schemes: str, tmp_path: Path, start: Callable[..., Any]) -> None:
    options = (*QUICK, "--schemes", schemes, "--images", "2", "--energy")
    _done(start(*options, "--jobs", "1", "--out", str(tmp_path / "here")))
    _done(start(*options, "--cluster", "local:2", "--out", str(tmp_path / "there")))
    pd.testing.assert_frame_equal(_rows(tmp_path / "here"), _rows(tmp_path / "there"), check_exact=True)
    told = json.loads((tmp_path / "there" / "manifest.json").read_text())
    assert (told["jobs"], told["cluster"]["kind"], told["cluster"]["workers"]) == (2, "local", 2)
    assert len(told["cluster"]["hosts"]) == 1
    assert json.loads((tmp_path / "here" / "manifest.json").read_text())["cluster"] is None


@pytest.mark.slow
def test_a_killed_worker_costs_no_sample_and_a_stopped_run_goes_on(
    tmp_path: Path, start: Callable[..., Any], until: Callable[..., None]
) -> None:
    run = tmp_path / "there"
    _done(start(*LOCAL_ONLY, "--jobs", "1", "--out", str(tmp_path / "here")))
    sweep = start(*LOCAL_ONLY, "--cluster", "local:2", "--out", str(run))
    until(lambda: len(_kept(run)) >= 3 or sweep.process.poll() is not None)
    before = _workers(sweep)
    assert len(before) == 2
    os.kill(before[0], signal.SIGKILL)
    seen = len(_kept(run))
    until(lambda: len(_kept(run)) >= seen + 4 or sweep.process.poll() is not None)
    assert sweep.process.poll() is None
    os.killpg(sweep.process.pid, signal.SIGINT)  # Ctrl-C: every process of the terminal hears it
    code, _, err = sweep.wait(60)
    assert (code, "Traceback" in err) == (130, False), err
    assert f"to go on: python -m harness.sweep --resume {run}" in err
    sweep.nothing_left()
    kept = _kept(run)
    assert json.loads((run / "manifest.json").read_text())["status"] == "stopped"
    assert 7 <= len(kept) < 26

    _done(start("harness.sweep", "--resume", str(run), "--cluster", "none"))
    assert _kept(run)[: len(kept)] == kept
    assert len(_kept(run)) == len(set(_kept(run))) == 26
    pd.testing.assert_frame_equal(_rows(tmp_path / "here"), _rows(run), check_exact=True)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--cluster", "local:0"), "is no number of workers"),
        (("--cluster", "127.0.0.1:1"), "there is no Dask scheduler at tcp://127.0.0.1:1"),
        (("--cluster", "local:1", "--testbed", "esp32"), "--cluster is for emulated boards"),
    ],
)
def test_mistakes_are_one_line(more: tuple[str, ...], said: str, tmp_path: Path, start: Callable[..., Any]) -> None:
    sweep = start(*LOCAL_ONLY, *more, "--out", str(tmp_path / "run"))
    code, _, err = sweep.wait(120)
    lines = [line for line in err.splitlines() if line.startswith("error:")]
    assert (code, len(lines)) == (2, 1), err
    assert said in lines[0]
    assert "Traceback" not in err
    assert not (tmp_path / "run" / "manifest.json").exists()
