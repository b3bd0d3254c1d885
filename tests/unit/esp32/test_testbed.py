"""Which board, how it is reached, and what is said when it is not there; control lines over RFC 2217."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import serial

from harness.contracts.attachment import Attachment
from harness.contracts.errors import BenchError, TestbedAbsent
from harness.contracts.link import LinkSpec
from testbeds.esp32 import Esp32Testbed
from testbeds.esp32 import testbed as module
from testbeds.esp32.access import LinesAccess
from testbeds.esp32.standin.chip import Chip
from testbeds.esp32.standin.ends import Rfc2217End
from testbeds.firmware.toolchain import esp32_container as container
from testbeds.firmware.toolchain.idf import FLASH_BEGIN

pytestmark = pytest.mark.slow

CP2102, OTHER = (0x10C4, 0xEA60), (1, 2)


def _ports(monkeypatch: pytest.MonkeyPatch, *ports: tuple[str, tuple[int, int], str | None]) -> None:
    listed = [SimpleNamespace(device=d, vid=i[0], pid=i[1], serial_number=s) for d, i, s in ports]
    monkeypatch.setattr(module.list_ports, "comports", lambda: listed)


@pytest.fixture(autouse=True)
def _no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AGILENN_ESP32_PORT", raising=False)


def test_no_board_is_one_line_with_the_cures(monkeypatch: pytest.MonkeyPatch) -> None:
    _ports(monkeypatch, ("/dev/ttyX", OTHER, None))
    with pytest.raises(TestbedAbsent, match=r"no board found on USB.*AGILENN_ESP32_PORT=standin.*virtual"):
        Esp32Testbed().check()


def test_the_only_board_is_taken_and_two_are_asked_about(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    device = tmp_path / "ttyUSB7"
    device.touch()
    _ports(monkeypatch, ("/dev/ttyX", OTHER, None), (str(device), CP2102, "A1"))
    bed = Esp32Testbed()
    bed.check()
    assert bed.identity == f"esp32 {device}"
    assert (bed.description.target, bed.reaches_loopback, bed.speaks_tls) == ("esp32", False, True)
    _ports(monkeypatch, (str(device), CP2102, "A1"), ("/dev/ttyUSB8", CP2102, "A2"))
    with pytest.raises(TestbedAbsent, match=r"several boards.*ttyUSB8.*usb_serial"):
        Esp32Testbed().check()


def test_a_serial_number_picks_one_of_several(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    device = tmp_path / "ttyUSB8"
    device.touch()
    _ports(monkeypatch, ("/dev/ttyUSB7", CP2102, "A1"), (str(device), CP2102, "A2"))
    bed = Esp32Testbed()
    bed.attach(Attachment(usb_serial="A2"))
    bed.check()
    assert bed.identity == "esp32 A2"
    missing = Esp32Testbed()
    missing.attach(Attachment(usb_serial="A3"))
    with pytest.raises(TestbedAbsent, match="no USB port with serial number A3"):
        missing.check()


def test_a_port_that_is_not_there_is_named() -> None:
    bed = Esp32Testbed()
    bed.attach(Attachment(port="/dev/ttyNOTHERE"))
    with pytest.raises(TestbedAbsent, match="no port /dev/ttyNOTHERE"):
        bed.check()


def test_a_stand_in_says_that_it_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGILENN_ESP32_PORT", "standin")
    bed = Esp32Testbed()
    bed.check()
    assert (bed.description.target, bed.identity, bed.reaches_loopback) == ("esp32-standin", "", True)
    assert "stand-in" in bed.description.title
    assert "host" in bed.description.remarks
    bed.close()
    remote = Esp32Testbed()
    remote.attach(Attachment(port="standin:rfc2217://127.0.0.1:4000"))
    assert (remote.description.target, remote.identity) == ("esp32-standin", "esp32 rfc2217://127.0.0.1:4000")


def test_what_an_esp32_has_no_use_for_is_refused() -> None:
    with pytest.raises(BenchError, match="neither a debug probe nor an AT module"):
        Esp32Testbed().attach(Attachment(flasher="openocd"))


def test_the_link_is_left_as_it_is() -> None:
    bed = Esp32Testbed()
    assert not bed.link.can_shape
    with pytest.raises(BenchError, match="--rate none"):
        bed.link.apply(LinkSpec.symmetric(1e6))


@pytest.fixture
def server(chip: Chip) -> Iterator[Rfc2217End]:
    end = Rfc2217End(chip)
    yield end
    end.close()


@pytest.mark.parametrize("loader", [False, True], ids=["application", "loader"])
def test_control_lines_reset_the_board_as_on_a_kit(chip: Chip, loader: bool) -> None:
    """The sequences of esptool's classic reset and of its hard reset."""
    chip.lines(dtr=True, rts=True)  # a port is opened
    assert chip.boots == 0
    chip.lines(dtr=False, rts=True)
    if loader:
        chip.lines(dtr=True, rts=True)
        chip.lines(dtr=True, rts=False)
    chip.lines(dtr=False, rts=False)
    assert chip.boots == 1
    assert chip.mode == ("loader" if loader else "dead")  # there is nothing in flash


def test_an_image_that_is_no_program_leaves_a_board_that_can_be_flashed(chip: Chip) -> None:
    image = container.pack(b"\x7fELF but not really" * 9)
    chip.flash[FLASH_BEGIN : FLASH_BEGIN + len(image)] = image
    chip.reset()
    assert chip.mode == "dead"
    chip.reset(loader=True)
    assert chip.mode == "loader"


def test_a_board_behind_rfc2217_is_reset_by_its_lines(chip: Chip, server: Rfc2217End) -> None:
    access = LinesAccess(server.url, 921_600, "esp32-standin")
    access.check()
    access.reset()
    assert (chip.boots, chip.mode) == (1, "dead")
    heard = access.open().read(200)
    assert b"invalid header" in heard  # an empty flash, as the ROM tells it
    server.vanish()
    with pytest.raises(BenchError, match=r"can't be (opened|reset)"):
        access.reset()
    server.appear()
    access.reset()
    assert chip.boots == 2
    access.close()


def test_the_loader_answers_over_rfc2217(chip: Chip, server: Rfc2217End) -> None:
    chip.reset(loader=True)
    with serial.serial_for_url(server.url, 115_200, timeout=5) as port:
        port.write(b"\xc0\x00\x08\x04\x00\x00\x00\x00\x00\xff\x07\x07\x12\xc0")
        assert port.read(10)[:3] == b"\xc0\x01\x08"


def test_the_stand_in_by_hand_says_how_to_use_it_and_takes_commands() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "testbeds.esp32.standin"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    guard = threading.Timer(60, process.kill)
    guard.start()
    try:
        out, _ = process.communicate("state\nhelp\nnonsense\nnoise 7\nquit\n")
    finally:
        guard.cancel()
    assert process.returncode == 0
    assert "AGILENN_ESP32_PORT=standin:rfc2217://127.0.0.1:" in out
    assert "mode dead" in out
    assert "pull the USB cable" in out
    assert "error: no command of a stand-in: 'nonsense'" in out
    assert "a rate is from 0 to 1" in out


def test_the_stand_in_ends_with_its_input() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "testbeds.esp32.standin", "--json"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None and process.stdout is not None
    said: dict[str, Any] = json.loads(process.stdout.readline())
    assert Path(said["pty"]).exists()
    process.stdin.close()
    assert process.wait(30) == 0
    assert not Path(said["pty"]).exists()
    process.stdout.close()
