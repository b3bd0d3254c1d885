"""Provides the emulated board as a testbed."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import serial

from harness.contracts.clock import Clock
from harness.contracts.errors import BenchError, SampleFailed
from harness.contracts.link import Link, LinkSpec
from harness.contracts.probe import PowerTimeline
from harness.contracts.testbed import Crash, SampleLog, SerialPort, Testbed, TestbedDescription
from harness.contracts.toml import read_toml
from testbeds.benchfile import heeds_flow
from testbeds.firmware.toolchain.clocks import STM32F746_CLOCKS_HZ
from testbeds.virtual.bench import VirtualBench
from testbeds.virtual.client import Emulator
from testbeds.virtual.power_log import sample_timeline
from testbeds.watched import WatchedPort

BENCH = Path(__file__).with_name("bench.toml")
POLL_S = 0.5  # how often a silent board is asked for a fault


class VirtualClock(Clock):
    """Tells the board's own time."""

    kind: Literal["virtual", "host"] = "virtual"

    def __init__(self, testbed: VirtualTestbed) -> None:
        self._testbed = testbed

    def now_ms(self) -> float:
        return float(self._testbed.emulator.ask("status")["now_ms"])


class VirtualLinkControl(Link):
    """Controls the emulated board's link, which is kept for a board that is flashed again."""

    modelled = True

    def __init__(self, testbed: VirtualTestbed) -> None:
        self._testbed = testbed
        self.spec: LinkSpec | None = None

    def apply(self, spec: LinkSpec) -> None:
        self._set(spec)

    def clear(self) -> None:
        self._set(None)

    def _set(self, spec: LinkSpec | None) -> None:
        self.spec = spec
        if self._testbed.running:
            self._testbed.emulator.ask("link", spec=None if spec is None else spec.model_dump(mode="json"))

    def read_back(self) -> LinkSpec | None:
        if not self._testbed.running:
            return self.spec
        spec = self._testbed.emulator.ask("log")["log"]["link"]
        return None if spec is None else LinkSpec.model_validate(spec)


class ConsolePort(WatchedPort):
    """Wraps the board's console: a pyserial port that tells of a fault or a dead emulator instead of staying silent."""

    def __init__(self, emulator: Emulator, baud: int) -> None:
        self._emulator = emulator
        self._checked = time.monotonic()
        super().__init__(emulator.pty, baud, self._check_alive)

    def _check_alive(self) -> None:
        self._emulator.check()
        if time.monotonic() - self._checked < POLL_S:
            return
        self._checked = time.monotonic()
        if fault := self._emulator.ask("status")["fault"]:
            raise SampleFailed(f"the firmware faulted: {_in_one_line(fault)}")

    def write(self, data: bytes) -> int | None:
        self._checked = time.monotonic()
        return super().write(data)


def _in_one_line(fault: Sequence[str]) -> str:
    """Return what a fault was, and where, in one line; the registers are the lines that follow."""
    return " ".join(line.strip() for line in fault[:2])


