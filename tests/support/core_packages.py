"""Finds what a small installation would have: the distributions that the core depends on, of those installed here."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]


def project() -> dict[str, list[str]]:
    """Return the requirements of the core, as `core`, and those of each extra."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {"core": table["dependencies"], **table["optional-dependencies"]}


def closure(requirements: Iterable[str]) -> dict[str, Distribution]:
    """Return the distributions that `requirements` bring, by name, with all that those need.

    Raises:
        PackageNotFoundError: one of them is not installed.
    """
    found: dict[str, Distribution] = {}
    waiting = [(Requirement(text), "") for text in requirements]
    while waiting:
        wanted, extra = waiting.pop()
        if wanted.marker and not wanted.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(wanted.name)
        seen = name in found
        if seen and not wanted.extras:
            continue
        found[name] = found.get(name) or distribution(wanted.name)
        below = [Requirement(text) for text in found[name].requires or ()]
        waiting += [(one, extra) for extra in ("", *wanted.extras) for one in below]
    return found


def size_mb(distributions: Iterable[Distribution]) -> float:
    """Return what their files take, in 10^6 bytes, compiled ones included."""
    files = {Path(str(file.locate())).resolve() for one in distributions for file in one.files or ()}
    return sum(path.stat().st_size for path in files if path.is_file()) / 1e6


def link(distributions: Iterable[Distribution], site_packages: Path) -> None:
    """Let `site_packages` have these distributions and no others, as links to where they are installed."""
    for one in distributions:
        for file in one.files or ():
            top = file.parts[0]
            if top in ("..", "__pycache__") or (site_packages / top).is_symlink():
                continue
            (site_packages / top).symlink_to(Path(str(one.locate_file(top))))


__all__ = ["PackageNotFoundError", "closure", "link", "project", "size_mb"]
