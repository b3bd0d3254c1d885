"""Downloads against a server on the loopback: resumed, checked, never half a file under the final name."""

from __future__ import annotations

import hashlib
import http.server
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from baselines.data import download
from harness.contracts.errors import BenchError

CONTENT = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT with ranges; `/cut` drops the connection half way the first time."""

    cut_once: ClassVar[set[str]] = set()
    ranges: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        start = 0
        if given := self.headers.get("Range"):
            self.ranges.append(given)
            start = int(given.removeprefix("bytes=").rstrip("-"))
        if self.path == "/missing":
            self.send_error(404)
            return
        self.send_response(206 if given else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        cut = self.path == "/cut" and self.path not in self.cut_once
        self.cut_once.add(self.path)
        self.wfile.write(CONTENT[start : len(CONTENT) // 2] if cut else CONTENT[start:])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    Handler.cut_once, Handler.ranges = set(), []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_address[1]}"
        httpd.shutdown()
        thread.join()


def test_fetches_and_checks(server: str, tmp_path: Path) -> None:
    path = download.fetch(f"{server}/file", tmp_path / "file", SHA256)
    assert path.read_bytes() == CONTENT
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_cut_off_transfer_is_resumed(server: str, tmp_path: Path) -> None:
    target = tmp_path / "file"
    with pytest.raises(download.Unreachable):
        download.fetch(f"{server}/cut", target, SHA256)
    assert not target.exists()
    assert (tmp_path / "file.part").stat().st_size == len(CONTENT) // 2
    download.fetch(f"{server}/cut", target, SHA256)
    assert target.read_bytes() == CONTENT
    assert Handler.ranges == [f"bytes={len(CONTENT) // 2}-"]


def test_another_file_is_refused_and_not_kept(server: str, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="another file"):
        download.fetch(f"{server}/file", tmp_path / "file", "0" * 64)
    assert not list(tmp_path.iterdir())


def test_missing_and_unreachable_are_no_errors_of_the_user(server: str, tmp_path: Path) -> None:
    with pytest.raises(download.Unreachable):
        download.fetch(f"{server}/missing", tmp_path / "file", SHA256)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(download.Unreachable):
        download.fetch(f"http://127.0.0.1:{port}/file", tmp_path / "file", SHA256)


def test_silent_server_times_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "CONNECT_TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(download.Unreachable, match="timed out"):
        download.fetch(f"http://127.0.0.1:{silent.getsockname()[1]}/file", tmp_path / "file", SHA256)


def fake_npm(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    npm = folder / "bin" / "npm"
    npm.parent.mkdir()
    npm.write_text(f"#!/bin/sh\n{script}\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{npm.parent}:/usr/bin:/bin")


def test_npm_pack_moves_the_package_into_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_npm(tmp_path, "echo packed > pack-1.0.0.tgz", monkeypatch)
    path = download.npm_pack("pack@1.0.0", tmp_path / "data" / "pack-1.0.0.tgz", 7)
    assert path.read_text() == "packed\n"
    assert [p.name for p in path.parent.iterdir()] == ["pack-1.0.0.tgz"]


def test_npm_that_fails_is_unreachable_with_its_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_npm(tmp_path, "echo no network >&2; exit 1", monkeypatch)
    with pytest.raises(download.Unreachable, match="no network"):
        download.npm_pack("pack@1.0.0", tmp_path / "data" / "pack.tgz", 7)
    assert not list((tmp_path / "data").iterdir())


def test_no_npm_is_unreachable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(download.Unreachable, match="not installed"):
        download.npm_pack("pack@1.0.0", tmp_path / "pack.tgz", 7)
