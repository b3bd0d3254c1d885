"""Sets up a whole bench of stand-ins: broker, edge, proxy, and the native board with a scheme whose right answers are
known.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from harness.artefacts import artefacts
from harness.artefacts.images import Images
from harness.broker import managed as broker
from harness.broker.given import GivenBroker, try_connect
from harness.broker.mqtt import BrokerAddress
from harness.broker.roles import ROLES, USERS, Account
from harness.broker.section import BrokerSection
from harness.contracts import exits, scratch
from harness.contracts.errors import BenchError
from harness.contracts.scratch import Scratch
from harness.contracts.testbed import Testbed
from harness.device.bringup import BoardSettings
from harness.edge import services, tag
from harness.faults.edge import PASSWORD_VARIABLE, logits
from harness.faults.proxy import Proxy
from harness.host import registry
from harness.host.processes import inherited_path
from harness.lab.lab import BoardKind, Lab
from harness.lab.labfile import LabFile, LabSetup
from harness.runs.sample import Planned, Point
from harness.sweep.runner import Bench, Job, Watcher, run

CLASSES = 4
_SIDE = 8
SCHEME = "far"
_DESCRIPTION = f"""
scheme = "{SCHEME}"
dataset = "tiny"
profile = "compact"
classes = {CLASSES}
input_shape = [{_SIDE}, {_SIDE}, 3]
graph = false
offload = "image"
features_output = -1
local_logits_output = -1
codec = "stored"
alpha = 0.0
"""
_UP_S = 60.0  # a broker of Python on a machine that has other things to do


class OwnBroker:
    """Runs a broker at one port that can be killed and started again; to the bench it is a given one."""

    def __init__(self) -> None:
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            where = BrokerAddress("127.0.0.1", s.getsockname()[1])
        self.accounts = {role: Account(USERS[role], secrets.token_urlsafe(12)) for role in ROLES}
        self.address = where.known_as(self.accounts["bench"])
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start it and wait until it lets us in."""
        a = self.address
        self._folder = Scratch("broker")
        orders: dict[str, Any] = {
            "program": broker.find_mosquitto(),
            "host": a.host,
            "port": a.port,
            "folder": str(self._folder.path),
        }
        orders |= {"accounts": {role: [one.user, one.password] for role, one in self.accounts.items()}}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "harness.broker.keeper"],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": inherited_path()},
        )
        if self._process.stdin is not None:
            self._process.stdin.write(json.dumps(orders).encode() + b"\n")
            self._process.stdin.flush()
        for _ in range(int(_UP_S * 20)):
            try:
                try_connect(a)
            except BenchError:
                threading.Event().wait(0.05)
            else:
                return
        raise BenchError("the broker of the scene did not start")

    def kill(self) -> None:
        """Kill it by SIGKILL: nothing is said to anybody."""
        if self._process is not None:
            process, self._process = self._process, None
            process.kill()
            process.wait()
            if process.stdin:
                process.stdin.close()
            self._folder.close()  # its keeper could not


class OwnEdge:
    """Runs the stand-in edge as a process; `check` tells when it is gone, as the bench's own does."""

    def __init__(self, address: BrokerAddress, root: str, folder: Path, delay_ms: float, key: str) -> None:
        words = [str(address), address.user, root, str(folder), str(CLASSES), str(delay_ms)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "harness.faults.edge", *words],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ
            | {PASSWORD_VARIABLE: address.password, tag.KEY_VARIABLE: key, "PYTHONPATH": inherited_path()},
        )
        if self._process.stdout is None or self._process.stdout.readline() != "ready\n":
            self.kill()
            raise BenchError("the edge of the scene did not start")

    def check(self) -> None:
        """Raise BenchError when it is dead."""
        if (code := self._process.poll()) is not None:
            raise BenchError(f"the edge server {exits.how(code)}", cure="start it again and go on with --resume")

    def kill(self) -> None:
        """Kill it by SIGKILL."""
        self._process.kill()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()


class At(Watcher):
    """Does something once, `after_s` after the sample numbered `order` began."""

    def __init__(self, order: int, action: Callable[[], None], after_s: float) -> None:
        self._order = order
        self._timer = threading.Timer(after_s, action)
        self._timer.daemon = True

    def started(self, planned: Planned) -> None:
        if planned.order == self._order:
            self._timer.start()


