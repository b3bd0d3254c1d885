"""The lab file: what is wrong in it is one line with file, key and cure; no secret is ever in it or told."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from harness.broker import section
from harness.contracts.attachment import Attachment
from harness.contracts.errors import BenchError
from harness.device.stand_in import StandInTestbed
from harness.lab import labfile

WHOLE = """
[broker]
url = "mqtts://broker.lab:8884"
device_url = "mqtt://10.0.0.1"
user = "bench"
password = { env = "LAB_TEST_MQTT" }
ca = "certs/ca.pem"

[edge]
host = "gpu.lab"

[wifi]
ssid = "lab"
interface = "wlan0"
password = { file = "wifi.key" }

[probe]
kind = "ina"
port = "/dev/ttyACM3"

[testbeds.esp32]
port = "rfc2217://shelf.lab:4000"
usb_serial = "0001"

[testbeds.stm32f746]
flasher = "openocd"
module_baud = 921_600
wifi = { ssid = "other" }
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "lab.toml"
    path.write_text(text)
    return path


def test_a_whole_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = tmp_path / "wifi.key"
    key.write_text("on the air\n")
    key.chmod(0o600)
    monkeypatch.setenv("LAB_TEST_MQTT", "hush")
    setup = labfile.load(write(tmp_path, WHOLE))
    broker = setup.file.broker
    assert broker.url is not None
    assert section.broker_url(broker.url) == section.BrokerUrl("broker.lab", 8884, True)
    assert section.broker_url(broker.device_url or "") == section.BrokerUrl("10.0.0.1", 1883, False)
    assert broker.ca == tmp_path / "certs/ca.pem"  # relative to the file, wherever the call was made
    assert broker.password is not None and broker.password.read() == "hush"
    assert setup.wifi("esp32").password.read() == "on the air"  # type: ignore[union-attr]
    assert setup.wifi("stm32f746").ssid == "other"
    assert setup.testbed("esp32").attachment() == Attachment(port="rfc2217://shelf.lab:4000", usb_serial="0001")
    assert setup.testbed("esp32").attachment().remote
    assert setup.testbed("native").attachment().empty
    assert setup.probe("esp32").kind == "ina"  # type: ignore[union-attr]
    told = str(setup.facts())
    assert "hush" not in told and "on the air" not in told
    assert "LAB_TEST_MQTT" in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[broker]\nurll = 'x'", "broker.urll"),
        ("[broker]\nurl = 'http://x'", "mqtts://HOST"),
        ("[broker]\nurl = 'mqtt://a/b'", "mqtts://HOST"),
        ("[broker]\nurl = 'mqtt://a'\nlisten = '0.0.0.0'", "not both"),
        ("[broker]\nurl = 'mqtt://a:99999'", "broker.url"),
        ("[broker]\ncertificate = 'x'", "belong together"),
        ("[broker]\npassword = { env = 'A' }", "needs a user"),
        ("[broker]\nuser = 'a'\npassword = { }", "either env or file"),
        ("[broker]\nlisten = '0.0.0.0'\nplain = false", "needs certificate"),
        ("[wifi]\nssid = ''", "wifi.ssid"),
        ("[wifi]\ninterface = 'wl an0'", "wifi.interface"),
        ("[edge]\nhost = 'a b'", "edge.host"),
        ("[testbeds.esp33]\nport = 'x'", "unknown testbed 'esp33'"),
        ("[testbeds.esp32]\nprot = 'x'", "testbeds.esp32.prot"),
        ("[testbeds.esp32]\nflash_timeout_s = 0", "flash_timeout_s"),
        ("[probe]\nkind = 'volt'", "probe.kind"),
        ("[broker\n", "not valid TOML"),
    ],
)
def test_what_is_wrong_is_one_line_with_file_and_cure(tmp_path: Path, text: str, told: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(BenchError) as error:
        labfile.load(path)
    assert told in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    assert error.value.cure


@pytest.mark.parametrize(
    "text",
    [
        "[broker]\nuser = 'a'\npassword = 'hush'",
        "[wifi]\npassword = 'hush'",
        "[broker]\nurl = 'mqtt://u:hush@a'",
        "[testbeds.esp32]\nwifi = { ssid = 'a', password = 'hush' }",
    ],
)
def test_a_secret_in_the_file_is_refused_and_not_repeated(tmp_path: Path, text: str) -> None:
    with pytest.raises(BenchError) as error:
        labfile.load(write(tmp_path, text))
    assert "hush" not in str(error.value)


def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    key = tmp_path / "k"
    setup = labfile.load(write(tmp_path, "[wifi]\npassword = { file = 'k' }"))
    pointer = setup.wifi("esp32").password
    assert pointer is not None
    with pytest.raises(BenchError, match="can't be read"):
        pointer.read()
    key.write_text("hush")
    key.chmod(0o640)
    with pytest.raises(BenchError, match="chmod 600") as error:
        pointer.read()
    assert "hush" not in str(error.value)
    key.chmod(0o600)
    assert pointer.read() == "hush"
    for content in (b"", b"\n", b"\xff\xfe", b"x" * 5000):
        key.write_bytes(content)
        with pytest.raises(BenchError):
            pointer.read()


def test_a_variable_that_is_not_set_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAB_TEST_NONE", raising=False)
    setup = labfile.load(write(tmp_path, "[wifi]\npassword = { env = 'LAB_TEST_NONE' }"))
    with pytest.raises(BenchError, match="LAB_TEST_NONE is not set"):
        setup.wifi("esp32").password.read()  # type: ignore[union-attr]


def test_which_file_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(labfile.VARIABLE, raising=False)
    assert labfile.load() is labfile.EMPTY
    assert labfile.EMPTY.facts() is None
    write(tmp_path, "[wifi]\nssid = 'here'")
    assert labfile.load().wifi("esp32").ssid == "here"
    other = tmp_path / "other.toml"
    other.write_text("[wifi]\nssid = 'there'")
    monkeypatch.setenv(labfile.VARIABLE, str(other))
    assert labfile.load().wifi("esp32").ssid == "there"
    monkeypatch.setenv(labfile.VARIABLE, str(tmp_path / "none.toml"))
    with pytest.raises(BenchError, match="does not exist"):
        labfile.load()


def test_a_testbed_without_a_cable_refuses_to_be_attached(local_artefact: object) -> None:
    testbed = StandInTestbed(local_artefact)  # type: ignore[arg-type]
    testbed.attach(Attachment())
    with pytest.raises(BenchError, match=r"remove \[testbeds.stand_in\]"):
        testbed.attach(Attachment(port="/dev/ttyUSB0"))


def test_what_the_page_shows_is_taken() -> None:
    page = (Path(labfile.__file__).parents[2] / "docs" / "lab.md").read_text(encoding="utf-8")
    shown = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert len(shown) >= 2
    for text in shown:
        labfile.LabFile.model_validate(tomllib.loads(text), context={"folder": Path("docs")})
