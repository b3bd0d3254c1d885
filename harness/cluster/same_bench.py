"""Tells one bench from another by what its results depend on, so that a worker that would measure otherwise is refused.

That is the content of its sources and the versions of what computes: a worker may have been installed from a wheel
where this machine has a checkout.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, entry_points, version
from pathlib import Path

PACKAGES = ("harness", "testbeds", "baselines")
_COMPUTING = ("numpy", "keras", "tensorflow", "tensorflow-cpu", "unicorn", "ziglang")
_SOURCES = (".py", ".toml", ".c", ".h", ".S", ".ld")
_WEIGHTS = "weights"  # of baselines/: a run's own go along with it
_PLUGINS = ("agilenn_bench.schemes", "agilenn_bench.testbeds")


@cache
def facts() -> dict[str, str]:
    """Return what tells this bench from another: a hash of its sources, Python, packages that compute, and packages
    that bring schemes or testbeds.
    """
    found = {"sources": sources(Path(__file__).resolve().parents[2]), "python": platform.python_version()}
    for name in _COMPUTING:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    for group in _PLUGINS:
        for one in entry_points(group=group):
            if one.dist is not None and one.dist.name != "agilenn-bench":
                found[one.dist.name] = one.dist.version
    return found


def key() -> str:
    """Return the facts as 16 hex digits."""
    return hashlib.sha256(repr(sorted(facts().items())).encode()).hexdigest()[:16]


def sources(root: Path) -> str:
    """Return 16 hex digits of a hash over names and contents of the sources under `root`."""
    digest = hashlib.sha256()
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*")):
            name = path.relative_to(root)
            if path.suffix in _SOURCES and name.parts[:2] != ("baselines", _WEIGHTS) and path.is_file():
                data = path.read_bytes()
                digest.update(f"{name.as_posix()} {len(data)}\n".encode())
                digest.update(data)
    return digest.hexdigest()[:16]


def difference(theirs: Mapping[str, str]) -> str:
    """Say in what another bench differs from this one; "" when in nothing."""
    ours = facts()
    names = [name for name in dict.fromkeys((*ours, *theirs)) if ours.get(name) != theirs.get(name)]
    return ", ".join(f"{name} {theirs.get(name, 'missing')} instead of {ours.get(name, 'none')}" for name in names)
