"""Pinned remote times: calibrated once, then the same for everyone who uses the file."""

from __future__ import annotations

import json
import platform
from pathlib import Path

import pytest

from harness.artefacts import artefacts
from harness.artefacts.artefacts import Artefact
from harness.contracts.errors import BenchError
from harness.edge.launch import Calibrated
from harness.measure import pinned
from harness.measure.pinned import Pinned
from harness.runs.paths import REFERENCE
from harness.runs.store import Store


def _calibrated(artefact: Artefact, us: float) -> dict[str, Calibrated]:
    return {f"{artefact.u32:08x}": Calibrated(artefact.description.scheme, f"{artefact.u32:08x}", us)}


def test_what_is_missing_is_added_and_then_stays(
    tmp_path: Path, remote_artefact: Artefact, local_artefact: Artefact
) -> None:
    path = pinned.default_path(tmp_path, "tiny", "compact")
    both = [local_artefact, remote_artefact]
    first = pinned.completed(pinned.choose(path, both), both, _calibrated(remote_artefact, 1234.4))
    assert first.remote_ms(remote_artefact) == 1.234
    assert first.remote_ms(local_artefact) is None
    again = pinned.completed(pinned.choose(path, both), both, _calibrated(remote_artefact, 9999.0))
    assert again.remote_ms(remote_artefact) == 1.234
    told = pinned.facts(pinned.Chosen(path, again), again, {"near": local_artefact, "far": remote_artefact})
    assert (told["file"], told["remote_ms"]) == (str(path), {"far": 1.234})
    assert told["hosts"]["far"].endswith(" cores, Linux " + ".".join(platform.release().split(".")[:2]))
    anew = pinned.completed(pinned.choose(path, both, calibrate=True), both, _calibrated(remote_artefact, 2000.0))
    assert anew.remote_ms(remote_artefact) == pinned.read(path).remote_ms(remote_artefact) == 2.0
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("dataset", ["cifar10", "cifar100"])
def test_the_times_of_the_weights_in_the_tree_are_shipped(tmp_path: Path, dataset: str) -> None:
    """On a fresh clone AgileNN at 2 Mbit/s was 9.7 and 10.2 ms on two machines: each had timed its own edge."""
    all_of_them = [artefacts.find(name, dataset, "compact") for name in artefacts.trained(dataset, "compact")]
    chosen = pinned.choose(tmp_path / "own.json", all_of_them)
    assert chosen.path == pinned.SHIPPED
    assert pinned.completed(chosen, all_of_them, {}) == chosen.times  # no edge was asked
    assert not list(tmp_path.iterdir())
    told = pinned.facts(chosen, chosen.times, {a.description.scheme: a for a in all_of_them})
    assert told["file"] == "harness/measure/service_times.toml"
    stored = Store.reopen(REFERENCE / "runs" / f"{dataset}-bandwidth").facts().pinned
    assert stored is not None and told["remote_ms"] == stored.remote_ms
    assert set(told["hosts"]) == set(told["remote_ms"])


def test_shipped_and_own_times_stand_together_in_the_file_that_is_named(
    tmp_path: Path, remote_artefact: Artefact
) -> None:
    shipped = artefacts.find("agilenn", "cifar10", "compact")
    both, path = [shipped, remote_artefact], tmp_path / "own.json"
    pinned.completed(pinned.choose(path, both), both, _calibrated(remote_artefact, 1500.0))
    assert pinned.read(path).remote_ms(shipped) == 1.116
    (tmp_path / "given.json").write_text(path.read_text())
    assert pinned.choose(path, both, given=tmp_path / "given.json").path == tmp_path / "given.json"
    with pytest.raises(BenchError, match="exclude each other"):
        pinned.choose(path, both, given=path, calibrate=True)


def test_a_file_without_these_weights_says_so(remote_artefact: Artefact) -> None:
    with pytest.raises(BenchError, match="no remote time for far-tiny-compact"):
        Pinned().remote_ms(remote_artefact)


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"remote": {"short": {}}}', '{"pinned_version": 7, "remote": {}}', '{"remote": {}, "more": 1}']
    + [json.dumps({"remote": {"a" * 64: {"label": "x", "remote_ms": bad, "calibrated_at": ""}}}) for bad in (0, -1)],
)
def test_a_damaged_file_is_one_clear_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "pinned.json"
    path.write_text(text)
    with pytest.raises(BenchError):
        pinned.read(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="does not exist: give one by --remote-ms"):
        pinned.read(tmp_path / "none.json")
