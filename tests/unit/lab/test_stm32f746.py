"""The Discovery board's flashing and port, against programs that take and say what OpenOCD and pyOCD do."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.contracts.attachment import Attachment
from harness.contracts.errors import BenchError, TestbedAbsent
from testbeds import usb
from testbeds.stm32f746 import Stm32F746Testbed, flasher, standins
from testbeds.stm32f746.flasher import choose, flash_bytes
from testbeds.tools import Tools

SERIAL = "0670FF"


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("AGILENN_CACHE_DIR", str(tmp_path / "cache"))
    return standins.install(tmp_path / "bin", SERIAL)


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small ELF with one loadable segment in flash and one in RAM, and a name with a space in it."""
    path = tmp_path_factory.mktemp("a b") / "image.elf"
    path.write_bytes(_elf([(0x0800_0000, b"vectors!"), (0x0800_0010, b"code"), (0x2000_0000, b"")]))
    return path


def _elf(segments: list[tuple[int, bytes]]) -> bytes:
    import struct  # noqa: PLC0415

    head, each = 52, 32
    at = head + each * len(segments)
    table, body = b"", b""
    for address, data in segments:
        table += struct.pack("<8I", 1, at + len(body), address, address, len(data), len(data), 5, 1)
        body += data
    ident = b"\x7fELF\x01\x01\x01" + bytes(9)
    rest = struct.pack("<HHIIIIIHHHHHH", 2, 40, 1, 0, head, 0, 0, head, each, len(segments), 40, 0, 0)
    return ident + rest + table + body


def _said(state: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(state.read_text())
    return found


@pytest.fixture(params=["openocd", "pyocd"])
def bed(
    request: pytest.FixtureRequest, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Stm32F746Testbed:
    port = tmp_path / "ttyACM0"
    port.touch()
    device = SimpleNamespace(vid=0x0483, pid=0x374B, device=str(port), serial_number=SERIAL)
    monkeypatch.setattr(usb.list_ports, "comports", lambda: [device])
    made = Stm32F746Testbed()
    made.attach(Attachment(flasher=request.param, flash_timeout_s=20))
    return made


@pytest.mark.slow
def test_an_image_is_written_verified_and_not_written_twice(bed: Stm32F746Testbed, state: Path, image: Path) -> None:
    bed.check()
    assert bed.identity == f"stm32f746 {SERIAL}"
    bed.flash(image)
    bed.flash(image)
    bed.reset()
    runs = list(bed.tools.runs)
    assert all(run.returncode == 0 for run in runs)
    assert all(SERIAL in " ".join(run.argv) for run in runs)
    if bed.attachment.flasher == "openocd":
        assert "**Verified OK - No flashing**" in runs[1].output
        assert _said(state)["log"][0] == [
            *("openocd", "-f", "board/stm32f7discovery.cfg", "-c", f"adapter serial {SERIAL}"),
            *("-c", f"program {{{image}}} preverify verify reset exit"),
        ]
        assert _said(state)["log"][2][5:] == ["-c", "init", "-c", "reset run", "-c", "shutdown"]
    else:
        first, second = _said(state)["log"][:2]
        common = ["--no-wait", "--uid", SERIAL, "--target", "stm32f746nghx"]
        assert first == ["pyocd", "load", *common, "--format", "elf", str(image)]
        assert second[:9] == ["pyocd", "commander", *common, "--connect", "halt"]
        assert second[10].startswith("compare 0x08000000 /")
        assert _said(state)["log"][4] == ["pyocd", "reset", *common]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "told"), [("no_probe", ("open failed", "No connected")), ("verify", ("Verify", "Mism"))]
)
def test_a_flash_that_fails_is_one_line_with_the_reason(
    bed: Stm32F746Testbed, state: Path, image: Path, fault: str, told: tuple[str, str]
) -> None:
    standins.set_fault(state, fault)
    with pytest.raises(BenchError) as error:
        bed.flash(image)
    text = str(error.value)
    assert any(t in text for t in told)
    assert "\n" not in text
    assert "CN14" in text


