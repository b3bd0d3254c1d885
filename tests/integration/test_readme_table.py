"""README's table is what its command prints, to the digit: as the reference run has it, and measured again."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from harness.analysis.cells import accuracies_of
from harness.analysis.datum import read_run
from harness.measure.axes import AXES
from harness.runs.paths import REFERENCE
from harness.runs.store import Store
from harness.show import tables

ROOT = Path(__file__).resolve().parents[2]
RUN = REFERENCE / "runs" / "cifar10-bandwidth"
RATES = (270e3, 1e6, 2e6, 6e6, 20e6)
NAMES = {
    "Full offloading, lossless": "full_offload",
    "AgileNN": "agilenn",
    "AgileNN-R, mean with exits": "agilenn_r",
    "Local only": "local_only",
    "Full offloading, JPEG": "full_offload_jpeg",
    "Hierarchical, mean with exits": "hierarchical",
    "DeepCOD": "deepcod",
    "Partition (SPINN), mean with exits": "partition",
}
AGAIN = ("agilenn", "local_only")  # a scheme that sends, and one that does not
STAGES = {"total_ms", "local_ms", "encode_ms", "network_ms", "combine_ms"}


def _readme() -> dict[str, list[str]]:
    lines = [line.strip("| \n").split(" | ") for line in (ROOT / "README.md").read_text().splitlines()]
    return {NAMES[cells[0]]: cells[1:] for cells in lines if cells[0] in NAMES}


def _from_the_run() -> dict[str, list[str]]:
    """The table's cells, each as the table that a sweep prints has it."""
    found = {(c.scheme, c.value): c for c in read_run(RUN).cells}
    accuracies = accuracies_of(Store.reopen(RUN).facts())
    out = {}
    for scheme in NAMES.values():
        own = [found[scheme, rate] for rate in RATES]
        times = [tables.latency_text(c.latency).partition(" ")[0] for c in own]
        sent = tables.bytes_text(own[0]).partition(" /")[0] + " B"
        if own[0].mixed:
            sent = f"{100 * (1 - (own[0].exited_share or 0.0)):.0f} % of pictures, {sent}"
        right = tables.accuracy_text(accuracies.get(scheme)).partition(" (")[0]
        out[scheme] = [f"{times[0]} ms", *times[1:], right, sent]
    return out


def test_readme_is_the_reference_run_to_the_digit() -> None:
    assert _readme() == _from_the_run()
    assert AXES["bandwidth"].statistic == "median"


@pytest.mark.slow
def test_the_reference_run_is_what_its_command_measures(tmp_path: Path, start: Callable[..., Any]) -> None:
    """A few samples of it, on any machine: the service times are shipped, the rest is modelled."""
    words = ("--rates", "2M", "--schemes", ",".join(AGAIN), "--images", "2", "--no-accuracy")
    sweep = start("harness.sweep", "bandwidth", *words, "--out", str(tmp_path / "again"))
    code, _, err = sweep.wait(900)
    assert code == 0, err
    now = pd.read_csv(tmp_path / "again" / "samples.csv")
    then = pd.read_parquet(RUN / "samples.parquet")
    both = now[~now["warmup"]].merge(then, on=["scheme", "image", "rate_bps", "warmup"], suffixes=("", "_then"))
    assert len(both) == 2 * len(AGAIN)
    assert both["payload_bytes"].equals(both["payload_bytes_then"])
    assert both["remote_ms"].equals(both["remote_ms_then"])
    for name in sorted(STAGES):
        assert both[name].round(4).tolist() == pytest.approx(both[f"{name}_then"].round(4).tolist(), abs=1e-4), name
    assert re.fullmatch(r"[\d.]+ ms", _readme()["agilenn"][0])
