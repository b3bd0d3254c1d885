"""Where a run comes from: commit, tools, packages, host, command line. Facts only; no secret is among them."""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_PACKAGES = (
    "agilenn-bench",
    "numpy",
    "pandas",
    "matplotlib",
    "paho-mqtt",
    "amqtt",
    "pydantic",
    "pyserial",
    "tensorflow",
    "keras",
    "unicorn",
    "ziglang",
)


def provenance(argv: Sequence[str], module: str) -> dict[str, Any]:
    """What the manifest says of the program and its host."""
    return {
        "argv": [sys.executable and Path(sys.executable).name, "-m", module, *argv],
        "command": f"python -m {module} {shlex.join(argv)}".strip(),
        "commit": commit(),
        "python": platform.python_version(),
        "packages": {name: found for name in _PACKAGES if (found := _version(name))},
        "host": {
            "system": platform.system(),
            "kernel": platform.release(),
            "machine": platform.machine(),
            "cores": os.cpu_count(),
        },
    }


def commit() -> dict[str, Any] | None:
    """Commit of the checkout this code runs from, and a hash of what is changed in it; None outside of a checkout."""
    root = Path(__file__).resolve().parents[1]
    head = _git(root, "rev-parse", "HEAD")
    if head is None:
        return None
    diff = _git(root, "diff", "HEAD") or ""
    changed = (_git(root, "status", "--porcelain") or "").strip()
    return {
        "hash": head.strip(),
        "dirty": bool(changed),
        "diff_sha256": hashlib.sha256(diff.encode()).hexdigest() if diff else None,
    }


def file_sha256(path: Path) -> str:
    """SHA-256 (hex) of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _git(root: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
