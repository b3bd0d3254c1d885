"""Tells which data sets have trained weights, by the folders that are there."""

from __future__ import annotations

from harness.contracts.description import DESCRIPTION
from harness.contracts.paths import weights_dir
from harness.host import registry


def trained_datasets(profile: str) -> list[str]:
    """Return the data sets with an artefact of at least one installed scheme in `profile`, sorted."""
    schemes = registry.scheme_names()
    found = []
    for folder in sorted(weights_dir().glob(f"*-{profile}")):
        if any((folder / scheme / DESCRIPTION).is_file() for scheme in schemes):
            found.append(folder.name.removesuffix(f"-{profile}"))
    return found
