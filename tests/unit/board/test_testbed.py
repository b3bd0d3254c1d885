"""The emulated board as a process: samples that repeat exactly, failures that say what failed, and an orderly end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from harness.broker import managed as broker
from harness.contracts.errors import BenchError, SampleFailed
from harness.contracts.link import Direction, LinkSpec
from harness.contracts.testbed import SampleLog
from testbeds.espat.mqtt import publish_bytes
from testbeds.virtual.client import Emulator
from testbeds.virtual.testbed import ConsolePort, VirtualTestbed

pytestmark = pytest.mark.slow

Firmware = Callable[[str], Path]
CLOCK_HZ = 216_000_000


class Edge:
    """Answers every message on agile/t/0/up with four bytes, after a pause in host time."""

    def __init__(self, to: broker.Address) -> None:
        self.pause_s = 0.0
        self.silent = False
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, "edge")
        self.client.on_message = self._answer
        if to.user:
            self.client.username_pw_set(to.user, to.password)
        self.client.connect(to.host, to.port)
        self.client.subscribe("agile/t/0/up")
        self.client.loop_start()

    def _answer(self, client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        time.sleep(self.pause_s)
        if not self.silent:
            client.publish("agile/t/0/down", bytes(message.payload[:1]) * 4)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def ask(port: ConsolePort, frame: bytes, seconds: float = 20.0) -> bytes:
    port.write(frame + b"\0")
    port.timeout = 0.2
    out, deadline = b"", time.monotonic() + seconds
    while not out.endswith(b"\0"):
        assert time.monotonic() < deadline, f"no answer to {frame[:20]!r}: {out!r}"
        out += port.read(256)
    return out[:-1]


class Bench:
    """An associated board, its broker and its edge."""

    def __init__(self, testbed: VirtualTestbed, edge: Edge, own: broker.Broker) -> None:
        self.testbed, self.edge, self.broker = testbed, edge, own
        port = testbed.open()
        assert isinstance(port, ConsolePort)
        self.port = port

    def associate(self, noise: bytes = b"?") -> None:
        to = self.broker.entered_by("board")
        ask(self.port, noise)
        assert ask(self.port, f"P{to.port};{to.user};{to.password}".encode()) == b"0"
        self.testbed.ready()

    def sample(self, text: bytes = b"hello", remote_ms: float | None = 3.0) -> tuple[int, bytes]:
        """Cycles that the firmware waited, and the first byte of the answer."""
        self.testbed.before_sample(0, remote_ms)
        told = ask(self.port, b"G" + text)
        return int(told[:8], 16), told[8:]


@pytest.fixture
def lab(firmware: Firmware) -> Iterator[Bench]:
    with broker.running() as own, VirtualTestbed() as testbed:
        testbed.flash(firmware("wifi"))
        edge = Edge(own.entered_by("edge"))
        try:
            yield Bench(testbed, edge, own)
        finally:
            edge.close()


def test_a_sample_repeats_exactly_whatever_the_host_does(lab: Bench) -> None:
    lab.associate()
    with lab.testbed.link.applied(LinkSpec.symmetric(1e6, 2.0)):
        first = lab.sample()
        log = lab.testbed.sample_log()
        lab.edge.pause_s = 0.3  # the edge's own time is not charged: the pinned one is
        busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
        try:
            second = lab.sample()
        finally:
            for one in busy:
                one.kill()
                one.wait()
        lab.edge.pause_s = 0.0
        lab.sample(b"something else")
        third = lab.sample()
    assert first == second == third
    assert first[1] == b"h" and log.markers_ms.keys() == {"network"}
    assert _virtual(log) == _virtual(lab.testbed.sample_log())


def test_what_device_and_module_say_is_told_without_passwords_and_changes_nothing(lab: Bench) -> None:
    lab.associate()
    lines = lab.testbed.module_lines()
    password = lab.broker.entered_by("board").password
    assert password
    assert not any(password in line for line in lines)
    assert any(re.search(r'ms > AT\+MQTTUSERCFG=0,1,".*","\*\*\*"', line) for line in lines)
    assert any(line.endswith("ms < OK") for line in lines)
    assert lab.testbed.module_lines() == []
    with lab.testbed.link.applied(LinkSpec.symmetric(1e6, 2.0)):
        first = lab.sample()
        heard = lab.testbed.module_lines()
        assert any("bytes of payload)" in line for line in heard)
        assert any("+MQTTSUBRECV" in line for line in heard)
        assert lab.sample() == first  # asked or not


def _virtual(log: SampleLog) -> SampleLog:
    """The log without the one thing in it that is the host's."""
    for message in log.extra["messages"]:
        message.pop("remote_wall_ms", None)
    return log


