"""Building: the same bytes each time, sizes from the ELF, and what a user reads when it can't be done."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from harness.contracts.errors import BenchError
from testbeds.firmware.toolchain import compiler as toolchain
from testbeds.firmware.toolchain.build import STACK_BYTES, build, read_record
from testbeds.firmware.toolchain.image import image_sizes, symbols

from .firmware_helpers import write_scheme

pytestmark = pytest.mark.slow

OFFLOAD = {
    "graph": False,
    "offload": "image",
    "features_output": -1,
    "local_logits_output": -1,
    "symbol_table": [],
    "n_symbols": 256,
    "channels": 0,
    "first_channel": 0,
    "alpha": 0.0,
}


@pytest.fixture
def scheme(tmp_path: Path) -> Path:
    return write_scheme(tmp_path, **OFFLOAD)


def test_the_board_image_is_the_same_on_every_build(
    scheme: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = set()
    for name in ("one", "another-longer-name"):
        monkeypatch.setenv("AGILENN_CACHE_DIR", str(tmp_path / name))
        image = build(scheme, "stm32f746")
        found.add((image.name, hashlib.sha256(image.read_bytes()).hexdigest()))
        assert str(tmp_path).encode() not in image.read_bytes()
    assert len(found) == 1


def test_a_second_build_is_the_first(scheme: Path) -> None:
    first = build(scheme, "stm32f746")
    before = first.stat().st_mtime_ns
    assert build(scheme, "stm32f746") == first
    assert first.stat().st_mtime_ns == before


def test_sizes_are_those_of_the_sections(scheme: Path) -> None:
    image = build(scheme, "stm32f746")
    sizes, where = image_sizes(image), symbols(image)
    in_dtcm = where["dtcm_end"] - where["dtcm_begin"]
    in_sram = where["sram_end"] - where["sram_begin"]
    assert sizes.stack_bytes == STACK_BYTES == where["stack_top"] - where["stack_bottom"]
    assert in_dtcm + in_sram - 16 <= sizes.ram_static_bytes <= in_dtcm + in_sram
    assert 4096 < sizes.flash_bytes < 65536
    assert where["stack_bottom"] == 0x20000000  # one that overflows leaves RAM
    record = read_record(image)
    assert record["sizes"]["flash_bytes"] == sizes.flash_bytes
    assert record["compiler"].startswith("zig 0.")


def test_tables_and_workspace_lie_in_tightly_coupled_memory(scheme: Path) -> None:
    where = symbols(build(scheme, "stm32f746"))
    for name in ("crc_of_byte", "scheme_symbol_of_byte", "work"):
        assert 0x20000000 <= where[name] < 0x20010000, name


def test_an_image_too_large_says_by_how_much(tmp_path: Path) -> None:
    scheme = write_scheme(tmp_path, **(OFFLOAD | {"input_shape": [256, 256, 3]}))
    with pytest.raises(BenchError, match=r"does not fit the STM32F746's 256 KB of SRAM: \d{6} bytes too many"):
        build(scheme, "stm32f746")


def test_a_missing_compiler(scheme: Path) -> None:
    with pytest.raises(BenchError, match="no C compiler 'no-such-cc'"):
        build(scheme, "stm32f746", cc="no-such-cc")


def test_a_failing_compiler_is_quoted(scheme: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGILENN_CACHE_DIR", str(tmp_path / "cache"))
    with pytest.raises(BenchError, match=r"C compiler failed: .*no-such-flag"):
        build(scheme, "host", flags=("--no-such-flag",))
    assert not list((tmp_path / "cache" / "firmware").glob("*.so"))
    assert not list((tmp_path / "cache" / "firmware").glob("build-*"))


def test_a_compiler_that_does_not_run(tmp_path: Path, scheme: Path) -> None:
    fake = tmp_path / "cc"
    fake.write_text("#!/bin/sh\nexit 3\n")
    fake.chmod(0o755)
    with pytest.raises(BenchError, match="does not run"):
        build(scheme, "stm32f746", cc=str(fake))


def test_an_unknown_target_and_a_missing_artefact(scheme: Path, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="unknown firmware target 'avr'"):
        build(scheme, "avr")
    with pytest.raises(BenchError, match="no trained weights"):
        build(tmp_path / "nowhere", "stm32f746")


def test_a_cache_that_cannot_be_written(scheme: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("AGILENN_CACHE_DIR", str(tmp_path / "file"))
    with pytest.raises(BenchError, match="AGILENN_CACHE_DIR"):
        build(scheme, "stm32f746")


def test_a_model_that_is_no_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"device\.tflite"):
        build(write_scheme(tmp_path), "stm32f746")


def test_zig_missing_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(BenchError, match="pip install ziglang"):
        toolchain.find_compiler("zig")
