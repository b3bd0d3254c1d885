"""The port as the chip's compiler will see it: 32 bits, strict alignment; and a whole flash over control lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbeds.esp32.flasher import flash
from testbeds.esp32.standin.chip import Chip
from testbeds.esp32.standin.ends import Rfc2217End
from testbeds.firmware.toolchain import build as building
from testbeds.firmware.toolchain import esp32_container as container
from testbeds.firmware.toolchain.compiler import find_compiler, run_compiler
from testbeds.firmware.toolchain.describe import write_description

from .conftest import needs_esptool

pytestmark = pytest.mark.slow


@pytest.mark.soak
def test_core_and_port_compile_for_32_bits_without_a_cast_that_raises_alignment(tmp_path: Path) -> None:
    scheme = tmp_path / "scheme"
    scheme.mkdir()
    (scheme / "description.toml").write_text(
        'scheme = "whole"\ndataset = "toy"\nprofile = "tiny"\nclasses = 3\ninput_shape = [4, 4, 3]\ngraph = false\n'
        'offload = "image"\nfeatures_output = -1\nlocal_logits_output = -1\nalpha = 0.0\n'
    )
    (scheme / "server.npz").write_bytes(b"none")
    write_description(scheme, tmp_path)
    (tmp_path / "bench_config.h").write_text("#define CONSOLE_BAUD 921600u\n")
    folders = [tmp_path, building.CORE, building.KERNELS, building.EEMBC, building.PORTS / "esp32"]
    folders.append(building.ESP32 / "standin" / "idf" / "include")
    sources = [tmp_path / "scheme_desc.c", *building._scheme_sources("esp32")]
    compiler = find_compiler("zig")
    flags = ("-std=c11", "-Wall", "-Wextra", "-Wcast-align", "-Werror", "-Wno-unknown-pragmas", "-DFW_OWN_RADIO")
    argv = [*compiler.argv, "-target", "riscv32-linux-musl", *flags, "-c"]
    argv += [option for folder in folders for option in ("-I", str(folder))]
    for source in sources:
        run_compiler([*argv, str(source), "-o", f"{source.stem}.o"], tmp_path)


@pytest.mark.soak
@needs_esptool
def test_a_whole_flash_by_the_control_lines_of_a_remote_port(chip: Chip, tmp_path: Path) -> None:
    """Half a minute: pyserial's RFC 2217 client confirms every change of a time-out."""
    end = Rfc2217End(chip)
    image = tmp_path / "image.bin"
    image.write_bytes(container.pack(b"\x7fELF but not really" * 500))
    try:
        assert flash(image, end.url, timeout_s=300) is True
        assert flash(image, end.url, timeout_s=300) is False
        assert chip.flash[0x1000 : 0x1000 + image.stat().st_size] == image.read_bytes()
        assert chip.mode != "loader"  # esptool's hard reset
    finally:
        end.close()
