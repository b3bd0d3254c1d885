"""Lists the faults, each put into a scene of its own: `short` for every test run, in full for docs/faults.md."""

from __future__ import annotations

import contextlib
import itertools
import os
import struct
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from harness.artefacts.artefacts import Artefact
from harness.contracts import scratch
from harness.contracts.attachment import Attachment
from harness.contracts.clock import Clock, HostClock
from harness.contracts.errors import BenchError
from harness.contracts.link import LinkSpec
from harness.contracts.probe import PowerTimeline
from harness.device.bringup import Board
from harness.device.device import Device, Patience
from harness.device.messages import config_tlvs
from harness.device.stand_in import CLOCK_HZ, StandInDevice, StandInPort, StandInTestbed
from harness.doctor import board as doctor_board
from harness.doctor import clocks
from harness.faults.module import MODULE_FAULTS
from harness.faults.noise import NoisyPort
from harness.faults.outcome import Outcome, outcome_of
from harness.faults.processes import MORE
from harness.faults.scene import SCHEME, At, Scene
from harness.host import registry
from harness.lab import lab
from harness.measure.inference_energy import measure_with_energy
from harness.power.meter import ProbeMeter
from harness.power.ppk2 import Ppk2Options, Ppk2Probe
from harness.power.ppk2_words import RATE_HZ
from harness.power.sampling import MeasuredEnergy
from harness.power.standins.ppk2 import Ppk2Faults, StandinPpk2
from harness.runs.sample import Planned, Point

_QUICK = Patience(timeout_s=0.15, attempts=40, hello_s=0.15, hello_attempts=40, infer_s=0.4, infer_attempts=40)


def noise(short: bool) -> Outcome:
    """Damage 0.1 % of the serial line's bytes, both ways."""
    frames = 400 if short else 10_000
    with Scene() as scene:
        bed = scene.make()
        bed.flash(scene.firmware)
        bed.reset()
        port = NoisyPort(bed.open(), 1e-3, seed=1)
        device = Device(port, patience=_QUICK)
        try:
            device.hello()
            device.configure(_settings(scene, bed))
            device.connect()
            rounds = wrong = 0
            while port.frames < frames:
                image = rounds % len(scene.right)
                device.load(scene.images.picture(image).tobytes())
                result = device.infer(rounds % 0xFFFF + 1)
                wrong += result.status != "ok" or result.label != scene.right[image]
                rounds += 1
        finally:
            bed.close()
        put_in = f"{port.damaged_bytes} damaged bytes in {port.frames:,} frames"
        ended = f"no sample was lost: {device.retries} requests were repeated"
        return Outcome("0.1 % of serial bytes corrupted", put_in, rounds, 0, wrong, ended)


def board_reset(short: bool) -> Outcome:
    """Restart the board while it waits for a reply."""
    return _with_action("board reset in the middle of an inference", "reset pressed while a reply is awaited",
                        lambda scene: scene.board.press_reset(), short, delay_ms=300.0)  # fmt: skip


def wifi_drop(short: bool) -> Outcome:
    """Take the device's connection away for some seconds."""
    away_s = 1.0 if short else 5.0

    def drop(scene: Scene) -> None:
        scene.proxy.cut()
        threading.Timer(away_s, scene.proxy.mend).start()

    return _with_action("Wi-Fi drop", f"no way to the broker for {away_s:g} s", drop, short, delay_ms=100.0)


def broker_restart(short: bool) -> Outcome:
    """Kill a broker that the lab runs, and start it again."""
    away_s = 0.5 if short else 3.0

    def restart(scene: Scene) -> None:
        scene.broker.kill()
        threading.Event().wait(away_s)
        scene.broker.start()

    return _with_action(
        "broker killed and restarted", f"SIGKILL, back after {away_s:g} s", restart, short, delay_ms=100.0
    )


def edge_killed(short: bool) -> Outcome:
    """Kill the edge server."""
    return _with_action("edge server killed", "SIGKILL in the middle of a sample",
                        lambda scene: scene.edge.kill(), short, delay_ms=300.0)  # fmt: skip


