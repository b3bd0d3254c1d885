"""Fetches a file over HTTP, and checks it: resumes one that was cut off, shows a bar, and never leaves half a file."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import logging
import os
import shutil
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from harness.contracts.errors import BenchError

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 20.0  # this is also the longest silence between two blocks
NPM_TIMEOUT_S = 1800.0
_BLOCK = 1 << 18


class Unreachable(Exception):
    """Says that this source can't be had just now; another one may be."""


def progress_bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()
    )


@contextlib.contextmanager
def files_progress(title: str, total: int) -> Iterator[Callable[[], None]]:
    """Show a progress bar over `total` files; call the function that is given after each of them."""
    with Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()) as bar:
        task = bar.add_task(title, total=total)
        yield lambda: bar.advance(task)


def sha256_file(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as f:
        while block := f.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def fetch(url: str, path: Path, sha256: str) -> Path:
    """Fetch `url` to `path`. A transfer that was cut off stays as `path`.part, and the next call continues it.

    Raises:
        Unreachable: there is no connection, the server answers with an error, or the transfer stalls; the part
            fetched so far is kept.
        BenchError: the file can't be written, or is complete and wrong.
    """
    if path.exists() and sha256_file(path) == sha256:
        return path
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _transfer(url, part)
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as e:
        raise Unreachable(f"{url}: {e}") from e
    except OSError as e:
        raise BenchError(f"can't write {part} ({e})", cure="give another folder with --data-dir") from e
    if (got := sha256_file(part)) != sha256:
        part.unlink()
        raise BenchError(f"{url} delivered another file (SHA-256 {got[:16]}...)", cure="try again later")
    part.replace(path)
    return path


def _transfer(url: str, part: Path) -> None:
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(request, timeout=CONNECT_TIMEOUT_S)
    except urllib.error.HTTPError as e:
        if e.code == 416 and have:  # nothing is left to fetch
            return
        raise
    with response:
        resumed = response.status == 206
        start = have if resumed else 0
        length = response.headers.get("Content-Length")
        total = start + int(length) if length else None
        with progress_bar() as bar, part.open("ab" if resumed else "wb") as f:
            task = bar.add_task(part.name.removesuffix(".part"), total=total, completed=start)
            while block := response.read(_BLOCK):
                f.write(block)
                bar.update(task, advance=len(block))
            if total is not None and f.tell() < total:
                raise ConnectionError(f"cut off after {f.tell()} of {total} bytes")


def npm_pack(package: str, path: Path, size: int) -> Path:
    """Fetch an npm package's .tgz to `path` with the npm client, which checks its integrity itself.

    Args:
        package: the package and its version, as name@version.
        size: bytes of the .tgz, for the progress bar.

    Raises:
        Unreachable: npm is not installed, or the registry can't be reached.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise Unreachable(f"{package}: npm is not installed")
    work = path.with_name(f".{path.name}.{os.getpid()}.part")
    shutil.rmtree(work, ignore_errors=True)
    try:
        work.mkdir(parents=True)
    except OSError as e:
        raise BenchError(f"can't write {work} ({e})", cure="give another folder with --data-dir") from e
    try:
        command = [npm, "pack", package, "--silent", "--cache", str(work / "cache"), "--pack-destination", str(work)]
        log.info("running %s", " ".join(command))
        # Its own session: npm starts children, and all of them must end with us.
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True, cwd=work
        )
        try:
            _watch(process, work, package, size)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        packed = list(work.glob("*.tgz"))
        if process.returncode != 0 or len(packed) != 1:
            message = process.stderr.read().decode(errors="replace") if process.stderr else ""
            raise Unreachable(f"{package}: npm failed ({' '.join(message.split())[-200:]})")
        packed[0].replace(path)
        return path
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _watch(process: subprocess.Popen[bytes], work: Path, package: str, size: int) -> None:
    """Wait for npm, with a bar fed by what npm has written (cached copy and .tgz: about twice the size)."""
    waited_s = 0.0
    with progress_bar() as bar:
        task = bar.add_task(f"npm pack {package}", total=2 * size)
        while process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.5)
            waited_s += 0.5
            bar.update(task, completed=min(2 * size, _folder_bytes(work)))
            if waited_s > NPM_TIMEOUT_S:
                raise Unreachable(f"{package}: npm took longer than {NPM_TIMEOUT_S:.0f} s")
        bar.update(task, completed=2 * size)


def _folder_bytes(folder: Path) -> int:
    total = 0
    for file in folder.rglob("*"):
        with contextlib.suppress(OSError):  # npm moves files while we look
            if file.is_file():
                total += file.stat().st_size
    return total
