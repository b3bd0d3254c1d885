"""The call of the user's ESP-IDF, with a program in its place that checks what it was given."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from harness.contracts.errors import BenchError
from testbeds.firmware.toolchain import idf
from testbeds.firmware.toolchain.build import build, read_record

pytestmark = pytest.mark.slow

# What idf.py does, as far as the harness sees it: reads the project's inputs, writes flasher_args.json and its files.
IDF = """#!{python}
import json, os, pathlib, re, sys
if "--version" in sys.argv:
    print("ESP-IDF {version}")
    sys.exit(0)
def given(option):
    return sys.argv[sys.argv.index(option) + 1]
project, build = pathlib.Path(given("-C")), pathlib.Path(given("-B"))
assert (project / "CMakeLists.txt").exists() and (project / "main" / "CMakeLists.txt").exists()
assert sys.argv[-2:] == ["reconfigure", "build"]
text = (pathlib.Path(os.environ["AGILE_GENERATED"]) / "agile.cmake").read_text()
sources, includes = (re.findall('"(.+)"', part) for part in text.split("AGILE_INCLUDES"))
assert all(pathlib.Path(p).is_file() for p in sources) and all(pathlib.Path(p).is_dir() for p in includes)
names = [pathlib.Path(p).name for p in sources]
assert {{"main.c", "net_esp.c", "wifi.c", "port_esp32.c", "flow.c", "scheme_desc.c"}} <= set(names), names
assert not {{"net_at.c", "at.c", "start.c"}} & set(names), names
{then}
build.mkdir(exist_ok=True)
for name, size in (("boot.bin", 5000), ("table.bin", 3072), ("app.bin", 70000)):
    (build / name).write_bytes(name.encode() * (size // len(name)))
files = {{"0x10000": "app.bin", "{boot}": "boot.bin", "0x8000": "table.bin"}}
(build / "flasher_args.json").write_text(json.dumps({{"flash_files": files}}))
"""


@pytest.fixture
def scheme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AGILENN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "bin").mkdir()
    folder = tmp_path / "scheme"
    folder.mkdir()
    (folder / "description.toml").write_text(
        'scheme = "whole"\ndataset = "toy"\nprofile = "tiny"\nclasses = 3\ninput_shape = [4, 4, 3]\ngraph = false\n'
        'offload = "image"\nfeatures_output = -1\nlocal_logits_output = -1\nalpha = 0.0\n'
    )
    (folder / "server.npz").write_bytes(b"none")
    return folder


def _install(tmp_path: Path, *, version: str = "v5.3.1", then: str = "", boot: str = "0x1000") -> None:
    program = tmp_path / "bin" / "idf.py"
    program.write_text(IDF.format(python=sys.executable, version=version, then=then, boot=boot))
    program.chmod(0o755)


def test_the_image_is_one_file_from_the_bootloader_on(scheme: Path, tmp_path: Path) -> None:
    _install(tmp_path)
    built = build(scheme, "esp32")
    data, record = built.read_bytes(), read_record(built)
    assert data.startswith(b"boot.bin")
    assert data[0x7000:].startswith(b"table.bin")
    assert data[0xF000:].startswith(b"app.bin")
    assert data[0x6FFF:0x7000] == b"\xff"
    assert len(data) == 0xF000 + 70_000
    assert (record["compiler"], record["console_baud"]) == ("ESP-IDF v5.3.1", 921_600)
    assert record["sizes"]["flash_bytes"] == 70_000
    assert build(scheme, "esp32") == built


def test_without_esp_idf_the_cure_is_told(scheme: Path) -> None:
    with pytest.raises(BenchError, match=r"idf\.py is not on PATH.*export\.sh.*standin"):
        build(scheme, "esp32")


@pytest.mark.parametrize("version", ["v4.4.6", "v5.0.2", "v5.10", "v6.0.1"])
def test_another_version_is_refused(scheme: Path, tmp_path: Path, version: str) -> None:
    """In 5.0 Wi-Fi's options have other names, and it would not start; 6.x has no esp-mqtt of its own."""
    _install(tmp_path, version=version)
    with pytest.raises(BenchError, match=rf"needs ESP-IDF 5\.1 to 5\.5, .*{version}"):
        build(scheme, "esp32")


@pytest.mark.parametrize("version", ["v5.1", "v5.4-dirty", "v5.5.1"])
def test_the_versions_that_it_was_compiled_with_are_taken(scheme: Path, tmp_path: Path, version: str) -> None:
    _install(tmp_path, version=version)
    assert build(scheme, "esp32").exists()


def test_other_defaults_or_another_version_begin_a_configuration_anew(scheme: Path, tmp_path: Path) -> None:
    """Once written, sdkconfig wins over sdkconfig.defaults: it lies under a name that tells both."""
    defaults, told = (idf.PROJECT / "sdkconfig.defaults").read_bytes(), tmp_path / "told"
    for version in ("v5.3.1", "v5.4"):
        _install(tmp_path, version=version, then=f"pathlib.Path({str(told)!r}).write_text(' '.join(sys.argv))")
        build(scheme, "esp32")
        key = idf.configuration_key(defaults, f"ESP-IDF {version}")
        assert f"SDKCONFIG={tmp_path}/cache/esp-idf/sdkconfig-{key} " in told.read_text()
        assert f"build-{key} " in told.read_text()
    assert len({idf.configuration_key(d, v) for d in (defaults, defaults + b"\n") for v in ("v5.3.1", "v5.4")}) == 4


def test_what_esp_idf_complains_of_is_one_line(scheme: Path, tmp_path: Path) -> None:
    _install(tmp_path, then="sys.exit('region `dram0_0_seg\\' overflowed by 4242 bytes\\nninja: build stopped')")
    with pytest.raises(
        BenchError, match=r"does not fit the ESP32: 4,242 bytes too many in dram0_0_seg \(of 180,736\)"
    ) as failure:
        build(scheme, "esp32")
    assert "\n" not in str(failure.value)


def test_an_image_for_other_addresses_is_refused(scheme: Path, tmp_path: Path) -> None:
    _install(tmp_path, boot="0x0")  # where other ESP chips have their bootloader
    with pytest.raises(BenchError, match="other flash addresses"):
        build(scheme, "esp32")


def test_the_project_names_what_the_code_relies_on() -> None:
    """Settings that the port's sources count on; ESP-IDF itself is not here to tell."""
    defaults = (idf.PROJECT / "sdkconfig.defaults").read_text()
    for line in (
        'CONFIG_IDF_TARGET="esp32"',
        "CONFIG_ESP_DEFAULT_CPU_FREQ_MHZ_240=y",
        "CONFIG_ESP_CONSOLE_NONE=y",
        "CONFIG_ESP_WIFI_NVS_ENABLED=n",
        "CONFIG_FREERTOS_HZ=1000",
    ):
        assert line in defaults.splitlines()
    table = [line.split(",") for line in (idf.PROJECT / "partitions.csv").read_text().splitlines() if line[0] != "#"]
    assert [row[2].strip() for row in table] == ["factory"]
