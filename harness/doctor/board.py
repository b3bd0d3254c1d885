"""Checks the board itself: there, free, answering, with which firmware, associated how, and its clock."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from harness.artefacts import artefacts
from harness.artefacts.artefacts import Artefact
from harness.contracts.clock import Clock, HostClock
from harness.contracts.errors import BenchError
from harness.contracts.paths import weights_dir
from harness.contracts.testbed import Testbed
from harness.device.bringup import BoardSettings
from harness.device.device import BOARD, EMULATED, Device
from harness.device.messages import Info, config_tlvs, radio_tlvs
from harness.doctor import clocks
from harness.doctor.clocks import Drift, Stopwatch, Wait
from harness.doctor.report import Finding
from harness.host import locks
from harness.lab.lab import Lab

# Where a device can tell, its text after CONNECT says so: "associated rssi=-52 channel=6".
_RADIO = re.compile(r"rssi=(-?\d{1,3})\b(?:.*?channel=(\d{1,3})\b)?")
_WEAK_DBM, _POOR_DBM = -70, -80
_KEPT_WAIT_MS = 60_000


def presence(testbed: Testbed) -> list[Finding]:
    """Check that it is there, and that nobody else has it."""
    testbed.check()
    if not testbed.identity:
        return [Finding("board", "pass", f"{testbed.description.title}: made when asked for")]
    if holder := locks.holder(testbed.identity):
        return [Finding("board", "fail", f"{testbed.identity} is in use by {holder}", "wait for its end, or stop it")]
    return [Finding("board", "pass", f"{testbed.description.title} at {testbed.identity}, free")]


def examined(
    testbed: Testbed,
    lab: Lab,
    image: Callable[[], Path | None],
    *,
    flash: bool,
    waits_ms: tuple[int, ...] = clocks.WAITS_MS,
    clock: Clock | None = None,
) -> list[Finding]:
    """Boot it, ask who it is, associate it, and compare its clock.

    Args:
        image: what to flash; called only when something is flashed.
        flash: also put the image on a real board; a made one always gets it.
    """
    with locks.held(testbed.identity):
        out = _flashed(testbed, image, flash)
        testbed.reset()
        device = Device(testbed.open(), patience=EMULATED if testbed.pins_remote else BOARD)
        info = device.hello()
        out += [_firmware(info)]
        try:
            text = _associate(device, testbed, lab, info, reply_timeout_ms=_KEPT_WAIT_MS)
        except BenchError as e:
            return [*out, Finding("association", "fail", e.what, e.cure)]
        out += [Finding("association", "pass", f"with the broker: {text or 'done'}"), radio(text)]
        out += [device_clock(device, testbed, lab, info, waits_ms, clock or HostClock())]
        return out


def _flashed(testbed: Testbed, image: Callable[[], Path | None], flash: bool) -> list[Finding]:
    if testbed.identity and not flash:
        return [Finding("flash", "skip", "the board is taken as it is", "give --flash to put this bench's image on it")]
    path = image()
    if path is None:
        raise BenchError("there are no trained weights to make an image of", cure="python -m harness.train SCHEME")
    testbed.flash(path)
    return [Finding("flash", "pass", f"{path.name} is on it")]


def _firmware(info: Info) -> Finding:
    values = {"name": info.name, "weights": f"{info.weights:08x}", "clock_hz": info.clock_hz}
    known = {a.u32: a for a in _known()}
    if (own := known.get(info.weights)) and own.description.label[:48] == info.name:
        return Finding(
            "firmware", "pass", f"{info.name}, weights {info.weights:08x}, as in {own.folder}", values=values
        )
    said = f"{info.name}, weights {info.weights:08x}: not of the weights in {weights_dir()}"
    return Finding("firmware", "warn", said, "a run flashes it by itself; or give --flash", values)


def _known() -> list[Artefact]:
    found = []
    for path in sorted(weights_dir().glob("*/*/description.toml")):
        try:
            found.append(artefacts.load(path.parent))
        except BenchError:
            continue  # not this check's business
    return found


def _associate(device: Device, testbed: Testbed, lab: Lab, info: Info, *, reply_timeout_ms: int) -> str:
    network = lab.network(0, testbed)
    device.configure(
        config_tlvs(
            network,
            module_baud=testbed.description.module_baud,
            module_flow=testbed.description.module_flow_control,
            clock_hz=info.clock_hz,
            reply_timeout_ms=reply_timeout_ms,
            exit_threshold=BoardSettings().exit_threshold,
        )
    )
    for settings in radio_tlvs(network, testbed.description.extra.get("power_save")):
        device.configure(settings)
    return device.connect()


def radio(text: str) -> Finding:
    """Read RSSI and channel from the device's own words."""
    if (found := _RADIO.search(text)) is None:
        return Finding("radio", "skip", "this device does not tell RSSI and channel")
    rssi, channel = int(found[1]), found[2]
    said = f"RSSI {rssi} dBm" + (f", channel {channel}" if channel else "")
    values = {"rssi_dbm": rssi} | ({"channel": int(channel)} if channel else {})
    if rssi < _POOR_DBM:
        return Finding("radio", "fail", said, "move board and access point together", values)
    return Finding(
        "radio", "warn" if rssi < _WEAK_DBM else "pass", said, "move them closer" * (rssi < _WEAK_DBM), values
    )


