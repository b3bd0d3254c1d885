"""Boards on other machines: network ports, labgrid places, and several testbeds in one sweep."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.artefacts.artefacts import Artefact
from harness.broker import given as given_broker
from harness.broker.given import GivenBroker
from harness.broker.managed import find_mosquitto
from harness.broker.mqtt import BrokerAddress
from harness.broker.roles import ROLES, Account
from harness.commands.sweep import main as sweep_main
from harness.contracts.attachment import Attachment
from harness.contracts.errors import BenchError
from harness.device.device import Device, DeviceError, Patience
from harness.device.stand_in import StandInDevice, StandInTestbed
from harness.lab import labfile
from harness.lab import labgrid as places
from harness.measure import axes
from harness.sweep import several_testbeds as several
from testbeds.stm32f746 import Stm32F746Testbed

from ...support.serial_server import LinelessPort, SerialServer
from .pty_device import PtyDevice

pytestmark = pytest.mark.slow


@pytest.fixture
def board(remote_artefact: Artefact) -> Iterator[PtyDevice]:
    with PtyDevice(StandInDevice(remote_artefact, StandInTestbed(remote_artefact).link)) as served:
        yield served


@pytest.mark.parametrize("kind", ["rfc2217", "socket"])
def test_a_board_behind_the_network_answers_like_one_on_usb(
    kind: Any, board: PtyDevice, remote_artefact: Artefact
) -> None:
    with LinelessPort(board.path, 115_200) as port, SerialServer(port, kind) as server:
        bed = Stm32F746Testbed()
        bed.attach(Attachment(port=server.url))
        bed.check()
        assert bed.identity == f"stm32f746 {server.url}"
        device = Device(bed.open(), patience=Patience(timeout_s=0.3, attempts=8, hello_s=0.5))
        assert device.hello().weights == remote_artefact.u32
        image = bytes(range(48))
        device.load(image)
        assert bytes(board.device._image) == image
        assert device.retries == 0
        server.drop()
        with pytest.raises(DeviceError):
            for _ in range(50):
                device.stats()
        bed.close()
        again = Device(bed.open())
        assert again.hello().weights == remote_artefact.u32
        bed.close()


def test_no_server_there_is_one_line() -> None:
    for url in ("rfc2217://127.0.0.1:1", "socket://127.0.0.1:1", "nonsense://x"):
        bed = Stm32F746Testbed()
        bed.attach(Attachment(port=url))
        with pytest.raises(BenchError, match="can't be opened"):
            bed.open()


LABGRID = """
import json, os, sys
state_path = os.environ["LABGRID_STATE"]
state = json.load(open(state_path))
place, command = sys.argv[2:4]
state["log"].append(command)
json.dump(state, open(state_path, "w"))
def fail(text):
    sys.stderr.write(f"labgrid-client: Error: {text}\\n")
    sys.exit(1)
if place not in state["places"]:
    fail(f"place pattern {place} matches nothing")
mine = state["places"][place]
if command == "acquire":
    if mine["by"] == "me":
        fail(f"You have already acquired place {place}.")
    if mine["by"]:
        fail(f"Place {place} is already acquired by {mine['by']}")
    mine["by"] = "me"
elif command == "release":
    mine["by"] = ""
else:
    print(f"Place '{place}':\\n  matches:\\n    */lab1/*\\n  acquired: vm/root")
    print(f"Acquired resource 'x' (shelf/lab1/{mine['cls']}/x):\\n  {{'acquired': '{place}',\\n   'avail': True,")
    print(f"   'cls': '{mine['cls']}',\\n   'params': {mine['params']}}}")
json.dump(state, open(state_path, "w"))
"""


@pytest.fixture
def labgrid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], dict[str, Any]]:
    """A stand-in of labgrid-client; the state of its coordinator."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "labgrid-client"
    program.write_text(f"#!{sys.executable}\n{LABGRID}")
    program.chmod(0o755)
    network = {"extra": {"proxy": "localhost", "proxy_required": False}, "host": "shelf.lab", "port": 4000}
    state = tmp_path / "labgrid.json"
    free = {"by": "", "cls": "NetworkSerialPort", "params": network}
    places_ = {"esp": free, "raw": free | {"params": {**network, "protocol": "raw"}}, "busy": free | {"by": "vm/eve"}}
    places_ |= {"mine": free | {"by": "me"}, "power": free | {"cls": "NetworkPowerPort"}}
    places_ |= {"evil": free | {"params": {"host": "a b", "port": "x"}}}
    state.write_text(json.dumps({"places": places_, "log": []}))
    monkeypatch.setenv("LABGRID_STATE", str(state))
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("AGILENN_CACHE_DIR", str(tmp_path / "cache"))

    def read() -> dict[str, Any]:
        found: dict[str, Any] = json.loads(state.read_text())
        return found

    return read


def test_a_place_is_acquired_used_and_released(labgrid: Callable[[], dict[str, Any]]) -> None:
    with places.acquired("esp") as url:
        assert url == "rfc2217://shelf.lab:4000"
        assert labgrid()["places"]["esp"]["by"] == "me"
    assert labgrid()["places"]["esp"]["by"] == ""
    with places.acquired("raw") as url:
        assert url == "socket://shelf.lab:4000"
    with places.acquired("mine") as url:
        assert url == "rfc2217://shelf.lab:4000"
    assert labgrid()["places"]["mine"]["by"] == "me"  # it was acquired by hand


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("busy", "already acquired by vm/eve"),
        ("none", "matches nothing"),
        ("power", "no serial"),
        ("evil", "no serial"),
    ],
)
def test_a_place_that_can_not_be_had_is_one_line(labgrid: Callable[[], Any], place: str, told: str) -> None:
    with pytest.raises(BenchError, match=told) as error, places.acquired(place):
        pass
    assert "\n" not in str(error.value)
    assert labgrid()["places"].get(place, {}).get("by") != "me"


