"""Defines the Link whose process is `harness.link.detour.process`."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Any

from harness.contracts.errors import BenchError
from harness.contracts.link import WAYS, Certificate, Link, LinkProbe, LinkSpec
from harness.host.processes import inherited_path
from harness.link.certificate import DEFAULT_BYTES, ROUNDS, certify, judged
from harness.link.config import LinkSection
from harness.link.probes import tcp_probe

log = logging.getLogger(__name__)

_ANSWER_S = 30.0
_STOP_S = 3.0
_REPEAT_S = 3.0  # a lost segment's time-outs, beyond three times the ideal


class DetourLink(Link):
    """Drives a user-space link or a TCP proxy; boards connect to its door instead of to the broker.

    The process starts with the first door or spec, so an unused link costs nothing. Raises BenchError (from all but
    `clear` and `close`): it can't be started here, or has ended.
    """

    def __init__(self, section: LinkSection) -> None:
        self._section = section
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._known: dict[str, Certificate] = {}
        self._certificate: Certificate | None = None

    @property
    def pid(self) -> int | None:
        """Return its process, while there is one."""
        return self._process.pid if self._process else None

    def check(self, spec: LinkSpec) -> None:
        self._ask("read")

    def door(self, host: str, port: int) -> tuple[str, int]:
        return self._door(host, port, self._section.port)

    def _door(self, host: str, port: int, listen_port: int = 0) -> tuple[str, int]:
        told = self._ask("door", host=host, port=port, listen_port=listen_port)
        return str(told["host"]), int(told["port"])

    def apply(self, spec: LinkSpec) -> None:
        self._ask("apply", spec=spec.model_dump(mode="json"), seed=self._section.seed)
        key = spec.model_dump_json()
        try:
            self._certificate = self._known.get(key) or self.verify()
        except BaseException:
            self.clear()
            raise
        self._known[key] = self._certificate

    def read_back(self) -> LinkSpec | None:
        spec = self._ask("read")["spec"]
        return None if spec is None else LinkSpec.model_validate(spec)

    def counters(self) -> dict[str, dict[str, int]]:
        """Return packets, bytes and losses of each direction since the spec was applied (user-space link only)."""
        found: dict[str, dict[str, int]] = self._ask("told")["counters"]
        return found

    def verify(self, message_bytes: Sequence[int] = ()) -> Certificate:
        spec = self.read_back()
        if spec is None:
            raise BenchError("no link is applied: there is nothing to verify")
        probes: list[LinkProbe] = []
        with tcp_probe(self._door) as probe:
            for way in WAYS:
                for size in sorted(message_bytes or DEFAULT_BYTES):
                    ideal = spec.ideal_ms(way, size)
                    patience = _REPEAT_S + 3e-3 * ideal
                    for attempt in range(1, ROUNDS + 1):
                        times = [probe.one_way_ms(way, size, patience) for _ in range(self._section.probes)]
                        seen = judged(self._section, spec, way, size, times, ideal, rounds=attempt)
                        if seen.ok:
                            break
                    probes.append(seen)
        return certify(self._section, spec, self.read_back(), probes, self._ask("told")["argv"])

    @property
    def certificate(self) -> Certificate | None:
        return self._certificate

    def clear(self) -> None:
        if self._process is not None:
            with contextlib.suppress(BenchError):  # it is gone, and its shaping with it
                self._ask("clear")

    def close(self) -> None:
        """End the process; its namespaces and devices end with it."""
        with self._lock:
            process, self._process = self._process, None
        if process is None:
            return
        for stream in (process.stdin, process.stdout):
            if stream:
                with contextlib.suppress(OSError):
                    stream.close()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _ask(self, what: str, **more: Any) -> dict[str, Any]:
        with self._lock:
            if self._process is None:
                self._start()
            return self._exchange({"do": what, **more})

    def _start(self) -> None:
        words = ["--kind", self._section.kind, "--listen", self._section.listen]
        if log.isEnabledFor(logging.DEBUG):
            words.append("--verbose")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "harness.link.detour.process", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the bench, which then closes it
            env={**os.environ, "PYTHONPATH": inherited_path()},
        )
        try:
            self._exchange(None)
        except BaseException:
            self._process.kill()
            self._process.wait()
            self._process = None
            raise

    def _exchange(self, order: dict[str, Any] | None) -> dict[str, Any]:
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise BenchError("the link's process has no pipes")
        guard = threading.Timer(_ANSWER_S, process.kill)
        guard.daemon = True
        guard.start()
        try:
            if order is not None:
                process.stdin.write(json.dumps(order).encode() + b"\n")
                process.stdin.flush()
            line = process.stdout.readline()
        except (OSError, ValueError):
            line = b""
        finally:
            guard.cancel()
        if not line:
            raise BenchError(f"the {self._section.kind} link has ended", cure="look at its words on stderr; run again")
        answer: dict[str, Any] = json.loads(line)
        if not answer.pop("ok"):
            raise BenchError(f"the {self._section.kind} link: {answer['error']}", cure=answer["cure"])
        return answer
