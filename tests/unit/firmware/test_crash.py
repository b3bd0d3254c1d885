"""What a fault of the STM32F746's firmware left in RAM is read by a debug probe, and named by its image's symbols."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contracts.attachment import Attachment
from harness.contracts.errors import BenchError
from testbeds import usb
from testbeds.stm32f746 import Stm32F746Testbed, crash, standins

SERIAL = "0670FF"
STARTUP = Path(crash.__file__).parents[1] / "firmware" / "ports" / "stm32f746" / "startup.c"


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    return standins.install(tmp_path / "bin", SERIAL)


@pytest.fixture(params=["openocd", "pyocd"])
def bed(
    request: pytest.FixtureRequest,
    state: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stub_build: Callable[..., Path],
) -> Stm32F746Testbed:
    image = stub_build("stm32f746")
    port = tmp_path / "ttyACM0"
    port.touch()
    device = SimpleNamespace(vid=0x0483, pid=0x374B, device=str(port), serial_number=SERIAL)
    monkeypatch.setattr(usb.list_ports, "comports", lambda: [device])
    made = Stm32F746Testbed()
    made.tools = type(made.tools)(record=tmp_path / "tools.jsonl")
    made.attach(Attachment(flasher=request.param, flash_timeout_s=60))
    made.flash(image)
    return made


def _record(image: Path, **fields: int) -> list[int]:
    where = {name: value for name, value, _ in crash._symbols(image)}
    known = {"magic": crash.MAGIC, "pc": (where["app_poll"] & ~1) + 2, "lr": where["Reset_Handler"] | 1}
    return [(known | fields).get(name, 0) for name in crash.FIELDS]


def test_the_record_is_laid_out_as_the_firmware_writes_it(stub_build: Callable[..., Path]) -> None:
    source = STARTUP.read_text()
    struct = re.search(r"typedef struct \{\s*uint32_t ([^;]+);\s*\} fault_record_t;", source)
    assert struct is not None
    assert tuple(struct[1].replace("\n", " ").split(", ")) == crash.FIELDS
    assert f"#define FAULT_MAGIC 0x{crash.MAGIC:08x}u" in source
    image = stub_build("stm32f746")
    sizes = {name: size for name, _, size in crash._symbols(image)}
    assert sizes[crash.SYMBOL] == 4 * len(crash.FIELDS)
    assert crash.address_of(image) in range(0x2000_0000, 0x2001_0000)


@pytest.mark.slow
def test_a_crash_is_told_in_one_line_and_once(bed: Stm32F746Testbed, state: Path) -> None:
    assert bed.crash() is None
    image = bed._image
    assert image is not None
    address = crash.address_of(image)
    assert address is not None
    words = _record(image, cfsr=1 << 24, hfsr=1 << 30, r0=7)
    standins.set_memory(state, address, words)
    found = bed.crash()
    assert found is not None
    assert found.what == f"unaligned access at pc 0x{words[11]:08x} in app_poll, called from Reset_Handler"
    assert "cfsr 01000000  hfsr 40000000" in found.details[0]
    assert "r0 00000007" in found.details[1]
    assert bed.crash() is None  # it was told
    standins.set_memory(state, address, words)
    bed.reset()
    assert bed.crash() is None  # the start-up code has cleared it: it has to be read before


@pytest.mark.slow
def test_ram_after_power_up_is_no_crash(bed: Stm32F746Testbed, state: Path) -> None:
    address = crash.address_of(bed._image or Path())
    assert address is not None
    standins.set_memory(state, address, [0x5A5A5A5A] * len(crash.FIELDS))
    assert bed.crash() is None


@pytest.mark.slow
def test_a_probe_that_does_not_say_is_one_line(bed: Stm32F746Testbed, state: Path) -> None:
    standins.set_fault(state, "no_probe")
    with pytest.raises(BenchError, match=r"reading RAM by .*failed"):
        bed.crash()


@pytest.mark.parametrize(
    ("cfsr", "more", "told"),
    [
        (1 << 9 | 1 << 15, {"bfar": 0x6000_0000}, "bus error (address 0x60000000)"),
        (1 << 1 | 1 << 7, {"mmfar": 0x10}, "access to where none may be (address 0x00000010)"),
        (1 << 4, {}, "no room on the stack"),
        (1 << 4 | 1 << 12, {}, "no room on the stack"),
        (1 << 25, {}, "division by zero"),
        (0, {"hfsr": 1 << 1}, "vector table could not be read"),
        (0, {}, "fault without a cause"),
    ],
)
def test_status_bits_in_words(stub_build: Callable[..., Path], cfsr: int, more: dict[str, int], told: str) -> None:
    image = stub_build("stm32f746")
    found = crash.decoded(_record(image, cfsr=cfsr, **more), image)
    assert found is not None
    assert found.what.startswith(f"{told} at pc 0x")


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=40), st.integers(0x2000_0000, 0x2000_FF00), st.data())
def test_words_are_read_from_what_both_programs_print(words: list[int], address: int, data: st.DataObject) -> None:
    for a_line, line in ((8, "0x{:08x}: {}\n"), (4, "{:08x}:  {}   |................|\n")):
        text = "Open On-Chip Debugger 0.12.0\nInfo : target halted, pc: 0x08000200\n"
        for k in range(0, len(words), a_line):
            text += line.format(address + 4 * k, "".join(f"{w:08x} " for w in words[k : k + a_line]))
        assert crash.parsed(text, address, len(words)) == words
        cut = text[: data.draw(st.integers(0, len(text)))]
        found = crash.parsed(cut, address, len(words))
        assert found == words[: len(found)]
