"""Every fault in its short form: recovered or clearly failed, never a hang, never a wrong number."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from harness.broker.managed import find_mosquitto
from harness.commands import faults as way
from harness.contracts.errors import BenchError
from harness.device import bringup
from harness.device.device import Patience
from harness.faults import catalogue
from harness.faults.catalogue import FAULTS
from harness.faults.module import MODULE_FAULTS
from harness.faults.noise import NoisyPort
from harness.faults.outcome import Outcome
from harness.faults.processes import MORE

pytestmark = pytest.mark.slow

HANG_S = 600.0  # far beyond what any of them takes: only against hanging


@pytest.fixture(autouse=True)
def _own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGILENN_LOCK_DIR", str(tmp_path / "locks"))


def _put_in(name: str, short: bool) -> Outcome:
    """In a thread of its own, so that a hang is a failure and not the end of the session."""
    found: list[Outcome | BaseException] = []

    def body() -> None:
        try:
            found.append(catalogue.put_in(name, short=short))
        except BaseException as e:
            found.append(e)

    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    thread.join(HANG_S)
    assert found, f"{name} hangs"
    if isinstance(found[0], BaseException):
        raise found[0]
    return found[0]


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_ends_in_a_recovered_or_clearly_failed_sample(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bringup, "BOARD", Patience(infer_s=3.0))
    found = _put_in(name, short=True)
    assert found.wrong == 0, found
    assert found.ended, found
    assert "\n" not in found.told
    if name in ("board_reset", "wifi_drop", "broker_restart", "device_vanishes", *MODULE_FAULTS, *MORE):
        assert found.again >= 1, found
        assert found.failed == 0, found
        assert "comes back" in found.ended
    if name == "edge_killed":
        assert "the edge server was killed by SIGKILL" in found.told
        assert found.ok >= 1
    if name == "broker_restart" and not find_mosquitto():
        pytest.skip("amqtt: no mosquitto here")


def test_a_board_that_stays_away_ends_the_run_with_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bringup, "MOST_FAILURES", 2)

    def cut(scene: catalogue.Scene) -> None:
        scene.proxy.cut()

    with catalogue.Scene(delay_ms=50) as scene:
        rows, end = scene.measure(6, catalogue.At(1, lambda: cut(scene), 0.02))
        assert isinstance(end, BenchError)
        assert "could not associate" in str(end)
        assert rows[0]["status"] == "ok"
        assert scene.wrong(rows) == 0


def test_wrong_rows_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The count that every fault is judged by can find something."""
    scene = catalogue.Scene()
    scene.right = [1, 2]
    times = {f"{s}_ms": 1.0 for s in ("local", "encode", "network", "remote", "combine")}
    right = {"status": "ok", "predicted": 1, "image": 0, "total_ms": 5.0, "error": None} | times
    failed = {"status": "failed", "predicted": None, "image": 1, "total_ms": None, "error": "x"}
    assert scene.wrong([right, failed]) == 0
    assert scene.wrong([right | {"predicted": 2}]) == 1
    assert scene.wrong([right | {"total_ms": 9.0}]) == 1
    assert scene.wrong([failed | {"total_ms": 1.0}]) == 1
    assert scene.wrong([failed | {"error": None}]) == 1


def test_noise_is_as_asked_for_and_by_seed() -> None:
    class Loop:
        timeout: float | None = None

        def __init__(self) -> None:
            self.data = b""

        def read(self, size: int = 1) -> bytes:
            out, self.data = self.data[:size], self.data[size:]
            return out

        def write(self, data: bytes) -> int:
            self.data += data
            return len(data)

        def reset_input_buffer(self) -> None:
            self.data = b""

        def close(self) -> None:
            pass

    def through(share: float) -> tuple[bytes, int]:
        port = NoisyPort(Loop(), share, 3)
        port.write(bytes(50_000))
        return port.read(50_000), port.damaged_bytes

    assert through(0.0) == (bytes(50_000), 0)
    once, damaged = through(1e-3)
    assert 60 < damaged < 150  # 50,000 bytes twice
    assert through(1e-3) == (once, damaged)


def test_the_table_goes_into_a_document(tmp_path: Path) -> None:
    path = tmp_path / "x.md"
    path.write_text(f"a\n{way._BEGIN}\nold\n{way._END}\nb\n")
    way.write(path, [Outcome("f", "p", 1, 2, 0, "fine", "a|b", 1.5)])
    text = path.read_text()
    assert "old" not in text
    way.write(path, [Outcome("g", "p", 1, 2, 0, "fine"), Outcome("f", "p", 7, 2, 0, "better")])
    text = path.read_text()
    assert (text.count("fine"), text.count("better"), "a/b" in text) == (1, 1, False)
    way.write(path, [Outcome("f", "p", 1, 2, 0, "fine", "a|b", 1.5)])
    text = path.read_text()
    assert "a/b" in text
    assert text.startswith("a\n") and text.endswith("\nb\n")
    path.write_text("nothing")
    with pytest.raises(BenchError, match="no place"):
        way.write(path, [])
    with pytest.raises(BenchError, match="unknown fault"):
        way.main(["--only", "x"])


@pytest.mark.soak
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_in_full(name: str) -> None:
    found = _put_in(name, short=False)
    assert found.good, found
