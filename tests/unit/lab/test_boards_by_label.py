"""Several boards of one kind in a lab file, and the choice of one by its label."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.commands import doctor, sweep_options
from harness.contracts.errors import BenchError
from harness.device.boardlog import Logs
from harness.host import cli
from harness.lab import labfile

FILE = """
[testbeds.esp32]
flash_timeout_s = 30
wifi = { ssid = "all" }

[boards.left]
testbed = "esp32"
usb_serial = "0001"

[boards.right]
testbed = "esp32"
port = "rfc2217://shelf.lab:4000"
wifi = { ssid = "right" }

[boards.disco]
testbed = "stm32f746"
usb_serial = "0670FF"
"""


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "lab.toml"
    path.write_text(FILE)
    monkeypatch.setenv(labfile.VARIABLE, str(path))
    return path


def test_the_board_asked_for_is_taken_with_what_all_have_in_common(lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(labfile.BOARD_VARIABLE, "left")
    left = labfile.load()
    assert (left.testbed("esp32").usb_serial, left.testbed("esp32").port) == ("0001", None)
    assert (left.testbed("esp32").flash_timeout_s, left.wifi("esp32").ssid) == (30, "all")
    monkeypatch.setenv(labfile.BOARD_VARIABLE, "right")
    right = labfile.load()
    assert (right.testbed("esp32").port, right.wifi("esp32").ssid) == ("rfc2217://shelf.lab:4000", "right")
    made = right.factory("esp32")()
    assert made.description.extra["board"] == "right"  # in the manifest: another board can't go on with its run
    assert made.identity == "esp32 rfc2217://shelf.lab:4000"
    assert Logs().of(made).name == "right"


def test_several_boards_want_a_choice_and_a_single_one_does_not(lab: Path) -> None:
    setup = labfile.load()
    with pytest.raises(BenchError, match=r"has several boards in lab\.toml: left, right: choose one by --board"):
        setup.factory("esp32")
    assert setup.testbed("stm32f746").usb_serial == "0670FF"
    assert setup.factory("stm32f746")().description.extra["board"] == "disco"
    assert "board" not in setup.factory("virtual")().description.extra


def test_a_testbed_that_is_a_board_itself_is_taken_without_a_choice(tmp_path: Path) -> None:
    path = tmp_path / "lab.toml"
    path.write_text(FILE.replace("flash_timeout_s = 30", "port = '/dev/ttyUSB7'"))
    setup = labfile.load(path)
    assert setup.testbed("esp32").port == "/dev/ttyUSB7"
    assert setup.label("esp32") is None


def test_a_board_with_a_place_of_its_own_does_not_inherit_another_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "lab.toml"
    path.write_text(FILE.replace("flash_timeout_s = 30", "port = '/dev/ttyUSB7'"))
    monkeypatch.setenv(labfile.BOARD_VARIABLE, "left")
    assert labfile.load(path).testbed("esp32").port is None


def test_the_testbed_follows_from_the_board(lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert labfile.testbed_of(None) == "virtual"
    assert labfile.testbed_of("native") == "native"
    monkeypatch.setenv(labfile.BOARD_VARIABLE, "right")
    assert labfile.testbed_of(None) == "esp32"
    assert labfile.testbed_of("esp32") == "esp32"
    for other in ("virtual", "esp32,native"):
        with pytest.raises(BenchError, match="board right is of testbed esp32"):
            labfile.testbed_of(other)
    monkeypatch.setenv(labfile.BOARD_VARIABLE, "middle")
    with pytest.raises(BenchError, match=r"has no board 'middle': choose from left, right, disco"):
        labfile.testbed_of(None)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[boards.left]\nusb_serial = 'x'", "boards.left.testbed: is missing"),
        ("[boards.left]\ntestbed = 'esp23'", "boards.left.testbed: unknown testbed 'esp23'"),
        ("[boards.'a b']\ntestbed = 'esp32'", "a b"),
        ("[boards.left]\ntestbed = 'esp32'\nport = 'a'\nplace = 'b'", "either port or place"),
    ],
)
def test_what_is_wrong_with_a_board_is_one_line(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "lab.toml"
    path.write_text(text)
    with pytest.raises(BenchError) as error:
        labfile.load(path)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_the_option_is_what_child_processes_inherit(
    lab: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(labfile.BOARD_VARIABLE, "")  # so that it is put back afterwards
    options = sweep_options.parser(None).parse_args(["bandwidth", "--rates", "1M", "--board", "right"])
    assert options.testbed is None
    assert labfile.testbed_of(options.testbed) == "esp32"
    assert cli.way_in(doctor.main, ["--board", "left", "--testbed", "virtual"]) == 2
    assert "board left is of testbed esp32, not virtual" in capsys.readouterr().err