class _Noting(Watcher):
    """Passes on what it is told, and notes what was lost."""

    def __init__(self, other: Watcher, lost: list[str]) -> None:
        self._other, self._lost = other, lost

    def started(self, planned: Planned) -> None:
        self._other.started(planned)

    def lost(self, planned: Planned, why: str) -> None:
        self._lost.append(why)


class Scene:
    """Holds the scene. Use it as a context manager; then `measure`."""

    def __init__(self, *, delay_ms: float = 0.0, kind: str = "native") -> None:
        self._held = ExitStack()
        self._delay_ms = delay_ms
        self._kind = registry.testbed_class(kind)
        self.made: list[Testbed] = []
        self.lost: list[str] = []  # why samples were taken again

    def __enter__(self) -> Scene:
        try:
            self._open()
        except BaseException:
            self._held.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def _open(self) -> None:
        from testbeds.firmware.toolchain.build import build  # noqa: PLC0415 - found late, like every testbed

        folder = Path(self._held.enter_context(scratch.folder("faults")))
        scheme = folder / SCHEME
        scheme.mkdir()
        (scheme / "description.toml").write_text(_DESCRIPTION, encoding="utf-8")
        (scheme / "server.npz").write_bytes(b"a fixed function")
        self.artefact = artefacts.load(scheme)
        self.firmware = build(scheme, self._kind().description.target)
        self.broker = OwnBroker()
        self._held.callback(self.broker.kill)
        address = self.broker.address
        self.proxy = self._held.enter_context(Proxy((address.host, address.port)))
        root = f"agile/{secrets.token_hex(4)}"
        key = tag.new_key()
        heard = self._held.enter_context(services.listening(address, root, key))
        given = GivenBroker(address, self.broker.accounts)
        self.edge = OwnEdge(given.entered_by("edge"), root, scheme, self._delay_ms, key)
        self._held.callback(self.edge.kill)
        section = BrokerSection(url=f"mqtt://{address}", device_url=f"mqtt://127.0.0.1:{self.proxy.port}")
        self.lab = Lab(given, self.edge, heard, root, LabSetup(LabFile(broker=section)))  # type: ignore[arg-type]
        rng = np.random.default_rng(0)
        pictures = rng.integers(0, 256, (64, _SIDE, _SIDE, 3), dtype=np.uint8)
        self.right = [int(np.argmax(logits(p.reshape(-1), CLASSES))) for p in pictures]
        self.images = Images("tiny", pictures, np.array(self.right, dtype=np.uint8), CLASSES, "0" * 64)

    def make(self) -> Testbed:
        """Make a board, and keep it in `made`."""
        self.made.append(self._kind())
        return self.made[-1]

    @property
    def board(self) -> Any:
        """Return the board made last, with what only a stand-in can do."""
        return self.made[-1]

    def jobs(self, count: int, reply_timeout_ms: int = 1500) -> list[Job]:
        """Return `count` samples of one point."""
        point = Point(SCHEME, "tiny", "compact", self._kind.name, None)
        kind = BoardKind(SCHEME, BoardSettings(reply_timeout_ms=reply_timeout_ms))
        return [Job(Planned(n, point, n % len(self.right), False, n), kind, None, None) for n in range(count)]

    def measure(self, count: int, watcher: Watcher | None = None) -> tuple[list[dict[str, Any]], BenchError | None]:
        """Take samples one after another; return the rows, and what ended the run before its time."""
        watcher = _Noting(watcher or Watcher(), self.lost)
        bench = Bench(self.lab, self.make, {SCHEME: self.artefact}, {SCHEME: self.firmware}, self.images)
        rows: list[dict[str, Any]] = []
        try:
            for _, row in run(bench, self.jobs(count), 1, watcher):
                if row is not None:
                    rows.append(row)
        except BenchError as e:
            return rows, e
        return rows, None

    def wrong(self, rows: Sequence[dict[str, Any]]) -> int:
        """Count rows that say ok and are not (not the right class, impossible times), and failures that carry
        values.
        """
        bad = 0
        for row in rows:
            if row["status"] == "ok":
                stages = ("local_ms", "encode_ms", "network_ms", "remote_ms", "combine_ms")
                adds_up = abs(row["total_ms"] - sum(row[s] for s in stages)) < 1e-3
                bad += row["predicted"] != self.right[row["image"]] or not adds_up or row["total_ms"] <= 0
            else:
                bad += row["total_ms"] is not None or row["predicted"] is not None or not row["error"]
        return bad
