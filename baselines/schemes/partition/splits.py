"""Finds the splits that one training exported: `splits/<n>/` in its folder, all with the folder's server network."""

from __future__ import annotations

import shutil
from pathlib import Path

from harness.contracts.description import DESCRIPTION, GRAPH, SERVER
from harness.contracts.errors import BenchError

FOLDER = "splits"


def split_folder(artefact: Path, split: int) -> Path:
    """Return the folder that holds the description and the device graph of a split."""
    return artefact / FOLDER / str(split)


def available(artefact: Path) -> list[int]:
    """Return the splits that were exported, ascending.

    Raises:
        BenchError: there are none.
    """
    found = sorted(int(path.name) for path in (artefact / FOLDER).glob("*") if path.name.isdigit())
    if not found:
        raise BenchError(f"{artefact} holds no splits", cure="train it again: python -m harness.train partition")
    return found


def materialise(artefact: Path, split: int, folder: Path) -> Path:
    """Write the whole artefact of one split into `folder`: copy what was exported, without any training.

    Raises:
        BenchError: there is no such split, or files can't be copied.
    """
    if split not in (known := available(artefact)):
        raise BenchError(f"{artefact} holds no split {split}", cure=f"choose from {', '.join(map(str, known))}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for source in (split_folder(artefact, split) / DESCRIPTION, split_folder(artefact, split) / GRAPH):
            shutil.copyfile(source, folder / source.name)
        if folder.resolve() != artefact.resolve():
            shutil.copyfile(artefact / SERVER, folder / SERVER)
    except OSError as e:
        raise BenchError(f"split {split} of {artefact} can't be copied ({e})", cure="check both folders") from e
    return folder
