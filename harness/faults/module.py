"""Faults of the Wi-Fi module beside the native board, which stays on while the board is reset."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from harness.faults.outcome import Outcome, outcome_of
from harness.faults.scene import At, Scene
from harness.runs.sample import Planned
from harness.sweep.runner import Watcher


def reboots(short: bool) -> Outcome:
    """Restart the module while it is brought up."""

    def act(scene: Scene) -> None:
        left = ["AT+MQTTCONN", "AT+CWJAP", "AT+UART_CUR"]

        def restart(module: Any, line: str, at: int) -> None:
            if left and line.startswith(left[-1]):
                left.pop()
                module.reboot(at)

        def arm(module: Any, _now: int) -> None:
            module.timing = replace(module.timing, boot_ms=500.0)
            module.on_command = lambda line, at: restart(module, line, at)
            module.reboot(_now)

        scene.board.wifi_module.do(arm)

    return _once("module rebooting during CONNECT", "restarts, and again at three commands of the bring-up", act, short)


def busy(short: bool) -> Outcome:
    """Give the module something else to do."""
    seconds = 1.8 if short else 3.0

    def act(scene: Scene) -> None:
        scene.board.wifi_module.do(lambda module, now: module.hold(now, now + round(seconds * _unit())))

    return _once(f"module busy for {seconds:g} s", "answers every command by `busy p...`", act, short)


def clean(short: bool) -> Outcome:
    """Have the module take its time to let its MQTT client go."""
    seconds = 2.0 if short else 9.0

    def act(scene: Scene) -> None:
        def slow(module: Any, now: int) -> None:
            module.timing = replace(module.timing, clean_lost_ms=seconds * 1e3, clean_ms=seconds * 1e3)
            module.lost(now)

        scene.board.wifi_module.do(slow)

    return _once(f"MQTT clean taking {seconds:g} s", "the connection is lost; AT+MQTTCLEAN is slow", act, short)


def wifi(short: bool) -> Outcome:
    """Take the access point away for a while."""
    away_s = 1.0 if short else 5.0

    def act(scene: Scene) -> None:
        joined: list[str] = []

        def lose(module: Any, now: int) -> None:
            joined.append(module.network or "")
            module.wifi_lost(now)

        board = scene.board.wifi_module
        board.do(lose)
        back = threading.Timer(away_s, lambda: board.do(lambda module, now: module.wifi_back(now, joined[0])))
        back.daemon = True
        back.start()

    return _once(
        "Wi-Fi lost and back", f"no access point for {away_s:g} s; the module joins again by itself", act, short
    )


def raw_publish_cut(short: bool) -> Outcome:
    """Take the end of every other message away on the serial line, or reset the board while it sends: to the module
    both are the same.
    """
    cuts = [0, 1, 100, 207] if short else [0, 1, 2, *range(15, 208, 16), 205, 206, 207]
    with Scene() as scene:
        rows, end = scene.measure(2 * len(cuts) + 1, _Cuts(scene, cuts))
        what = f"the payload's bytes stop after {len(cuts)} different numbers of them"
        found = outcome_of("raw publish cut at any byte", what, scene, rows, end)
        if end is None and (found.again, found.failed) != (len(cuts), 0):
            return replace(found, ended="")
        return found


class _Cuts(Watcher):
    def __init__(self, scene: Scene, cuts: list[int]) -> None:
        self._scene, self._cuts, self._seen = scene, cuts, -1

    def started(self, planned: Planned) -> None:
        if planned.order % 2 and planned.order > self._seen:  # once, also where a sample is tried again
            self._seen = planned.order
            self._scene.board.wifi_module.lose_after = self._cuts[planned.order // 2]


MODULE_FAULTS: Mapping[str, Callable[[bool], Outcome]] = {
    "module_reboots": reboots,
    "raw_publish_cut": raw_publish_cut,
    "module_busy": busy,
    "mqtt_clean": clean,
    "wifi_lost": wifi,
}


def _once(fault: str, put_in: str, act: Callable[[Scene], None], short: bool) -> Outcome:
    count, at = (12, 2) if short else (40, 10)
    with Scene(delay_ms=60.0) as scene:
        rows, end = scene.measure(count, At(at, lambda: act(scene), 0.02))
        return outcome_of(fault, put_in, scene, rows, end)


def _unit() -> int:
    from testbeds.timebase import SECOND  # noqa: PLC0415 - found late, like every testbed

    return SECOND