def test_a_flash_that_hangs_is_ended_and_told(bed: Stm32F746Testbed, state: Path, image: Path) -> None:
    standins.set_fault(state, "hang")
    bed.attach(bed.attachment.model_copy(update={"flash_timeout_s": 0.5}))
    with pytest.raises(BenchError, match=r"took longer than 0.5 s: .*flash_timeout_s"):
        bed.flash(image)
    assert bed.tools.runs[-1].returncode is None
    assert bed.tools.runs[-1].duration_s < 20


@pytest.mark.slow
def test_every_call_is_kept_so_that_it_can_be_made_again(bed: Stm32F746Testbed, state: Path, image: Path) -> None:
    bed.flash(image)
    lines = [json.loads(line) for line in bed.tools.record.read_text().splitlines()]
    assert [tuple(line["argv"]) for line in lines] == [run.argv for run in bed.tools.runs]
    assert set(lines[0]) == {"cwd", "argv", "timeout_s", "returncode", "duration_s", "output"}
    again = bed.tools.runs[0].command
    assert shlex.split(again)[:3] == ["cd", str(Path.cwd()), "&&"]
    before = len(_said(state)["log"])
    assert subprocess.run(again, shell=True, check=False, capture_output=True).returncode == 0
    assert len(_said(state)["log"]) == before + 1


def test_another_probe_is_not_touched(bed: Stm32F746Testbed, image: Path) -> None:
    bed.attach(Attachment(port=bed._where(), usb_serial="OTHER", flasher=bed.attachment.flasher))
    with pytest.raises(BenchError, match="failed"):
        bed.flash(image)


def test_the_flasher_that_is_installed_is_taken(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = Tools()
    assert isinstance(choose(None, tools, None), flasher.OpenOcd)
    (state.parent / "openocd").unlink()
    monkeypatch.setenv("PATH", str(state.parent))
    assert isinstance(choose(None, tools, None), flasher.PyOcd)
    with pytest.raises(BenchError, match="needs openocd"):
        choose("openocd", tools, None)
    (state.parent / "pyocd").unlink()
    monkeypatch.setattr(flasher.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(BenchError, match="OpenOCD or pyOCD"):
        choose(None, tools, None)


def test_what_an_elf_puts_into_flash(image: Path, tmp_path: Path) -> None:
    assert flash_bytes(image) == b"vectors!" + b"\xff" * 8 + b"code"
    (tmp_path / "x").write_bytes(b"no elf")
    for path in (tmp_path / "x", tmp_path / "none"):
        with pytest.raises(BenchError, match="no board image"):
            flash_bytes(path)
    (tmp_path / "y").write_bytes(_elf([(0x2000_0000, b"ram")]))
    with pytest.raises(BenchError, match="nothing into flash"):
        flash_bytes(tmp_path / "y")


def _ports(monkeypatch: pytest.MonkeyPatch, *ports: tuple[str, str]) -> Callable[[Attachment], str]:
    devices = [SimpleNamespace(vid=0x0483, pid=0x374B, device=d, serial_number=s) for d, s in ports]
    monkeypatch.setattr(usb.list_ports, "comports", lambda: devices)

    def find(attachment: Attachment) -> str:
        bed = Stm32F746Testbed()
        bed.attach(attachment)
        return bed._where()

    return find


def test_which_board_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    find = _ports(monkeypatch, ("/dev/ttyACM0", "A"), ("/dev/ttyACM1", "B"))
    assert find(Attachment(usb_serial="B")) == "/dev/ttyACM1"
    assert find(Attachment(port="rfc2217://shelf:4000")) == "rfc2217://shelf:4000"
    with pytest.raises(TestbedAbsent, match="several boards"):
        find(Attachment())
    with pytest.raises(TestbedAbsent, match="serial number C"):
        find(Attachment(usb_serial="C"))
    none = _ports(monkeypatch)
    with pytest.raises(TestbedAbsent, match=r"no board found on USB: .*virtual"):
        none(Attachment())
    bed = Stm32F746Testbed()
    assert bed.identity == ""
    bed.attach(Attachment(port="/dev/no-such-port", module_baud=921_600))
    assert bed.description.module_baud == 921_600
    with pytest.raises(TestbedAbsent, match="no port /dev/no-such-port"):
        bed.check()
    with pytest.raises(BenchError, match="can't be opened"):
        bed.open()
