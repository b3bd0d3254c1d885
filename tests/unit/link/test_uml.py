"""The real netem commands, in a kernel that has netem."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import uml

from harness.contracts.link import LinkSpec
from harness.link import netem
from harness.link.certificate import close

pytestmark = pytest.mark.slow

INSIDE = Path(__file__).with_name("inside_uml.py")


def seen(folder: Path, *words: str, timeout_s: float = 400) -> dict[str, Any]:
    if why := uml.missing():
        pytest.skip(why)
    said = uml.run(INSIDE, folder, timeout_s, *words)
    answer = folder / "seen.json"
    assert answer.exists(), said[-2000:]
    found: dict[str, Any] = json.loads(answer.read_text())
    return found


def test_real_netem_installs_reads_back_and_leaves_nothing_even_when_killed(tmp_path: Path) -> None:
    found = seen(tmp_path)
    before = {"qdiscs": ["noqueue"], "ours": [], "gso_max_segs": 65_535}
    shaped = {"qdiscs": ["netem", "ingress"], "ours": ["agnn-ifb0"], "gso_max_segs": 1}
    asked = LinkSpec.model_validate(found["asked"])
    assert close(asked, LinkSpec.model_validate(found["read"]))
    assert found["argv"] == netem.install_argv("ap0", "agnn-ifb0", asked)
    assert (found["before"], found["during"], found["after"]) == (before, shaped, before)
    killed = found["killed"]
    assert killed["left"] == shaped
    assert "is gone; 3 parts removed" in killed["said"][0]
    assert killed["swept"] == killed["at_last"] == before
    assert len(killed["by_name"]) == 2
    assert "ap0 is shaped by" in killed["busy"]


@pytest.mark.soak
def test_netem_is_within_the_allowance_from_270_kbit_to_20_mbit(tmp_path: Path) -> None:
    found = seen(tmp_path, "measure", timeout_s=900)
    for rate, probes in found["probed"].items():
        for probe in probes:
            if probe["way"] != "both":
                assert 0 <= probe["least_ms"] - probe["ideal_ms"] <= 1 + 0.05 * probe["ideal_ms"], (rate, probe)