def device_vanishes(short: bool) -> Outcome:
    """Make the serial device vanish under an open port."""
    return _with_action("serial device vanishing", "cable pulled in the middle of a sample, plugged in again",
                        lambda scene: scene.board.unplug(), short, delay_ms=300.0)  # fmt: skip


def probe_unplugged(short: bool) -> Outcome:
    """Pull the power probe's cable: latencies stay, energies are null."""
    samples = 4 if short else 12
    with Scene() as scene, lab.opened([]) as up:
        timeline = PowerTimeline(
            start_ms=np.array([0.0, 2.0, 12.0, 14.0, 60.0, 61.0]),
            current_a=np.array([0.21, 0.30, 0.31, 0.40, 0.30, 0.21]),
            markers=np.array([0b000, 0b001, 0b011, 0b010, 0b110, 0b000], dtype=np.uint8),
            end_ms=65.0,
            voltage_v=3.3,
            rail="stand-in",
        )
        each = round(65e-3 * RATE_HZ)
        unplug = round((samples // 2 + 0.5) * each)
        with StandinPpk2(faults=Ppk2Faults(unplug_after_words=unplug)) as standin:
            options = Ppk2Options(real_time=False, quiet_s=0.05, spike_filter=False)
            meter = _Played(ProbeMeter(Ppk2Probe(standin.path, options, source="modelled")), standin, timeline)
            testbed = StandInTestbed(scene.artefact, pins=False)
            image = scene.firmware
            board = Board(testbed, scene.artefact, image, up.network(0, testbed)).for_sample()

            def answered(prefix: str, sequence: int) -> None:
                up.services.hear(f"{prefix}/down", b"an answer")
                up.services.hear(f"{prefix}/service", b'{"seq": %d, "service_us": 100}' % sequence)

            testbed.device.inferred = answered
            point = Point(SCHEME, "tiny", "compact", "stand_in", 6e6)
            rows = [
                measure_with_energy(
                    meter, board, Planned(n, point, n, False, n), scene.images.picture(n), 0,
                    link=LinkSpec.symmetric(6e6), pinned_ms=None, services=up.services,
                )
                for n in range(samples)
            ]  # fmt: skip
            meter.close()
    null = [r for r in rows if r["energy_uj"] is None]
    exact = timeline.energy_uj() - 3.3 * 0.21 * 6e3  # less 6 ms of idle
    wrong = sum(r["energy_uj"] is not None and abs(r["energy_uj"] / exact - 1) > 0.01 for r in rows)
    wrong += sum(not r["energy_reason"] for r in null) + (len(null) != samples - samples // 2)
    told = str(null[0]["energy_reason"]) if null else ""
    ended = f"{len(rows)} latencies, {len(rows) - len(null)} energies; the others are null with the reason"
    return Outcome(
        "probe unplugged", "PPK2's cable pulled in the middle of a recording", len(rows), 0, wrong, ended, told
    )


def clock_drift(short: bool) -> Outcome:
    """Run the device's clock 500 ppm fast."""
    ppm = 500.0
    clock = _Steps()
    with Scene() as scene, lab.opened([]) as up:
        device = _Drifting(scene.artefact, clock, ppm)
        port = Device(StandInPort(device))
        info = port.hello()
        testbed = StandInTestbed(scene.artefact, pins=False)
        waits = clocks.WAITS_MS[:3] if short else clocks.WAITS_MS
        found = doctor_board.device_clock(port, testbed, up, info, waits, clock)
    drift = float(found.values.get("drift_ppm", 0.0))
    wrong = int(abs(drift - ppm) > 50 or found.status != "warn")
    ended = "the doctor warns and says by how much; times are off by 0.05 %"
    return Outcome(
        "clock drift of 500 ppm", "the device's counter runs 500 ppm fast", len(waits), 0, wrong, ended, found.said
    )


def flash_hangs(short: bool) -> Outcome:
    """Flash with a flasher that never comes back."""
    from testbeds.stm32f746 import standins  # noqa: PLC0415 - found late, like every testbed

    limit_s = 0.5 if short else 5.0
    with scratch.folder("faults") as folder:
        state = standins.install(Path(folder) / "bin")
        standins.set_fault(state, "hang")
        before = os.environ["PATH"]
        os.environ["PATH"] = f"{state.parent}:{before}"
        try:
            with registry.testbed("stm32f746") as bed:
                bed.attach(Attachment(port=os.devnull, usb_serial="0670FF", flasher="openocd", flash_timeout_s=limit_s))
                bed.flash(state)
        except BenchError as e:
            ended, told = "the run ends with one line, the flasher and its children are ended", str(e)
        else:
            ended, told = "", "it said that it had flashed"
        finally:
            os.environ["PATH"] = before
    return Outcome("flash that times out", f"openocd hangs, {limit_s:g} s allowed", 0, 1, int(not ended), ended, told)


FAULTS: Mapping[str, Callable[[bool], Outcome]] = {
    "noise": noise,
    "board_reset": board_reset,
    "wifi_drop": wifi_drop,
    "broker_restart": broker_restart,
    "edge_killed": edge_killed,
    "probe_unplugged": probe_unplugged,
    "device_vanishes": device_vanishes,
    "clock_drift": clock_drift,
    "flash_hangs": flash_hangs,
    **MODULE_FAULTS,
    **MORE,
}


def put_in(name: str, *, short: bool, clock: Clock | None = None) -> Outcome:
    """Put in one fault by name, timed."""
    watch = clocks.Stopwatch(clock or HostClock())
    found = FAULTS[name](short)
    return Outcome(**{**vars(found), "seconds": round(watch.seconds, 1)})


def _with_action(fault: str, put_in_: str, action: Callable[[Scene], None], short: bool, *, delay_ms: float) -> Outcome:
    count, at = (20, 2) if short else (60, 10)
    with Scene(delay_ms=delay_ms) as scene:
        rows, end = scene.measure(count, At(at, lambda: action(scene), delay_ms / 2e3))
        return outcome_of(fault, put_in_, scene, rows, end)


def _settings(scene: Scene, bed: Any) -> bytes:
    return config_tlvs(
        scene.lab.network(0, bed),
        module_baud=bed.description.module_baud,
        module_flow=bed.description.module_flow_control,
        clock_hz=bed.description.clock_hz,
        reply_timeout_ms=2000,
    )


class _Played(MeasuredEnergy):
    """Draws the same in every sample."""

    def __init__(self, meter: ProbeMeter, standin: StandinPpk2, timeline: PowerTimeline) -> None:
        super().__init__(meter)
        self._standin, self._timeline, self._probe = standin, timeline, meter.probe

    def begin(self) -> None:
        super().begin()
        samples = self._standin.play(self._timeline)
        if isinstance(self._probe, Ppk2Probe):
            with contextlib.suppress(BenchError):  # it is not recording: `end` tells why
                self._probe.wait_for(samples, quiet_s=2.0)


class _Steps(Clock):
    """Goes on only when told."""

    kind = "host"

    def __init__(self) -> None:
        self.ms = 0.0

    def now_ms(self) -> float:
        return self.ms


class _Drifting(StandInDevice):
    """Waits out a reply time-out, as nobody answers, by a clock that is `ppm` fast; the host is 1 to 3 ms late."""

    def __init__(self, artefact: Artefact, clock: _Steps, ppm: float) -> None:
        super().__init__(artefact, StandInTestbed(artefact).link)
        self._clock, self._ppm, self._late_ms = clock, ppm, itertools.cycle([1.0, 1.02, 3.0])

    def _infer(self, sequence: int) -> bytes:
        (wait_ms,) = struct.unpack("<I", self.config[11])
        self._clock.ms += wait_ms / (1 + self._ppm / 1e6) + next(self._late_ms)
        return struct.pack(
            "<BBHHBBIIIIIII", 1, 0, 0, 0xFFFF, 0, 0, 0, 0, 0, 0, round(wait_ms * CLOCK_HZ / 1e3), 0, CLOCK_HZ
        )
