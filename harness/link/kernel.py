"""Drives the link that the kernel shapes: netem on this host's access-point interface, both directions."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from harness.contracts.errors import BenchError
from harness.contracts.link import Certificate, Link, LinkProbe, LinkSpec
from harness.host import locks
from harness.link import leftovers, netem, offloads
from harness.link.certificate import ROUNDS, certify, judged
from harness.link.commands import Commands
from harness.link.config import LinkSection
from harness.link.probes import MOST_ECHO_BYTES, EchoProbe, ideal_echo_ms

log = logging.getLogger(__name__)

_PLAIN = ("noqueue", "pfifo_fast", "fq_codel", "fq", "mq", "pfifo", "noop")  # what a kernel sets by itself
_ECHO_BYTES = (100, 700, MOST_ECHO_BYTES)


class NetemLink(Link):
    """Sets netem on an interface. Cleanup is certain: there is a record before the first command, and a sweep at the
    start of the next run.

    Raises (from `apply` and `check`):
        BenchError: no netem, no root, no such interface, another's qdisc on it, or not what was asked for.
    """

    def __init__(self, section: LinkSection, commands: Commands | None = None) -> None:
        if section.interface is None:
            raise BenchError("a netem link needs an interface", cure="set interface in [wifi] or [link] of lab.toml")
        self._section = section
        self._interface: str = section.interface
        self._commands = commands or Commands()
        self._lock: locks.BoardLock | None = None
        self._spec: LinkSpec | None = None
        self._argv: list[list[str]] = []
        self._known: dict[str, Certificate] = {}
        self._certificate: Certificate | None = None

    def check(self, spec: LinkSpec) -> None:
        netem.check_capability(self._commands.run)
        self._commands.do("ip", "link", "show", "dev", self._interface)

    def apply(self, spec: LinkSpec) -> None:
        self._take()
        self._argv = netem.install_argv(self._interface, self._section.ifb, spec)
        self._commands.attempt("ip", "link", "del", "dev", self._section.ifb)
        self._commands.attempt("tc", "qdisc", "del", "dev", self._interface, "ingress")
        try:
            offloads.write(self._interface, "gro", False)  # else packets come in glued together
            for argv in self._argv:
                self._commands.do(*argv)
        except BaseException:
            self.clear()
            raise
        self._spec = spec
        try:
            self._certified(spec)
        except BaseException:
            self.clear()
            raise

    def _certified(self, spec: LinkSpec) -> None:
        key = spec.model_dump_json()
        if key in self._known:
            self._certificate = self._known[key]
            return
        certificate = self.verify()
        self._certificate = self._known[key] = certificate

    def _take(self) -> None:
        if self._lock is not None:
            return
        for line in leftovers.sweep(self._commands):
            log.warning("%s", line)
        try:
            self._lock = locks.take(leftovers.identity(self._interface))
        except locks.BoardBusy as e:
            holder = locks.holder(leftovers.identity(self._interface))
            raise BenchError(f"{self._interface} is shaped by {holder or 'another run'}", cure=e.cure) from None
        try:
            root = netem.root_qdisc(self._commands.ask("tc", "-j", "qdisc", "show", "dev", self._interface))
            if root is not None and root.get("kind") not in _PLAIN:
                raise BenchError(
                    f"{self._interface} has a qdisc of somebody else's ({root.get('kind')})",
                    cure=f"remove it: tc qdisc del dev {self._interface} root",
                )
            told = self._commands.ask("ip", "-j", "-d", "link", "show", "dev", self._interface)
            segs = told[0].get("gso_max_segs") if told else None
            self._owner = leftovers.here(
                self._interface,
                self._section.ifb,
                segs if isinstance(segs, int) else None,
                offloads.read(self._interface, "gro"),
            )
            leftovers.write(self._owner)
        except BaseException:
            self._lock.release()
            self._lock = None
            raise

    def read_back(self) -> LinkSpec | None:
        if self._lock is None:
            return None
        return netem.read_back(self._commands, self._interface, self._section.ifb, self._spec)

    def verify(self, message_bytes: Sequence[int] = ()) -> Certificate:
        """Read the link back, then send echoes of the sizes given (at most 1,400 B: one packet) to `probe_host` and
        back.
        """
        if self._spec is None:
            raise BenchError("no link is applied: there is nothing to verify")
        probes, remarks = self._echoes(self._spec, message_bytes), ""
        if not probes:
            remarks = "no probe_host in [link]: read back, not measured"
        return certify(self._section, self._spec, self.read_back(), probes, self._argv, remarks)

    def _echoes(self, spec: LinkSpec, message_bytes: Sequence[int]) -> list[LinkProbe]:
        if not self._section.probe_host:
            return []
        probe = EchoProbe(self._section.probe_host)
        sizes = sorted({min(size, MOST_ECHO_BYTES) for size in message_bytes or _ECHO_BYTES})
        try:
            probe.round_trip_ms(sizes[0], 2.0)  # ARP, and a radio that sleeps
            out = []
            for size in sizes:
                ideal = ideal_echo_ms(spec, size)
                patience = 1.0 + ideal * 3e-3
                for attempt in range(1, ROUNDS + 1):
                    times = [probe.round_trip_ms(size, patience) for _ in range(self._section.probes)]
                    seen = judged(self._section, spec, "both", size, times, ideal, rounds=attempt)
                    if seen.ok:
                        break
                out.append(seen)
            return out
        finally:
            probe.close()

    @property
    def certificate(self) -> Certificate | None:
        return self._certificate

    def clear(self) -> None:
        """Take everything away and give the interface back. This never raises for what was not there."""
        if self._lock is None:
            return
        began = time.monotonic()
        for argv in netem.remove_argv(self._interface, self._section.ifb):
            self._commands.attempt(*argv)
        leftovers.restore(self._commands, self._owner)
        leftovers.forget(self._interface)
        self._lock.release()
        self._lock, self._spec = None, None
        log.debug("link cleared in %.0f ms", (time.monotonic() - began) * 1e3)
