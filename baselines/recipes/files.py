"""Finds the files that a recipe names: a reference network that is there already, weights to start from.

In such a path `{weights}` stands for the folder of the weights, and `{dataset}` for the data set's name, so that one
recipe serves every data set and every place of the weights. `{profile}` stands for the profile that was asked for
(loading.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.contracts.description import GRAPH, SERVER, file_sha256
from harness.contracts.paths import weights_dir


def place(text: str, dataset: str) -> Path:
    """Return the path that a recipe means."""
    return Path(text.replace("{weights}", str(weights_dir())).replace("{dataset}", dataset)).expanduser()


def marks(recipe: Any, dataset: str) -> dict[str, str]:
    """Return the SHA-256 of the files that `recipe` names, by a word for each; those that are missing are left out.

    They belong to what a training is called by: a path says nothing of what is in the file.
    """
    found: dict[str, str] = {}
    reference = getattr(recipe, "reference", recipe)
    if file := getattr(reference, "file", ""):
        found |= _marked({"reference": place(file, dataset)})
    if start := getattr(recipe, "go_on_from", ""):
        folder = place(start, dataset)
        found |= _marked({"start": folder / SERVER, "start_device": folder / GRAPH})
    return found


def _marked(files: dict[str, Path]) -> dict[str, str]:
    return {name: file_sha256(path) for name, path in files.items() if path.is_file()}
