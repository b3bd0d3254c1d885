"""The doctor: each check says what it found and the cure, one that fails does not hide the others."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from harness.artefacts.artefacts import Artefact
from harness.broker import managed as broker
from harness.commands.doctor import main
from harness.contracts.clock import Clock
from harness.contracts.errors import BenchError
from harness.contracts.link import LinkSpec
from harness.contracts.probe import Trace
from harness.device.device import Device
from harness.device.stand_in import CLOCK_HZ, StandInDevice, StandInPort, StandInTestbed
from harness.doctor import board, clocks, examine, host, link, network, probe
from harness.doctor.clocks import Wait
from harness.doctor.examine import Wanted
from harness.doctor.report import Finding, Report, guarded
from harness.host import locks
from harness.lab import lab, labfile
from harness.lab.labfile import LabSetup
from harness.power.probes import ProbeConfig
from harness.power.trace import write_trace
from harness.runs.store import Store


class Attached(StandInTestbed):
    """A stand-in that is one certain board."""

    identity = "usb-stand-in"  # type: ignore[assignment]


class Setup(LabSetup):
    """A lab whose testbeds are stand-ins."""

    def factory(self, name: str) -> Callable[[], Any]:
        return self.make


@pytest.fixture
def setup(remote_artefact: Artefact) -> LabSetup:
    made = Setup(labfile.LabFile())
    object.__setattr__(made, "make", lambda: Attached(remote_artefact, pins=False))
    return made


def _status(report: Report, check: str) -> str:
    return next(f.status for f in report.findings if f.check == check)


@pytest.mark.slow
def test_a_stand_in_is_examined_as_a_board_would_be(setup: LabSetup) -> None:
    report = examine.full(setup, "stand_in", Wanted(quick=True))
    assert not report.failed, report.text()
    assert _status(report, "board") == "pass"
    assert _status(report, "association") == "pass"
    assert _status(report, "firmware") == "warn"  # its weights are not in the tree
    assert _status(report, "flash") == "skip"
    assert _status(report, "round trip 10,000 B") == "pass"
    assert _status(report, "link 6 Mbit/s") == "pass"
    said = json.loads(report.text())
    assert said["counts"]["fail"] == 0
    assert len(said["findings"]) == sum(said["counts"].values())
    console = Console(width=140, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    console.print(report.table())
    assert "association" in console.export_text()


def test_the_table_breaks_no_word_at_80_columns() -> None:
    findings = (
        Finding("round trip 10,000 B", "pass", "9 of 9 answers equal, median 12.3 ms (allowed: 20.0 ms)"),
        Finding("association", "fail", "the access point refused the password", "mend [wifi] password_env in lab.toml"),
    )
    console = Console(width=80, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    console.print(Report("esp32", findings).table())
    told = console.export_text()
    assert max(map(len, told.splitlines())) <= 80
    for whole in ("round trip 10,000 B", "association", "password_env", "cure: mend [wifi]", "allowed:"):
        assert whole in told


def test_a_board_in_use_is_told_and_left_alone(setup: LabSetup) -> None:
    lock = locks.take("usb-stand-in")
    report = examine.full(setup, "stand_in", Wanted(quick=True))
    lock.release()
    assert report.failed
    assert _status(report, "board") == "fail"
    assert _status(report, "firmware") == "skip"
    assert "in use by" in next(f.said for f in report.findings if f.check == "board")


@pytest.mark.slow
def test_a_board_that_does_not_answer_fails_one_check_only(setup: LabSetup, remote_artefact: Artefact) -> None:
    def make() -> Attached:
        made = Attached(remote_artefact, pins=False)
        made.device.faults.extend([None, "nak"])  # HELLO works, CONFIG is refused
        return made

    object.__setattr__(setup, "make", make)
    report = examine.full(setup, "stand_in", Wanted(quick=True))
    assert _status(report, "firmware") == "warn"
    assert _status(report, "association") == "fail"
    assert _status(report, "link 6 Mbit/s") == "pass"


def test_the_report_is_attached_to_a_run(setup: LabSetup, tmp_path: Path) -> None:
    with lab.opened([], setup) as up:
        report = examine.cheap(setup, "stand_in", setup.factory("stand_in"), up)
    facts = examine.attached(Store.create(tmp_path / "run"), report)
    assert facts["file"] == "doctor.json"
    assert json.loads((tmp_path / "run" / "doctor.json").read_text())["testbed"] == "stand_in"
    assert facts["counts"]["fail"] == 0


class Steps(Clock):
    """Goes on only when told."""

    kind = "host"

    def __init__(self) -> None:
        self.ms = 0.0

    def now_ms(self) -> float:
        return self.ms


class WaitingDevice(StandInDevice):
    """Nobody ever answers it: it waits out its reply time-out by a clock of its own, which is off by `ppm`."""

    ppm = 0.0
    late_ms: tuple[float, ...] = (3.0,)  # by which the host hears of it too late, in turn

    def __init__(self, artefact: Artefact, clock: Steps) -> None:
        super().__init__(artefact, StandInTestbed(artefact).link)
        self.status = 1
        self._clock = clock
        self._n = 0

    def _infer(self, sequence: int) -> bytes:
        (wait_ms,) = struct.unpack("<I", self.config[11])
        self._clock.ms += wait_ms / (1 + self.ppm / 1e6) + self.late_ms[self._n % len(self.late_ms)]
        self._n += 1
        head = (self.status, 0, 0, 0xFFFF, 0, 0, 0, 0)
        return struct.pack("<BBHHBBIIIIIII", *head, 0, 0, round(wait_ms * CLOCK_HZ / 1e3), 0, CLOCK_HZ)


@pytest.mark.slow
@pytest.mark.parametrize(("ppm", "status"), [(0.0, "pass"), (-150.0, "pass"), (500.0, "warn"), (-5000.0, "fail")])
def test_a_drifting_device_clock_is_found(remote_artefact: Artefact, ppm: float, status: str) -> None:
    clock = Steps()
    device = WaitingDevice(remote_artefact, clock)
    device.ppm = ppm
    device.late_ms = (3.0, 3.05, 9.0)
    testbed = StandInTestbed(remote_artefact, pins=False)
    with lab.opened([]) as up:
        port = Device(StandInPort(device))
        info = port.hello()
        found = board.device_clock(port, testbed, up, info, clocks.WAITS_MS, clock)
    assert found.status == status
    assert found.values["drift_ppm"] == pytest.approx(ppm, abs=40)
    assert found.values["resolution_ppm"] < 100
    assert abs(found.values["offset_ms"]) == pytest.approx(3.0, abs=0.1)


def test_a_host_too_busy_to_tell_says_so() -> None:
    rng = np.random.default_rng(0)
    waits = [[Wait(s + float(rng.exponential(0.2)), s) for _ in range(3)] for s in (0.2, 0.7, 1.5, 2.5)]
    found = clocks.drift(waits)
    assert found is not None
    assert found.verdict == "skip"
    assert board.told(found).status == "skip"
    assert board.told(clocks.drift([])).status == "skip"


@pytest.mark.parametrize(
    ("text", "status", "values"),
    [
        ("connected", "skip", {}),
        ("associated rssi=-52 channel=6", "pass", {"rssi_dbm": -52, "channel": 6}),
        ("rssi=-75", "warn", {"rssi_dbm": -75}),
        ("rssi=-91 x channel=11", "fail", {"rssi_dbm": -91, "channel": 11}),
    ],
)
def test_what_a_device_tells_of_its_radio(text: str, status: str, values: dict[str, int]) -> None:
    found = board.radio(text)
    assert (found.status, dict(found.values)) == (status, values)


@pytest.mark.slow
def test_an_open_broker_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with broker.running() as own:
        up = lab.Lab(own, None, None, "agile/0")  # type: ignore[arg-type]
        assert [f.status for f in network.broker(up)] == ["pass", "pass", "pass", "skip"]
        monkeypatch.setattr(network, "try_connect", lambda _: None)
        assert [f.status for f in network.broker(up)] == ["pass", "warn", "warn", "skip"]


def test_a_link_that_is_not_what_it_was_told_fails(remote_artefact: Artefact, monkeypatch: pytest.MonkeyPatch) -> None:
    testbed = StandInTestbed(remote_artefact)
    assert {f.status for f in link.shaped(testbed)} == {"pass"}
    monkeypatch.setattr(testbed.link, "read_back", lambda: LinkSpec.symmetric(6e6, 5.0))
    assert [f.status for f in link.shaped(testbed)] == ["fail", "pass", "fail"]
    monkeypatch.setattr(testbed.link, "read_back", lambda: None)
    assert {f.status for f in link.shaped(testbed)} == {"fail"}

    def refuse(_: LinkSpec) -> None:
        raise BenchError("no netem here", cure="install it")

    monkeypatch.setattr(testbed.link, "apply", refuse)
    assert [(f.status, f.cure) for f in link.shaped(testbed)] == [("warn", "install it")]


def _recording(folder: Path, amps: float, info: dict[str, str] | None = None) -> ProbeConfig:
    current = amps + np.random.default_rng(0).normal(0, 1e-6, 2000)
    lost = np.zeros(2000, dtype=np.bool_)
    trace = Trace(
        1000.0, "measured", "PPK2", "r", current_a=current, voltage_v=np.full(2000, 3.3), lost=lost, info=info or {}
    )
    write_trace(trace, folder / "t.csv")
    return ProbeConfig(kind="replay", path=folder / "t.csv")


def test_zero_and_known_load_of_a_probe(tmp_path: Path) -> None:
    def found(amps: float, **asked: Any) -> dict[str, str]:
        asked = {"zero": False, "ohms": None} | asked
        return {f.check: f.status for f in probe.probe(_recording(tmp_path, amps), record_s=0.0, **asked)}

    assert found(0.0, zero=True)["probe zero"] == "pass"
    assert found(0.01, zero=True)["probe zero"] == "fail"
    assert found(0.01)["probe zero"] == "skip"
    assert found(0.033, ohms=100.0)["probe load"] == "pass"
    assert found(0.040, ohms=100.0)["probe load"] == "fail"
    assert found(0.0)["probe clock"] == "skip"
    assert probe.probe(None, zero=False, ohms=None)[0].status == "skip"


@pytest.mark.parametrize(("ppm", "status"), [("12.0", "pass"), ("-900.0", "warn")])
def test_the_clock_of_a_probe(tmp_path: Path, ppm: str, status: str) -> None:
    info = {"clock_drift_ppm": ppm, "clock_residual_ms": "0.1", "clock_offset_s": "0.5"}
    found = probe.probe(_recording(tmp_path, 0.0, info), zero=False, ohms=None, record_s=0.0)
    assert {f.check: f.status for f in found}["probe clock"] == status


def test_ports_of_the_lab_file_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def found(port: str) -> Finding:
        section = {"testbeds": {"esp32": {"port": port}}}
        return host.permissions(LabSetup(labfile.LabFile.model_validate(section)), "esp32")[0]

    there = tmp_path / "tty"
    there.touch()
    assert found(str(there)).status == "pass"
    assert found(str(tmp_path / "no")).status == "fail"
    assert found("rfc2217://a:1").status == "skip"
    monkeypatch.setattr(host.os, "access", lambda *_: False)
    closed = found(str(there))
    assert (closed.status, "usermod" in closed.cure) == ("fail", True)


def test_shaping_needs_an_interface_and_the_right(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(interface: str) -> str:
        return host.shaping(LabSetup(labfile.LabFile.model_validate({"wifi": {"interface": interface}})), "x")[0].status

    assert host.shaping(labfile.EMPTY, "x")[0].status == "skip"
    assert found("no-such0") == "fail"
    monkeypatch.setattr(host.shutil, "which", lambda *_, **__: "/sbin/tc")
    monkeypatch.setattr(host, "_has_capability", lambda _: False)
    assert found("lo") == "warn"
    monkeypatch.setattr(host, "_has_capability", lambda _: True)
    assert found("lo") == "pass"
    monkeypatch.setattr(host.shutil, "which", lambda *_, **__: None)
    assert found("lo") == "fail"


def test_an_error_in_a_check_is_a_failed_check_with_its_cure() -> None:
    def body() -> list[Finding]:
        raise BenchError("it broke", cure="mend it")

    assert guarded("x", body) == [Finding("x", "fail", "it broke", "mend it")]


def test_wrong_arguments_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for argv, told in (
        ([], "no testbed was given"),
        (["--testbed", "nix"], "unknown testbed 'nix'"),
        (["--testbed", "native", "--known-load", "-3"], "no resistance"),
    ):
        with pytest.raises(BenchError, match=told):
            main(argv)
    assert main(["--list"]) == 0
    assert capsys.readouterr().out


def test_programs_that_flashing_will_need_are_looked_for_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for name, said in (("stm32f746", "needs OpenOCD or pyOCD"), ("esp32", "needs esptool")):
        with labfile.EMPTY.factory(name)() as testbed:
            (finding,) = host.flashing(testbed)
        assert finding.status == "fail"
        assert said in finding.said
        assert finding.cure
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    with labfile.EMPTY.factory("esp32")() as testbed:
        (finding,) = host.flashing(testbed)
    assert (finding.status, "idf.py is not on PATH" in finding.said) == ("fail", True)
    with labfile.EMPTY.factory("virtual")() as testbed:
        assert host.flashing(testbed)[0].status == "pass"


def test_secrets_that_the_lab_file_names_are_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAB_TEST_WIFI", raising=False)
    monkeypatch.setenv("LAB_TEST_MQTT", "hush")
    sections = {
        "broker": {"url": "mqtt://a", "user": "u", "password": {"env": "LAB_TEST_MQTT"}},
        "wifi": {"password": {"env": "LAB_TEST_WIFI"}},
    }
    setup = LabSetup(labfile.LabFile.model_validate(sections))
    broker_, wifi = host.secrets(setup, "esp32")
    assert broker_.status == "pass"
    assert (wifi.status, wifi.cure) == ("fail", "export LAB_TEST_WIFI=…")
    assert "[wifi] password: the environment variable LAB_TEST_WIFI is not set" in wifi.said
    assert "hush" not in str((broker_, wifi))
    assert host.programs(setup)[0].status == "skip"  # a broker is given


def test_an_emulated_board_is_not_stopped_by_what_only_boards_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAB_TEST_WIFI", raising=False)
    sections = {
        "broker": {"listen": "10.0.0.1"},
        "wifi": {"ssid": "lab", "interface": "wlan9", "password": {"env": "LAB_TEST_WIFI"}},
        "link": {"kind": "netem"},
        "testbeds": {"virtual": {"wifi": {"ssid": "x", "password": {"env": "LAB_TEST_WIFI"}}}},
    }
    plain = LabSetup(labfile.LabFile.model_validate(sections))
    setup = plain.emulated()
    assert host.secrets(plain, "virtual")[-1].status == "fail"
    assert host.secrets(setup, "virtual") == []
    assert host.shaping(setup, "virtual")[0].status == "skip"
    assert setup.file.broker.listen is None
    with setup.factory("virtual")() as testbed:
        assert testbed.link.modelled
    given = LabSetup(labfile.LabFile.model_validate({"broker": {"url": "mqtt://a"}})).emulated()
    assert given.file.broker.url == "mqtt://a"  # which it does use
