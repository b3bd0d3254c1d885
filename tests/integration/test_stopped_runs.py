"""A sweep that is stopped in the middle leaves its finished samples and nothing else."""

from __future__ import annotations

import csv
import json
import os
import shlex
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ..support.commands import but_progress

SWEEP = ("harness.sweep", "bandwidth", "--schemes", "agilenn,local_only", "--rates", "270k,6M", "--no-accuracy")
NOT_COMPARED = ("remote_wall_ms",)  # the host's own time


def _journal(run: Path) -> list[dict[str, Any]]:
    path = run / "journal.jsonl"
    return (
        [json.loads(line) for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
        if (path.exists())
        else []
    )


def _rows(run: Path) -> list[dict[str, str]]:
    with (run / "samples.csv").open() as f:
        return list(csv.DictReader(f))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_keep_finished_samples_and_leave_nothing(
    number: signal.Signals,
    tmp_path: Path,
    start: Callable[..., Any],
    until: Callable[..., None],
) -> None:
    """Ctrl-C and a closed terminal reach the whole process group, SIGTERM only the sweep."""
    run = tmp_path / "run"
    sweep = start(*SWEEP, "--images", "30", "--out", str(run))
    until(lambda: len(_journal(run)) >= 5 or sweep.process.poll() is not None)
    (os.kill if number is signal.SIGTERM else os.killpg)(sweep.process.pid, number)
    found, _, err = sweep.wait(60)
    assert found == 128 + number, err
    assert "Traceback" not in err
    assert f"to go on: python -m harness.sweep --resume {run}" in err
    sweep.nothing_left()
    rows = _rows(run)
    assert 5 <= len(rows) < 4 * 31
    assert len(rows) == len(_journal(run))
    assert {row["status"] for row in rows} == {"ok"}
    assert json.loads((run / "manifest.json").read_text())["status"] == "stopped"


def _printed_command(err: str) -> list[str]:
    """The words after `python -m` of the line that says how to go on, as a reader would type them."""
    (line,) = [line for line in err.splitlines() if line.startswith("to go on: ")]
    words = shlex.split(line.removeprefix("to go on: "))
    assert words[:2] == ["python", "-m"]
    return words[2:]


def test_ctrl_c_before_and_after_the_first_sample_prints_what_goes_on_to_the_end(
    tmp_path: Path, start: Callable[..., Any], until: Callable[..., None]
) -> None:
    run = tmp_path / "run"
    first = start(*SWEEP, "--images", "3", "--out", str(run))
    until(lambda: any("harness.edge" in command for command in first.family().values()))
    os.killpg(first.process.pid, signal.SIGINT)
    code, _, err = first.wait(60)
    assert code == 130, err
    assert _printed_command(err) == [*SWEEP, "--images", "3", "--out", str(run)]  # there is nothing to resume
    assert not run.exists()
    first.nothing_left()

    second = start(*_printed_command(err))
    until(lambda: len(_journal(run)) >= 2 or second.process.poll() is not None)
    os.killpg(second.process.pid, signal.SIGINT)
    code, _, err = second.wait(60)
    assert code == 130, err
    assert _printed_command(err) == ["harness.sweep", "--resume", str(run)]
    assert 2 <= len(_journal(run)) < 4 * 4

    third = start(*_printed_command(err))
    code, _, err = third.wait()
    assert code == 0, err
    assert {row["status"] for row in _rows(run)} == {"ok"}
    assert len(_rows(run)) == 4 * 4


def test_a_killed_sweep_is_gone_on_with_and_ends_as_if_nothing_had_happened(
    tmp_path: Path, start: Callable[..., Any], until: Callable[..., None]
) -> None:
    options = (*SWEEP, "--images", "4")
    whole = start(*options, "--out", str(tmp_path / "whole"))
    assert whole.wait()[0] == 0
    run = tmp_path / "run"
    killed = start(*options, "--out", str(run))
    until(lambda: len(_journal(run)) >= 4 or killed.process.poll() is not None)
    killed.process.kill()
    killed.wait(20)
    until(lambda: not killed.family(), 20)
    assert 4 <= len(_journal(run)) < 4 * 5
    before = {entry["key"] for entry in _journal(run)}

    resumed = start("harness.sweep", "--resume", str(run), TMPDIR=str(killed.temporary))  # the manifest knows the rest
    code, _, err = resumed.wait()
    assert code == 0, err
    assert list(killed.temporary.iterdir()) == [], "what the killed one left is removed"
    keys = [entry["key"] for entry in _journal(run)]
    assert len(keys) == len(set(keys)) == 4 * 5
    assert set(keys[: len(before)]) == before
    for one, other in zip(_rows(run), _rows(tmp_path / "whole"), strict=True):
        assert {k: v for k, v in one.items() if k not in NOT_COMPARED} == {
            k: v for k, v in other.items() if k not in NOT_COMPARED
        }

    other_seed = start(*options, "--seed", "1", "--resume", str(run))
    code, _, err = other_seed.wait()
    assert code == 2
    assert "was measured with seed 0, now it would be with seed 1: go on with it as it was started: python -m" in err


def test_a_broker_that_dies_before_the_first_sample(
    tmp_path: Path, start: Callable[..., Any], until: Callable[..., None]
) -> None:
    sweep = start(*SWEEP, "--out", str(tmp_path / "run"))

    def brokers() -> list[int]:
        return [pid for pid, command in sweep.family().items() if "harness.broker.keeper" in command]

    def edge() -> bool:
        return any("harness.edge" in command for command in sweep.family().values())

    until(lambda: bool(brokers()) and edge())
    for pid in brokers():
        os.kill(pid, signal.SIGKILL)
    code, out, err = sweep.wait(120)
    assert code == 2
    err = but_progress(err)
    assert err.count("\n") == 1, err
    assert err.startswith("error: the broker (")
    assert "died" in err
    assert "Traceback" not in out + err
    sweep.nothing_left()
