"""Finds the settings of a trained scheme's knob: the points of its curve that need no training, or were trained before.

Three knobs are known. A scheme that can be cut elsewhere has its splits; one that sends JPEG has that code's quality,
which the device sets and the server need not know; and any scheme may have been trained once a value of a key of its
recipe (`train --each`: DeepCOD's channels, AgileNN-R's weight of the rate) into `curve/KEY_VALUE` in its folder.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from harness.artefacts import artefacts
from harness.artefacts.artefacts import Artefact
from harness.artefacts.features import write_description
from harness.contracts.description import DESCRIPTION, SERVER, server_file
from harness.contracts.errors import BenchError
from harness.contracts.paths import cache_dir
from harness.contracts.scheme import Scheme

CURVE = "curve"
QUALITIES = (30, 50, 65, 80, 90)


def settings(scheme: Scheme, whole: Artefact) -> dict[str, Artefact]:
    """Return the artefacts of every setting by their names in a run: the scheme's own name for the one it ships with.

    Raises:
        BenchError: one of them is damaged or can't be copied.
    """
    found = {scheme.name: whole}
    made = cache_dir() / "settings" / f"{whole.description.label}-{whole.weights[:16]}"
    for split in scheme.splits(whole.folder):
        if split != whole.description.split:
            folder = made / f"split_{split}"
            found[f"{scheme.name}_{split}"] = artefacts.load(scheme.at_split(whole.folder, split, folder))
    if whole.description.codec == "jpeg" and whole.description.offload == "image" and not whole.description.graph:
        for quality in QUALITIES:
            if quality != whole.description.jpeg_quality:
                found[f"{scheme.name}_q{quality}"] = _of_quality(whole, quality, made / f"quality_{quality}")
    own = (whole.description.scheme, whole.description.dataset, whole.description.profile)
    for folder in sorted((whole.folder / CURVE).glob("*")):
        if (folder / DESCRIPTION).is_file():
            trained = artefacts.load(folder, expected=own)
            if trained.weights not in {a.weights for a in found.values()}:
                found[f"{scheme.name}_{folder.name}"] = trained
    return found


def setting_text(artefact: Artefact) -> str:
    """Return the setting of an artefact as people read it, such as `quality 50`; nothing where there is no knob."""
    if artefact.folder.parent.name == CURVE:
        return artefact.folder.name.replace("_", " ")
    if artefact.description.split:
        return f"split {artefact.description.split}"
    return f"quality {artefact.description.jpeg_quality}" if artefact.description.codec == "jpeg" else ""


def _of_quality(whole: Artefact, quality: int, folder: Path) -> Artefact:
    """Return the same artefact with another quality of JPEG, its server copied beside it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(server_file(whole.folder, whole.description), folder / SERVER)
        if (whole.folder / "summary.toml").is_file():
            shutil.copyfile(whole.folder / "summary.toml", folder / "summary.toml")
    except OSError as e:
        raise BenchError(f"{folder} can't be written ({e.strerror})", cure="set AGILENN_CACHE_DIR") from e
    changed = {"jpeg_quality": quality, "server_of": "", "server_sha256": ""}
    write_description(folder, whole.description.model_copy(update=changed))
    return artefacts.load(folder)
