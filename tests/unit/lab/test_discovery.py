"""Ports on USB are told with what they are known to belong to."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.lab import discovery


def _port(device: str, vid: int | None, pid: int | None, serial: str | None = None) -> SimpleNamespace:
    return SimpleNamespace(device=device, vid=vid, pid=pid, serial_number=serial, product="thing", description="n/a")


def test_known_boards_and_probes_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tty = tmp_path / "ttyUSB0"
    tty.touch()
    ports = [
        _port("/dev/ttyS0", None, None),
        _port(str(tmp_path / "none"), 0x1234, 0x5678, "X"),
        _port(str(tty), 0x10C4, 0xEA60, "0001"),
        _port("/dev/no1", 0x0483, 0x374B, "0670FF"),
        _port("/dev/no2", 0x1915, 0xC00A),
    ]
    monkeypatch.setattr(discovery.list_ports, "comports", lambda: ports)
    found = {f.identity: f for f in discovery.attached()}
    assert set(found) == {"1234:5678", "10c4:ea60", "0483:374b", "1915:c00a"}
    assert next(reversed(found)) == "1234:5678"  # strangers last
    esp = found["10c4:ea60"]
    assert esp.testbeds == ("esp32",)
    assert esp.what == ("Silicon Labs CP2102",)
    assert esp.usable
    assert esp.lines() == '[testbeds.esp32] usb_serial = "0001"'
    assert found["0483:374b"].testbeds == ("stm32f746",)
    assert not found["0483:374b"].usable
    assert found["1915:c00a"].probes == ("ppk2",)
    assert 'kind = "ppk2", port = "/dev/no2"' in found["1915:c00a"].lines()
    assert found["1234:5678"].lines() == ""


def test_the_cure_of_a_closed_port_names_its_group(tmp_path: Path) -> None:
    assert discovery.permission_cure("/dev/no-such-port").startswith("sudo usermod -aG dialout ")
    assert "usermod -aG" in discovery.permission_cure(str(tmp_path))