def device_clock(
    device: Device, testbed: Testbed, lab: Lab, info: Info, waits_ms: tuple[int, ...], clock: Clock
) -> Finding:
    """Compare the device's clock with the host's. Nothing answers on this lab's topics, so that every wait runs out."""
    if testbed.pins_remote:
        return Finding("clock", "skip", "virtual time: there is no drift")
    if not waits_ms:
        return Finding("clock", "skip", "left out", "run the doctor without --quick")
    groups: list[list[Wait]] = []
    device.load(bytes(info.image_bytes))
    for wait_ms in waits_ms:
        device.configure(
            config_tlvs(
                lab.network(0, testbed),
                module_baud=testbed.description.module_baud,
                module_flow=testbed.description.module_flow_control,
                clock_hz=info.clock_hz,
                reply_timeout_ms=wait_ms,
            )
        )
        group = []
        for n in range(clocks.REPEATS):
            watch = Stopwatch(clock)
            result = device.infer(n + 1)
            host_s = watch.seconds
            if result.status != "timeout":
                return Finding("clock", "skip", f"its image never waits for a reply ('{result.status}')")
            cycles = result.cycles_local + result.cycles_encode + result.cycles_wait + result.cycles_combine
            group.append(Wait(host_s, cycles / result.clock_hz))
        groups.append(group)
    return told(clocks.drift(groups))


def told(found: Drift | None) -> Finding:
    """Return a drift as a line of the report."""
    if found is None:
        return Finding("clock", "skip", "too few waits to tell")
    fit = found.fit
    values = {
        "drift_ppm": round(fit.drift_ppm, 1),
        "resolution_ppm": round(found.resolution_ppm, 1),
        "offset_ms": round(fit.offset_s * 1e3, 3),
        "residual_ms": round(fit.residual_s * 1e3, 4),
    }
    said = (
        f"{fit.drift_ppm:+.0f} ppm against the host's (told to +-{found.resolution_ppm:.0f}), "
        f"offset {fit.offset_s * 1e3:.2f} ms, residual {fit.residual_s * 1e3:.3f} ms"
    )
    match found.verdict:
        case "pass":
            return Finding("clock", "pass", said, values=values)
        case "skip":
            return Finding("clock", "skip", f"can't tell on this busy host: {said}", "run it again", values)
        case "warn":
            return Finding("clock", "warn", said, "times of this board are off by as much; mind the crystal", values)
        case _:
            cure = "does the board run from its crystal? is clock_hz of bench.toml its clock?"
            return Finding("clock", "fail", said, cure, values)
