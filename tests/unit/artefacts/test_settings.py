"""The settings of a scheme's knob: JPEG's quality by the description alone, others from folders beside the weights."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.artefacts import artefacts, settings
from harness.artefacts.artefacts import Artefact
from harness.contracts.description import DESCRIPTION, SERVER
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


def trained_by_value(tmp_path: Path, artefact: Artefact) -> Path:
    """A scheme's folder with trainings at two values of a key in it, one of them the scheme's own."""
    whole = tmp_path / artefact.description.scheme
    for folder in (whole, whole / settings.CURVE / "per_byte_1e-3", whole / settings.CURVE / "per_byte_2e-3"):
        shutil.copytree(artefact.folder, folder)
    (whole / settings.CURVE / "curve.csv").write_text("value\n")
    description = whole / settings.CURVE / "per_byte_2e-3" / DESCRIPTION
    description.write_text(description.read_text().replace("alpha = 0.0", "alpha = 0.0 # another"))
    return whole


def test_trainings_at_other_values_of_a_key_are_settings_of_their_scheme(
    tmp_path: Path, remote_artefact: Artefact
) -> None:
    scheme = registry.scheme("agilenn")
    own = remote_artefact.description.scheme
    scheme.name = own  # the artefact's own, which is no installed scheme
    found = settings.settings(scheme, artefacts.load(trained_by_value(tmp_path, remote_artefact)))
    assert list(found) == [own, f"{own}_per_byte_2e-3"]
    assert settings.setting_text(found[f"{own}_per_byte_2e-3"]) == "per byte 2e-3"
    assert settings.setting_text(found[own]) == ""


def test_a_damaged_setting_is_one_clear_line(tmp_path: Path, remote_artefact: Artefact) -> None:
    whole = trained_by_value(tmp_path, remote_artefact)
    (whole / settings.CURVE / "per_byte_2e-3" / SERVER).unlink()
    scheme = registry.scheme("agilenn")
    scheme.name = whole.name
    with pytest.raises(BenchError, match="can't be read"):
        settings.settings(scheme, artefacts.load(whole))
