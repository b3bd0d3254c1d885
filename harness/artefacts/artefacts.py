"""Finds trained artefacts by scheme, data set and profile."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from harness.contracts.description import DeviceDescription, load_description, weights_hash
from harness.contracts.errors import BenchError
from harness.contracts.paths import weights_dir
from harness.host import registry

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Artefact:
    """Holds one trained scheme on disk, checked."""

    folder: Path
    description: DeviceDescription
    weights: str  # SHA-256, 64 hex digits

    @property
    def u32(self) -> int:
        """Return what device and edge show each other of `weights`."""
        return int.from_bytes(bytes.fromhex(self.weights[:8]), "little")

    @property
    def offloads(self) -> bool:
        """Say whether anything ever leaves the device."""
        return self.description.offload != "none"


def trained(dataset: str, profile: str) -> list[str]:
    """Return the installed schemes that have weights for a data set and profile; all of them where none has."""
    names, folder = registry.scheme_names(), weights_dir() / f"{dataset}-{profile}"
    if strange := sorted({path.parent.name for path in folder.glob("*/description.toml")} - set(names)):
        told = ", ".join(strange)
        log.warning("%s: this installation knows no scheme %s, so it is left out; pip install -e . again", folder, told)
    return [name for name in names if (folder / name).is_dir()] or names


def find(scheme: str, dataset: str, profile: str) -> Artefact:
    """Return the artefact of a scheme.

    Raises:
        BenchError: it is not there, unreadable, or says it is something else.
    """
    return load(weights_dir() / f"{dataset}-{profile}" / scheme, expected=(scheme, dataset, profile))


def load(folder: Path, *, expected: tuple[str, str, str] | None = None) -> Artefact:
    """Load the artefact in a folder. Raises as `find`."""
    description = load_description(folder)
    found = (description.scheme, description.dataset, description.profile)
    if expected and found != expected:
        raise BenchError(f"{folder} holds {'-'.join(found)}, not {'-'.join(expected)}", cure="put it where it belongs")
    return Artefact(folder, description, weights_hash(folder))
