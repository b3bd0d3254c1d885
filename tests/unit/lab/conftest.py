"""Locks of these tests are their own; artefacts are folders with a description and a few bytes."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.artefacts import artefacts
from harness.artefacts.artefacts import Artefact
from harness.contracts.testbed import Network

LOCAL = """
scheme = "{scheme}"
dataset = "tiny"
profile = "compact"
classes = 4
input_shape = [4, 4, 3]
graph = true
offload = "none"
features_output = -1
local_logits_output = 0
alpha = 1.0
"""
IMAGE = """
scheme = "{scheme}"
dataset = "tiny"
profile = "compact"
classes = 4
input_shape = [4, 4, 3]
graph = false
offload = "image"
features_output = -1
local_logits_output = -1
codec = "lzw"
alpha = 0.0
"""


def _artefact(folder: Path, scheme: str, description: str, content: str) -> Artefact:
    own = folder / scheme
    own.mkdir(parents=True, exist_ok=True)
    (own / "description.toml").write_text(description.format(scheme=scheme))
    (own / content).write_bytes(b"weights")
    return artefacts.load(own)


@pytest.fixture
def local_artefact(tmp_path: Path) -> Artefact:
    return _artefact(tmp_path / "weights", "near", LOCAL, "device.tflite")


@pytest.fixture
def remote_artefact(tmp_path: Path) -> Artefact:
    return _artefact(tmp_path / "weights", "far", IMAGE, "server.npz")


@pytest.fixture
def network() -> Network:
    return Network("127.0.0.1", 1883, "agile/00000000/00", "board-00", mqtt_user="u", mqtt_password="hush")


@pytest.fixture(autouse=True)
def _own_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGILENN_LOCK_DIR", str(tmp_path / "locks"))
    monkeypatch.delenv("AGILENN_LAB", raising=False)


@dataclass(frozen=True)
class Certificates:
    """An authority, a server's certificate for localhost signed by it, and an authority that nobody knows."""

    ca: Path
    certificate: Path
    key: Path
    stranger: Path


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here to make certificates with")
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    new = ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl(*new, "-x509", "-days", "2", "-subj", "/CN=lab", "-keyout", "ca.key", "-out", "ca.pem")
    openssl(*new, "-x509", "-days", "2", "-subj", "/CN=stranger", "-keyout", "x.key", "-out", "x.pem")
    openssl(*new, "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr")
    (folder / "names").write_text("subjectAltName=DNS:localhost")
    sign = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names")
    openssl("x509", "-req", "-in", "server.csr", "-days", "2", *sign, "-out", "server.pem")
    (folder / "server.key").chmod(0o600)
    return Certificates(folder / "ca.pem", folder / "server.pem", folder / "server.key", folder / "x.pem")


@pytest.fixture
def free_port() -> Callable[[], int]:
    def find() -> int:
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            return int(s.getsockname()[1])

    return find
