"""Tells where a run comes from: commit, tools, packages, host, command line. It holds facts only, and no secret."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import re
import shlex
import shutil
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
    "pyarrow",
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
_TOOLS = ("git", "tc", "openocd", "st-flash", "esptool", "arduino-cli")  # those found are named
_SECRET = re.compile(r"passw|secret|token|psk|credential|api-?key", re.IGNORECASE)
_HIDDEN = "***"
_MOST_UNTRACKED = 200  # files of which the content counts


def provenance(argv: Sequence[str], module: str) -> dict[str, Any]:
    """Return what the manifest says of the program and its host."""
    shown = scrubbed(argv)
    return {
        "argv": [sys.executable and Path(sys.executable).name, "-m", module, *shown],
        "command": f"python -m {module} {shlex.join(shown)}".strip(),
        "commit": commit(),
        "python": platform.python_version(),
        "packages": {name: found for name in _PACKAGES if (found := _version(name))},
        "tools": tools(),
        "host": {
            "system": platform.system(),
            "kernel": platform.release(),
            "machine": platform.machine(),
            "cores": os.cpu_count(),
        },
    }


def host_text() -> str:
    """Return this machine in one line, for a figure that holds for it alone: processor, cores, system."""
    model = ""
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    release = ".".join(platform.release().split(".")[:2])
    return f"{model or platform.machine()}, {os.cpu_count()} cores, {platform.system()} {release}"


def commit() -> dict[str, Any] | None:
    """Return the commit of the checkout this code runs from, and a hash of what is changed in it; None outside of a
    checkout.
    """
    root = Path(__file__).resolve().parents[2]
    head = _git(root, "rev-parse", "HEAD")
    if head is None:
        return None
    changed = (_git(root, "status", "--porcelain") or "").strip()
    return {
        "hash": head.strip(),
        "dirty": bool(changed),
        "diff_sha256": _diff_hash(root) if changed else None,
    }


def scrubbed(argv: Sequence[str]) -> list[str]:
    """Return `argv` without secrets: the value of an option that is called like one, and names in addresses
    (`user:pw@`).
    """
    out: list[str] = []
    hide = False
    for word in argv:
        name, sign, _ = word.partition("=")
        if hide and not word.startswith("--"):
            out.append(_HIDDEN)
            hide = False
            continue
        secret = word.startswith("-") and bool(_SECRET.search(name))
        hide = secret and not sign
        out.append(f"{name}={_HIDDEN}" if secret and sign else re.sub(r"//[^/@\s]*@", f"//{_HIDDEN}@", word))
    return out


def tools() -> dict[str, str]:
    """Return the programs outside of Python that a run may use, with what each says of its version."""
    found = {name: _said_version(name) for name in _TOOLS if shutil.which(name)}
    return {name: text for name, text in found.items() if text}


def _said_version(name: str) -> str:
    words = [name, "-V" if name == "tc" else "--version"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, errors="replace", timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return next((line.strip()[:120] for line in (done.stdout + done.stderr).splitlines() if line.strip()), "")


def _diff_hash(root: Path) -> str:
    """Return the SHA-256 over what differs from the commit: the diff, then names and contents of files that git does
    not know.
    """
    digest = hashlib.sha256((_git(root, "diff", "HEAD") or "").encode())
    names = sorted((_git(root, "ls-files", "-z", "--others", "--exclude-standard") or "").split("\0"))
    for name in [name for name in names if name][:_MOST_UNTRACKED]:
        digest.update(f"\n{name}\n".encode())
        try:
            digest.update((root / name).read_bytes())
        except OSError:
            digest.update(b"(can't be read)")
    return digest.hexdigest()


def file_sha256(path: Path) -> str:
    """Return the SHA-256 (hex) of a file."""
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