def test_a_reset_board_associates_again_and_gives_the_same_sample(lab: Bench) -> None:
    with lab.testbed.link.applied(LinkSpec.symmetric(1e6, 2.0)):
        lab.associate()
        first = lab.sample()
        log = _virtual(lab.testbed.sample_log())
        lab.testbed.reset()
        lab.associate(noise=b"a bring-up that takes a little longer")
        assert lab.sample() == first
    again = _virtual(lab.testbed.sample_log())
    assert again.markers_ms == pytest.approx(log.markers_ms, abs=1e-9)


def test_the_network_stage_adds_up(lab: Bench) -> None:
    """Waiting = AT dialogue + serial both ways + module + link both ways + pinned remote, to a few microseconds."""
    lab.associate()
    spec = LinkSpec(up=Direction(rate_bps=270e3, delay_ms=1.0), down=Direction(rate_bps=2e6, delay_ms=4.0))
    with lab.testbed.link.applied(spec):
        cycles, _ = lab.sample(b"x" * 200, remote_ms=5.0)
    log = lab.testbed.sample_log()
    up, down = publish_bytes("agile/t/0/up", 200), publish_bytes("agile/t/0/down", 4)
    assert (log.mqtt_up_bytes, log.mqtt_down_bytes) == (up, down)
    assert (log.wire_up_bytes, log.wire_down_bytes) == (up + 66, down + 66)
    assert log.link_up_ms == pytest.approx((up + 66) * 8 / 270 + 1.0)
    assert log.link_down_ms == pytest.approx((down + 66) * 8 / 2000 + 4.0)
    command = len('AT+MQTTPUBRAW=0,"agile/t/0/up",200,0,0\r\n')
    assert log.serial_up_bytes == command + 200
    assert log.serial_up_ms == pytest.approx((command + 200) * 10 / 4000)
    # "+MQTTPUB:OK" comes while the message is on its way: it delays nothing. The rest is one after the other.
    after_the_air = len('+MQTTSUBRECV:0,"agile/t/0/down",4,hhhh\r\n') * 10 / 4000
    prompt = len("\r\nOK\r\n\r\n>\r\n") * 10 / 4000
    parts = log.serial_up_ms + prompt + after_the_air + log.module_ms + log.link_up_ms + log.link_down_ms + 5.0
    assert cycles * 1e3 / CLOCK_HZ == pytest.approx(parts, abs=0.02)
    assert log.remote_ms == 5.0 and log.markers_ms["network"] > parts


def test_without_a_pinned_time_the_edges_own_is_charged(lab: Bench) -> None:
    lab.associate()
    lab.edge.pause_s = 0.25
    cycles, _ = lab.sample(remote_ms=None)
    assert cycles * 1e3 / CLOCK_HZ > 250


def test_an_edge_that_stays_silent_fails_the_sample_and_the_next_one_is_right(lab: Bench) -> None:
    lab.associate()
    good = lab.sample()
    lab.edge.silent = True
    lab.testbed.emulator.ask("watchdog_s", value=0.5)
    assert lab.sample() == (0, b"?")
    assert "no reply from the edge within 0.5 s" in lab.testbed.sample_log().extra["failure"]
    lab.edge.silent = False
    lab.testbed.emulator.ask("watchdog_s", value=20)
    assert lab.sample() == good