@pytest.mark.parametrize("text", ["", "{", "{'cls': ", "{'cls': 'NetworkSerialPort'}", "{[}]", "{'a': {}}" * 50])
def test_what_shows_no_port_is_refused(text: str) -> None:
    with pytest.raises(BenchError, match="no serial port"):
        places.port_url(text, "x")


def test_a_testbed_gets_its_port_from_its_place(labgrid: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "_held", {})
    at_exit: list[Callable[[], None]] = []
    monkeypatch.setattr(places.atexit, "register", at_exit.append)
    file = labfile.LabFile.model_validate({"testbeds": {"stm32f746": {"place": "esp"}}})
    make = labfile.LabSetup(file).factory("stm32f746")
    assert make().identity == make().identity == "stm32f746 rfc2217://shelf.lab:4000"
    assert labgrid()["log"] == ["acquire", "show"]  # once
    at_exit[0]()
    assert labgrid()["places"]["esp"]["by"] == ""


def test_without_labgrid_the_cure_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BenchError, match="pip install labgrid"), places.acquired("x"):
        pass


CHILD = """
import json, os, sys
from pathlib import Path
argv = sys.argv[3:]
name = argv[argv.index("--testbed") + 1]
out = Path(argv[argv.index("--out" if "--out" in argv else "--resume") + 1])
if name == "esp32":
    print("error: testbed esp32: no board found on USB", file=sys.stderr)
    sys.exit(2)
(out / "tables").mkdir(parents=True, exist_ok=True)
(out / "manifest.json").write_text("{}")
from harness.broker import given as given_broker
from harness.broker.given import GivenBroker
from harness.broker.mqtt import BrokerAddress
from harness.broker.roles import ROLES, Account
given_broker.try_connect(given_broker.shared().address)
ms = 10.0 if name == "virtual" else 1.5
head = "scheme,axis,value,n,failed,total_ms,total_ms_low,total_ms_high,time_source"
rows = [f"near,bandwidth,{v},5,0,{ms},{ms - 0.5},{ms + 0.5},modelled" for v in (1e6, 6e6)]
(out / "tables" / "bandwidth.csv").write_text("\\n".join([head, *rows]) + "\\n")
(out / "argv.json").write_text(json.dumps(argv))
print("measured")
"""


@pytest.fixture
def children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of single testbeds that only write their tables."""
    if not find_mosquitto():
        pytest.skip("no mosquitto here")
    program = tmp_path / "python"
    program.write_text(f"#!{sys.executable}\nimport sys\nsys.path[:0] = {sys.path!r}\n{CHILD}")
    program.chmod(0o755)
    monkeypatch.setattr(several, "sys", type("Sys", (), {"executable": str(program)}))


@pytest.mark.usefixtures("children")
def test_several_testbeds_share_a_broker_and_a_table(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    argv = ["bandwidth", "--testbed", "virtual,native", "--rates", "1M,6M", f"--out={out}"]
    assert sweep_main(argv) == 0
    rows = (out / "tables" / "bandwidth.csv").read_text().splitlines()
    assert rows[0].startswith("testbed,scheme,")
    assert [row.split(",")[0] for row in rows[1:]] == ["virtual"] * 2 + ["native"] * 2
    table = (out / "tables" / "bandwidth.md").read_text()
    assert "10.0 [9.5, 10.5]" in table
    assert "1.5 [1.0, 2.0]" in table
    child = json.loads((out / "native" / "argv.json").read_text())
    assert child == ["bandwidth", "--rates", "1M,6M", "--testbed", "native", "--out", str(out / "native")]
    said = "".join(capfd.readouterr())
    assert "virtual: measured" in said
    assert sweep_main(["--resume", str(out)]) == 0  # which knows the rest
    assert "--resume" in json.loads((out / "native" / "argv.json").read_text())


@pytest.mark.usefixtures("children")
def test_one_testbed_that_fails_leaves_the_others(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert sweep_main(["bandwidth", "--testbed", "native,esp32", "--out", str(out)]) == 2
    assert json.loads((out / several.SEVERAL).read_text())["testbeds"] == {"native": 0, "esp32": 2}
    assert "esp32: error: testbed esp32" in "".join(capfd.readouterr())
    assert "esp32" not in (out / "tables" / "bandwidth.csv").read_text()
    with pytest.raises(BenchError, match="unknown testbed 'moon'"):
        sweep_main(["bandwidth", "--testbed", "native,moon", "--out", str(tmp_path / "x")])
    with pytest.raises(BenchError, match="holds no run"):
        sweep_main(["bandwidth", "--testbed", "native,esp32", "--resume", str(tmp_path)])


def test_a_missing_value_is_a_dash() -> None:
    row = {"testbed": "a", "scheme": "s", "value": "1e6", "n": "0", "total_ms": "", "time_source": ""}
    assert "–" in several.markdown([row], axes.axis("bandwidth"))


def test_no_shared_broker_unless_a_parent_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(given_broker.SHARED, raising=False)
    assert given_broker.shared() is None
    accounts = {role: Account(role, f"word-{role}") for role in ROLES}
    parent = GivenBroker(BrokerAddress("127.0.0.1", 5).known_as(accounts["bench"]), accounts)
    for name, value in given_broker.environment(parent).items():
        monkeypatch.setenv(name, value)
    found = given_broker.shared()
    assert found is not None
    assert [found.entered_by(role) for role in ROLES] == [parent.entered_by(role) for role in ROLES]
    assert len({found.entered_by(role).password for role in ROLES}) == len(ROLES)
