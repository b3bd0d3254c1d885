"""Runs the process of a detour link: `python -m harness.link.detour.process --kind userspace|proxy`, started by its
Link.

Orders come on stdin, one JSON object a line, answers go to stdout. It ends with its stdin, and with its parent.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import select
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

from harness.contracts.errors import BenchError
from harness.contracts.link import LinkSpec
from harness.host.processes import die_with_parent
from harness.link.detour import namespaces
from harness.link.detour.relay import Delays, Pair
from harness.link.detour.shaper import PacketShaper
from harness.link.detour.wire import EDGE, Wire

log = logging.getLogger(__name__)

_LONGEST_S = 3600.0
_BACKLOG = 16
_MOST_LINE = 1 << 16


class Detour:
    """Runs doors, connections and the link between them, in one loop."""

    def __init__(self, kind: str, listen: str) -> None:
        self._listen = listen
        self.wire = Wire() if kind == "userspace" else None
        self.shaper = PacketShaper(self.wire) if self.wire else None
        self.delays = None if self.wire else Delays()
        self._doors: dict[tuple[str, int], tuple[str, int]] = {}
        self._listeners: dict[socket.socket, Callable[[socket.socket], tuple[socket.socket, Delays | None]]] = {}
        self._pairs: list[Pair] = []
        self._orders = bytearray()

    # --- orders ---
    def do(self, order: dict[str, Any]) -> dict[str, Any]:
        """Carry one order out. Raises BenchError, OSError, ValueError or KeyError for one that can't be."""
        match order["do"]:
            case "door":
                host, port = self.door(str(order["host"]), int(order["port"]), int(order.get("listen_port", 0)))
                return {"host": host, "port": port}
            case "apply":
                self._apply(LinkSpec.model_validate(order["spec"]), int(order["seed"]))
            case "clear":
                self._apply(None, 0)
            case "read":
                spec = self.shaper.spec if self.shaper else self.delays.line.spec if self.delays else None
                return {"spec": None if spec is None else spec.model_dump(mode="json")}
            case "told":
                commands = self.wire.commands.calls if self.wire else []
                counters = self.shaper.told() if self.shaper else {}
                return {"argv": [list(call.argv) for call in commands], "counters": counters}
            case other:
                raise ValueError(f"unknown order {other!r}")
        return {}

    def _apply(self, spec: LinkSpec | None, seed: int) -> None:
        if self.shaper:
            self.shaper.apply(spec, seed)
        if self.delays:
            self.delays.line.seed = seed
            self.delays.line.apply(spec)

    def door(self, host: str, port: int, listen_port: int = 0) -> tuple[str, int]:
        """Return where to connect to instead of host:port; the same each time."""
        if (host, port) not in self._doors:
            near = socket.create_server((self._listen, listen_port), backlog=_BACKLOG)
            if self.wire is None:
                self._listeners[near] = lambda _came: (_connecting(host, port), self.delays)
            else:
                wire = self.wire
                inside = wire.edge.run(lambda: socket.create_server((EDGE, 0), backlog=_BACKLOG))
                inner: int = inside.getsockname()[1]
                self._listeners[near] = lambda _came: (wire.device.run(lambda: _connecting(EDGE, inner)), None)
                self._listeners[inside] = lambda _came: (_connecting(host, port), None)
            self._doors[host, port] = near.getsockname()[:2]
        return self._doors[host, port]

    # --- the loop ---
    def serve(self, orders: int, answer: Callable[[dict[str, Any]], None]) -> None:
        """Serve until `orders` (a file descriptor) ends."""
        packets = self.shaper.sockets() if self.shaper else {}
        while True:
            self._pairs = [pair for pair in self._pairs if not pair.closed]
            reading = {half.sock: (pair, half) for pair in self._pairs for half in pair.readers()}
            writing = {half.sock: (pair, half) for pair in self._pairs for half in pair.writers()}
            waited: list[int | socket.socket] = [orders, *packets, *self._listeners, *reading]
            readable, writable, _ = select.select(waited, list(writing), [], self._patience())
            for timed in (self.shaper, self.delays):
                if timed:
                    timed.run_due()
            for one in readable:
                if isinstance(one, int):
                    if not self._take_orders(orders, answer):
                        return
                elif one in packets and self.shaper:
                    self.shaper.readable(packets[one])
                elif one in self._listeners:
                    self._accept(one)
                elif not reading[one][0].closed:
                    reading[one][0].readable(reading[one][1])
            for one in writable:
                pair, half = writing[one]
                if not pair.closed:
                    pair.writable(half)

    def _patience(self) -> float:
        """Return the seconds until something is due by itself."""
        due = [at for timed in (self.shaper, self.delays) if timed and (at := timed.next_ns()) is not None]
        return max(0.0, (min(due) - time.monotonic_ns()) / 1e9) if due else _LONGEST_S

    def _accept(self, listener: socket.socket) -> None:
        try:
            near, _ = listener.accept()
        except OSError:
            return
        try:
            far, delays = self._listeners[listener](near)
        except OSError as e:
            log.warning("a connection can't go on: %s", e)
            near.close()
            return
        self._pairs.append(Pair(near, far, delays))

    def _take_orders(self, orders: int, answer: Callable[[dict[str, Any]], None]) -> bool:
        data = os.read(orders, _MOST_LINE)
        self._orders += data
        if not data or len(self._orders) > _MOST_LINE:
            return False
        while (end := self._orders.find(b"\n")) >= 0:
            line = bytes(self._orders[:end])
            del self._orders[: end + 1]
            answer(self._answered(line))
        return True

    def _answered(self, line: bytes) -> dict[str, Any]:
        try:
            return {"ok": True} | self.do(json.loads(line))
        except BenchError as e:
            return {"ok": False, "error": e.what, "cure": e.cure}
        except (OSError, ValueError, KeyError, TypeError) as e:
            return {"ok": False, "error": str(e) or type(e).__name__, "cure": ""}


def _connecting(host: str, port: int) -> socket.socket:
    """Return a connection on its way: the loop must go on meanwhile, for its packets pass through it."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    made = socket.socket(family, kind, protocol)
    made.setblocking(False)
    try:
        made.connect(address)
    except BlockingIOError:
        pass
    except OSError:
        made.close()
        raise
    return made


def main(argv: list[str]) -> int:
    """Bring the link up, say so, serve."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--kind", choices=("userspace", "proxy"), required=True)
    parser.add_argument("--listen", default="127.0.0.1")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.DEBUG if options.verbose else logging.WARNING, format="%(message)s")

    def answer(what: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(what) + "\n")
        sys.stdout.flush()

    try:
        namespaces.prompt()
        "localhost".encode("idna")  # what the first look-up of a name would load, while others wait
        if options.kind == "userspace":
            namespaces.become_root_of_own()
        die_with_parent()
        detour = Detour(options.kind, options.listen)
        answer({"ok": True, "pid": os.getpid()})
        detour.serve(sys.stdin.fileno(), answer)
    except BenchError as e:
        answer({"ok": False, "error": e.what, "cure": e.cure})
        return e.exit_code
    except (KeyboardInterrupt, BrokenPipeError):
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