def test_a_broker_that_dies_fails_the_sample_with_its_reason(firmware: Firmware) -> None:
    with VirtualTestbed() as testbed:
        testbed.flash(firmware("wifi"))
        with broker.running() as own:
            edge = Edge(own.entered_by("edge"))
            lab = Bench(testbed, edge, own)
            lab.associate()
            edge.close()
        cycles, mark = lab.sample()
        assert (cycles, mark) == (0, b"?")
        assert "broker" in testbed.sample_log().extra["failure"]


def test_no_broker_at_all(firmware: Firmware) -> None:
    with VirtualTestbed() as testbed:
        testbed.flash(firmware("wifi"))
        port = testbed.open()
        assert isinstance(port, ConsolePort)
        assert ask(port, b"P9;;") == b"4"  # the firmware's own word for AT+MQTTCONN refused


def test_a_fault_reaches_who_reads_the_console(firmware: Firmware) -> None:
    with VirtualTestbed() as testbed:
        testbed.flash(firmware("wifi"))
        port = testbed.open()
        port.write(b"X\0")
        port.timeout = 5
        with pytest.raises(SampleFailed, match=r"write at 0x60000000.*pc 0x080.* in test"):
            for _ in range(20):
                port.read(1)
        crash = testbed.crash()
        assert crash is not None
        assert "write at 0x60000000" in crash.what
        assert any("xpsr" in line for line in crash.details)
        testbed.reset()
        assert testbed.status()["fault"] is None
        assert testbed.crash() is None


def test_an_image_that_can_not_be_loaded_is_one_clear_error(tmp_path: Path) -> None:
    bad = tmp_path / "bad.elf"
    bad.write_bytes(b"\x7fELFgarbage")
    with VirtualTestbed() as testbed, pytest.raises(BenchError, match="damaged ELF"):
        testbed.flash(bad)


def test_jitter_and_losses_follow_the_seed_alone(lab: Bench) -> None:
    lab.associate()
    one = Direction(rate_bps=1e6, delay_ms=20.0, jitter_ms=5.0, loss=0.3)

    def cycles(seed: int) -> int:
        lab.testbed.before_sample(seed, 3.0)
        return int(ask(lab.port, b"Ghello")[:8], 16)

    with lab.testbed.link.applied(LinkSpec(up=one, down=one)):
        first = [cycles(seed) for seed in range(6)]
        again = [cycles(seed) for seed in reversed(range(6))]
        assert lab.testbed.link.read_back() == LinkSpec(up=one, down=one)
    assert first == again[::-1]
    assert len(set(first)) == 6
    lost = lab.testbed.sample_log()
    assert lost.repeated_segments is not None


def _gone(pid: int, seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_when_the_emulator_is_ended(firmware: Firmware, number: signal.Signals) -> None:
    emulator = Emulator(firmware("wifi"))
    pty = Path(emulator.pty)
    assert pty.exists()
    os.kill(emulator.pid, number)
    assert _gone(emulator.pid)
    with pytest.raises(SampleFailed, match=r"the emulator (has ended|ended with code 0|was killed)"):
        emulator.ask("status")
    emulator.close()
    emulator.close()


def test_the_emulator_ends_with_its_parent(firmware: Firmware) -> None:
    code = (
        "import os, sys, signal\nfrom pathlib import Path\nfrom testbeds.virtual.client import Emulator\n"
        "e = Emulator(Path(sys.argv[1]))\nprint(e.pid, flush=True)\nos.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(firmware("wifi"))],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=Path(__file__).parents[3],
    )
    assert _gone(int(done.stdout))


def test_run_by_hand_says_how_it_went(firmware: Firmware) -> None:
    command = [sys.executable, "-m", "testbeds.virtual", "run", str(firmware("gpio")), "--profile", "--mhz", "216"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0 and "virtual at 16 MHz" in done.stderr and "+-5 %" in done.stderr
    assert "the firmware set 16 MHz, not 216" in done.stderr and "hottest blocks" in done.stderr
    bad = subprocess.run([*command[:4], "none.elf"], capture_output=True, text=True, timeout=60, check=False)
    assert (
        bad.returncode == 2 and bad.stderr.startswith("error: none.elf can't be read") and "Traceback" not in bad.stderr
    )
