"""Joins the board: the machine, its console, its Wi-Fi module, and the loop between virtual and host time."""

from __future__ import annotations

import logging
import select
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from testbeds.espat.host import ModuleTiming
from testbeds.timebase import MILLISECOND, SECOND
from testbeds.virtual.console import Console
from testbeds.virtual.faults import GuestFault
from testbeds.virtual.image import load_image
from testbeds.virtual.link import Retransmission, VirtualLink
from testbeds.virtual.machine import Machine, Stop
from testbeds.virtual.stopping import StopSignals
from testbeds.virtual.wifi import VirtualModule

log = logging.getLogger(__name__)

MARKER_PINS = (("I", 0), ("I", 3), ("I", 2))  # D5, D8, D7 of the Arduino connector: bits 0, 1, 2
MODULE_EN, MODULE_RTS = ("G", 6), ("G", 7)  # D2, D4
STAGES = {0b000: "idle", 0b001: "local", 0b011: "encode", 0b010: "network", 0b110: "combine", 0b111: "fault"}
OWED_STEP_T = SECOND // 1000
OWED_LIMIT_T = 120 * SECOND  # a guest that owes an answer and polls a clock gets this much virtual time to give up


class Shutdown(Exception):
    """Says that the parent has gone, or asked to stop."""


class Board:
    """Holds one emulated board. `serve()` runs it until a Shutdown.

    Args:
        control: socket of JSON lines from the parent (see testbeds.virtual.control), or None.
        handle: called with the board and the bytes that came on `control`.
        signals: ends `serve` when one trips it.
    """

    def __init__(
        self,
        image: Path,
        *,
        fills: bool = True,
        timing: ModuleTiming | None = None,
        retransmission: Retransmission | None = None,
        control: socket.socket | None = None,
        handle: Callable[[Board, bytes], None] | None = None,
        with_console: bool = True,
        signals: StopSignals | None = None,
    ) -> None:
        self.machine = Machine(load_image(image), fills=fills, marker_pins=MARKER_PINS)
        self.console = Console() if with_console else None
        self.link = VirtualLink(retransmission)
        usarts = self.machine.usarts
        self.wifi = VirtualModule(usarts[6], self.machine.time, self.link, timing or ModuleTiming(), self._wait_host)
        self.wifi.rts = self._module_rts
        usarts[1].on_byte = self._console_byte
        self._console_isr = usarts[1].base + 0x1C
        self._control, self._handle, self._signals = control, handle, signals
        self.machine.on_marker = self._marker
        self.machine.on_output = self._output
        self.markers: list[tuple[int, int]] = []  # (t, code)
        self.console_out = bytearray()  # kept only without a pty
        self.console_overruns_seen = 0
        self._owes_since: int | None = None  # virtual time of the last frame that has not been answered
        self._snapshot: dict[str, Any] | None = None
        self.parked = False
        self.fault: GuestFault | None = None
        self.in_guest = False  # a callback waits for the host in the middle of a block
        self._wall_start = time.monotonic()
        self._virtual_start = 0

    # --- console ---
    def _console_byte(self, byte: int, _start: int, _end: int) -> None:
        self._owes_since = None
        if self.console is not None:
            self.console.send(byte)
        else:
            self.console_out.append(byte)

    def deliver(self, frame: bytes) -> None:
        """Take a frame from the host, paced at the guest's baud rate from now on."""
        usart = self.machine.usarts[1]
        pace = usart.frame_t() if usart.baud else 10 * SECOND // 115_200
        now = self.machine.time.now_t
        usart.deliver(frame, now, pace)
        self._owes_since = now
        self.parked = False

    def _module_rts(self, level: bool | None) -> None:
        """Set the module's RTS at D4; while it is not driven, the pin's own pull-up decides."""
        port, pin = MODULE_RTS
        outside = self.machine.gpio[port].external
        if level is None:
            outside.pop(pin, None)
        else:
            outside[pin] = int(level)

    def _output(self, port: str, levels: int) -> None:
        if port == MODULE_EN[0]:
            self.wifi.enable(bool(levels >> MODULE_EN[1] & 1))

    def _marker(self, t: int, code: int) -> None:
        self.markers.append((t, code))

    # --- the loop ---
    def serve(self) -> None:
        """Run until a Shutdown. After a fault only the control channel is served."""
        while True:
            if self.fault is not None:
                self._flush()
                self._host_io(None)
                continue
            if self.parked:
                self._park()
                continue
            try:
                stop = self.machine.run()
            except GuestFault as e:
                self.fault = e
                for line in e.record.lines():
                    log.error("%s", line)
                continue
            if stop is Stop.SLICE:
                self._host_io(0)
            else:
                self._idle()

    def run_until_parked(self, wall_s: float = 60.0) -> None:
        """Run until nothing is due, for tests and tools without a host.

        Raises:
            GuestFault: as `Machine.run`.
            TimeoutError: it did not park in time.
        """
        deadline = time.monotonic() + wall_s
        while time.monotonic() < deadline:
            if self.machine.run() is Stop.IDLE and not self._pass_owed_time():
                return
        raise TimeoutError("the guest did not park")

    def _idle(self) -> None:
        """Go on when the guest waits and no single event is due."""
        self._flush()
        if self._next_frame():
            return
        if self.wifi.service(self.machine.time.now_t) or self._pass_owed_time():
            self._host_io(0)
            return
        if (event := self.machine.next_event_t()) is not None:
            self._host_io(self._ahead(event))  # periodic ticks: keep pace with the host's time
            if not self._next_frame():
                self.machine.step_idle(max(0, event - self.machine.time.now_t))
            return
        self.parked = True

    def _park(self) -> None:
        """Wait for the host. The guest does not run a single instruction meanwhile, however often the host asks for
        something: where it stands when the next frame comes must not depend on the host.
        """
        if self._host_io(None if self.console is None else self.console.patience()):
            self.parked = False
        if self.parked:  # a reset that came meanwhile has to run first: its receiver is off
            self._next_frame()

    def _next_frame(self) -> bool:
        if self.console is None:
            return False
        self.console.receive()
        frame = self.console.frame()
        if frame:
            self.deliver(frame)
        return bool(frame)

    def _pass_owed_time(self) -> bool:
        """Let time go on for a guest that owes an answer and watches a clock, as it may be in a time-out of its own."""
        now = self.machine.time.now_t
        owes = self._owes_since is not None and now - self._owes_since < OWED_LIMIT_T
        if not (owes and self.machine.idle.reads_clock):
            return False
        self.machine.step_idle(OWED_STEP_T)
        return True

    def _ahead(self, event: int) -> float:
        """Return the seconds by which virtual time up to `event` is ahead of the host's."""
        wall = time.monotonic() - self._wall_start
        virtual = (event - self._virtual_start) / SECOND
        if wall - virtual > 1.0 or virtual - wall > 1.0:  # after a stretch of computing, or a long park
            self._wall_start, self._virtual_start = time.monotonic(), event
            return 0.0
        return max(0.0, virtual - wall)

    def _flush(self) -> None:
        if self.console is not None:
            self.console.flush()

    def _host_io(self, wait_s: float | None) -> bool:
        """Wait for the host (None: for ever), serve its control commands; return whether the broker sent something."""
        self._flush()
        fds = self._always()
        if self.console is not None and (self.parked or wait_s):
            fds.append(self.console.fileno())
        broker = self.wifi.mqtt.fileno()
        if broker is not None:
            fds.append(broker)
        writing = [self.console.fileno()] if self.console is not None and self.console.unsent else []
        ready, _, _ = select.select(fds, writing, [], wait_s)
        self._check_signals()
        if self._control is not None and self._control.fileno() in ready:
            self._serve_control()
        return broker is not None and broker in ready and self.wifi.service(self.machine.time.now_t)

    def _wait_host(self, fd: int | None, seconds: float) -> None:
        """Wait in host time while the module waits for the broker; control commands are served meanwhile."""
        self._flush()
        ready, _, _ = select.select([*self._always(), *([] if fd is None else [fd])], [], [], seconds)
        self._check_signals()
        if self._control is not None and self._control.fileno() in ready:
            self.in_guest = True
            try:
                self._serve_control()
            finally:
                self.in_guest = False

    def _always(self) -> list[int]:
        """Return the file descriptors that end any wait."""
        return [one.fileno() for one in (self._control, self._signals) if one is not None]

    def _check_signals(self) -> None:
        if self._signals is not None and self._signals.tripped:
            raise Shutdown("a signal")

    def _serve_control(self) -> None:
        assert self._control is not None and self._handle is not None
        try:
            data = self._control.recv(1 << 16)
        except OSError as e:
            raise Shutdown("the control channel broke") from e
        if not data:
            raise Shutdown("the parent has gone")
        self._handle(self, data)

    # --- snapshot ---
    def snapshot(self) -> None:
        """Keep everything that the guest's future depends on, from a settled state. The board should be parked."""
        self.machine.settle()
        self._snapshot = {"machine": self.machine.snapshot(), "wifi": self.wifi.state(), "parked": self.parked}

    @property
    def has_snapshot(self) -> bool:
        return self._snapshot is not None

    def restore(self) -> None:
        """Go back to the snapshot; the logs start anew."""
        if self._snapshot is None:
            raise RuntimeError("no snapshot")
        self.machine.restore(self._snapshot["machine"])
        self.wifi.restore(self._snapshot["wifi"])
        self.parked = self._snapshot["parked"]
        if self.console is not None:
            self.console.forget()
        self.markers.clear()
        self._owes_since = None
        self.fault = None

    def reset(self, *, module_stays: bool = False) -> None:
        """Press the reset button. The module is powered up again too, unless it stays on with a supply of its own."""
        now = self.machine.time.now_t
        self.machine.reset()
        if module_stays:
            self.wifi.device_was_reset(now)
        else:
            self.wifi.reset()
        if self.console is not None:
            self.console.forget()
        self.markers.clear()
        self._snapshot, self.fault, self._owes_since = None, None, None
        self.parked = False

    # --- what was seen ---
    def stages_ms(self) -> dict[str, float]:
        """Return the time between marker edges in ms, for each stage, since the log was cleared."""
        out: dict[str, float] = {}
        for (start, code), (end, _) in zip(self.markers, self.markers[1:], strict=False):
            name = STAGES.get(code, f"marker {code:03b}")
            out[name] = out.get(name, 0.0) + (end - start) / MILLISECOND
        return out

    def read_log(self) -> dict[str, Any]:
        """Return what the board saw since the last restore or clear (JSON-able)."""
        counters = self.machine.model.counters
        return {
            "now_ms": self.machine.time.now_t / MILLISECOND,
            "clock_hz": self.machine.time.hz,
            "markers": [{"ms": t / MILLISECOND, "stage": STAGES.get(code, f"{code:03b}")} for t, code in self.markers],
            "stages_ms": self.stages_ms(),
            "wifi": self.wifi.read_log(),
            "counters": {
                name: int(getattr(counters, name))
                for name in ("cycles", "skipped", "instructions", "mispredicted", "data_fills", "instruction_fills")
            },
            "overruns": {f"USART{n}": u.overruns for n, u in self.machine.usarts.items() if u.bytes_in or u.overruns},
            "remote_ms": self.wifi.remote_ms,
            "link": None if self.link.spec is None else self.link.spec.model_dump(),
        }

    def notes(self) -> list[str]:
        """Return what makes modelled times doubtful, in words."""
        out = []
        if self.machine.model.counters.cycles > 1_000_000 and not self.machine.scb.caches_enabled:
            out.append(
                "the firmware has not enabled both caches: the cycle model assumes them, the chip would be slower"
            )
        if not self.machine.model.counters.fills_on:
            out.append("line fills are left out")
        return out

    def clear_log(self) -> None:
        self.markers.clear()
        self.wifi.clear_log()

    def close(self) -> None:
        """Give back the pty, the broker connection and the C side. It is safe to call this twice."""
        if self.console is not None:
            self.console.close()
            self.console = None
        self.wifi.close()
        self.machine.close()
