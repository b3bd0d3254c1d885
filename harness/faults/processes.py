"""Faults of the bench's own parts: a board's process that is killed, and a stranger at the broker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from harness.broker import listener
from harness.broker.listener import Listener
from harness.edge import payload
from harness.edge.payload import Status
from harness.faults.outcome import Outcome, outcome_of
from harness.faults.scene import CLASSES, At, Scene

_ACCOUNTS = (  # what a stranger says of the edge's time; %d is the sequence number
    b'{"seq": %d, "service_us": -500000}',
    b'{"seq": %d, "service_us": NaN}',
    b'{"seq": %d, "service_us": 1' + b"0" * 400 + b"}",
    b"[" * 5000 + b"%d" + b"]" * 5000,
)


def native_killed(short: bool) -> Outcome:
    """Kill the native board's process while it waits for a reply."""
    return _killed("native board's process killed", short, kind="native")


def emulator_killed(short: bool) -> Outcome:
    """Kill the emulator while its board waits for a reply."""
    return _killed("emulator killed", short, kind="virtual")


def _killed(fault: str, short: bool, *, kind: str) -> Outcome:
    count, at = (6, 2) if short else (30, 10)
    with Scene(delay_ms=300.0, kind=kind) as scene:
        rows, end = scene.measure(count, At(at, lambda: _kill(scene), 0.15))
        found = outcome_of(fault, "SIGKILL in the middle of a sample", scene, rows, end)
        once = (found.again, found.failed) == (1, 0) and len(scene.lost) == 1
        return found if end is not None or once else replace(found, ended="")


def _kill(scene: Scene) -> None:
    scene.board.kill()  # the board that is there by then


def stranger(short: bool) -> Outcome:
    """Let a peer that has the edge's password answer and account before the edge does, for some samples."""
    count, begin, stop = (8, 1, 2) if short else (30, 5, 10)
    with Scene(delay_ms=60.0) as scene:
        forger = _Forger(scene, range(begin, stop))
        address = scene.lab.broker.entered_by("edge")
        with listener.listening(address, "stranger", [f"{scene.lab.root}/+/up"], forger.hear) as forger.ear:
            rows, end = scene.measure(count)
        what = f"{forger.questions} questions answered before the edge did: another class, a wrong time"
        found = outcome_of("stranger at the broker", what, scene, rows, end)
        return found if forger.questions and found.again else replace(found, ended="")


class _Forger:
    """Answers the first question of some samples at once, with another class and an account that is none."""

    def __init__(self, scene: Scene, samples: range) -> None:
        self._weights = scene.artefact.u32
        self._left = {job.planned.sequence for job in scene.jobs(samples.stop)[samples.start :]}
        self.questions = 0
        self.ear: Listener | None = None

    def hear(self, topic: str, data: bytes) -> None:
        """Take in a question."""
        prefix, sequence = topic.removesuffix("/up"), payload.sequence_of(data)
        if sequence not in self._left or self.ear is None:
            return
        self._left.remove(sequence)
        account = _ACCOUNTS[self.questions % len(_ACCOUNTS)] % sequence
        self.questions += 1
        logits = np.arange(CLASSES, dtype=np.float32)
        self.ear.client.publish(f"{prefix}/down", payload.reply(Status.OK, sequence, self._weights, logits))
        self.ear.client.publish(f"{prefix}/service", account)


MORE: Mapping[str, Callable[[bool], Outcome]] = {
    "native_killed": native_killed,
    "emulator_killed": emulator_killed,
    "stranger": stranger,
}
