"""A lab with a broker of its own over TLS and the edge server on another machine: both found by the lab file alone."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.broker import managed as broker
from harness.broker.section import BrokerSection
from harness.contracts.paths import weights_dir

PASSWORD, WIFI_PASSWORD = "only-in-the-environment", "only-in-the-key-file"


def _port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def _certificates(folder: Path) -> None:
    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    new = ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl(*new, "-x509", "-days", "2", "-subj", "/CN=lab", "-keyout", "ca.key", "-out", "ca.pem")
    openssl(*new, "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr")
    (folder / "names").write_text("subjectAltName=DNS:localhost")
    sign = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names")
    openssl("x509", "-req", "-in", "server.csr", "-days", "2", *sign, "-out", "server.pem")
    (folder / "server.key").chmod(0o600)


def test_a_sample_by_an_edge_elsewhere_leaves_no_password_anywhere(
    tmp_path: Path, start: Callable[..., Any], until: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    if not (broker.find_mosquitto() and shutil.which("openssl")):
        pytest.skip("no mosquitto or no openssl here")
    monkeypatch.setenv("LAB_TEST_MQTT", PASSWORD)
    _certificates(tmp_path)
    plain, tls = _port(), _port()
    password = {"env": "LAB_TEST_MQTT"}
    accounts = {"user": "lab", "password": password}
    accounts |= {role: {"user": role, "password": password} for role in ("edge", "board")}
    section = BrokerSection.model_validate(
        {"listen": "127.0.0.1", "port": plain, "tls_port": tls, "ca": tmp_path / "ca.pem"}
        | {"certificate": tmp_path / "server.pem", "key": tmp_path / "server.key"}
        | accounts
    )
    lab_file = tmp_path / "lab.toml"
    lab_file.write_text(
        f'[broker]\nurl = "mqtts://localhost:{tls}"\ndevice_url = "mqtt://127.0.0.1:{plain}"\nca = "ca.pem"\n'
        'user = "lab"\npassword = { env = "LAB_TEST_MQTT" }\n'
        'edge = { user = "edge", password = { env = "LAB_TEST_MQTT" } }\n'
        'board = { user = "board", password = { env = "LAB_TEST_MQTT" } }\n[edge]\nhost = "gpu"\n'
        '[wifi]\nssid = "lab"\npassword = { file = "wifi.key" }\n[link]\nkind = "proxy"\n'
    )
    key = tmp_path / "wifi.key"
    key.write_text(WIFI_PASSWORD)
    key.chmod(0o600)
    weights = weights_dir() / "cifar10-compact" / "full_offload"
    run = ("harness.sweep", "bandwidth", "--schemes", "full_offload", "--testbed", "native", "--rates", "20M")
    run += ("--images", "2", "--repeat-until", "none", "--no-accuracy", "-vv")
    with broker.running(section=section):
        edge = start("harness.edge", str(weights), "--lab", str(lab_file), "--name", "gpu")
        assert edge.process.stdout is not None
        assert "ready" in edge.process.stdout.readline()
        measured = start(*run, "--lab", str(lab_file), "--out", str(tmp_path / "run"))
        code, out, err = measured.wait()
        assert code == 0, err
        assert '"status": "finished"' in (tmp_path / "run" / "manifest.json").read_text()
        assert "gpu" in (tmp_path / "run" / "manifest.json").read_text()
        assert PASSWORD not in out + err
        assert WIFI_PASSWORD not in out + err
        edge.process.send_signal(signal.SIGTERM)
        assert edge.wait(60)[0] == 143
        gone = start(*run, "--lab", str(lab_file), "--out", str(tmp_path / "gone"))
        code, _, err = gone.wait()
        assert code == 2
        assert "no edge server called 'gpu'" in err.splitlines()[-1]
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert PASSWORD.encode() not in path.read_bytes(), path
            assert path == key or WIFI_PASSWORD.encode() not in path.read_bytes(), path
