"""The settings of a scheme's knob: JPEG's quality by the description alone, others from folders beside the weights."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.artefacts import artefacts, settings
from harness.artefacts.artefacts import Artefact
from harness.contracts.description import SERVER
from harness.contracts.errors import BenchError
from harness.contracts.paths import weights_dir
from harness.host import registry
from harness.measure import pinned
from harness.measure.axes import AXES


def test_jpeg_is_measured_at_several_qualities_with_the_one_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGILENN_CACHE_DIR", str(tmp_path))
    jpeg = registry.scheme("full_offload_jpeg")
    found = AXES["curve"].artefacts(jpeg, "cifar10", "compact")
    own = found["full_offload_jpeg"]
    assert own.folder == weights_dir() / "cifar10-compact" / "full_offload_jpeg"
    others = {name: a for name, a in found.items() if a is not own}
    assert {a.description.jpeg_quality for a in others.values()} == {
        q for q in settings.QUALITIES if q != own.description.jpeg_quality
    }
    assert len({a.weights for a in found.values()}) == len(found)
    assert len({(a.folder / SERVER).read_bytes() for a in others.values()}) == 1
    assert settings.setting_text(others["full_offload_jpeg_q50"]) == "quality 50"
    # One server, one service time: this host's own would put the settings on another curve than their scheme.
    chosen = pinned.choose(tmp_path / "own.json", list(found.values()))
    assert chosen.path == pinned.SHIPPED
    assert len({chosen.times.remote_ms(a) for a in found.values()}) == 1
    cuts = [artefacts.find("partition", "cifar10", "compact"), own]
    assert pinned.read(pinned.SHIPPED).shared(cuts) == pinned.read(pinned.SHIPPED)


def test_folders_below_curve_are_settings_of_their_scheme(tmp_path: Path, remote_artefact: Artefact) -> None:
    whole = tmp_path / "whole"
    shutil.copytree(remote_artefact.folder, whole)
    shutil.copytree(remote_artefact.folder, whole / settings.CURVE / "rate_2e-3")
    (whole / settings.CURVE / "notes").mkdir()  # no artefact
    scheme = registry.scheme("agilenn")
    found = settings.settings(scheme, artefacts.load(whole))
    assert list(found) == ["agilenn", "agilenn_rate_2e-3"]
    assert settings.setting_text(found["agilenn_rate_2e-3"]) == "rate 2e-3"


def test_a_damaged_setting_is_one_clear_line(tmp_path: Path, remote_artefact: Artefact) -> None:
    shutil.copytree(remote_artefact.folder, tmp_path / "whole")
    shutil.copytree(remote_artefact.folder, tmp_path / "whole" / settings.CURVE / "8")
    (tmp_path / "whole" / settings.CURVE / "8" / SERVER).unlink()
    with pytest.raises(BenchError, match="can't be read"):
        settings.settings(registry.scheme("agilenn"), artefacts.load(tmp_path / "whole"))
