"""kill -9 at random moments: at most the sample in flight is lost, and the resumed run is the uninterrupted one.

On the native board, whose firmware is a process of this machine: its times differ from run to run, all else must not.
"""

from __future__ import annotations

import itertools
import json
import random
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

NATIVE = ("harness.sweep", "frequency", "--testbed", "native", "--clocks", "100M", "--rate", "none")
FIXED_N = ("--repeat-until", "none", "--no-accuracy")
TIMED = re.compile(r".*_ms|device_cycles|retries")  # what a clock has a say in


def _lines(run: Path) -> list[str]:
    """Keys of the whole lines of the journal, in the order written."""
    path = run / "journal.jsonl"
    data = path.read_bytes() if path.exists() else b""
    return [json.loads(line)["key"] for line in data[: data.rfind(b"\n") + 1].splitlines()]


def _deterministic(run: Path) -> pd.DataFrame:
    samples = pd.read_parquet(run / "samples.parquet")
    return samples[[name for name in samples.columns if not TIMED.fullmatch(name)]]


def _go_on(run: Path) -> tuple[str, ...]:
    """As a user would: a new run until it has a manifest, then --resume."""
    return ("--resume" if (run / "manifest.json").exists() else "--out", str(run))


def _ends_as_uninterrupted(run: Path, whole: Path) -> None:
    manifest = json.loads((run / "manifest.json").read_text())
    keys = _lines(run)
    assert manifest["status"] == "finished"
    assert sorted(keys) == sorted(manifest["order"])  # all, and none twice
    assert len(set(keys)) == len(keys)
    pd.testing.assert_frame_equal(_deterministic(run), _deterministic(whole))
    left = [path.name for path in run.rglob(".*")]
    assert not left, "half-written files"


def _kill_and_go_on(
    start: Callable[..., Any],
    until: Callable[..., None],
    options: tuple[str, ...],
    run: Path,
    moment: Callable[[Any], None],
) -> int:
    """Start or resume, kill at `moment`; the samples that were there in time."""
    before = _lines(run)
    sweep = start(*options, *_go_on(run))
    moment(sweep)
    seen = _lines(run)
    sweep.process.kill()
    sweep.wait(30)
    until(lambda: not sweep.family(), 30)
    kept = _lines(run)
    assert kept[: len(before)] == before
    assert kept[: len(seen)] == seen  # what was on disk before the kill is there after it
    assert len(set(kept)) == len(kept)
    if kept:
        # One board takes its samples in the plan's order: a hole would be a sample that was measured and lost.
        order = json.loads((run / "manifest.json").read_text())["order"]
        assert kept == order[: len(kept)]
    return len(kept)


def test_five_kills_lose_nothing(tmp_path: Path, start: Callable[..., Any], until: Callable[..., None]) -> None:
    options = (*NATIVE, *FIXED_N, "--schemes", "local_only", "--images", "500")  # so many that kills find it at work
    whole, run = tmp_path / "whole", tmp_path / "run"
    uninterrupted = start(*options, "--out", str(whole))
    rng = random.Random(7)
    kept = resumed = within = 0
    for number in range(5):
        wanted = 0 if number == 0 else kept + rng.randrange(1, 10)

        def moment(sweep: Any, wanted: int = wanted) -> None:
            if wanted == 0:
                until(lambda: run.exists() or sweep.process.poll() is not None)
            until(lambda: len(_lines(run)) >= wanted or sweep.process.poll() is not None)
            time.sleep(rng.random() * 0.05)

        resumed += (run / "manifest.json").exists()  # the first kill may come before there is one
        kept = _kill_and_go_on(start, until, options, run, moment)
        assert kept >= wanted
        within += 0 < kept < 501
    assert within >= 3  # the others may have come too early or too late on a very slow or quick machine
    assert resumed >= 3
    code, _, err = uninterrupted.wait()
    assert code == 0, err
    code, _, err = start(*options, *_go_on(run)).wait()
    assert code == 0, err
    _ends_as_uninterrupted(run, whole)
    assert len(json.loads((run / "manifest.json").read_text())["resumed_at"]) == resumed + 1


@pytest.mark.soak
@pytest.mark.parametrize(
    ("schemes", "images"), [("local_only", 600), ("local_only,agilenn,full_offload", 400)], ids=["alone", "edge"]
)
def test_thirty_kills_at_any_moment_lose_nothing(
    schemes: str, images: int, tmp_path: Path, start: Callable[..., Any], until: Callable[..., None]
) -> None:
    """Twenty among the samples, ten anywhere between the first import and the last plot."""
    options = (*NATIVE, *FIXED_N, "--schemes", schemes, "--images", str(images))
    whole, run = tmp_path / "whole", tmp_path / "run"
    began = time.monotonic()
    code, _, err = start(*options, "--out", str(whole)).wait(600)
    assert code == 0, err
    lasts_s = time.monotonic() - began
    rng = random.Random(7)
    kept: list[int] = [0]
    for number in range(30):
        anywhere_s = rng.uniform(0, lasts_s)
        some_s = rng.uniform(0, 0.6)

        def moment(sweep: Any, number: int = number, anywhere_s: float = anywhere_s, some_s: float = some_s) -> None:
            if number >= 20:
                _sleep(sweep, anywhere_s)  # also while it starts, or while it writes tables and plots
                return
            until(lambda: len(_lines(run)) > kept[-1] or sweep.process.poll() is not None)
            _sleep(sweep, some_s)

        kept.append(_kill_and_go_on(start, until, options, run, moment))
    code, _, err = start(*options, *_go_on(run)).wait(600)
    assert code == 0, err
    _ends_as_uninterrupted(run, whole)
    planned = len(json.loads((run / "manifest.json").read_text())["order"])
    within = sum(a < b < planned for a, b in itertools.pairwise(kept))
    print(f"uninterrupted {lasts_s:.0f} s, {planned} samples; {within} of 30 kills among them; kept: {kept[1:]}")  # noqa: T201


def _sleep(sweep: Any, seconds: float) -> None:
    """Or until it ends."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and sweep.process.poll() is None:
        time.sleep(0.01)
