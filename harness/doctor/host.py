"""Checks what the host itself must give: ports that this user may open, rights to shape a link, programs, room on the
disk.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from harness.broker.managed import find_mosquitto
from harness.contracts.errors import BenchError
from harness.contracts.testbed import Testbed
from harness.doctor.report import Finding
from harness.lab import discovery
from harness.lab.labfile import LabSetup

_NET_ADMIN = 12  # capabilities(7), CAP_NET_ADMIN
_LEAST_FREE_BYTES = 1 << 30


def permissions(setup: LabSetup, testbed: str) -> list[Finding]:
    """Check the serial ports that the lab file or USB names for this testbed and its probe."""
    section, probe = setup.testbed(testbed), setup.probe(testbed)
    wanted = [p for p in (section.port, probe.port if probe else None) if p and "://" not in p]
    wanted += [f.port for f in discovery.attached() if testbed in f.testbeds and f.port not in wanted]
    if not wanted:
        return [Finding("ports", "skip", "no serial port belongs to this testbed")]
    out = []
    for port in wanted:
        if not Path(port).exists():
            out.append(Finding("ports", "fail", f"{port} does not exist", "plug it in, or mend lab.toml"))
        elif not os.access(port, os.R_OK | os.W_OK):
            out.append(
                Finding("ports", "fail", f"{port} may not be opened by this user", discovery.permission_cure(port))
            )
        else:
            out.append(Finding("ports", "pass", f"{port} may be opened"))
    return out


def shaping(setup: LabSetup, testbed: str) -> list[Finding]:
    """Check that this host can shape the access point's interface."""
    interface = setup.wifi(testbed).interface
    if interface is None:
        return [Finding("shaping", "skip", "no [wifi] interface: the host's network is not shaped")]
    if not Path(f"/sys/class/net/{interface}").exists():
        return [Finding("shaping", "fail", f"there is no network interface {interface}", "mend [wifi] interface")]
    tc = shutil.which("tc") or shutil.which("tc", path="/sbin:/usr/sbin")
    if tc is None:
        return [Finding("shaping", "fail", "tc is not installed", "apt-get install iproute2")]
    if not _has_capability(_NET_ADMIN):
        cure = f"run as root, or: sudo setcap cap_net_admin+ep {tc}"
        return [Finding("shaping", "warn", f"this user may not shape {interface} (no CAP_NET_ADMIN)", cure)]
    return [Finding("shaping", "pass", f"{tc} may shape {interface}")]


def secrets(setup: LabSetup, testbed: str) -> list[Finding]:
    """Check that each secret which the lab file names for this testbed can be read; none is told."""
    wifi, broker = setup.wifi(testbed), setup.file.broker
    named = {"[broker] password": broker.password, "[wifi] password": wifi.password}
    out = []
    for key, secret in named.items():
        if secret is None:
            continue
        try:
            secret.read()
            out.append(Finding("secrets", "pass", f"{key} can be read"))
        except BenchError as e:
            out.append(Finding("secrets", "fail", f"{key}: {e.what}", e.cure))
    return out


def flashing(testbed: Testbed) -> list[Finding]:
    """Check that the programs which build for the board and flash it are here."""
    try:
        testbed.check_programs()
    except BenchError as e:
        return [Finding("programs", "fail", e.what, e.cure)]
    return [Finding("programs", "pass", "what builds for the board and flashes it is here")]


def programs(setup: LabSetup) -> list[Finding]:
    """Check the broker's program and the disk."""
    out = []
    mosquitto = find_mosquitto()
    if setup.file.broker.url:
        out.append(Finding("programs", "skip", "no broker program is needed: the lab file names a broker"))
    elif mosquitto:
        out.append(Finding("programs", "pass", f"broker program {mosquitto}"))
    else:
        out.append(
            Finding("programs", "warn", "no mosquitto: amqtt stands in, 1 ms slower", "apt-get install mosquitto")
        )
    free = shutil.disk_usage(Path.cwd()).free
    status, cure = ("pass", "") if free >= _LEAST_FREE_BYTES else ("warn", "free some space")
    out.append(
        Finding("disk", status, f"{free / 1e9:.1f} GB free here", cure, {"free_bytes": free})  # type: ignore[arg-type]
    )
    return out


def _has_capability(number: int) -> bool:
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return False
    for line in status.splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> number & 1)
    return False
