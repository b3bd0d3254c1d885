"""A sweep over one Wi-Fi module that stays on while boards are flashed and reset, with a real one's waits."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from harness.commands.sweep import main
from testbeds.espat.host import ModuleTiming
from testbeds.native import board
from testbeds.native.module import HostTimeModule

SCHEMES = "agilenn,deepcod,full_offload,full_offload_jpeg,hierarchical,local_only,partition"


@pytest.mark.soak  # it waits a second for each scheme, and builds all of them
def test_one_module_serves_every_scheme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = HostTimeModule(ModuleTiming(beacon_ms=0))
    close, joins = shared.close, []
    shared.module.on_command = lambda line, _at: joins.append(line) if line.startswith("AT+CWJAP=") else None
    monkeypatch.setattr(shared, "close", lambda: None)  # the boards leave it on
    monkeypatch.setattr(board, "HostTimeModule", lambda: shared)
    monkeypatch.setenv("AGILENN_LOCK_DIR", str(tmp_path / "locks"))
    run, lab = tmp_path / "run", tmp_path / "lab.toml"
    lab.write_text('[link]\nkind = "proxy"\non_deviation = "flag"\nprobes = 3\n')
    try:
        words = ["bandwidth", "--testbed", "native", "--rates", "20M", "--schemes", SCHEMES, "--images", "2"]
        assert main([*words, "--no-accuracy", "--lab", str(lab), "--out", str(run)]) == 0
    finally:
        close()
    with (run / "samples.csv").open() as f:
        rows = list(csv.DictReader(f))
    assert {row["scheme"] for row in rows} == set(SCHEMES.split(","))
    assert {row["status"] for row in rows} == {"ok"}
    assert len(joins) == 1