class VirtualTestbed(Testbed):
    """Runs an STM32F746 in Unicorn with a cycle model, an ESP-AT module and a virtual link; one process a board."""

    name = "virtual"

    def __init__(self, *, fills: bool = True, write_bytes: int | None = None) -> None:
        bench = read_toml(BENCH, VirtualBench)
        if write_bytes is not None:  # replaces the bench file's for the module's MQTT client
            bench = bench.model_copy(update={"module": bench.module.model_copy(update={"write_bytes": write_bytes})})
        self._bench = bench
        self._options = () if fills else ("--no-fills",)
        self.description = TestbedDescription(
            name=self.name,
            title=bench.title,
            target=bench.target,
            clock_hz=bench.clock_hz,
            ram_bytes=bench.ram_bytes,
            flash_bytes=bench.flash_bytes,
            console_baud=bench.console_baud,
            module_baud=bench.module_baud,
            time_source=bench.time_source,
            module_flow_control=heeds_flow(bench.module_flow_control, bench.module_baud),
            remarks=bench.remarks,
            limits=dict(bench.limits),
            extra={"module": bench.module.model_dump(), "retransmission": bench.retransmission.model_dump()},
        )
        self.clock = VirtualClock(self)
        self.link: VirtualLinkControl = VirtualLinkControl(self)
        self._emulator: Emulator | None = None
        self._image: Path | None = None
        self._port: ConsolePort | None = None

    @property
    def running(self) -> bool:
        return self._emulator is not None and self._emulator.alive

    @property
    def emulator(self) -> Emulator:
        if self._emulator is None:
            raise BenchError("the emulated board has no image yet", cure="flash one first")
        return self._emulator

    @property
    def clocks_hz(self) -> tuple[int, ...]:
        return STM32F746_CLOCKS_HZ

    @property
    def pins_remote(self) -> bool:
        return True

    def check(self) -> None:
        """Do nothing, because an emulated board is always there."""

    def flash(self, image: Path) -> None:
        if self.running and self._image == image:
            return
        self.close()
        self._emulator = Emulator(image, self._options, self._bench.watchdog.command_s)
        self._image = image
        self._emulator.ask("watchdog_s", value=self._bench.watchdog.reply_s)
        self._emulator.ask("module", write_bytes=self._bench.module.write_bytes)
        if self.link.spec is not None:
            self.link.apply(self.link.spec)

    def reset(self) -> None:
        """Restart the firmware; where the emulator's process is gone, start another."""
        if self._image is not None and not self.running:
            self.flash(self._image)
        else:
            self.emulator.ask("reset")

    def kill(self) -> None:
        """Kill the emulator (SIGKILL) and leave it at that, as a host without memory does."""
        os.kill(self.emulator.pid, signal.SIGKILL)

    def open(self) -> SerialPort:
        if self._port is not None:
            self._port.close()
        try:
            self._port = ConsolePort(self.emulator, self.description.console_baud)
        except serial.SerialException as e:
            raise BenchError(f"the emulated board's console can't be opened ({e})", cure="start it again") from e
        return self._port

    def ready(self) -> None:
        """Take the snapshot that every sample starts from."""
        self.emulator.ask("snapshot")

    @property
    def restores(self) -> bool:
        return True

    def before_sample(self, seed: int, remote_ms: float | None) -> None:
        """Go back to the snapshot. `seed` decides jitter and losses of the link, and nothing else."""
        self.emulator.ask("remote_ms", value=remote_ms)
        self.emulator.ask("seed", value=seed)
        self.emulator.ask("restore")

    def status(self) -> dict[str, Any]:
        """Return the emulator's own account: fault, time, registers touched that are not modelled."""
        return self.emulator.ask("status")

    def crash(self) -> Crash | None:
        fault = self.status()["fault"] if self.running else None
        return None if not fault else Crash(_in_one_line(fault), fault[2:])

    def module_lines(self) -> Sequence[str]:
        lines: list[str] = self.emulator.ask("dialogue")["lines"] if self.running else []
        return lines

    def sample_log(self) -> SampleLog:
        return to_sample_log(self.emulator.ask("log")["log"])

    def power_timeline(self, log: SampleLog, link: LinkSpec) -> PowerTimeline:
        clock_hz = log.extra.get("clock_hz")
        if clock_hz is None:
            raise BenchError("the board's log does not tell its clock", cure="take the sample again")
        return sample_timeline(log, clock_mhz=clock_hz / 1e6, link=link)

    def close(self) -> None:
        if self._port is not None:
            with contextlib.suppress(OSError, serial.SerialException):
                self._port.close()
            self._port = None
        if self._emulator is not None:
            self._emulator.close()
            self._emulator = None


def to_sample_log(log: dict[str, Any]) -> SampleLog:
    """Return the emulator's log as the harness keeps it. What did not happen (no message up or down) is None, not 0."""
    messages = log["wifi"]["messages"]
    up = [m for m in messages if m["way"] == "up"]
    down = [m for m in messages if m["way"] == "down"]
    wifi, timing = log["wifi"], log["wifi"]["timing"]
    commands = 1 if up else 0
    module_ms = commands * timing["command_us"] + len(up) * timing["publish_us"] + len(down) * timing["receive_us"]
    return SampleLog(
        mqtt_up_bytes=_total(up, "mqtt_bytes"),
        mqtt_down_bytes=_total(down, "mqtt_bytes"),
        wire_up_bytes=_total(up, "wire_bytes"),
        wire_down_bytes=_total(down, "wire_bytes"),
        link_up_ms=_total(up, "link_ms"),
        link_down_ms=_total(down, "link_ms"),
        serial_up_bytes=wifi["serial_up_bytes"] if up else None,
        serial_down_bytes=wifi["serial_down_bytes"] if up else None,
        serial_up_ms=wifi["serial_up_ms"] if up else None,
        serial_down_ms=wifi["serial_down_ms"] if up else None,
        module_ms=module_ms / 1e3 if up else None,
        remote_ms=log["remote_ms"] if down else None,
        repeated_segments=_total(messages, "repeated_segments") if up else None,
        markers_ms=log["stages_ms"],
        extra={k: log[k] for k in ("markers", "counters", "overruns", "clock_hz")}
        | {"messages": messages, "failure": wifi["failure"]},
    )


def _total(messages: list[dict[str, Any]], key: str) -> Any:
    return sum(m[key] for m in messages) if messages else None
