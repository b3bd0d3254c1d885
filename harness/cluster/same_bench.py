"""Tells one bench from another by what its results depend on, so that a worker that would measure otherwise is refused.

That is the content of its sources and the versions of what computes: a worker may have been installed from a wheel
where this machine has a checkout.
"""

from __future__ import annotations

import contextlib
import hashlib
import platform
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, entry_points, version
from pathlib import Path

PACKAGES = ("harness", "testbeds", "baselines")
_COMPUTING = ("numpy", "unicorn", "ziglang")
_TRAINING = ("keras", "tensorflow", "tensorflow-cpu", "jax")  # which who only measures does not need
_SOURCES = (".py", ".toml", ".c", ".h", ".S", ".ld")
_WEIGHTS = "weights"  # of baselines/: a run's own go along with it
_PLUGINS = ("agilenn_bench.schemes", "agilenn_bench.testbeds")


@cache
def facts() -> dict[str, str]:
    """Return what tells this bench from another: a hash of its sources, Python, packages that compute, and packages
    that bring schemes or testbeds.
    """
    found = {"sources": sources(Path(__file__).resolve().parents[2]), "python": platform.python_version()}
    found |= _versions(_COMPUTING)
    for group in _PLUGINS:
        for one in entry_points(group=group):
            if one.dist is not None and one.dist.name != "agilenn-bench":
                found[one.dist.name] = one.dist.version
    return found


def training() -> dict[str, str]:
    """Return the versions of what trains, of those that are installed."""
    return _versions(_TRAINING)


def _versions(names: Iterable[str]) -> dict[str, str]:
    found = {}
    for name in names:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
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


def difference(theirs: Mapping[str, str], ours: Mapping[str, str] | None = None) -> str:
    """Say in what another bench's facts differ from `ours`, which are this one's where none are given; "" when in
    nothing.
    """
    ours = facts() if ours is None else ours
    names = [name for name in dict.fromkeys((*ours, *theirs)) if ours.get(name) != theirs.get(name)]
    return ", ".join(f"{name} {theirs.get(name, 'missing')} instead of {ours.get(name, 'none')}" for name in names)
